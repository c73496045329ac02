// Entry script of the payer's pages. Every page works without it. It stores nothing in the browser.
document.documentElement.classList.add("has-script");

// Block a second submit while the acquirer's page is loading.
const form = document.querySelector("form[data-submit-once]");
form?.addEventListener("submit", (event) => {
  const button = form.querySelector("button[type=submit]");
  if (form.dataset.isSubmitted) {
    event.preventDefault();
    return;
  }
  form.dataset.isSubmitted = "yes";
  button.setAttribute("aria-disabled", "true");
  button.firstElementChild.textContent = button.dataset.submitting;
});

// Report that a client has opened the page (link previews run no scripts). Of a payment link from a
// conversation remove the signature from the URL, because a copied URL belongs to another payer.
if (form?.dataset.pageViewUrl) {
  const body = new URLSearchParams({ _d: form.elements._d?.value ?? "" });
  fetch(form.dataset.pageViewUrl, { method: "POST", body, keepalive: true }).catch(() => {});
  const url = new URL(location.href);
  url.searchParams.delete("d");
  history.replaceState(history.state, "", url);
}

// The back button may restore the page with its form blocked.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || !form?.dataset.isSubmitted) return;
  location.reload(); // a new form with the stored answers
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}

// Waiting page: poll every two seconds at first, then less often, and only while the tab is visible.
const waitBox = document.querySelector("[data-state-url]");
if (waitBox) {
  let delayMs = 2000;
  const poll = async () => {
    if (document.visibilityState === "visible") {
      try {
        const response = await fetch(waitBox.dataset.stateUrl, { cache: "no-store" });
        const { state, go } = await response.json();
        if (go) return location.replace(go);
        if (state !== waitBox.dataset.state) return location.reload();
      } catch {
        // Offline: try again after the delay.
      }
      delayMs = Math.min(delayMs * 1.1, 15000);
    }
    setTimeout(poll, delayMs);
  };
  setTimeout(poll, delayMs);
  document.addEventListener("visibilitychange", () => (delayMs = 2000));
}
