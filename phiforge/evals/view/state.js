// What is looked at: two runs, filters, one item. Every change goes through `change`, which draws what depends on it.

const state = { a: 0, b: null, search: "", outcomes: new Set(), pair: "all", subset: "", item: null, repeat: 0, thoughts: true };
let data = null;
let shown = []; // places in data.items that pass the filters
const haystacks = new Map(); // lower-case text of an item, made when first searched

async function unpack() {
  const packed = Uint8Array.from(atob(byId("data").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  data = await new Response(stream).json();
}

const OUTCOME = 0, SCORE = 1, THOUGHT = 2, RESPONSE = 3, EXTRACTED = 4, REASON = 5, FINISH = 6, READ = 7, WRITTEN = 8, THOUGHT_TOKENS = 9,
  SECONDS = 10, MEASURES = 11, CHOICES = 12;

const answersOf = (item, run) => (run === null ? [] : item.answers[run]);
const outcomeOf = (answer) => data.outcomes[answer[OUTCOME]];

function markOf(item, run) {
  // The mean mark of an item's answers; null where the run has none.
  const answers = answersOf(item, run);
  return answers.length ? answers.reduce((sum, answer) => sum + answer[SCORE], 0) / answers.length : null;
}

function promptOf(item) {
  const own = item.prompts.find(([run]) => run === state.a) ?? item.prompts[0];
  return data.prompts[own[1]];
}

const PAIRS = {
  all: ["All", () => true],
  lost: ["A right, B wrong", (a, b) => a === 1 && b < 1],
  won: ["A wrong, B right", (a, b) => a < 1 && b === 1],
  both: ["Both right", (a, b) => a === 1 && b === 1],
  neither: ["Both wrong", (a, b) => a < 1 && b < 1],
};

function pairHolds(item, pair) {
  if (pair === "all" || state.b === null) return true;
  const a = markOf(item, state.a), b = markOf(item, state.b);
  return a !== null && b !== null && PAIRS[pair][1](a, b);
}

function outcomeHolds(item, outcome) {
  return answersOf(item, state.a).some((answer) => outcomeOf(answer) === outcome);
}

function haystack(place) {
  if (!haystacks.has(place)) {
    const item = data.items[place];
    const words = [item.id, item.gold, ...new Set(item.prompts.map(([, prompt]) => data.prompts[prompt]))];
    for (const answers of item.answers) for (const answer of answers) words.push(answer[THOUGHT], answer[RESPONSE], answer[EXTRACTED], answer[REASON]);
    haystacks.set(place, words.filter(Boolean).join("\n").toLowerCase());
  }
  return haystacks.get(place);
}

function filtered() {
  const needle = state.search.trim().toLowerCase();
  return [...data.items.keys()].filter(holds);

  function holds(place) {
    const item = data.items[place];
    if (!answersOf(item, state.a).length && !answersOf(item, state.b).length) return false;
    if (state.subset && item.subset !== state.subset) return false;
    if (state.outcomes.size && ![...state.outcomes].some((outcome) => outcomeHolds(item, outcome))) return false;
    return pairHolds(item, state.pair) && (!needle || haystack(place).includes(needle));
  }
}

const FILTERS = ["a", "b", "search", "outcomes", "pair", "subset"];

function change(what) {
  const kept = state.item;
  Object.assign(state, what);
  if (FILTERS.some((name) => name in what)) {
    shown = filtered();
    drawFilters();
    if (kept !== null && !("item" in what) && ("a" in what || "b" in what)) state.item = shown.includes(kept) ? kept : null;
  }
  if ("item" in what && what.item !== kept) state.repeat = 0;
  drawList("item" in what || "a" in what);
  drawMain();
  remember();
}

function remember() {
  const words = new URLSearchParams({ a: state.a });
  if (state.b !== null) words.set("b", state.b);
  if (state.item !== null) words.set("item", data.items[state.item].id);
  try { history.replaceState(null, "", `#${words}`); } catch { /* a file opened in a frame has no history */ }
}

function recall() {
  // Where an address with a run or an item was opened.
  const words = new URLSearchParams(location.hash.slice(1));
  const run = (name) => (words.has(name) && data.runs[Number(words.get(name))] ? Number(words.get(name)) : null);
  state.a = run("a") ?? 0;
  state.b = words.has("a") ? run("b") : alike(state.a)[0] ?? null;
  const at = words.has("item") ? data.items.findIndex((item) => item.id === words.get("item")) : -1;
  state.item = at < 0 ? null : at;
}

// Runs that share items with one.
function alike(run) {
  return data.pairs.filter((pair) => pair.a === run || pair.b === run).map((pair) => (pair.a === run ? pair.b : pair.a));
}
