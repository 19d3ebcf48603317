// Elements of the page. Text goes in as text only: nothing that a model wrote is ever parsed as markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  return fill(made, attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return fill(made, attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, to] of Object.entries(value)) made.style.setProperty(key, to);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const byId = (id) => document.getElementById(id);

const GLYPHS = { right: "✓", wrong: "✗", truncated: "✂", refused: "⊘", unparsable: "?", "unclosed thought": "…", timeout: "⧖", error: "!" };

function badge(outcome, text = outcome) {
  return element("span", { class: `badge ${outcome.replace(" ", "-")}` }, element("i", { "aria-hidden": "true" }, GLYPHS[outcome]), text);
}

function dot(outcome, label = outcome) {
  return element("i", { class: `dot ${outcome ? outcome.replace(" ", "-") : "none"}`, title: label || "no answer" }, outcome ? GLYPHS[outcome] : "");
}

const thousands = (n) => Math.round(n).toLocaleString("en-US");
const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;

function figure(run, x) {
  return run.metric === "perplexity" ? x.toFixed(4) : percent(x);
}

function withInterval(run, [value, low, high]) {
  if (low === null) return figure(run, value);
  const ends = run.metric === "perplexity" ? [low.toFixed(4), high.toFixed(4)] : [(100 * low).toFixed(1), (100 * high).toFixed(1)];
  return `${figure(run, value)} (${ends.join(" to ")})`;
}
