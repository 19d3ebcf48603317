// The page: the list of conversations, the one that is shown, and the question that is being answered.

import { Refused, download, get, onTokenNeeded, patch, post, put, remove, stream, whole } from "./api.js";
import { Tree, newId } from "./tree.js";
import { Rendering, button, call, copy, element, speed, tally, thought, tokens } from "./view.js";

const $ = (id) => document.getElementById(id);
const SAVE_EVERY = 1500; // ms, while an answer grows
const EXAMPLES = ["What is gravity?", "Write a haiku about rain", "What is 12 + 9? Think step by step"];

let conversation = null; // { id, title }, or null before the first question
let tree = new Tree();
let answering = null; // an AbortController while there is an answer on its way

// --- dialogs ---------------------------------------------------------------------------------------------------------

function dialog(title, body, ok = "OK") {
  $("dialog-title").textContent = title;
  $("dialog-body").replaceChildren(body);
  $("dialog-ok").textContent = ok;
  $("dialog").returnValue = "";
  $("dialog").showModal();
  return new Promise((resolve) => {
    $("dialog").addEventListener("close", () => resolve($("dialog").returnValue === "ok"), { once: true });
  });
}

async function askFor(title, value = "", type = "text") {
  const input = element("input", { type, value, ariaLabel: title, autocomplete: "off" });
  const answer = dialog(title, input);
  input.select();
  return (await answer) ? input.value.trim() : null;
}

onTokenNeeded(() => askFor("This server asks for a token", "", "password"));

function say(text) {
  $("status").textContent = text;
}

function failed(error) {
  const text = error instanceof Refused ? error.message : `The server cannot be reached: ${error.message}`;
  $("messages").append(element("p", { className: "failed", role: "alert", textContent: text }));
  scrollDown(true);
}

// --- the list ----------------------------------------------------------------------------------------------------------

async function list() {
  const found = await get(`/api/conversations?q=${encodeURIComponent($("search").value)}`);
  const items = found.map(({ id, title }) => {
    const open = button(title || "Untitled", () => show(id), { title });
    if (id === conversation?.id) open.setAttribute("aria-current", "page");
    return element("li", {}, open);
  });
  if (!items.length) items.push(element("li", { className: "none", textContent: $("search").value ? "Nothing found" : "Nothing yet" }));
  $("conversations").replaceChildren(...items);
}

async function show(id) {
  answering?.abort();
  const found = await get(`/api/conversations/${id}`);
  conversation = { id, title: found.title };
  tree = new Tree(found.messages, found.leaf);
  history.replaceState(null, "", `#${id}`);
  side(false);
  draw();
  list();
}

function fresh() {
  answering?.abort();
  conversation = null;
  tree = new Tree();
  history.replaceState(null, "", location.pathname);
  side(false);
  draw();
  list();
  $("question").focus();
}

function side(open) {
  $("side").classList.toggle("open", open);
  if (open) $("search").focus();
}

async function rename() {
  const title = await askFor("Rename this conversation", conversation.title);
  if (!title) return;
  await patch(`/api/conversations/${conversation.id}`, { title });
  conversation.title = title;
  header();
  list();
}

async function forget() {
  const sure = await dialog("Delete this conversation?", element("p", { textContent: `“${conversation.title}” cannot be brought back.` }), "Delete");
  if (!sure) return;
  await remove(`/api/conversations/${conversation.id}`);
  fresh();
}

