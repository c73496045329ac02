// What the cabinet's pages load. Every page works without it; it saves reloads and typing.
import "htmx.org";
import "./board.js";
import "./builder.js";
import "./inbox.js";
import "./services.js";

document.documentElement.classList.add("has-script");

function copying() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  const words = button.querySelector("span");
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    field.select(); // no permission or no https: the person copies what is selected
    if (!document.execCommand("copy")) return;
  }
  words.textContent = button.dataset.done;
  setTimeout(() => (words.textContent = before), 2000);
}

function reveal(button) {
  const field = document.getElementById(button.dataset.reveal);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-reveal]");
  if (button?.dataset.copy) copy(button);
  if (button?.dataset.reveal) reveal(button);
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-select]")) event.target.select();
});

// A second press of a button that is already sending does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 3000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// The server makes a colour readable (web/checkout/colour.py); its own answer is what is shown here.
async function readable(colour) {
  const answer = await fetch(`/accent/${colour.slice(1)}.css`);
  if (!answer.ok) return null;
  const css = await answer.text();
  const [, fill] = css.match(/--accent:([^;]+)/);
  const [, ink] = css.match(/--on-accent:([^;]+)/);
  return { fill, ink };
}

function previewAccent(box) {
  const [typed, pick, sample, said] = ["#accent", "[data-accent-pick]", "[data-accent-sample]", "[data-accent-said]"].map(
    (selector) => box.querySelector(selector),
  );
  const show = async () => {
    const wanted = typed.value.trim().toLowerCase();
    const good = /^#[0-9a-f]{6}$/.test(wanted);
    if (good) pick.value = wanted;
    const colours = good ? await readable(wanted) : null;
    if (wanted !== typed.value.trim().toLowerCase()) return; // typed on meanwhile
    sample.style.setProperty("--sample", colours?.fill ?? "");
    sample.style.setProperty("--on-sample", colours?.ink ?? "");
    said.textContent = colours && !colours.fill.includes(`(${wanted},`) ? said.dataset.changed : "";
  };
  pick.addEventListener("input", () => {
    typed.value = pick.value;
    show();
  });
  typed.addEventListener("input", show);
  show();
}

function start() {
  copying();
  for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;
  for (const box of document.querySelectorAll("[data-accent]")) previewAccent(box);
  document.getElementById("form-errors")?.focus();
}

document.addEventListener("DOMContentLoaded", start);
document.addEventListener("htmx:load", copying);
