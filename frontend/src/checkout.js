// What the payment page loads; every page works without it. Nothing is remembered in the browser.
document.documentElement.classList.add("has-script");

// One submit: a second click before the bank's page opens does nothing.
const form = document.querySelector("form[data-once]");
form?.addEventListener("submit", (event) => {
  const button = form.querySelector("button[type=submit]");
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  button.setAttribute("aria-disabled", "true");
  button.dataset.words = button.textContent;
  button.firstElementChild.textContent = button.dataset.sending;
});

// The link from a dialog says that it was opened, and leaves the address: who copies it on is
// another payer. A chat that only looks for a preview runs no script.
if (form?.dataset.seen) {
  const body = new URLSearchParams({ _d: form.elements._d.value });
  fetch(form.dataset.seen, { method: "POST", body, keepalive: true }).catch(() => {});
  const address = new URL(location.href);
  address.searchParams.delete("d");
  history.replaceState(history.state, "", address);
}

// The back button brings the page as it was: make it live again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || !form?.dataset.sent) return;
  location.reload(); // a fresh form, with the answers that were saved
});

// Russian numbers are grouped once the field is left; a half-typed number is never touched.
for (const field of document.querySelectorAll("input[type=tel]")) {
  field.addEventListener("blur", () => {
    const digits = field.value.replace(/\D/g, "");
    const local = digits.length === 10 && digits[0] === "9" ? "7" + digits : digits;
    const number = local.replace(/^8/, "7").match(/^7(\d{3})(\d{3})(\d{2})(\d{2})$/);
    if (number) field.value = `+7 ${number[1]} ${number[2]}-${number[3]}-${number[4]}`;
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}

// Waiting: ask every two seconds, then less often; a hidden page asks when it is seen again.
const waiting = document.querySelector("[data-wait]");
if (waiting) {
  let pause = 2000;
  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(waiting.dataset.wait, { cache: "no-store" });
        const { state, go } = await answer.json();
        if (go) return location.replace(go);
        if (state !== waiting.dataset.state) return location.reload();
      } catch {
        // The line is down: the next look may have more luck.
      }
      pause = Math.min(pause * 1.1, 15000);
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
  document.addEventListener("visibilitychange", () => (pause = 2000));
}
