// Live to-do board: reloaded when a conversation changes, when the tab becomes visible, and every
// minute. Without it the board is updated by reloading the page.
import { AUTOMATIC } from "./automatic_requests.js";

const REFRESH_MS = 60_000;
const DEBOUNCE_MS = 400; // several changes in a row cause one reload

const board = () => document.getElementById("board");
let timer = 0;

// A reload would drop the rows loaded with «Показать ещё», so such a board is not reloaded.
const hasLoadedRows = () => new URLSearchParams(location.search).has("cursor") || board().dataset.hasLoadedRows;

async function refresh() {
  if (document.visibilityState !== "visible" || hasLoadedRows()) return;
  const response = await fetch(location.href, { headers: { accept: "text/html", ...AUTOMATIC } }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("board");
  if (!fresh || fresh.outerHTML === board().outerHTML || hasLoadedRows()) return;
  const focusedId = document.activeElement?.closest(".board-item")?.id;
  board().replaceWith(fresh);
  window.htmx?.process(fresh);
  if (focusedId) document.querySelector(`#${CSS.escape(focusedId)} .board-action :is(a, button)`)?.focus();
}

function scheduleRefresh() {
  clearTimeout(timer);
  timer = setTimeout(refresh, DEBOUNCE_MS);
}

function start() {
  if (!board()) return;
  board().querySelector(".filter[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  document.addEventListener("visibilitychange", scheduleRefresh);
  document.addEventListener("htmx:afterSwap", () => (board().dataset.hasLoadedRows = "1"));
  setInterval(refresh, REFRESH_MS);
  const { live } = board().dataset;
  if (!live) return;
  const source = new EventSource(live);
  source.addEventListener("changed", scheduleRefresh);
  source.addEventListener("session_ended", () => source.close());
}

document.addEventListener("DOMContentLoaded", start);
