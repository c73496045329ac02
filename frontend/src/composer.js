// Where an answer is written: kept while it is typed, sent in its turn, sent again with the same key
// until the server has it.
import { offline, post, show } from "./inbox.js";

const SIGN = 20_000; // ms between two signs of "is answering"
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

const form = () => document.getElementById("composer");
const field = () => document.getElementById("text");
const photo = () => form().elements.photo;
const kept = (what) => `inbox:${what}:${form().dataset.owner}:${form().dataset.dialog}`;

const waiting = []; // {key, text, file}; what has a file lives as long as the page does
let running = false;
let wait = FIRST_WAIT;
let timer = 0;
let signed = 0;

function keep() {
  const texts = waiting.filter((one) => !one.file).map(({ key, text }) => ({ key, text }));
  sessionStorage.setItem(kept("sending"), JSON.stringify(texts));
  sessionStorage.setItem(kept("draft"), field().value);
}

function grow() {
  if (CSS.supports("field-sizing", "content")) return;
  field().style.height = "auto";
  field().style.height = `${field().scrollHeight + 2}px`;
}

function wrong(said) {
  const line = document.getElementById("composer-error");
  line.hidden = !said;
  line.querySelector("span").textContent = said;
  if (said) field().setAttribute("aria-invalid", "true");
  else field().removeAttribute("aria-invalid");
}

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, "");
}

function looks() {
  const box = document.getElementById("composer-photo");
  const [file] = photo().files;
  box.hidden = !file;
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => (box.querySelector("img").src = reader.result));
  reader.readAsDataURL(file);
}

// The answer is in the dialog at once, and says that it is still on its way.
function drawn(one) {
  const bubble = document.getElementById("sending").content.cloneNode(true).firstElementChild;
  bubble.dataset.sending = `post:${one.key}`;
  bubble.dataset.place = Number.MAX_SAFE_INTEGER;
  bubble.querySelector(".bubble-text").textContent = one.text || one.file?.name || "";
  document.getElementById("messages").append(bubble);
  document.getElementById("said").scrollTop = 0;
  one.bubble = bubble;
  stated(one, "now");
}

function stated(one, state) {
  const line = one.bubble.querySelector("[data-now]");
  line.textContent = line.dataset[state];
}

function take() {
  const [file] = photo().files;
  const one = { key: form().elements.key.value, text: field().value, file };
  if (!one.text.trim() && !file) return field().focus();
  wrong("");
  waiting.push(one);
  drawn(one);
  form().reset();
  field().value = "";
  form().elements.key.value = freshKey();
  looks();
  grow();
  keep();
  field().focus();
  run();
}

// Back into the field, before whatever was typed meanwhile.
function given(one, said) {
  one.bubble.remove();
  field().value = [one.text, field().value].filter(Boolean).join("\n");
  wrong(said);
  grow();
}

async function run() {
  clearTimeout(timer);
  if (running) return;
  running = true;
  while (waiting.length) {
    const [one] = waiting;
    if (!(await sent(one))) {
      stated(one, "wait");
      offline(true);
      timer = setTimeout(run, wait * (0.7 + 0.6 * Math.random()));
      wait = Math.min(wait * 2, LONGEST_WAIT);
      break;
    }
    wait = FIRST_WAIT;
    waiting.shift();
    keep();
  }
  running = false;
}

// True when the server has decided; false when it must be asked again with the same key.
async function sent(one) {
  // The answer was lost, but the dialog shows that the server has it.
  if (document.querySelector(`#messages [data-key="post:${one.key}"]`)) return true;
  stated(one, "now");
  const body = new FormData();
  body.append("csrf", form().elements.csrf.value);
  body.append("key", one.key);
  body.append("text", one.text);
  if (one.file) body.append("photo", one.file);
  const headers = { "HX-Request": "true", "X-CSRF": form().elements.csrf.value };
  try {
    const answer = await fetch(form().action, { method: "POST", body, headers });
    offline(false);
    const door = answer.headers.get("hx-redirect");
    if (door) {
      given(one, "");
      keep();
      location.assign(door);
      return true;
    }
    if (answer.ok) {
      show(await answer.text());
      one.bubble.remove();
      return true;
    }
    if (answer.headers.get("content-type")?.includes("json")) {
      given(one, (await answer.json()).error);
      return true;
    }
    if (answer.status === 413) given(one, form().dataset.tooLarge);
    return answer.status === 413;
  } catch {
    return false;
  }
}

// The others see who is answering: quietly while the field is looked into, surely while it is typed.
function sign(typing) {
  const now = Date.now();
  if (now - signed < SIGN) return;
  signed = now;
  post("answering", typing ? { typing: "yes" } : {});
}

function restore() {
  const draft = sessionStorage.getItem(kept("draft"));
  if (draft && !field().value.trim()) field().value = draft;
  for (const one of JSON.parse(sessionStorage.getItem(kept("sending")) ?? "[]")) {
    waiting.push(one);
    drawn(one);
  }
  grow();
  run();
}

export function composing() {
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    take();
  });
  field().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form().requestSubmit();
  });
  field().addEventListener("input", () => {
    grow();
    keep();
    sign(true);
  });
  field().addEventListener("focus", () => sign(false));
  photo().addEventListener("change", looks);
  document.querySelector("[data-photo-off]").addEventListener("click", () => {
    photo().value = "";
    looks();
    field().focus();
  });
  document.addEventListener("inbox:line", run);
  addEventListener("beforeunload", (event) => {
    if (waiting.some((one) => one.file)) event.preventDefault();
  });
  restore();
}
