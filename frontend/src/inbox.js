// Live inbox: shows changes as they happen and sends messages in place.
// Every page works without it by reloading.
import { AUTOMATIC } from "./automatic_requests.js";
import { startComposer } from "./composer.js";
import {
  applyPage,
  feed,
  inboxElement,
  isAtEnd,
  keepScroll,
  mergeMessages,
  replacePart,
  setNewestButton,
  setOffline,
  setUnread,
} from "./inbox_view.js";

const FIRST_RETRY_MS = 1000; // doubles with each failed reconnection, up to the maximum
const MAX_RETRY_MS = 30_000;
const REFRESH_MS = 60_000; // relative times and "is replying" notes become outdated without a change

let source = null;
let retryMs = FIRST_RETRY_MS;
let retryTimer = 0;
let isRefreshing = false;
let needsRefresh = false;

// Load the current page and apply it. Returns false when the server cannot be reached or fails.
// After the session has expired, the browser is sent to the sign-in page.
async function refresh() {
  if (isRefreshing) {
    needsRefresh = true;
    return true;
  }
  isRefreshing = true;
  try {
    const response = await fetch(location.pathname + location.search, { headers: { "HX-Request": "true", ...AUTOMATIC } });
    const signInUrl = response.headers.get("hx-redirect");
    if (signInUrl) location.assign(signInUrl);
    else if (response.ok) applyPage(await response.text());
    return response.ok;
  } catch {
    return false;
  } finally {
    isRefreshing = false;
    if (needsRefresh) {
      needsRefresh = false;
      refresh();
    }
  }
}

function scheduleReconnect() {
  setOffline(true);
  clearTimeout(retryTimer);
  retryTimer = setTimeout(reconnect, retryMs * (0.7 + 0.6 * Math.random()));
  retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
}

function connect() {
  clearTimeout(retryTimer);
  source?.close();
  source = new EventSource(`${inboxElement().dataset.live}?since=${feed.since}`);
  source.addEventListener("open", () => {
    retryMs = FIRST_RETRY_MS;
    setOffline(false);
    document.dispatchEvent(new CustomEvent("inbox:online"));
  });
  source.addEventListener("changed", (event) => {
    feed.advance(Number(event.lastEventId));
    const before = document.querySelector("#unread b")?.textContent ?? "";
    const { unread } = JSON.parse(event.data);
    setUnread(unread);
    if (unread && unread !== before && !inboxElement().dataset.conversation)
      document.getElementById("inbox-news").textContent = inboxElement().dataset.news;
    refresh();
  });
  source.addEventListener("session_ended", () => {
    source.close();
    refresh(); // redirects to the sign-in page
  });
  source.addEventListener("error", () => {
    source.close();
    scheduleReconnect();
  });
}

// Refresh first: a long interruption may have ended the session or left changes behind.
async function reconnect() {
  clearTimeout(retryTimer);
  if (await refresh()) return connect();
  scheduleReconnect();
}

async function loadEarlier(link) {
  const response = await fetch(link.href, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!response?.ok) return setOffline(true);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  keepScroll(() => mergeMessages(fresh.getElementById("messages")), { prepends: true });
  replacePart(fresh, "earlier");
}

function start() {
  if (!inboxElement()) return;
  feed.since = Number(inboxElement().dataset.since);
  setUnread(document.querySelector("#unread b")?.textContent ?? "");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-earlier]");
    if (link && inboxElement().dataset.conversation && document.getElementById("message-scroll")) {
      event.preventDefault();
      loadEarlier(link);
    }
    if (event.target.closest("#to-newest")) {
      document.getElementById("message-scroll").scrollTop = 0;
      setNewestButton(false);
    }
  });
  document.getElementById("message-scroll")?.addEventListener("scroll", (event) => {
    if (isAtEnd(event.target)) setNewestButton(false);
  });
  // Restore the scroll position that the list had before a conversation was opened.
  const list = document.querySelector(".inbox-list-scroll");
  list.scrollTop = Number(sessionStorage.getItem("inbox:list") ?? 0);
  addEventListener("pagehide", () => sessionStorage.setItem("inbox:list", list.scrollTop));
  addEventListener("online", reconnect);
  addEventListener("offline", () => setOffline(true));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    if (source.readyState === EventSource.CLOSED) reconnect();
    else refresh(); // also marks messages that arrived meanwhile as read
  });
  setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
  if (inboxElement().dataset.conversation) startComposer();
  connect();
}

// Remove a profile photo that failed to load: the initials behind it show. Browsers that draw
// ::before over a broken image do it in CSS.
document.addEventListener(
  "error",
  ({ target }) => target.dataset?.initials && target.remove(),
  true,
);

// Drafts must not be visible to the next person who signs in at this browser.
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") !== "/sign-out") return;
  for (const name of Object.keys(sessionStorage)) if (name.startsWith("inbox:")) sessionStorage.removeItem(name);
});

document.addEventListener("DOMContentLoaded", start);
