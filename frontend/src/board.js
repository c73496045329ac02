// The board, alive: drawn anew when a dialog changes, when the person comes back to it, and every
// minute. Without it the page is as old as its loading.
const STALE = 60_000;
const PAUSE = 400; // several changes at once are one

const board = () => document.getElementById("board");
let timer = 0;

// What «Показать ещё» has brought would be lost, so a long page stays as it is.
const grown = () => new URLSearchParams(location.search).has("cursor") || board().dataset.grown;

async function refresh() {
  if (document.visibilityState !== "visible" || grown()) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
  if (!fresh || fresh.outerHTML === board().outerHTML || grown()) return;
  const held = document.activeElement?.closest(".board-line")?.id;
  board().replaceWith(fresh);
  window.htmx?.process(fresh);
  if (held) document.querySelector(`#${CSS.escape(held)} .board-deed :is(a, button)`)?.focus();
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
}

function start() {
  if (!board()) return;
  board().querySelector(".filter[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  document.addEventListener("visibilitychange", soon);
  document.addEventListener("htmx:afterSwap", () => (board().dataset.grown = "1"));
  setInterval(refresh, STALE);
  const { live } = board().dataset;
  if (!live) return;
  const source = new EventSource(live);
  source.addEventListener("changed", soon);
  source.addEventListener("bye", () => source.close());
}

document.addEventListener("DOMContentLoaded", start);
