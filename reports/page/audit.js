// What page_test.py asks a page: is all of its text, and every line of its charts, told apart from what is behind it? Gives what is not.
(function () {
  const parsed = function (color) {
    const parts = (color.match(/[\d.]+/g) || []).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const over = (top, under) => top.rgb.map((value, i) => value * top.alpha + under[i] * (1 - top.alpha));
  const background = function (element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const color = parsed(getComputedStyle(at).backgroundColor);
      if (color.alpha > 0) layers.push(color);
      if (color.alpha === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((under, layer) => over(layer, under), dark ? [0, 0, 0] : [255, 255, 255]);
  };
  // WCAG 2.1, relative luminance and contrast ratio.
  const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4)))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = function (a, b) {
    const high = Math.max(luminance(a), luminance(b)), low = Math.min(luminance(a), luminance(b));
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = function (element) {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  };
  let looked = 0;
  const poor = new Map();
  const judge = function (element, color, needed, what) {
    const style = parsed(color);
    style.alpha *= opacity(element);
    const behind = background(element);
    const found = ratio(over(style, behind), behind);
    ++looked;
    if (found < needed) poor.set(what + " " + color + " on " + behind.map(Math.round).join(","), found.toFixed(2) + " of " + needed);
  };
  const seen = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || /^(SCRIPT|STYLE|OPTION)$/i.test(element.tagName) || !seen(element)) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const large = size >= 24 || (bold && size >= 18.66);
    const svg = element instanceof SVGElement;
    judge(element, svg ? style.fill : style.color, large ? 3 : 4.5, "text of " + element.tagName + "." + element.getAttribute("class"));
  }
  const lines = ".series, .chart .dot, .chart .limit:not(text), .chart .estimate, .chart .domain, .chart .shape, .chart .bar, .chart .zero";
  document.querySelectorAll(lines).forEach(function (element) {
    if (!seen(element)) return;
    const style = getComputedStyle(element);
    const filled = /dot|shape|bar/.test(element.getAttribute("class"));
    judge(element, filled ? style.fill : style.stroke, 3, "line " + element.getAttribute("class"));
  });
  document.querySelectorAll("input[type=search], select").forEach(function (element) {
    if (seen(element)) judge(element.parentElement, getComputedStyle(element).borderTopColor, 3, "border of " + element.tagName);
  });
  return { looked: looked, poor: Array.from(poor.entries()).map((entry) => entry.join(": ")) };
})()
