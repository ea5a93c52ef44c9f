// What the page does beyond being read: charts drawn from the tables that stand in it, a filter over everything that was found, links
// that open what they lead to, keys. The page says all of it without this script.
"use strict";
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const numbers = (row) => Array.from(row.cells).map((cell) => Number(cell.dataset.v));
  const rows_of = (figure) => Array.from(figure.querySelector("tbody").rows);

  // --- charts: each redraws itself from its table, at the width there is ------------------------------------------------

  const percent = (ratio) => (ratio >= 0 ? "+" : "\u2212") + (Math.abs(ratio) * 100).toFixed(1) + " %";
  const ms = (value) => (value >= 1000 ? d3.format(".3~g")(value / 1000) + " s" : d3.format(".3~g")(value) + " ms");
  const quantile_name = (q) => (q >= 1 ? "max" : "p" + String(Number((q * 100).toPrecision(6))));

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  // The marks of a chart say what they are to a pointer, to the keyboard and to a screen reader.
  function explained(selection, text_of, focusable) {
    selection.attr("role", "img").attr("aria-label", text_of);
    if (focusable) selection.attr("tabindex", 0);
    const show = function (node) {
      const box = node.getBoundingClientRect();
      tip.textContent = node.getAttribute("aria-label");
      tip.hidden = false;
      const left = Math.min(window.innerWidth - tip.offsetWidth - 8, Math.max(8, box.left + box.width / 2 - tip.offsetWidth / 2));
      tip.style.left = left + window.scrollX + "px";
      tip.style.top = box.top + window.scrollY - tip.offsetHeight - 8 + "px";
    };
    const hide = function () { tip.hidden = true; };
    selection.on("mouseenter", function () { show(this); }).on("focus", function () { show(this); })
      .on("mouseleave", hide).on("blur", hide);
  }

  function canvas(figure, room, height, margin) {
    const width = Math.max(280, room);
    let svg = d3.select(figure).select("svg.chart");
    if (svg.empty()) svg = d3.select(figure).insert("svg", "div.scroll").attr("class", "chart");
    svg.selectAll("*").remove();
    svg.attr("viewBox", "0 0 " + width + " " + height).attr("height", height).attr("role", "group")
      .attr("aria-label", figure.querySelector("figcaption").textContent.trim());
    return { svg: svg, width: width, left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
  }

  function axis_title(area, text) {
    area.svg.append("text").attr("x", area.left).attr("y", area.top - 8).text(text);
  }

  function horizontal_grid(area, scale, ticks) {
    area.svg.append("g").selectAll("line").data(ticks).enter().append("line").attr("class", "grid")
      .attr("x1", area.left).attr("x2", area.right).attr("y1", scale).attr("y2", scale);
  }

  // Percentiles by how many requests are slower: each step to the right is ten times rarer.
  function draw_spectrum(figure, room) {
    const points = rows_of(figure).map(numbers).map((n) => ({ q: n[0], legacy: n[1], new_: n[2] }));
    if (points.length < 2) return;
    const area = canvas(figure, room, 250, { left: 58, right: 20, top: 26, bottom: 30 });
    // The largest value stands half a step beyond the rarest percentile: how rare it is nobody knows.
    const rarest = 1 - d3.max(points, (p) => (p.q < 1 ? p.q : 0));
    const rarity = (q) => (q < 1 ? 1 / (1 - q) : 3 / rarest);
    const x = d3.scaleLog().domain([rarity(points[0].q), rarity(points[points.length - 1].q)]).range([area.left, area.right]);
    const values = points.flatMap((p) => [p.legacy, p.new_]).filter((v) => v > 0);
    const low = d3.min(values), high = d3.max(values);
    const wide = high / low > 20;
    const y = (wide ? d3.scaleLog().domain([low * 0.8, high * 1.25]) : d3.scaleLinear().domain([0, high * 1.1]))
      .range([area.bottom, area.top]);
    const ticks = wide ? y.ticks(4).filter((v) => /^[125]/.test(String(v).replace(/^0\.0*/, ""))) : y.ticks(5);
    horizontal_grid(area, y, ticks);
    const named = points.filter((p, i) => i === 0 || i === points.length - 1 || [0.5, 0.75, 0.9, 0.99, 0.999, 0.9999].includes(p.q));
    const fitting = Math.max(1, Math.floor((area.right - area.left) / 46));
    const shown = named.filter((p, i) => i % Math.ceil(named.length / fitting) === 0);
    area.svg.append("g").attr("transform", "translate(0," + area.bottom + ")")
      .call(d3.axisBottom(x).tickValues(shown.map((p) => rarity(p.q))).tickFormat((v, i) => quantile_name(shown[i].q)).tickSizeOuter(0));
    area.svg.append("g").attr("transform", "translate(" + area.left + ",0)").call(d3.axisLeft(y).tickValues(ticks).tickFormat(ms));
    axis_title(area, wide ? "service time (logarithmic)" : "service time");
    [["legacy", d3.symbolCircle, (p) => p.legacy, "legacy"], ["new", d3.symbolSquare, (p) => p.new_, "new"]].forEach(function (series) {
      const there = points.filter((p) => series[2](p) > 0);
      area.svg.append("path").attr("class", "series " + series[0])
        .attr("d", d3.line().x((p) => x(rarity(p.q))).y((p) => y(series[2](p)))(there));
      explained(area.svg.append("g").selectAll("path").data(there).enter().append("path").attr("class", "dot " + series[0])
        .attr("d", d3.symbol().type(series[1]).size(38))
        .attr("transform", (p) => "translate(" + x(rarity(p.q)) + "," + y(series[2](p)) + ")"),
        (p) => series[3] + " " + quantile_name(p.q) + ": " + ms(series[2](p)), false);
    });
  }

  // A point a block of pairs, the interval of their median as a band, the budget as a line.
  function draw_blocks(figure, room) {
    const blocks = rows_of(figure).map(numbers).map((n) => ({ at: n[0], ratio: n[1] }));
    if (blocks.length === 0) return;
    const limit = Number(figure.dataset.limit), low = Number(figure.dataset.low), high = Number(figure.dataset.high);
    const estimate = Number(figure.dataset.estimate);
    const area = canvas(figure, room, 210, { left: 58, right: 84, top: 26, bottom: 34 });
    const extent = d3.extent(blocks.map((b) => b.ratio).concat([0, limit, low, high]));
    const pad = Math.max(0.01, (extent[1] - extent[0]) * 0.12);
    const x = d3.scaleLinear().domain([0, d3.max(blocks, (b) => b.at) * 1.02 || 1]).range([area.left, area.right]);
    const y = d3.scaleLinear().domain([extent[0] - pad, extent[1] + pad]).range([area.bottom, area.top]);
    const ticks = y.ticks(5), whole = ticks.every((v) => Math.abs(v * 100 - Math.round(v * 100)) < 1e-6);
    horizontal_grid(area, y, ticks);
    area.svg.append("g").attr("transform", "translate(0," + area.bottom + ")")
      .call(d3.axisBottom(x).ticks(Math.max(2, Math.min(8, (area.right - area.left) / 70))).tickFormat((v) => v + " s").tickSizeOuter(0));
    area.svg.append("g").attr("transform", "translate(" + area.left + ",0)").call(d3.axisLeft(y).tickValues(ticks)
      .tickFormat((v) => (v === 0 ? "0 %" : whole ? percent(v).replace(".0 ", " ") : percent(v))));
    axis_title(area, "new over legacy, a point a block of pairs");
    const across = (value, name) => area.svg.append("line").attr("class", name).attr("x1", area.left).attr("x2", area.right)
      .attr("y1", y(value)).attr("y2", y(value));
    area.svg.append("rect").attr("class", "band").attr("x", area.left).attr("width", area.right - area.left)
      .attr("y", y(high)).attr("height", Math.max(1, y(low) - y(high)));
    across(0, "zero");
    across(estimate, "estimate");
    across(limit, "limit");
    // Two labels need a line of text between them.
    let label = y(estimate);
    if (Math.abs(label - y(limit)) < 13) label = y(limit) + (estimate > limit ? -13 : 13);
    area.svg.append("text").attr("class", "limit").attr("x", area.right + 6).attr("y", y(limit) + 4).text("budget " + figure.dataset.name);
    area.svg.append("text").attr("x", area.right + 6).attr("y", label + 4).text("is " + percent(estimate));
    explained(area.svg.append("g").selectAll("circle").data(blocks).enter().append("circle").attr("class", "dot new")
      .attr("r", 3.5).attr("cx", (b) => x(b.at)).attr("cy", (b) => y(b.ratio)),
      (b) => "block at " + b.at.toFixed(1) + " s: " + percent(b.ratio), false);
  }

  // Sections as bars on a line of their own, what happened in them as marks of a shape each.
  function draw_timeline(figure, room) {
    const marks = rows_of(figure).map((row) => ({ at: Number(row.cells[0].dataset.v), kind: row.dataset.kind, section: row.cells[2].textContent,
      text: row.cells[3].textContent, verdict: row.dataset.verdict, target: row.dataset.target }));
    const end = Math.max(Number(figure.dataset.end), d3.max(marks, (m) => m.at) || 0, 0.001);
    const bars = marks.filter((m) => m.kind === "section");
    bars.forEach((bar, i) => { bar.until = i + 1 < bars.length ? bars[i + 1].at : end; });
    const lanes = [["flip", "flips", d3.symbolTriangle], ["fault", "faults", d3.symbolCross], ["copy", "copies", d3.symbolSquare],
      ["error", "errors", d3.symbolDiamond]].filter((lane) => marks.some((m) => m.kind === lane[0]));
    const step = 26, height = 26 + 44 + lanes.length * step + 30;
    const area = canvas(figure, room, height, { left: 74, right: 14, top: 26, bottom: 30 });
    const x = d3.scaleLinear().domain([0, end]).range([area.left, area.right]);
    area.svg.append("g").attr("transform", "translate(0," + area.bottom + ")")
      .call(d3.axisBottom(x).ticks(Math.max(2, Math.min(10, (area.right - area.left) / 70))).tickFormat((v) => v + " s").tickSizeOuter(0));
    area.svg.append("text").attr("class", "lane").attr("x", 0).attr("y", area.top + 20).text("sections");
    const groups = area.svg.append("g").selectAll("a").data(bars).enter().append("a").attr("href", (b) => b.target ? "#" + b.target : null);
    const bar = groups.append("rect").attr("class", (b) => "bar " + (b.verdict || "plain")).attr("x", (b) => x(b.at)).attr("y", area.top)
      .attr("width", (b) => Math.max(1.5, x(b.until) - x(b.at))).attr("height", 30);
    explained(bar, (b) => b.text + ": " + (b.verdict || "preparation") + ", " + b.at.toFixed(1) + " s to " + b.until.toFixed(1) + " s", false);
    lanes.forEach(function (lane, i) {
      const middle = area.top + 52 + i * step;
      area.svg.append("text").attr("class", "lane").attr("x", 0).attr("y", middle + 4).text(lane[1]);
      area.svg.append("line").attr("class", "grid").attr("x1", area.left).attr("x2", area.right).attr("y1", middle).attr("y2", middle);
      explained(area.svg.append("g").selectAll("path").data(marks.filter((m) => m.kind === lane[0])).enter().append("path")
        .attr("class", "shape " + lane[0]).attr("d", d3.symbol().type(lane[2]).size(64))
        .attr("transform", (m) => "translate(" + x(m.at) + "," + middle + ")"),
        (m) => m.at.toFixed(1) + " s, " + m.section + ": " + m.text, false);
    });
  }

  const draw = { spectrum: draw_spectrum, blocks: draw_blocks, timeline: draw_timeline };
  // What nobody has opened yet needs no chart.
  function draw_visible(root) {
    // All widths first: a chart that was drawn makes the browser lay out the page anew before it tells the next one.
    all("figure[data-chart]", root).filter((figure) => !figure.closest("details:not([open])"))
      .map((figure) => [figure, figure.clientWidth]).filter((one) => one[1] > 0)
      .forEach((one) => draw[one[0].dataset.chart](one[0], one[1]));
  }

  // --- links: what they lead to is opened, shown and named ------------------------------------------------------------------

  function open_around(element) {
    for (let at = element; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  }

  function follow_fragment() {
    const id = decodeURIComponent(location.hash.slice(1));
    all(".shown").forEach((element) => element.classList.remove("shown"));
    const target = id && document.getElementById(id);
    if (!target) return;
    if (target.hidden || target.closest("[hidden]")) clear_filter();
    open_around(target);
    target.classList.add("shown");
    if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "start" });
  }

  // --- the filter -------------------------------------------------------------------------------------------------------------

  const form = document.getElementById("filter");
  const items = all("[data-item]").map((element) => ({ element: element, text: null }));
  let clear_filter = function () {};

  function set_up_filter() {
    const words = form.elements.words, place = form.elements.section, count = form.querySelector("output");
    const wanted = () => all("input[type=checkbox]", form).filter((box) => box.checked).map((box) => box.value);
    function apply() {
      const parts = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kinds = wanted();
      let shown = 0;
      items.forEach(function (item) {
        const data = item.element.dataset;
        let fits = kinds.includes(data.verdict) && (!place.value || ("\n" + data.section + "\n").includes("\n" + place.value + "\n"));
        if (fits && parts.length > 0) {
          if (item.text === null) item.text = (item.element.textContent + " " + data.section + " " + (data.words || "")).toLowerCase();
          fits = parts.every((part) => item.text.includes(part));
        }
        if (item.element.hidden === fits) item.element.hidden = !fits;
        if (fits) ++shown;
      });
      const filtering = parts.length > 0 || place.value || kinds.length < 3;
      all("[data-group]").forEach(function (group) {
        const some = group.querySelector("[data-item]:not([hidden])") !== null;
        if (group.hidden !== (filtering && !some)) group.hidden = filtering && !some;
        if (filtering && some && parts.length > 0 && group.tagName === "DETAILS") group.open = true;
      });
      count.textContent = shown + " of " + items.length + " shown";
    }
    clear_filter = function () {
      words.value = "";
      place.value = "";
      all("input[type=checkbox]", form).forEach((box) => { box.checked = true; });
      apply();
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => { event.preventDefault(); clear_filter(); words.focus(); });
    apply();
  }

  // --- keys: / searches, n and p walk through what was found, Escape clears ----------------------------------------------------------

  let at_item = -1;
  function walk(step) {
    const there = items.map((item) => item.element).filter((element) => element.id && !element.hidden && element.dataset.verdict !== "pass");
    if (there.length === 0) return;
    at_item = (at_item + step + there.length) % there.length;
    const id = "#" + there[at_item].id;
    if (location.hash === id) follow_fragment(); else location.hash = id;
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") { tip.hidden = true; if (typing) { clear_filter(); event.target.blur(); } return; }
    if (typing) return;
    if (event.key === "/" && form) { event.preventDefault(); open_around(form); form.elements.words.focus(); }
    if (event.key === "n") walk(1);
    if (event.key === "p") walk(-1);
  });

  document.addEventListener("click", function (event) {
    const link = event.target.closest && event.target.closest("a.link");
    // Where the address of the page is no use to others the fragment alone is still the link's text.
    if (link && navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(link.href).catch(function () {});
  });

  // --- paper: everything is open on it -------------------------------------------------------------------------------------------------

  let opened = [];
  window.addEventListener("beforeprint", function () {
    opened = all("details:not([open])").filter((element) => !element.classList.contains("figures-as-table"));
    opened.forEach((element) => { element.open = true; });
    draw_visible();
  });
  window.addEventListener("afterprint", function () { opened.forEach((element) => { element.open = false; }); opened = []; });

  document.body.append(tip);
  document.documentElement.classList.add("scripted");
  all("details.figures-as-table").forEach((element) => { element.open = false; });
  if (form) set_up_filter();
  document.addEventListener("toggle", (event) => { if (event.target.open) draw_visible(event.target); }, true);
  window.addEventListener("hashchange", follow_fragment);
  let width = window.innerWidth, waiting = 0;
  window.addEventListener("resize", function () {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => draw_visible());
  });
  draw_visible();
  follow_fragment();
})();