async function exportIt(event) {
  event.preventDefault();
  const kind = element("select", { ariaLabel: "Form" }, new Option("Markdown", "markdown"), new Option("JSON", "json"));
  if (!(await dialog("Export this conversation", kind, "Save"))) return;
  const blob = await download(`/api/conversations/${conversation.id}/export?format=${kind.value}`);
  const link = element("a", { href: URL.createObjectURL(blob), download: `conversation.${kind.value === "json" ? "json" : "md"}` });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function runs() {
  const found = await get("/api/runs");
  const items = found.map((run) => element("li", {},
    element("span", { textContent: run.name }),
    run.report
      ? element("a", { href: `/api/runs/${encodeURIComponent(run.name)}/report`, target: "_blank", rel: "noopener", textContent: "report" })
      : element("span", { textContent: `${run.files.length} files, no report` })));
  await dialog("Runs", items.length ? element("ul", {}, ...items) : element("p", { textContent: "No runs yet. Training, data and evaluation runs leave their reports here." }));
}

// --- the conversation ----------------------------------------------------------------------------------------------------

function header() {
  $("title").textContent = conversation?.title || "New conversation";
  document.title = conversation?.title ? `${conversation.title} · Phiforge` : "Phiforge";
  $("of-conversation").hidden = !conversation;
}

function draw() {
  header();
  const path = tree.path();
  if (path.length) $("messages").replaceChildren(...path.map(drawn));
  else {
    $("messages").replaceChildren(element("div", { className: "welcome" },
      element("h2", { textContent: "What would you like to know?" }),
      element("div", {}, ...EXAMPLES.map((text) => button(text, () => ask(text), { className: "" })))));
  }
  scrollDown(true);
}

function drawn(message) {
  const box = element("article", { className: `message ${message.role}`, dataset: { id: message.id }, ariaLabel: message.role === "user" ? "You" : "Answer" });
  fill(box, message);
  return box;
}

function fill(box, message) {
  const text = element("div", { className: "text" });
  const parts = [];
  if (message.thinking) parts.push(thought(message));
  if (message.info.vote) parts.push(tally(message.info.vote));
  parts.push(text);
  if (message.role === "user") text.textContent = message.content;
  else new Rendering(text).show(message.content);
  for (const each of message.info.calls ?? []) parts.push(call(each));
  if (message.info.note) parts.push(element("p", { className: "failed", textContent: message.info.note }));
  parts.push(tools(box, message, text));
  box.replaceChildren(...parts);
}

function tools(box, message, text) {
  const row = element("div", { className: "tools" });
  const siblings = tree.siblings(message);
  if (siblings.length > 1) {
    const at = siblings.indexOf(message);
    const step = (to) => () => {
      tree.show(siblings[to]);
      patch(`/api/conversations/${conversation.id}`, { leaf: tree.leaf });
      draw();
    };
    row.append(
      button("‹", step(at - 1), { ariaLabel: "Previous version", disabled: at === 0 }),
      element("span", { textContent: `${at + 1} / ${siblings.length}` }),
      button("›", step(at + 1), { ariaLabel: "Next version", disabled: at === siblings.length - 1 }));
  }
  row.append(button("Copy", (event) => copy(message.content, event.target)));
  if (message.role === "user") row.append(button("Edit", () => edit(box, message)));
  else {
    row.append(button("Retry", () => answer(message.parent)));
    if (message.info.logprobs) {
      const toggle = button("Probabilities", () => {
        const on = toggle.ariaPressed !== "true";
        toggle.ariaPressed = on;
        if (on) text.replaceChildren(tokens(message.info.logprobs));
        else new Rendering(text).show(message.content);
      }, { ariaPressed: "false" });
      row.append(toggle);
    }
    row.append(element("span", { className: "speed", textContent: speed(message.info) }));
  }
  return row;
}

function edit(box, message) {
  const input = element("textarea", { value: message.content, ariaLabel: "Edit your question" });
  const form = element("form", { className: "edit" }, input,
    element("div", {}, button("Cancel", () => fill(box, message)), element("button", { textContent: "Ask again" })));
  form.onsubmit = (event) => {
    event.preventDefault();
    ask(input.value, message.parent);
  };
  box.replaceChildren(form);
  input.focus();
}

function scrollDown(always = false) {
  const box = $("messages");
  if (always || box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
}

// --- asking ---------------------------------------------------------------------------------------------------------------

const save = (message, keepalive = false) =>
  put(`/api/conversations/${conversation.id}/messages/${message.id}`,
    { role: message.role, content: message.content, parent: message.parent, thinking: message.thinking, info: message.info }, keepalive);

async function ask(text, parent = tree.leaf) {
  if (answering || !text.trim()) return;
  try {
    if (!conversation) {
      const made = await post("/api/conversations", {});
      conversation = { id: made.id, title: "" };
      history.replaceState(null, "", `#${made.id}`);
    }
    const question = { id: newId(), parent, role: "user", content: text.trim(), thinking: null, info: {} };
    await save(question);
    tree.add(question);
    if (!conversation.title) conversation.title = (await get(`/api/conversations/${conversation.id}`)).title;
    draw();
    list();
    await answer(question.id);
  } catch (error) {
    failed(error);
  }
}

function request(parent) {
  const messages = tree.path(parent).map(({ role, content }) => ({ role, content }));
  const system = $("system").value.trim();
  if (system) messages.unshift({ role: "system", content: system });
  const asked = { model: $("model").value, messages, max_completion_tokens: Number($("max_tokens").value) || 1024 };
  for (const name of ["temperature", "top_p"]) if ($(name).value !== "") asked[name] = Number($(name).value);
  if ($("probabilities").checked) Object.assign(asked, { logprobs: true, top_logprobs: 5 });
  const votes = Number($("votes").value);
  if (votes > 1) asked.majority_vote = votes;
  return asked;
}

async function answer(parent) {
  if (answering) return;
  const asked = request(parent);
  const message = { id: newId(), parent, role: "assistant", content: "", thinking: null, info: {} };
  tree.add(message);
  draw();
  const box = $("messages").lastElementChild;
  answering = new AbortController();
  busy(true);
  say(asked.majority_vote ? `${asked.majority_vote} samples are voting` : "The answer is on its way");
  const began = performance.now();
  try {
    if (asked.majority_vote) await voted(asked, message, box);
    else await streamed(asked, message, box, began);
    say("The answer is complete");
  } catch (error) {
    if (error.name === "AbortError") message.info.stopped = true;
    else message.info.note = error instanceof Refused ? error.message : `The answer broke off: ${error.message}`;
    say(error.name === "AbortError" ? "Stopped" : "The answer failed");
  } finally {
    answering = null;
    busy(false);
  }
  await save(message).catch(failed);
  if (tree.messages.get(message.id) === message && box.isConnected) fill(box, message);
  scrollDown();
  list();
}

async function voted(asked, message, box) {
  box.replaceChildren(element("div", { className: "text waiting", textContent: `${asked.majority_vote} samples are voting ` }));
  const began = performance.now();
  const result = await whole(asked, answering.signal);
  const [{ message: said, logprobs }] = result.choices;
  message.content = said.content ?? "";
  message.thinking = said.reasoning_content ?? null;
  const tokens = result.usage.completion_tokens;
  const seconds = (performance.now() - began) / 1000;
  Object.assign(message.info, { vote: result.majority_vote, tokens, tokens_per_second: tokens / seconds });
  if (logprobs) message.info.logprobs = logprobs.content;
}

async function streamed(asked, message, box, began) {
  const text = element("div", { className: "text waiting" });
  const rendering = new Rendering(text);
  const seconds = () => (performance.now() - began) / 1000;
  const calls = [];
  let thinking = null;
  let saved = performance.now();
  let thoughtBegan = 0;
  box.replaceChildren(text);
  const { signal } = answering;
  try {
    for await (const chunk of stream(asked, signal)) {
      message.info.first ??= seconds();
      if (chunk.usage) {
        message.info.tokens = chunk.usage.completion_tokens;
        message.info.thought_tokens = chunk.usage.completion_tokens_details?.reasoning_tokens || undefined;
      }
      const [choice] = chunk.choices;
      if (!choice) continue;
      const { delta } = choice;
      if (delta.reasoning_content) {
        if (!thinking) {
          thoughtBegan = seconds();
          message.thinking = "";
          thinking = thought({ thinking: "", info: {} });
          text.before(thinking);
        }
        message.thinking += delta.reasoning_content;
        thinking.lastElementChild.textContent = message.thinking;
        message.info.thought_seconds = seconds() - thoughtBegan;
      }
      if (delta.content) {
        message.content += delta.content;
        rendering.show(message.content);
      }
      for (const part of delta.tool_calls ?? []) {
        calls[part.index] ??= { name: part.function.name, arguments: "" };
        calls[part.index].arguments += part.function.arguments ?? "";
        message.info.calls = calls;
      }
      if (choice.logprobs) (message.info.logprobs ??= []).push(...choice.logprobs.content);
      if (choice.finish_reason === "length") message.info.note = "The answer was cut off at its token limit.";
      if (performance.now() - saved > SAVE_EVERY) {
        saved = performance.now();
        save(message).catch(() => {});
      }
      scrollDown();
    }
  } finally {
    const { tokens, first } = message.info;
    if (tokens > 1) message.info.tokens_per_second = (tokens - 1) / (seconds() - first);
    text.classList.remove("waiting");
    await rendering.running;
  }
}

function busy(on) {
  $("send").hidden = on;
  $("stop").hidden = !on;
  $("messages").ariaBusy = on;
}

// --- the beginning --------------------------------------------------------------------------------------------------------

function theme(next) {
  const root = document.documentElement;
  if (next) localStorage.setItem("theme", next);
  const chosen = localStorage.getItem("theme");
  if (chosen) root.dataset.theme = chosen;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const SETTINGS = ["temperature", "top_p", "max_tokens", "votes", "system"];

function settings() {
  const kept = JSON.parse(localStorage.getItem("settings") ?? "{}");
  for (const id of SETTINGS) if (kept[id] !== undefined) $(id).value = kept[id];
  $("probabilities").checked = kept.probabilities ?? false;
  $("settings").addEventListener("change", () => {
    const now = Object.fromEntries(SETTINGS.map((id) => [id, $(id).value]));
    localStorage.setItem("settings", JSON.stringify({ ...now, probabilities: $("probabilities").checked }));
  });
}

function grow() {
  const box = $("question");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

async function start() {
  theme();
  settings();
  $("theme").onclick = () => theme(isDark() ? "light" : "dark");
  $("new").onclick = fresh;
  $("rename").onclick = rename;
  $("delete").onclick = forget;
  $("export").onclick = exportIt;
  $("export").href = "#";
  $("runs-open").onclick = runs;
  $("side-open").onclick = () => side(true);
  $("side-close").onclick = () => side(false);
  $("dialog-cancel").onclick = () => $("dialog").close("");
  $("stop").onclick = () => answering?.abort();
  $("settings").onsubmit = (event) => event.preventDefault();
  $("settings-open").onclick = () => {
    $("settings").hidden = !$("settings").hidden;
    $("settings-open").ariaExpanded = !$("settings").hidden;
  };
  let typing;
  $("search").oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(list, 200);
  };
  $("question").oninput = grow;
  $("question").onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $("ask").requestSubmit();
    }
  };
  document.onkeydown = (event) => {
    if (event.key !== "Escape" || $("dialog").open) return;
    if (answering) answering.abort();
    else side(false);
  };
  $("ask").onsubmit = (event) => {
    event.preventDefault();
    if (answering) return;
    const text = $("question").value;
    $("question").value = "";
    grow();
    ask(text);
  };
  draw();
  try {
    const { data } = await get("/v1/models");
    $("model").replaceChildren(...data.map(({ id }) => new Option(id, id)));
    await list();
    if (location.hash.length > 1) await show(location.hash.slice(1));
  } catch (error) {
    failed(error);
  }
}

start();
