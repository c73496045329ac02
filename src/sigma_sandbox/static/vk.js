// The client's pages with JavaScript: a conversation that updates itself, buttons without a reload,
// copying. Without this file everything works by forms and reloading.
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy"); // the clipboard API exists only on https and localhost
      }
      const label = button.textContent;
      button.textContent = "Скопировано";
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }

  const chat = document.getElementById("chat");
  if (!chat) return;
  const feed = document.getElementById("feed");
  const under = document.getElementById("under");
  const snack = document.getElementById("snack");
  const scroll = document.getElementById("scroll");
  const composer = document.getElementById("composer");
  const text = document.getElementById("text");
  const side = document.getElementById("side");
  const typing = document.getElementById("typing");
  const renderedHtml = new Map([[under, under.innerHTML], [side, side.innerHTML]]);
  let version = feed.dataset.version;
  let snackTimer = 0;
  let typingTimer = 0;

  const showSnack = (message, link) => {
    const paragraph = document.createElement("p");
    if (link) {
      const anchor = Object.assign(document.createElement("a"), { href: link, target: "_blank", rel: "noopener" });
      anchor.textContent = "Открыть ссылку";
      paragraph.append(anchor);
    } else {
      paragraph.textContent = message;
    }
    snack.replaceChildren(paragraph);
    clearTimeout(snackTimer);
    snackTimer = setTimeout(() => snack.replaceChildren(), link ? 30000 : 8000);
  };

  // Replace only the elements that changed: a focused button and selected text are not lost.
  const patchList = (list, newList) => {
    const oldById = new Map([...list.children].map((element) => [element.id, element]));
    let previous = null;
    for (const element of [...newList.children]) {
      const old = oldById.get(element.id);
      oldById.delete(element.id);
      const current = old && old.outerHTML === element.outerHTML ? old : element;
      if (old && current !== old) old.replaceWith(current);
      else if (!old) previous ? previous.after(current) : list.prepend(current);
      previous = current;
    }
    oldById.forEach((element) => element.remove());
  };

  // Compare the HTML as the browser serializes it. An unchanged <details> stays open or closed.
  const replaceHtml = (container, html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    if (template.innerHTML.trim() === renderedHtml.get(container).trim()) return;
    renderedHtml.set(container, template.innerHTML);
    container.innerHTML = html;
  };

  const showFragments = (fragments) => {
    version = fragments.version;
    const template = document.createElement("template");
    template.innerHTML = fragments.feed;
    const isAtEnd = scroll.scrollTop > -80;
    feed.querySelector("#hello")?.remove();
    patchList(feed.querySelector("ol"), template.content.querySelector("ol"));
    replaceHtml(under, fragments.under);
    replaceHtml(side, fragments.side);
    typing.hidden = !fragments.typing;
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => { typing.hidden = true; }, 10000);
    if (isAtEnd) scroll.scrollTop = 0;
  };

  const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

  const pollFeed = async () => {
    for (;;) {
      try {
        const response = await fetch(`${chat.dataset.feed}?version=${encodeURIComponent(version)}`);
        if (response.status === 200) showFragments(await response.json());
        else if (response.status !== 204) await sleep(3000);
      } catch {
        await sleep(3000);
      }
      // A poll marks messages as read: a hidden page must not poll.
      while (document.hidden) await sleep(300);
    }
  };

  // Wait for the community's answer to a pressed button, as long as VK accepts one.
  const showAnswer = async (answer) => {
    while (answer.pending_id) {
      answer = await (await fetch(`${chat.dataset.press}/${answer.pending_id}`)).json();
    }
    if (answer.text || answer.link) showSnack(answer.text, answer.link);
  };

  const submitForm = async (form, submitter) => {
    const body = new URLSearchParams(new FormData(form));
    if (submitter?.name) body.set(submitter.name, submitter.value);
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (answer.feed !== undefined) showFragments(answer);
    await showAnswer(answer);
    return response.ok;
  };

  // The `ref` of the link and the attached service go with the first message only.
  const clearReferral = () => {
    for (const name of ["ref", "ref_source"]) {
      for (const input of document.querySelectorAll(`input[name=${name}]`)) input.remove();
    }
    document.getElementById("from-link")?.remove();
    document.getElementById("attached")?.remove();
    if (location.search) history.replaceState(null, "", location.pathname);
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.closest("#chat") || form.action.endsWith("/allow")) return;
    event.preventDefault();
    if (form === composer && !text.value.trim() && !document.getElementById("attached")) {
      text.focus();
      return;
    }
    const button = event.submitter || form.querySelector("button");
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      if (await submitForm(form, event.submitter)) {
        if (form === composer) text.value = "";
        if (form.dataset.press !== "callback") {
          clearReferral();
          scroll.scrollTop = 0;
        }
      }
    } catch {
      showSnack("Не отправлено. Проверьте, работает ли песочница.");
    } finally {
      button.removeAttribute("aria-busy");
      if (form === composer) text.focus();
    }
  });

  text?.addEventListener("keydown", (event) => {
    const isTouch = matchMedia("(pointer: coarse)").matches;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || isTouch) return;
    event.preventDefault();
    composer.requestSubmit();
  });

  if (snack.dataset.event) showAnswer({ pending_id: snack.dataset.event });
  else if (snack.firstElementChild) snackTimer = setTimeout(() => snack.replaceChildren(), 8000);
  addEventListener("load", pollFeed);
})();
