// The inbox as it is on the screen: applies a page from the server to the document part by part.
// Shared by inbox.js (live updates) and composer.js (sending), so that they need not import each other.
import { AUTOMATIC } from "./automatic_requests.js";

import { showUnread } from "./badge.js";

const OFFLINE_DELAY_MS = 2000; // shorter interruptions are not shown
const NEAR_END_PX = 80; // a scroll position this close to the end counts as "at the end"

let offlineTimer = 0;

// Position in the change feed: the latest change that this page shows.
export const feed = {
  since: 0,
  advance(position) {
    this.since = Math.max(this.since, position);
  },
};

export const inboxElement = () => document.getElementById("inbox");

export const isAtEnd = (scrollBox) => -scrollBox.scrollTop <= NEAR_END_PX;

export function setOffline(isOffline) {
  clearTimeout(offlineTimer);
  offlineTimer = 0;
  const note = document.getElementById("offline-note");
  if (!note) return;
  if (!isOffline) note.hidden = true;
  else if (note.hidden) offlineTimer = setTimeout(() => (note.hidden = false), OFFLINE_DELAY_MS);
}

export const setUnread = showUnread;

export function setNewestButton(isVisible) {
  const button = document.getElementById("to-newest");
  if (button) button.hidden = !isVisible;
}

// Replace an element only if its HTML differs, so that focus and selection survive.
export function replacePart(fresh, id) {
  const current = document.getElementById(id);
  const next = fresh.getElementById(id);
  if (!current || !next || current.outerHTML === next.outerHTML) return;
  const focusedId = current.contains(document.activeElement) ? document.activeElement.id : "";
  current.replaceWith(next);
  if (window.htmx) window.htmx.process(next);
  if (focusedId) document.getElementById(focusedId)?.focus();
}

function replaceList(fresh) {
  const current = document.getElementById("conversations");
  const next = fresh.getElementById("conversations");
  if (!current || !next) return replacePart(fresh, "conversation-list");
  const rows = [...next.children];
  const freshIds = new Set(rows.map((row) => row.id));
  const oldestAt = Number(rows.at(-1)?.dataset.at ?? 0);
  // Rows loaded with «Показать ещё» come after the first page and are kept.
  const loadedRows = [...current.children].filter((row) => !freshIds.has(row.id) && Number(row.dataset.at) <= oldestAt);
  if (!loadedRows.length) return replacePart(fresh, "conversation-list");
  const isSame = rows.every((row) => document.getElementById(row.id)?.outerHTML === row.outerHTML);
  if (!isSame || current.children.length !== rows.length + loadedRows.length)
    current.replaceChildren(...rows, ...loadedRows);
}

function insertInOrder(list, item) {
  const position = Number(item.dataset.position);
  const next = [...list.children].find((other) => Number(other.dataset.position) > position);
  list.insertBefore(item, next ?? null);
}

// Merge messages by id: insert new ones in order, replace changed ones, leave the rest untouched.
// Returns the new incoming messages.
export function mergeMessages(freshList) {
  const list = document.getElementById("messages");
  const incoming = [];
  for (const item of [...freshList.children]) {
    const current = document.getElementById(item.id);
    if (current && current.dataset.version === item.dataset.version && current.dataset.position === item.dataset.position) continue;
    if (item.dataset.key) list.querySelector(`[data-sending="${CSS.escape(item.dataset.key)}"]`)?.remove();
    current?.remove();
    insertInOrder(list, item);
    if (!current && item.matches(".bubble-in")) incoming.push(item);
  }
  let day = "";
  for (const item of list.querySelectorAll(":scope > .day")) {
    if (item.dataset.version === day) item.remove();
    else if (item.id === "no-messages" && list.querySelector(".bubble")) item.remove();
    else day = item.dataset.version;
  }
  document.dispatchEvent(new CustomEvent("htmx:load")); // cabinet.js shows the copy buttons
  return incoming;
}

// Run a change of the message list. A reader at the end stays at the end; a reader further up keeps
// their position. `prepends`: the change adds messages above, which does not move the distance to the end.
export function keepScroll(change, { prepends = false } = {}) {
  const box = document.getElementById("message-scroll");
  const fromEnd = -box.scrollTop;
  const height = box.scrollHeight;
  const incoming = change();
  box.scrollTop = fromEnd <= NEAR_END_PX ? 0 : -(fromEnd + (prepends ? 0 : box.scrollHeight - height));
  return incoming;
}

function announce(incoming, fresh) {
  const news = document.getElementById("inbox-news");
  const name = fresh.getElementById("since")?.dataset.name;
  if (incoming.length && name) news.textContent = `${inboxElement().dataset.newsFrom} ${name}`;
}

function markRead(fresh) {
  const state = fresh.getElementById("since")?.dataset;
  if (!state?.read || document.visibilityState !== "visible") return;
  if (state.waiting !== "0") postToConversation("read", { last: state.read }, AUTOMATIC);
}

// Post a form to /inbox/{id}/{action} of the open conversation. Resolves to null when offline.
export function postToConversation(action, fields, headers = {}) {
  const csrf = document.querySelector("#composer [name=csrf]").value;
  const body = new URLSearchParams({ csrf, ...fields });
  return fetch(`/inbox/${inboxElement().dataset.conversation}/${action}`, { method: "POST", body, headers }).catch(() => null);
}

// Apply a response of the server: replace every part that changed and merge the messages.
export function applyPage(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  feed.advance(Number(fresh.getElementById("since")?.dataset.since ?? 0));
  const unread = fresh.querySelector("#unread b")?.textContent ?? "";
  replacePart(fresh, "unread");
  replacePart(fresh, "inbox-filters");
  replaceList(fresh);
  setUnread(unread);
  const messages = fresh.getElementById("messages");
  if (!messages || !inboxElement().dataset.conversation) return;
  for (const id of ["conversation-top", "conversation-notes", "client", "billing"]) replacePart(fresh, id);
  const wasAtEnd = isAtEnd(document.getElementById("message-scroll"));
  const incoming = keepScroll(() => mergeMessages(messages));
  // Marking the new messages read brings another update without messages: the button must stay.
  if (wasAtEnd) setNewestButton(false);
  else if (incoming.length) setNewestButton(true);
  announce(incoming, fresh);
  markRead(fresh);
}
