// One item: what was asked, and what each of the two runs said, side by side.

function itemPage(place) {
  const item = data.items[place];
  const at = shown.indexOf(place);
  const sides = [state.a, state.b].map((run, i) => [run, SIDES[i]]).filter(([run]) => run !== null);
  const repeats = Math.max(...sides.map(([run]) => answersOf(item, run).length));
  return element("article", { class: "item" },
    element("header", {},
      element("h2", {}, item.id), item.subset && element("span", { class: "tag" }, item.subset),
      element("span", { class: "where soft" }, at < 0 ? "not among the filtered" : `${thousands(at + 1)} of ${thousands(shown.length)}`),
      element("button", { title: "k", "aria-label": "previous item", disabled: at <= 0, onclick: () => step(-1) }, "←"),
      element("button", { title: "j", "aria-label": "next item", disabled: at >= shown.length - 1, onclick: () => step(1) }, "→")),
    prompt(item),
    item.gold && element("p", { class: "gold" }, element("b", {}, "Gold answer"), element("span", { class: "text" }, item.gold)),
    repeats > 1 && repeatTabs(item, sides, repeats),
    element("div", { class: `answers of-${sides.length}` }, sides.map(([run, side]) => answerCard(item, run, side))));
}

function prompt(item) {
  // A conversation's turns each begin with "<|role|>\n"; a text to continue has none. Worked examples are folded.
  const text = promptOf(item);
  const turns = text.split(/^<\|(system|user|assistant|tool)\|>\n/m);
  if (turns.length < 3) return element("section", { class: "prompt card" }, element("h3", {}, "Text to continue"), ...lastBlock(text));
  const pairs = [];
  for (let i = 1; i < turns.length; i += 2) pairs.push([turns[i], turns[i + 1]]);
  const last = pairs.pop();
  return element("section", { class: "prompt card" },
    pairs.length > 0 && element("details", {}, element("summary", {}, pairs.length === 1 ? "1 turn before" : `${pairs.length} turns before`), pairs.map(([role, said]) => turn(role, said))),
    turn(...last));
}

// Of a text to continue, what stands before the last blank line is mostly worked examples.
function lastBlock(text) {
  const cut = text.trimEnd().lastIndexOf("\n\n") + 2;
  if (cut < 600) return [long(text, 2400)];
  return [element("details", {}, element("summary", {}, `${thousands(cut)} characters before`), element("div", { class: "text" }, text.slice(0, cut))),
    long(text.slice(cut), 2400)];
}

function turn(role, said) {
  return element("div", { class: `turn ${role}` }, element("h3", {}, role), long(said.replace(/\n$/, ""), 6000));
}

// Text as it is; of a long one its end, with the beginning folded away.
function long(text, most) {
  if (text.length <= most) return element("div", { class: "text" }, text);
  const cut = text.lastIndexOf("\n", text.length - most / 2) + 1 || text.length - most / 2;
  return element("div", {},
    element("details", {}, element("summary", {}, `${thousands(cut)} characters before`), element("div", { class: "text" }, text.slice(0, cut))),
    element("div", { class: "text" }, text.slice(cut)));
}

function repeatTabs(item, sides, repeats) {
  const tabs = element("div", { class: "repeats", role: "tablist", "aria-label": "answers to this item" });
  for (let r = 0; r < repeats; r++) {
    tabs.append(element("button", { role: "tab", "aria-selected": String(r === state.repeat), "aria-label": `answer ${r + 1}`, onclick: () => change({ repeat: r }) },
      String(r + 1), sides.map(([run]) => { const answer = answersOf(item, run)[r]; return dot(answer && outcomeOf(answer)); })));
  }
  return tabs;
}

function answerCard(item, run, side) {
  const answers = answersOf(item, run), answer = answers[Math.min(state.repeat, answers.length - 1)];
  const head = element("header", {}, element("b", { class: "letter" }, side.toUpperCase()), element("span", { class: "model" }, data.runs[run].name));
  if (!answer) return element("section", { class: `card answer ${side}` }, head, element("p", { class: "soft" }, "This run has no answer to the item."));
  head.append(badge(outcomeOf(answer)));
  const facts = [];
  if (answer[EXTRACTED] !== null && answer[EXTRACTED] !== answer[RESPONSE]) facts.push(["answer", element("code", {}, answer[EXTRACTED])]);
  if (answer[REASON]) facts.push(["reason", answer[REASON]]);
  if (answer[SCORE] > 0 && answer[SCORE] < 1) facts.push(["score", answer[SCORE].toFixed(3)]);
  for (const [name, value] of Object.entries(answer[MEASURES])) facts.push([name, Number(value.toPrecision(5)).toLocaleString("en-US")]);
  const cost = [`${thousands(answer[READ])} tokens read`, answer[WRITTEN] > 0 && `${thousands(answer[WRITTEN])} written`,
    answer[THOUGHT_TOKENS] > 0 && `${thousands(answer[THOUGHT_TOKENS])} thought`, answer[FINISH] && `ended by ${answer[FINISH]}`, `${answer[SECONDS]} s`];
  return element("section", { class: `card answer ${side} ${outcomeOf(answer).replace(" ", "-")}` }, head,
    facts.length > 0 && element("dl", { class: "facts" }, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    answer[CHOICES].length ? choices(answer, item) : [
      answer[THOUGHT] !== null && thought(answer),
      answer[RESPONSE] ? long(answer[RESPONSE], 20000) : element("p", { class: "soft" }, "Nothing is shown."),
    ],
    element("footer", { class: "soft" }, cost.filter(Boolean).join(", ")));
}

function thought(answer) {
  const box = element("details", { class: "thought", open: state.thoughts }, element("summary", {}, "Thought"), long(answer[THOUGHT], 12000));
  box.addEventListener("toggle", () => { state.thoughts = box.open; });
  return box;
}

function choices(answer, item) {
  // Each continuation's share, as if one of them had to be said.
  const best = Math.max(...answer[CHOICES].map(([, logprob]) => logprob));
  const total = answer[CHOICES].reduce((sum, [, logprob]) => sum + Math.exp(logprob - best), 0);
  const rows = answer[CHOICES].map(([text, logprob, tokens], i) => {
    const letter = String.fromCharCode(65 + i), share = Math.exp(logprob - best) / total;
    const kind = [letter === item.gold ? "gold-choice" : "", letter === answer[EXTRACTED] ? "chosen" : ""].join(" ");
    return element("tr", { class: kind }, element("td", {}, letter), element("td", { class: "text" }, text),
      element("td", { class: "meter" }, element("span", { style: { width: `${58 * share}%` } }), element("em", {}, percent(share))),
      element("td", { class: "number", title: `${tokens} tokens` }, logprob.toFixed(3)));
  });
  return element("table", { class: "choices" }, element("thead", {}, element("tr", {}, ["", "continuation", "share", "log-prob"].map((n) => element("th", {}, n)))), element("tbody", {}, rows));
}
