// The form builder of an invoice or a service: updates the preview while typing. Without it the
// button «Предпросмотр» opens the preview.
const DEBOUNCE_MS = 250;

let lastRequest = 0;

async function refresh(form, frame) {
  const request = ++lastRequest;
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(form.dataset.preview, { method: "POST", body }).catch(() => null);
  if (!response?.ok || request !== lastRequest) return; // failed or outdated: the current preview stays
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const page = frame.contentDocument;
  const scrollTop = page.scrollingElement?.scrollTop ?? 0;
  // Only the body is replaced: the style sheet stays loaded and the browser history does not grow.
  page.body.replaceWith(page.adoptNode(fresh.body));
  if (page.scrollingElement) page.scrollingElement.scrollTop = scrollTop;
}

function start() {
  const frame = document.querySelector(".preview-frame");
  if (!frame) return;
  let timer = 0;
  const scheduleRefresh = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const form = document.querySelector("form[data-preview]");
      if (form) refresh(form, frame);
    }, DEBOUNCE_MS);
  };
  // htmx replaces the form when its rows change, so the listeners are on the document.
  document.addEventListener("input", (event) => event.target.closest("form[data-preview]") && scheduleRefresh());
  document.addEventListener("htmx:afterSettle", scheduleRefresh);
  const fold = document.querySelector("details[data-fold]");
  if (fold && !matchMedia("(width >= 1180px)").matches) fold.open = false;
}

document.addEventListener("DOMContentLoaded", start);
