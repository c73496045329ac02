// Check the page as it is displayed now: layout, names, ids, forms, touch targets, contrast.
// Evaluated inside the page; returns a list of problems, each a sentence. `listFields`: names that
// a form may send several times.
(listFields) => {
  const problems = [];
  const MIN_TARGET_PX = 44;
  const hasTouch = matchMedia("(pointer: coarse)").matches;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const rect = (e) => e.getBoundingClientRect();
  const isVisible = (e) =>
    e.checkVisibility({ visibilityProperty: true }) && rect(e).width > 1 && rect(e).height > 1;
  const describe = (e) =>
    `<${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ""}${e.name ? ` name=${e.name}` : ""}${e.className?.trim?.() ? ` class="${e.className}"` : ""}> «${(e.innerText || e.value || e.getAttribute("aria-label") || "").trim().slice(0, 40)}»`;

  // 1. No horizontal overflow. On a phone innerWidth grows with the overflow; screen.width does not.
  const page = document.scrollingElement;
  const width = Math.min(innerWidth, screen.width);
  if (page.scrollWidth > width) {
    const wide = all("body *").filter((e) => isVisible(e) && rect(e).right > width + 0.5);
    problems.push(`${page.scrollWidth} px wide on a screen of ${width}: ${wide.slice(-3).map(describe).join(", ")}`);
  }

  for (const e of all(".table-box").filter((e) => e.scrollWidth > e.clientWidth + 1))
    problems.push(`table ${e.scrollWidth} px wide in a box of ${e.clientWidth}`);

  // The cells of a table stand below their headings, unless its rows are cards.
  for (const table of all("table").filter((e) => e.tHead && isVisible(e.tHead) && e.tBodies[0]?.rows[0])) {
    const lefts = (row) => [...row.cells].map((cell) => Math.round(rect(cell).left)).join(" ");
    const [head, body] = [lefts(table.tHead.rows[0]), lefts(table.tBodies[0].rows[0])];
    if (table.tHead.rows[0].cells.length === table.tBodies[0].rows[0].cells.length && head !== body)
      problems.push(`columns ${body} below headings ${head}: ${describe(table)}`);
  }

  // 2. One h1, a language, a title.
  const headings = all("h1").filter((e) => e.checkVisibility());
  if (headings.length !== 1) problems.push(`${headings.length} h1: ${headings.map(describe).join(", ")}`);
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");

  // 3. Every field, button and link has a name; ids are unique; referenced ids exist.
  const isExposed = (e) => isVisible(e) && !e.closest("[aria-hidden=true]"); // to screen readers
  for (const e of all("input:not([type=hidden]), select, textarea")) {
    const label = e.labels?.length ? [...e.labels].map((l) => l.innerText).join("") : "";
    if (isExposed(e) && !label.trim() && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby"))
      problems.push(`no label: ${describe(e)}`);
  }
  for (const e of all("button, a[href], summary")) {
    const name = e.textContent.trim() || e.getAttribute("aria-label") || e.title || e.querySelector("img")?.alt;
    if (isExposed(e) && !name) problems.push(`no name: ${describe(e)}`);
  }
  for (const e of all("img:not([alt])")) problems.push(`no alt: ${describe(e)}`);
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) problems.push(`duplicate id: ${id}`);
  for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"])
    for (const e of all(`[${attribute}]`))
      for (const id of e.getAttribute(attribute).split(/\s+/))
        if (id && !document.getElementById(id)) problems.push(`${attribute} of ${describe(e)} has an unknown id: ${id}`);

  // 4. No form sends a name twice, which the server refuses. Radio buttons and buttons send one.
  const sendsOne = (e) => ["radio", "submit", "button", "reset", "image"].includes(e.type);
  for (const form of [...document.forms].filter((e) => !location.pathname.startsWith("/i/"))) {
    const names = [...form.elements].filter((e) => e.name && !sendsOne(e)).map((e) => e.name);
    for (const name of new Set(names.filter((name, n) => names.indexOf(name) !== n)))
      if (!listFields.includes(name)) problems.push(`sent twice: ${name} of ${form.getAttribute("action")}`);
  }

  // 5. Controls are large enough for a finger.
  if (hasTouch)
    for (const e of all(
      "button, summary, [role=button], a.button, a.primary, a.secondary, a.menu-item, a.filter, select, textarea, label:has(input[type=checkbox], input[type=radio]), input:not([type=hidden], [type=checkbox], [type=radio])",
    ))
      if (isExposed(e) && rect(e).height < MIN_TARGET_PX - 0.5)
        problems.push(`${rect(e).height.toFixed(1)} px high: ${describe(e)}`);

  // 6. Text has enough contrast: https://www.w3.org/TR/WCAG22/#contrast-minimum
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const blend = (top, bottom) => top.slice(0, 3).map((v, n) => v * top[3] + bottom[n] * (1 - top[3]));
  const luminance = (color) => {
    const [r, g, b] = color.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // The colour behind an element, or null when a background image makes it unknown.
  const background = (e) => {
    const layers = [];
    for (let ancestor = e; ancestor; ancestor = ancestor.parentElement) {
      const style = getComputedStyle(ancestor);
      if (style.backgroundImage !== "none") return null;
      const color = rgba(style.backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    return layers.reverse().reduce((below, layer) => blend(layer, below), canvas);
  };
  const lowContrast = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !isVisible(e) || e.closest("[disabled], [aria-disabled=true], option"))
      continue;
    const style = getComputedStyle(e);
    const behind = background(e);
    if (!behind || style.opacity === "0") continue;
    const color = blend(rgba(style.color), behind);
    const [lighter, darker] = [luminance(color), luminance(behind)].sort((a, b) => b - a);
    const ratio = (lighter + 0.05) / (darker + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5) - 0.02) lowContrast.add(`contrast ${ratio.toFixed(2)}: ${describe(e)}`);
  }
  problems.push(...lowContrast);
  return problems;
}
