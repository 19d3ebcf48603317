// The list of items: only the rows in sight are on the page, however many there are.

const ROW = 58; // pixels, as in the style

function drawList(follow) {
  const list = byId("list"), at = shown.indexOf(state.item);
  byId("rows").style.height = `${shown.length * ROW}px`;
  if (follow && at >= 0) {
    const top = at * ROW, seen = list.scrollTop;
    if (top < seen) list.scrollTop = top;
    else if (top + ROW > seen + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  }
  drawRows();
}

function drawRows() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 6);
  const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 6);
  const rows = [];
  for (let at = first; at < last; at++) rows.push(row(at));
  byId("rows").replaceChildren(...rows);
  if (state.item !== null) list.setAttribute("aria-activedescendant", `row-${state.item}`);
}

function row(at) {
  const place = shown[at], item = data.items[place];
  const dots = [state.a, state.b].filter((run) => run !== null).map((run) => verdictDot(item, run));
  return element("div", {
    class: "row", role: "option", id: `row-${place}`, "aria-selected": String(place === state.item), "aria-posinset": at + 1, "aria-setsize": shown.length,
    style: { top: `${at * ROW}px` }, onclick: () => change({ item: place }),
  }, element("span", { class: "dots" }, dots), element("span", { class: "about" },
    element("span", { class: "line" }, element("b", {}, item.id), element("em", {}, item.subset)), element("span", { class: "line soft" }, excerpt(promptOf(item)))));
}

function verdictDot(item, run) {
  // One answer's outcome, or how many of several are right.
  const answers = answersOf(item, run);
  if (answers.length < 2) return dot(answers[0] && outcomeOf(answers[0]));
  const right = answers.filter((answer) => outcomeOf(answer) === "right").length;
  const kind = right === answers.length ? "right" : right ? "some" : outcomeOf(answers[0]).replace(" ", "-");
  return element("i", { class: `dot count ${kind}`, title: `${right} of ${answers.length} right` }, String(right));
}

function excerpt(prompt) {
  const at = prompt.lastIndexOf("<|user|>\n");
  const from = at < 0 ? prompt.trimEnd().lastIndexOf("\n\n") + 2 : at + 9; // of a text to continue, its last block
  return prompt.slice(from === 1 ? 0 : from, Math.max(from, 0) + 400).replace(/\s+/g, " ").trim().slice(0, 150);
}

function drawFilters() {
  const total = data.items.filter((item) => answersOf(item, state.a).length || answersOf(item, state.b).length).length;
  byId("count").textContent = shown.length === total ? `${thousands(total)} items` : `${thousands(shown.length)} of ${thousands(total)} items`;
  const run = data.runs[state.a], percentage = run.metric !== "perplexity";
  const chips = Object.entries(run.outcomes).map(([outcome, n]) => element("button", {
    class: `chip ${outcome.replace(" ", "-")}`, "aria-pressed": String(state.outcomes.has(outcome)), onclick: () => {
      const outcomes = new Set(state.outcomes);
      if (!outcomes.delete(outcome)) outcomes.add(outcome);
      change({ outcomes });
    },
  }, element("i", { "aria-hidden": "true" }, GLYPHS[outcome]), outcome, element("em", {}, thousands(n))));
  byId("outcome-filter").replaceChildren(...chips);
  const pairs = state.b === null || !percentage ? [] : Object.entries(PAIRS).map(([key, [label]]) => element("button", {
    class: "chip", "aria-pressed": String(state.pair === key), onclick: () => change({ pair: key }),
  }, label));
  byId("pair-filter").replaceChildren(...pairs);
  const names = [...new Set(data.items.filter((item) => answersOf(item, state.a).length).map((item) => item.subset))].sort();
  const select = byId("subset-filter");
  select.hidden = names.length < 2;
  select.replaceChildren(element("option", { value: "" }, `All ${names.length} subsets`), ...names.filter(Boolean).map((name) => element("option", { value: name, selected: name === state.subset }, name)));
  drawRuns();
}

function drawRuns() {
  const label = (run) => `${run.name} · ${figure(run, run.value[0])} · ${run.task}, ${run.protocol}`;
  byId("run-a").replaceChildren(...data.runs.map((run, place) => element("option", { value: place, selected: place === state.a }, label(run))));
  const others = alike(state.a);
  byId("run-b").replaceChildren(element("option", { value: "", selected: state.b === null }, others.length ? "none" : "no other run of this task"),
    ...others.map((place) => element("option", { value: place, selected: place === state.b }, label(data.runs[place]))));
  byId("run-b").disabled = !others.length;
  byId("run-a").disabled = data.runs.length < 2;
}
