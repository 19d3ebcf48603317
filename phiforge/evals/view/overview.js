// The overview: what each run came to, the two against each other, and the charts.

function overview() {
  const runs = [state.a, state.b].filter((run) => run !== null).map((place) => data.runs[place]);
  const page = element("div", { class: "overview" });
  page.append(element("div", { class: "cards" }, runs.map((run, i) => card(run, SIDES[i]))));
  const pair = pairOf(state.a, state.b);
  if (pair) page.append(versus(pair));
  page.append(...charts(runs), repeated(runs), published(runs), about(runs));
  return page;
}

function card(run, side) {
  const cost = run.kind === "generate"
    ? `${thousands(run.tokens[0])} tokens an answer${run.thought ? `, ${thousands(run.thought)} of them thought` : ""}` : run.kind;
  return element("section", { class: `card run ${side}` },
    element("h2", {}, element("b", { class: "letter" }, side.toUpperCase()), run.name),
    element("p", { class: "soft" }, `${run.task}, ${run.protocol}: ${run.words}`),
    element("p", { class: "big" }, figure(run, run.value[0]),
      element("small", {}, run.value[1] === null ? "" : ` ${figure(run, run.value[1])} to ${figure(run, run.value[2])}`)),
    element("p", { class: "soft" }, `${{ right: "right", score: "mean score", f1: "F1", perplexity: "bits per byte" }[run.metric]} of ${thousands(run.items)} items`
      + `${run.answers > run.items ? `, ${thousands(run.answers)} answers` : ""}; ${cost}; ${thousands(run.seconds)} s`),
    ...(Object.keys(run.outcomes).length ? stacked(run) : []),
    run.remarks.length > 0 && element("ul", { class: "remarks" }, run.remarks.map((remark) => element("li", {}, remark))));
}

function pairOf(a, b) {
  if (b === null) return null;
  const found = data.pairs.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
  return found ?? null;
}

function versus(pair) {
  const turned = pair.a !== state.a; // B minus A of the pair as it was computed
  const names = turned ? `${data.runs[pair.b].name} (A)` : `${data.runs[pair.b].name} (B)`;
  const other = turned ? `${data.runs[pair.a].name} (B)` : `${data.runs[pair.a].name} (A)`;
  const verdict = turned ? pair.verdict.replace(/^B is (\w+) than A/, "A is $1 than B") : pair.verdict;
  const count = (key) => data.items.filter((item) => pairHolds(item, key)).length;
  const lines = Object.entries(PAIRS).filter(([key]) => key !== "all").map(([key, [label]]) =>
    element("button", { class: "tally", onclick: () => change({ pair: key, item: null }) }, element("b", {}, thousands(count(key))), label));
  const wanted = data.runs[state.a].metric !== "perplexity";
  return element("section", { class: "card versus" },
    element("h2", {}, `${names} minus ${other}`),
    element("p", { class: "big" }, pair.text.split(" (")[0], element("small", {}, pair.value[1] === null ? "" : ` (${pair.text.split(" (")[1]}`)),
    element("p", {}, `${verdict} ${thousands(pair.items)} items of both; p = ${pair.p === null ? "unknown" : pair.p.toPrecision(2)}`
      + (pair.mcnemar ? `; McNemar, exact: ${pair.mcnemar[2].toPrecision(2)}` : "")),
    wanted && element("div", { class: "tallies" }, lines),
    pair.remarks.length > 0 && element("ul", { class: "remarks" }, pair.remarks.map((remark) => element("li", {}, remark))));
}

function charts(runs) {
  const made = [];
  const task = runs[0].task;
  const same = data.runs.map((run, place) => [run, place]).filter(([run]) => run.task === task && run.kind === runs[0].kind);
  const side = (place) => (place === state.a ? "a" : place === state.b ? "b" : "other");
  const percentY = runs[0].metric !== "perplexity";
  const written = same.filter(([run]) => run.tokens[0] > 0);
  if (written.length) {
    const points = written.map(([run, place]) => ({
      x: run.tokens, y: run.value, side: side(place), label: run.name, title: `${run.name}, ${run.protocol}: ${withInterval(run, run.value)}`,
    }));
    made.push(framed("Accuracy against tokens written, 95 % intervals", scatter(points, {
      xName: "tokens an answer", yName: percentY ? "%" : "", percentY, title: "accuracy against tokens",
    })));
  } else if (same.length > 1) {
    const rows = same.map(([run, place]) => ({ name: `${run.name}, ${run.protocol}`, marks: [{ value: run.value, side: side(place) }] }));
    made.push(framed("Runs, 95 % intervals", forest(rows, { run: runs[0], title: "runs" })));
  }
  const lengths = runs.flatMap((run, i) => run.lengths.map(([x, y]) => ({
    x, y, side: SIDES[i], line: i, title: `${run.name}: ${withInterval(run, y)} at ${thousands(x[0])} tokens`,
  })));
  if (lengths.length) {
    made.push(framed("Accuracy of short and long answers, a fifth in each point", scatter(lengths, {
      xName: "tokens an answer", yName: percentY ? "%" : "", percentY, title: "accuracy by length",
    })));
  }
  const subsets = [...new Set(runs.flatMap((run) => run.subsets.map(([name]) => name)))];
  if (subsets.length) {
    const rows = subsets.map((name) => ({
      name: name || "(none)",
      marks: runs.flatMap((run, i) => run.subsets.filter(([own]) => own === name).map(([, ...value]) => ({ value, side: SIDES[i] }))),
    }));
    made.push(framed("Subsets, 95 % intervals", forest(rows, { run: runs[0], title: "subsets" }), "wide"));
  }
  return [element("div", { class: "charts" }, made)];
}

function framed(title, chart, also = "") {
  return element("figure", { class: `card ${also}` }, element("figcaption", {}, title), chart);
}

function repeated(runs) {
  const rows = runs.flatMap((run, i) => run.ofK.map(([k, passed, majority, all]) =>
    [SIDES[i].toUpperCase(), k, withInterval(run, passed), majority ? withInterval(run, majority) : "", withInterval(run, all)]));
  if (!rows.length) return "";
  return element("section", { class: "card" }, element("h2", {}, "Several answers to an item"), table(["", "k", ...(runs[0].metric !== "score" ? ["pass@k", "majority@k", "all of k"] : ["best of k", "majority@k", "worst of k"])], rows));
}

function published(runs) {
  const known = runs[0].published;
  if (!known) return "";
  const rows = Object.entries(known.scores).map(([model, score]) => [model, `${score.toFixed(1)} %`, ""]);
  const own = runs.filter((run) => run.published).map((run) => [run.name, percent(run.value[0]), run.published.unlike.length ? `not comparable: ${run.published.unlike.join("; ")}` : "measured here, same protocol"]);
  return element("section", { class: "card" }, element("h2", {}, "Published scores"), table(["model", "score", ""], [...own, ...rows]), element("p", { class: "soft" }, known.source));
}

function about(runs) {
  const parts = runs.map((run, i) => element("div", {}, element("h3", {}, SIDES[i].toUpperCase()),
    element("dl", {}, run.about.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]))));
  return element("details", { class: "card" }, element("summary", {}, "How it was measured"), element("div", { class: "abouts" }, parts));
}

function table(names, rows) {
  return element("table", {}, element("thead", {}, element("tr", {}, names.map((name) => element("th", {}, name)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))))));
}
