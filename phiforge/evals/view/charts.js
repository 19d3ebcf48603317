// Charts, drawn as SVG: figures against tokens, figures with intervals under one another, outcomes as a bar.

const SIDES = ["a", "b"];

function nice(low, high, wanted = 5, steps = [1, 2, 2.5, 5, 10]) {
  // Round numbers between two, about as many as wanted.
  const span = high - low || 1;
  const rough = span / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = steps.map((m) => m * power).find((s) => span / s <= wanted + 0.5);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * span; at++) ticks.push(at * step);
  return ticks;
}

// points: { x: [value, low, high], y: [value, low, high], label, side, line }; those of one line are joined.
function scatter(points, { xName, yName, percentY = true, title }) {
  const W = 560, H = 300, left = 52, right = 24, top = 16, below = 44;
  const ends = (axis) => points.flatMap((p) => p[axis]).filter((v) => v !== null);
  let [x0, x1] = [Math.min(...ends("x")), Math.max(...ends("x"))];
  let [y0, y1] = [Math.min(...ends("y")), Math.max(...ends("y"))];
  const wide = x1 - x0 || x1 || 1, high = y1 - y0 || 0.1;
  [x0, x1, y0, y1] = [Math.max(0, x0 - 0.12 * wide), x1 + 0.12 * wide, y0 - 0.12 * high, y1 + 0.16 * high];
  if (percentY) [y0, y1] = [Math.max(0, y0), Math.min(1, y1)];
  const x = (v) => left + ((v - x0) / (x1 - x0)) * (W - left - right);
  const y = (v) => H - below - ((v - y0) / (y1 - y0)) * (H - top - below);
  const chart = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": title });
  for (const v of nice(y0, y1)) {
    chart.append(svg("line", { class: "grid", x1: left, x2: W - right, y1: y(v), y2: y(v) }));
    chart.append(svg("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, percentY ? `${+(100 * v).toFixed(1)}` : v.toPrecision(3)));
  }
  for (const v of nice(x0, x1, 6, [1, 2, 5, 10])) {
    chart.append(svg("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: H - below }));
    chart.append(svg("text", { x: x(v), y: H - below + 17, "text-anchor": "middle" }, thousands(v)));
  }
  chart.append(svg("text", { class: "name", x: W - right, y: H - 8, "text-anchor": "end" }, xName));
  chart.append(svg("text", { class: "name", x: left, y: 10 }, yName));
  for (const line of new Set(points.map((p) => p.line).filter((l) => l !== undefined))) {
    const joined = points.filter((p) => p.line === line);
    const path = joined.map((p, i) => `${i ? "L" : "M"}${x(p.x[0]).toFixed(1)} ${y(p.y[0]).toFixed(1)}`).join("");
    chart.append(svg("path", { class: `curve ${joined[0].side}`, d: path }));
  }
  const taken = []; // where labels are, so that none is written over another
  for (const p of points) {
    const [cx, cy] = [x(p.x[0]), y(p.y[0])];
    const mark = svg("g", { class: `point ${p.side}` });
    if (p.y[1] !== null) mark.append(svg("line", { x1: cx, x2: cx, y1: y(p.y[1]), y2: y(p.y[2]) }));
    if (p.x[1] !== null && p.line === undefined) mark.append(svg("line", { x1: x(p.x[1]), x2: x(p.x[2]), y1: cy, y2: cy }));
    mark.append(svg("circle", { cx, cy, r: p.line === undefined ? 5 : 3.5 }), svg("title", {}, p.title ?? p.label ?? ""));
    if (p.label) {
      const atRight = cx < W * 0.62;
      const width = 7 * p.label.length, from = atRight ? cx + 9 : cx - 9 - width;
      const at = [-8, 16, -23, 31, -38, 46].map((by) => cy + by).find((at) => !taken.some(([f, t, y]) => f < from + width && from < t && Math.abs(y - at) < 14)) ?? cy - 8;
      taken.push([from, from + width, at]);
      mark.append(svg("text", { x: cx + (atRight ? 9 : -9), y: at, "text-anchor": atRight ? "start" : "end" }, p.label));
    }
    chart.append(mark);
  }
  return chart;
}

// rows: { name, marks: [{ value: [v, low, high], side }] }, all on one scale.
function forest(rows, { run, title }) {
  const longest = Math.min(32, Math.max(...rows.map((row) => row.name.length)));
  const line = 22, W = 640, left = 24 + 6 * longest, right = 150, H = rows.length * line + 26;
  const percentage = run.metric !== "perplexity";
  const ends = rows.flatMap((row) => row.marks.flatMap((m) => m.value)).filter((v) => v !== null);
  let [low, high] = percentage ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  if (low === high) [low, high] = [low - 0.1, high + 0.1];
  const x = (v) => left + ((v - low) / (high - low)) * (W - left - right);
  const chart = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart forest", role: "img", "aria-label": title });
  for (const v of percentage ? [0, 0.25, 0.5, 0.75, 1] : nice(low, high)) {
    chart.append(svg("line", { class: "grid", x1: x(v), x2: x(v), y1: 0, y2: H - 22 }));
    chart.append(svg("text", { x: x(v), y: H - 8, "text-anchor": "middle" }, percentage ? `${100 * v}` : v.toPrecision(4)));
  }
  rows.forEach((row, i) => {
    const middle = i * line + line / 2;
    const cut = row.name.length > 32 ? `${row.name.slice(0, 31)}…` : row.name;
    chart.append(svg("text", { class: "label", x: left - 12, y: middle + 4, "text-anchor": "end" }, cut, svg("title", {}, row.name)));
    row.marks.forEach((m, j) => {
      const y = middle + (row.marks.length > 1 ? (j ? 4.5 : -4.5) : 0);
      const mark = svg("g", { class: `point ${m.side}` }, svg("title", {}, `${row.name}: ${withInterval(run, m.value)}`));
      if (m.value[1] !== null) mark.append(svg("line", { x1: x(m.value[1]), x2: x(m.value[2]), y1: y, y2: y }));
      mark.append(svg("circle", { cx: x(m.value[0]), cy: y, r: 4 }));
      chart.append(mark);
      chart.append(svg("text", { class: `number ${m.side}`, x: W - right + 14 + j * 66, y: middle + 4 }, figure(run, m.value[0])));
    });
  });
  return chart;
}

function stacked(run) {
  // How a run's answers ended, as one bar and its legend.
  const bar = element("div", { class: "stack", role: "img", "aria-label": "outcomes" });
  const legend = element("ul", { class: "legend" });
  for (const [outcome, n] of Object.entries(run.outcomes)) {
    bar.append(element("span", { class: outcome.replace(" ", "-"), title: `${outcome}: ${thousands(n)}`, style: { "flex-grow": String(n) } }));
    legend.append(element("li", {}, badge(outcome), element("b", {}, thousands(n)), element("span", { class: "soft" }, percent(n / run.answers))));
  }
  return [bar, legend];
}
