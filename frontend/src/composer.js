// The message form of a conversation: stores the draft while typing, sends messages one after another
// and repeats a failed request with the same idempotency key until the server has the message.
import { load, store } from "./draft_store.js";
import { applyPage, postToConversation, setOffline } from "./inbox_view.js";

const TYPING_INTERVAL_MS = 20_000; // between two "is replying" signals
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

const form = () => document.getElementById("composer");
const field = () => document.getElementById("text");
const photo = () => form().elements.photo;
const storagePlace = () => `inbox:draft:${form().dataset.owner}:${form().dataset.conversation}`;

const queue = []; // {key, text, file, bubble}; a message with a file is lost when the page is closed
let isSending = false;
let retryMs = FIRST_RETRY_MS;
let retryTimer = 0;
let lastTypingAt = 0;

function saveDraft() {
  const sending = queue.filter((message) => !message.file).map(({ key, text }) => ({ key, text }));
  const draft = field().value;
  return store(storagePlace(), form().dataset.draftKey, draft || sending.length ? { draft, sending } : null);
}

function fitHeight() {
  if (CSS.supports("field-sizing", "content")) return;
  field().style.height = "auto";
  field().style.height = `${field().scrollHeight + 2}px`;
}

function showError(text) {
  const box = document.getElementById("composer-error");
  box.hidden = !text;
  box.querySelector("span").textContent = text;
  if (text) field().setAttribute("aria-invalid", "true");
  else field().removeAttribute("aria-invalid");
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, "");
}

function previewPhoto() {
  const box = document.getElementById("composer-photo");
  const [file] = photo().files;
  box.hidden = !file;
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => (box.querySelector("img").src = reader.result));
  reader.readAsDataURL(file);
}

// Show the message in the conversation at once, as being sent.
function addBubble(message) {
  const bubble = document.getElementById("sending").content.cloneNode(true).firstElementChild;
  bubble.dataset.sending = `operator:${message.key}`;
  bubble.dataset.position = Number.MAX_SAFE_INTEGER;
  bubble.querySelector(".bubble-text").textContent = message.text || message.file?.name || "";
  document.getElementById("messages").append(bubble);
  document.getElementById("message-scroll").scrollTop = 0;
  message.bubble = bubble;
  setState(message, "now");
}

// `state`: "now" (being sent) or "wait" (will be sent again).
function setState(message, state) {
  const label = message.bubble.querySelector("[data-now]");
  label.textContent = label.dataset[state];
}

function enqueue() {
  const [file] = photo().files;
  const message = { key: form().elements.key.value, text: field().value, file };
  if (!message.text.trim() && !file) return field().focus();
  showError("");
  queue.push(message);
  addBubble(message);
  form().reset();
  field().value = "";
  form().elements.key.value = newKey();
  previewPhoto();
  fitHeight();
  saveDraft();
  field().focus();
  sendQueue();
}

// Put a refused message back into the field, before any text typed since.
function returnToField(message, error) {
  message.bubble.remove();
  field().value = [message.text, field().value].filter(Boolean).join("\n");
  showError(error);
  fitHeight();
}

async function sendQueue() {
  clearTimeout(retryTimer);
  if (isSending) return;
  isSending = true;
  while (queue.length) {
    const [message] = queue;
    if (!(await send(message))) {
      setState(message, "wait");
      setOffline(true);
      retryTimer = setTimeout(sendQueue, retryMs * (0.7 + 0.6 * Math.random()));
      retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      break;
    }
    retryMs = FIRST_RETRY_MS;
    queue.shift();
    saveDraft();
  }
  isSending = false;
}

// Returns true when the server accepted or refused the message, false when the request must be
// repeated with the same key.
async function send(message) {
  // An earlier response was lost, but the conversation shows that the server has the message.
  if (document.querySelector(`#messages [data-key="operator:${message.key}"]`)) return true;
  setState(message, "now");
  const body = new FormData();
  body.append("csrf", form().elements.csrf.value);
  body.append("key", message.key);
  body.append("text", message.text);
  if (message.file) body.append("photo", message.file);
  const headers = { "HX-Request": "true", "X-CSRF": form().elements.csrf.value };
  try {
    const response = await fetch(form().action, { method: "POST", body, headers });
    setOffline(false);
    const signInUrl = response.headers.get("hx-redirect");
    if (signInUrl) {
      returnToField(message, "");
      await saveDraft();
      location.assign(signInUrl);
      return true;
    }
    if (response.ok) {
      applyPage(await response.text());
      message.bubble.remove();
      return true;
    }
    if (response.headers.get("content-type")?.includes("json")) {
      returnToField(message, (await response.json()).error);
      return true;
    }
    if (response.status === 413) returnToField(message, form().dataset.tooLarge);
    return response.status === 413;
  } catch {
    return false;
  }
}

// Tell the other operators who is replying. Focus alone does not count as typing.
function signalTyping(isTyping) {
  const now = Date.now();
  if (now - lastTypingAt < TYPING_INTERVAL_MS) return;
  lastTypingAt = now;
  postToConversation("answering", isTyping ? { typing: "yes" } : {});
}

async function restore() {
  const stored = await load(storagePlace(), form().dataset.draftKey);
  if (stored?.draft && !field().value.trim()) field().value = stored.draft;
  const restored = stored?.sending ?? [];
  queue.splice(isSending ? 1 : 0, 0, ...restored); // before what was typed meanwhile
  restored.forEach(addBubble);
  fitHeight();
  sendQueue();
}

export function startComposer() {
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    enqueue();
  });
  field().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form().requestSubmit();
  });
  field().addEventListener("input", () => {
    fitHeight();
    saveDraft();
    signalTyping(true);
  });
  field().addEventListener("focus", () => signalTyping(false));
  photo().addEventListener("change", previewPhoto);
  document.querySelector("[data-photo-off]").addEventListener("click", () => {
    photo().value = "";
    previewPhoto();
    field().focus();
  });
  document.addEventListener("inbox:online", sendQueue);
  addEventListener("beforeunload", (event) => {
    if (queue.some((message) => message.file)) event.preventDefault();
  });
  restore();
}
