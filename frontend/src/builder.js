// The form builder of an invoice or a service: the preview follows the typing. Without it «Посмотреть» shows it.
const PAUSE = 250; // ms without typing before the preview is asked for

let asked = 0;

async function refresh(form, frame) {
  const turn = ++asked;
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.dataset.preview, { method: "POST", body }).catch(() => null);
  if (!answer?.ok || turn !== asked) return; // typed on meanwhile, or no network: the old one stays
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const page = frame.contentDocument;
  const top = page.scrollingElement?.scrollTop ?? 0;
  // Only the body is swapped: the style sheet stays, and no step is added to the browser's history.
  page.body.replaceWith(page.adoptNode(fresh.body));
  if (page.scrollingElement) page.scrollingElement.scrollTop = top;
}

function build() {
  const frame = document.querySelector(".preview-frame");
  if (!frame) return;
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const form = document.querySelector("form[data-preview]");
      if (form) refresh(form, frame);
    }, PAUSE);
  };
  // The form itself is replaced when its rows change, so the page listens.
  document.addEventListener("input", (event) => event.target.closest("form[data-preview]") && soon());
  document.addEventListener("htmx:afterSettle", soon);
  const fold = document.querySelector("details[data-fold]");
  if (fold && !matchMedia("(width >= 1180px)").matches) fold.open = false;
}

document.addEventListener("DOMContentLoaded", build);
