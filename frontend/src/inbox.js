// The dialogs, alive: what changes comes by itself, an answer is sent in place and never twice.
// Without it every page works by a reload.
import { composing } from "./composer.js";

const FIRST_WAIT = 1000; // ms before the line is tried again; doubles up to the longest
const LONGEST_WAIT = 30_000;
const QUIET = 2000; // a line that breaks for less than that is not worth a word
const STALE = 60_000; // times and "is answering" grow old by themselves
const NEAR = 80; // px from the end that count as "at the end"

const room = () => document.getElementById("inbox");
const title = document.title;

let since = 0;
let source = null;
let wait = FIRST_WAIT;
let timer = 0;
let silence = 0;
let busy = false;
let again = false;

export function offline(shown) {
  clearTimeout(silence);
  silence = 0;
  const said = document.getElementById("no-line");
  if (!said) return;
  if (!shown) said.hidden = true;
  else if (said.hidden) silence = setTimeout(() => (said.hidden = false), QUIET);
}

function headed(unread) {
  document.title = unread ? `(${unread}) ${title}` : title;
}

// A part is drawn anew only when it differs, so that focus and selection stay.
function swap(fresh, id) {
  const mine = document.getElementById(id);
  const other = fresh.getElementById(id);
  if (!mine || !other || mine.outerHTML === other.outerHTML) return;
  const held = mine.contains(document.activeElement) ? document.activeElement.id : "";
  mine.replaceWith(other);
  if (window.htmx) window.htmx.process(other);
  if (held) document.getElementById(held)?.focus();
}

function swapList(fresh) {
  const mine = document.getElementById("dialogs");
  const other = fresh.getElementById("dialogs");
  if (!mine || !other) return swap(fresh, "talk-list");
  const rows = [...other.children];
  const known = new Set(rows.map((row) => row.id));
  const last = Number(rows.at(-1)?.dataset.at ?? 0);
  // What «Показать ещё» has brought lies under the first page and stays.
  const more = [...mine.children].filter((row) => !known.has(row.id) && Number(row.dataset.at) <= last);
  if (!more.length) return swap(fresh, "talk-list");
  const same = rows.every((row) => document.getElementById(row.id)?.outerHTML === row.outerHTML);
  if (!same || mine.children.length !== rows.length + more.length) mine.replaceChildren(...rows, ...more);
}

function place(list, item) {
  const at = Number(item.dataset.place);
  const next = [...list.children].find((one) => Number(one.dataset.place) > at);
  list.insertBefore(item, next ?? null);
}

// Messages by their ids: new ones in their places, changed ones drawn anew, the rest untouched.
function merge(other) {
  const list = document.getElementById("messages");
  const came = [];
  for (const item of [...other.children]) {
    const mine = document.getElementById(item.id);
    if (mine && mine.dataset.mark === item.dataset.mark && mine.dataset.place === item.dataset.place) continue;
    if (item.dataset.key) list.querySelector(`[data-sending="${CSS.escape(item.dataset.key)}"]`)?.remove();
    mine?.remove();
    place(list, item);
    if (!mine && item.matches(".bubble-in")) came.push(item);
  }
  let day = "";
  for (const item of list.querySelectorAll(":scope > .day")) {
    if (item.dataset.mark === day) item.remove();
    else if (item.id === "no-messages" && list.querySelector(".bubble")) item.remove();
    else day = item.dataset.mark;
  }
  document.dispatchEvent(new CustomEvent("htmx:load")); // buttons that copy are shown by cabinet.js
  return came;
}

// The end of the list stays in sight for who is at it; who reads above is not moved.
function keeping(change) {
  const box = document.getElementById("said");
  const fromEnd = -box.scrollTop;
  const height = box.scrollHeight;
  const came = change();
  box.scrollTop = fromEnd <= NEAR ? 0 : -(fromEnd + (came.over ? 0 : box.scrollHeight - height));
  return came;
}

function toNewest(shown) {
  const button = document.getElementById("to-newest");
  if (button) button.hidden = !shown;
}

function told(came, fresh) {
  const news = document.getElementById("inbox-news");
  const name = fresh.getElementById("since")?.dataset.name;
  if (came.length && name) news.textContent = `${room().dataset.newsFrom} ${name}`;
}

function seen(fresh) {
  const now = fresh.getElementById("since")?.dataset;
  if (!now?.read || document.visibilityState !== "visible") return;
  if (now.waiting !== "0") post("read", { last: now.read });
}

