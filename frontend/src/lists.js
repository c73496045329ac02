// Live rows of a list: an event of the stream says that its first page has changed.
// Rows that were added by "show more" stay; without scripts the page is reloaded by hand.

import { AUTOMATIC } from "./automatic_requests.js";

const FIRST_RETRY_MS = 3000; // doubles with each failed reconnection, up to the maximum
const MAX_RETRY_MS = 60_000;

let source = null;
let retryMs = FIRST_RETRY_MS;
let retryTimer = 0;

const list = () => document.getElementById("live-list");
const rowKey = (row) => row.querySelector("a.row-link")?.getAttribute("href") ?? "";

// Replace rows that changed and put new ones above. A longer list has pages that are not in `fresh`.
function updateRows(fresh) {
  const body = list().querySelector("tbody");
  const freshBody = fresh.querySelector("tbody");
  if (!body || !freshBody || body.rows.length <= freshBody.rows.length) {
    list().replaceChildren(...fresh.childNodes);
  } else {
    const old = new Map([...body.rows].map((row) => [rowKey(row), row]));
    const first = body.rows[0];
    for (const row of [...freshBody.rows]) {
      const before = old.get(rowKey(row));
      if (before) before.replaceWith(row);
      else body.insertBefore(row, first.isConnected ? first : body.rows[0]);
    }
  }
  window.htmx?.process(list());
}

async function refresh() {
  const response = await fetch(location.href, { headers: { "HX-Request": "true", ...AUTOMATIC } }).catch(() => null);
  if (!response) return;
  const signInUrl = response.headers.get("hx-redirect");
  if (signInUrl) return location.assign(signInUrl);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("live-list");
  if (!fresh || !list()) return;
  list().dataset.listLive = fresh.dataset.listLive; // with the digest of the new rows
  updateRows(fresh);
}

function connect() {
  clearTimeout(retryTimer);
  source?.close();
  source = new EventSource(list().dataset.listLive);
  source.addEventListener("open", () => (retryMs = FIRST_RETRY_MS));
  source.addEventListener("changed", refresh);
  source.addEventListener("session_ended", () => {
    source.close();
    refresh(); // redirects to the sign-in page
  });
  source.addEventListener("error", () => {
    source.close();
    retryTimer = setTimeout(reconnect, retryMs * (0.7 + 0.6 * Math.random()));
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  });
}

// Refresh first: changes during the interruption are in no event.
async function reconnect() {
  await refresh();
  connect();
}

if (list()?.dataset.listLive) {
  connect();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && source.readyState === EventSource.CLOSED) reconnect();
  });
  addEventListener("pagehide", () => source?.close());
}
