// Where it begins: data is unpacked, keys and controls are bound, the first page is drawn.

function drawMain() {
  const main = byId("main");
  main.replaceChildren(state.item === null ? overview() : itemPage(state.item));
  byId("to-overview").setAttribute("aria-pressed", String(state.item === null));
}

function step(by) {
  if (!shown.length) return;
  const at = shown.indexOf(state.item);
  const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + by));
  change({ item: shown[next] });
  byId("main").scrollTop = 0;
}

function turnRepeat(by) {
  const item = state.item === null ? null : data.items[state.item];
  const most = item ? Math.max(answersOf(item, state.a).length, answersOf(item, state.b).length) : 0;
  if (most > 1) change({ repeat: (state.repeat + by + most) % most });
}

const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  "[": () => turnRepeat(-1), "]": () => turnRepeat(1),
  o: () => change({ item: null }), Escape: () => change({ item: null }),
  "/": () => byId("search").focus(), "?": () => byId("help").showModal(),
  t: () => change({ thoughts: !state.thoughts }),
  d: () => state.b !== null && change({ pair: { all: "lost", lost: "won" }[state.pair] ?? "all" }),
  w: () => change({ outcomes: state.outcomes.size ? new Set() : new Set(data.outcomes.filter((outcome) => outcome !== "right")) }),
};

function bind() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target === byId("search")) {
      if (event.key === "Escape" || event.key === "Enter") { byId("search").blur(); event.preventDefault(); }
      return;
    }
    if (event.target.tagName === "SELECT" || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  let waiting = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { byId("list").scrollTop = 0; change({ search: event.target.value }); }, 120);
  });
  byId("subset-filter").addEventListener("change", (event) => change({ subset: event.target.value }));
  byId("run-a").addEventListener("change", (event) => {
    const a = Number(event.target.value), others = alike(a);
    change({ a, b: others.includes(state.b) ? state.b : state.b === null ? null : others[0] ?? null, subset: "", outcomes: new Set() });
  });
  byId("run-b").addEventListener("change", (event) => change({ b: event.target.value === "" ? null : Number(event.target.value), pair: "all" }));
  byId("to-overview").addEventListener("click", () => change({ item: null }));
  byId("to-help").addEventListener("click", () => byId("help").showModal());
  byId("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  for (const select of document.querySelectorAll("select")) select.addEventListener("change", () => select.blur()); // keys are for items again
  byId("list").addEventListener("scroll", drawRows, { passive: true });
  addEventListener("resize", drawRows);
}

await unpack();
recall();
bind();
change({ a: state.a });