export function post(what, form) {
  const csrf = document.querySelector("#composer [name=csrf]").value;
  const body = new URLSearchParams({ csrf, ...form });
  return fetch(`/inbox/${room().dataset.dialog}/${what}`, { method: "POST", body }).catch(() => null);
}

// What an answer brought: every part that may have changed, and messages by their ids.
export function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  since = Math.max(since, Number(fresh.getElementById("since")?.dataset.since ?? 0));
  const unread = fresh.querySelector("#unread b")?.textContent ?? "";
  swap(fresh, "unread");
  swap(fresh, "talk-filters");
  swapList(fresh);
  headed(unread);
  const messages = fresh.getElementById("messages");
  if (!messages || !room().dataset.dialog) return;
  for (const id of ["dialog-top", "dialog-notes", "client", "dealings"]) swap(fresh, id);
  const atEnd = -document.getElementById("said").scrollTop <= NEAR;
  const came = keeping(() => merge(messages));
  toNewest(!atEnd && came.length > 0);
  told(came, fresh);
  seen(fresh);
}

// False when there is no line. A session that is over leads to the door.
async function refresh() {
  if (busy) {
    again = true;
    return true;
  }
  busy = true;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { "HX-Request": "true" } });
    const door = answer.headers.get("hx-redirect");
    if (door) location.assign(door);
    else if (answer.ok) show(await answer.text());
    return answer.ok;
  } catch {
    return false;
  } finally {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function listen() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(`${room().dataset.live}?since=${since}`);
  source.addEventListener("open", () => {
    wait = FIRST_WAIT;
    offline(false);
    document.dispatchEvent(new CustomEvent("inbox:line"));
  });
  source.addEventListener("changed", (event) => {
    since = Math.max(since, Number(event.lastEventId));
    const before = document.querySelector("#unread b")?.textContent ?? "";
    const { unread } = JSON.parse(event.data);
    headed(unread);
    if (unread && unread !== before && !room().dataset.dialog)
      document.getElementById("inbox-news").textContent = room().dataset.news;
    refresh();
  });
  source.addEventListener("bye", () => {
    source.close();
    refresh(); // leads to the door
  });
  source.addEventListener("error", () => {
    source.close();
    offline(true);
    clearTimeout(timer);
    timer = setTimeout(back, wait * (0.7 + 0.6 * Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  });
}

async function back() {
  clearTimeout(timer);
  if (await refresh()) return listen();
  offline(true);
  timer = setTimeout(back, wait * (0.7 + 0.6 * Math.random()));
  wait = Math.min(wait * 2, LONGEST_WAIT);
}

async function earlier(link) {
  const answer = await fetch(link.href, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return offline(true);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  keeping(() => Object.assign(merge(fresh.getElementById("messages")), { over: true }));
  swap(fresh, "earlier");
}

function start() {
  if (!room()) return;
  since = Number(room().dataset.since);
  headed(document.querySelector("#unread b")?.textContent ?? "");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-earlier]");
    if (link && room().dataset.dialog && document.getElementById("said")) {
      event.preventDefault();
      earlier(link);
    }
    if (event.target.closest("#to-newest")) {
      document.getElementById("said").scrollTop = 0;
      toNewest(false);
    }
  });
  document.getElementById("said")?.addEventListener("scroll", (event) => {
    if (-event.target.scrollTop <= NEAR) toNewest(false);
  });
  // The list stands where it stood before the dialog was opened.
  const list = document.querySelector(".talks-scroll");
  list.scrollTop = Number(sessionStorage.getItem("inbox:list") ?? 0);
  addEventListener("pagehide", () => sessionStorage.setItem("inbox:list", list.scrollTop));
  addEventListener("online", back);
  addEventListener("offline", () => offline(true));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    if (source.readyState === EventSource.CLOSED) back();
    else refresh(); // and says that what came meanwhile is read
  });
  setInterval(() => document.visibilityState === "visible" && refresh(), STALE);
  if (room().dataset.dialog) composing();
  listen();
}

// Initials stand in for a face that does not come, also where the style sheet cannot do it.
document.addEventListener(
  "error",
  ({ target }) => target.dataset?.initials && target.remove(),
  true,
);

// What was typed is nobody else's after the person has left.
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") !== "/sign-out") return;
  for (const name of Object.keys(sessionStorage)) if (name.startsWith("inbox:")) sessionStorage.removeItem(name);
});

document.addEventListener("DOMContentLoaded", start);
