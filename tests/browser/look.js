// What is wrong with a page as it is shown now: a list of sentences. Runs inside the page.
() => {
  const said = [];
  const TARGET = 44;
  const touch = matchMedia("(pointer: coarse)").matches;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const box = (e) => e.getBoundingClientRect();
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && box(e).width > 1 && box(e).height > 1;
  const named = (e) =>
    `<${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ""}${e.name ? ` name=${e.name}` : ""}${e.className?.trim?.() ? ` class="${e.className}"` : ""}> «${(e.innerText || e.value || e.getAttribute("aria-label") || "").trim().slice(0, 40)}»`;

  // 1. Nothing sticks out sideways. (On a phone innerWidth grows with what sticks out, the screen does not.)
  const page = document.scrollingElement;
  const width = Math.min(innerWidth, screen.width);
  if (page.scrollWidth > width) {
    const wide = all("body *").filter((e) => shown(e) && box(e).right > width + 0.5);
    said.push(`${page.scrollWidth} px wide on a screen of ${width}: ${wide.slice(-3).map(named).join(", ")}`);
  }

  // 2. One heading, a language, a title.
  const heads = all("h1").filter((e) => e.checkVisibility());
  if (heads.length !== 1) said.push(`${heads.length} h1: ${heads.map(named).join(", ")}`);
  if (!document.documentElement.lang) said.push("no language");
  if (!document.title.trim()) said.push("no title");

  // 3. Every field, button and link has a name; every id is one of a kind; explanations exist.
  const told = (e) => shown(e) && !e.closest("[aria-hidden=true]");
  for (const e of all("input:not([type=hidden]), select, textarea")) {
    const label = e.labels?.length ? [...e.labels].map((l) => l.innerText).join("") : "";
    if (told(e) && !label.trim() && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby"))
      said.push(`no label: ${named(e)}`);
  }
  for (const e of all("button, a[href], summary")) {
    const name = e.textContent.trim() || e.getAttribute("aria-label") || e.title || e.querySelector("img")?.alt;
    if (told(e) && !name) said.push(`no name: ${named(e)}`);
  }
  for (const e of all("img:not([alt])")) said.push(`no alt: ${named(e)}`);
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) said.push(`the id ${id} twice`);
  for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"])
    for (const e of all(`[${attribute}]`))
      for (const id of e.getAttribute(attribute).split(/\s+/))
        if (id && !document.getElementById(id)) said.push(`${attribute} names nothing: ${id} of ${named(e)}`);

  // 4. A thumb hits what is to be pressed.
  if (touch)
    for (const e of all(
      "button, summary, [role=button], a.button, a.primary, a.secondary, a.place, a.filter, select, textarea, label:has(input[type=checkbox], input[type=radio]), input:not([type=hidden], [type=checkbox], [type=radio])",
    ))
      if (told(e) && box(e).height < TARGET - 0.5) said.push(`${box(e).height.toFixed(1)} px high: ${named(e)}`);

  // 5. Words can be read on their ground.
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((v, n) => v * top[3] + under[n] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = rgba(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    return layers.reverse().reduce((under, top) => over(top, under), canvas);
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(e) || e.closest("[disabled], [aria-disabled=true], option")) continue;
    const style = getComputedStyle(e);
    const under = ground(e);
    if (!under || style.opacity === "0") continue;
    const ink = over(rgba(style.color), under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5) - 0.02) faint.add(`contrast ${ratio.toFixed(2)}: ${named(e)}`);
  }
  said.push(...faint);
  return said;
}
