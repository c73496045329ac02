// Entry script of the cabinet. Every page works without it; it saves reloads and typing.
import "htmx.org";
import "./badge.js";
import "./board.js";
import "./builder.js";
import "./inbox.js";
import "./lists.js";
import "./passkeys.js";
import "./push.js";
import "./services.js";

document.documentElement.classList.add("has-script");

function showCopyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  const text = label.textContent;
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    field.select(); // without permission or https the user copies the selection
    if (!document.execCommand("copy")) return;
  }
  label.textContent = button.dataset.done;
  setTimeout(() => (label.textContent = text), 2000);
}

function togglePassword(button) {
  const field = document.getElementById(button.dataset.reveal);
  const wasHidden = field.type === "password";
  field.type = wasHidden ? "text" : "password";
  button.setAttribute("aria-pressed", String(wasHidden));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-reveal]");
  if (button?.dataset.copy) copy(button);
  if (button?.dataset.reveal) togglePassword(button);
});

// htmx drops a response with an error status. The form is sent again without htmx, so that the
// browser shows the page that says what is wrong. Polling and live previews just try again later.
document.addEventListener("htmx:responseError", (event) => {
  const { elt, requestConfig } = event.detail;
  if (elt instanceof HTMLFormElement && requestConfig.triggeringEvent?.type === "submit") elt.submit();
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-select]")) event.target.select();
});

// Block a second submit while the first one is being sent.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("download" in form.dataset) return; // the page stays as it is, and the form can be sent again
  if (form.dataset.isSubmitted) event.preventDefault();
  form.dataset.isSubmitted = "1";
  setTimeout(() => delete form.dataset.isSubmitted, 3000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.isSubmitted;
});

// The server adjusts the contrast of a colour (web/checkout/colour.py); the preview uses its result.
async function fetchAdjusted(colour) {
  const response = await fetch(`/accent/${colour.slice(1)}.css`);
  if (!response.ok) return null;
  const css = await response.text();
  const [, fill] = css.match(/--accent:([^;]+)/);
  const [, ink] = css.match(/--on-accent:([^;]+)/);
  return { fill, ink };
}

function previewAccent(box) {
  const [input, picker, sample, note] = ["#accent", "[data-accent-pick]", "[data-accent-sample]", "[data-accent-note]"].map(
    (selector) => box.querySelector(selector),
  );
  const update = async () => {
    const colour = input.value.trim().toLowerCase();
    const isValid = /^#[0-9a-f]{6}$/.test(colour);
    if (isValid) picker.value = colour;
    const adjusted = isValid ? await fetchAdjusted(colour) : null;
    if (colour !== input.value.trim().toLowerCase()) return; // the input has changed meanwhile
    sample.style.setProperty("--sample", adjusted?.fill ?? "");
    sample.style.setProperty("--on-sample", adjusted?.ink ?? "");
    note.textContent = adjusted && !adjusted.fill.includes(`(${colour},`) ? note.dataset.changed : "";
  };
  picker.addEventListener("input", () => {
    input.value = picker.value;
    update();
  });
  input.addEventListener("input", update);
  update();
}

// The first wrong field of a refused form gets the focus, else the box that says what is wrong.
function focusFirstError() {
  const controls = 'input:not([type="hidden"], :disabled), select:not(:disabled), textarea:not(:disabled)';
  const [field] = [...document.querySelectorAll('[aria-invalid="true"], .field.wrong')].flatMap((wrong) => {
    if (wrong.matches(controls)) return [wrong];
    return wrong.querySelector(`:checked`) ?? wrong.querySelector(controls) ?? [];
  });
  for (let box = field?.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  (field ?? document.getElementById("form-errors"))?.focus();
  field?.closest(".field")?.scrollIntoView({ block: "nearest" });
}

function start() {
  showCopyButtons();
  for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;
  for (const box of document.querySelectorAll("[data-accent]")) previewAccent(box);
  focusFirstError();
}

document.addEventListener("DOMContentLoaded", start);
document.addEventListener("htmx:load", showCopyButtons);
