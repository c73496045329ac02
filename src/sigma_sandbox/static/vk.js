// Comfort in the client's view: a dialog that refreshes itself, buttons without leaving the page, copying.
// Without this file everything works by forms and reloading.
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy"); // an address without TLS has no clipboard of its own
      }
      const word = button.textContent;
      button.textContent = "Скопировано";
      setTimeout(() => { button.textContent = word; }, 2000);
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
  let mark = feed.dataset.mark;
  const side = document.getElementById("side");
  const typing = document.getElementById("typing");
  let hiding = 0;
  let quieting = 0;
  const drawn = new Map([[under, under.innerHTML], [side, side.innerHTML]]);

  const say = (words, link) => {
    const line = document.createElement("p");
    if (link) {
      const a = Object.assign(document.createElement("a"), { href: link, target: "_blank", rel: "noopener" });
      a.textContent = "Открыть ссылку";
      line.append(a);
    } else {
      line.textContent = words;
    }
    snack.replaceChildren(line);
    clearTimeout(hiding);
    hiding = setTimeout(() => snack.replaceChildren(), link ? 30000 : 8000);
  };

  // Only what changed is replaced, so a focused button and a selected text stay where they are.
  const patch = (list, fresh) => {
    const known = new Map([...list.children].map((one) => [one.id, one]));
    let place = null;
    for (const one of [...fresh.children]) {
      const old = known.get(one.id);
      known.delete(one.id);
      const kept = old && old.outerHTML === one.outerHTML ? old : one;
      if (old && kept !== old) old.replaceWith(kept);
      else if (!old) place ? place.after(kept) : list.prepend(kept);
      place = kept;
    }
    known.forEach((one) => one.remove());
  };

  // Compared as the browser writes it; what a person folded stays folded.
  const redraw = (place, html) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (fresh.innerHTML.trim() === drawn.get(place).trim()) return;
    drawn.set(place, fresh.innerHTML);
    place.innerHTML = html;
  };

  const show = (answer) => {
    mark = answer.mark;
    const fresh = document.createElement("template");
    fresh.innerHTML = answer.feed;
    const atEnd = scroll.scrollTop > -80;
    feed.querySelector("#hello")?.remove();
    const list = fresh.content.querySelector("ol");
    patch(feed.querySelector("ol"), list);
    redraw(under, answer.under);
    redraw(side, answer.side);
    typing.hidden = !answer.typing;
    clearTimeout(quieting);
    quieting = setTimeout(() => { typing.hidden = true; }, 10000);
    if (atEnd) scroll.scrollTop = 0;
  };

  const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });

  const follow = async () => {
    for (;;) {
      try {
        const said = await fetch(`${chat.dataset.feed}?mark=${encodeURIComponent(mark)}`);
        if (said.status === 200) show(await said.json());
        else if (said.status !== 204) await wait(3000);
      } catch {
        await wait(3000);
      }
      // What nobody looks at is not read.
      while (document.hidden) await wait(300);
    }
  };

  // A pressed button waits for the community's word, as long as VK lets it.
  const answered = async (answer) => {
    while (answer.wait) answer = await (await fetch(`${chat.dataset.press}/${answer.wait}`)).json();
    if (answer.say || answer.link) say(answer.say, answer.link);
  };

  const post = async (form, submitter) => {
    const body = new URLSearchParams(new FormData(form));
    if (submitter?.name) body.set(submitter.name, submitter.value);
    const said = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const answer = await said.json();
    if (answer.feed !== undefined) show(answer);
    await answered(answer);
    return said.ok;
  };

  // What came with the link or the card goes with the first message only.
  const forget = () => {
    for (const name of ["ref", "ref_source"]) {
      for (const one of document.querySelectorAll(`input[name=${name}]`)) one.remove();
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
      if (await post(form, event.submitter)) {
        if (form === composer) text.value = "";
        if (form.dataset.press !== "callback") {
          forget();
          scroll.scrollTop = 0;
        }
      }
    } catch {
      say("Не отправлено. Проверьте, работает ли песочница.");
    } finally {
      button.removeAttribute("aria-busy");
      if (form === composer) text.focus();
    }
  });

  text?.addEventListener("keydown", (event) => {
    const thumb = matchMedia("(pointer: coarse)").matches;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || thumb) return;
    event.preventDefault();
    composer.requestSubmit();
  });

  if (snack.dataset.event) answered({ wait: snack.dataset.event });
  else if (snack.firstElementChild) hiding = setTimeout(() => snack.replaceChildren(), 8000);
  addEventListener("load", follow);
})();
