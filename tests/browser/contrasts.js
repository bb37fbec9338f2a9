// Every visible text of the page with its contrast, by the formulas of WCAG 2.1 (1.4.3).
// What is painted at the middle of the text is asked of the browser, layer by layer.
() => {
  const parse = (text) => {
    const m = text.match(/^rgba?\(([^)]+)\)$/);
    if (!m) return [0, 0, 0, 0];
    const [r, g, b, a] = m[1].split(/[,/ ]+/).map(Number);
    return [r, g, b, a === undefined ? 1 : a];
  };
  const over = ([r, g, b, a], [R, G, B]) =>
    [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => {
      const s = c / 255;
      return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const isText = (e) => e instanceof SVGTextContentElement;
  const paint = (e) => {
    const style = getComputedStyle(e);
    if (e instanceof SVGElement && !(e instanceof SVGSVGElement)) {
      return isText(e) || style.fill === "none" ? [0, 0, 0, 0] : parse(style.fill);
    }
    return parse(style.backgroundColor);
  };
  const page = parse(getComputedStyle(document.body).backgroundColor);
  for (const e of document.querySelectorAll(".curtain")) e.style.pointerEvents = "auto";
  const out = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    const hidden = element.closest(".hidden, .skip, script, style, title, [hidden]");
    if (!node.data.trim() || hidden || !element.checkVisibility()) continue;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width === 0) continue;
    const at = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const own = at.findIndex((e) => e === element || (isText(element) && isText(e) && e.contains(element)));
    if (own < 0) {
      out.push({ text: node.data.trim(), ratio: 0, passes: null });
      continue;
    }
    const style = getComputedStyle(element);
    let below = page;
    for (const e of at.slice(own).reverse()) below = over(paint(e), below);
    let ink = over(parse(isText(element) ? style.fill : style.color), below);
    for (const e of at.slice(0, own).reverse()) {
      ink = over(paint(e), ink);
      below = over(paint(e), below);
    }
    const found = ratio(ink, below);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    out.push({ text: node.data.trim(), ratio: found, passes: found >= (large ? 3 : 4.5) });
  }
  for (const e of document.querySelectorAll(".curtain")) e.style.pointerEvents = "";
  return out;
}
