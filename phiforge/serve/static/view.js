// Messages as elements. Text goes in as text; only what the server has rendered and cleaned goes in as HTML.

import { post } from "./api.js";

export function element(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, dataset);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const button = (text, onclick, properties = {}) =>
  element("button", { type: "button", className: "quiet", textContent: text, onclick, ...properties });

export async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    const was = from.textContent;
    from.textContent = "Copied";
    setTimeout(() => { from.textContent = was; }, 1200);
  } catch {
    from.textContent = "Cannot copy";
  }
}

// Markdown into `target`, by the server. While an answer grows only the latest text is asked for.
export class Rendering {
  constructor(target) {
    this.target = target;
    this.shown = null;
    this.wanted = "";
    this.running = null;
  }

  show(text) {
    this.wanted = text;
    this.running ??= this.run().finally(() => { this.running = null; });
    return this.running;
  }

  async run() {
    while (this.shown !== this.wanted) {
      const text = this.wanted;
      let html;
      try {
        ({ html } = await post("/api/render", { text }));
      } catch {
        this.target.textContent = text; // the server is gone: the words are still worth having
        this.shown = text;
        continue;
      }
      this.target.innerHTML = html;
      for (const link of this.target.querySelectorAll("a")) link.target = "_blank";
      for (const pre of this.target.querySelectorAll("pre")) {
        const code = pre.textContent;
        pre.tabIndex = 0; // so that a keyboard can scroll it
        pre.append(button("Copy", (event) => copy(code, event.target), { className: "copy-code", ariaLabel: "Copy this code" }));
      }
      this.shown = text;
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
  }
}

export function thought(message) {
  const { thought_tokens: tokens, thought_seconds: seconds } = message.info;
  const told = [tokens ? `${tokens} tokens` : null, seconds ? `${seconds.toFixed(1)} s` : null].filter(Boolean);
  const label = ["Thought", ...told].join(" · ");
  return element("details", { className: "thought" },
    element("summary", { textContent: label }),
    element("div", { textContent: message.thinking, tabIndex: 0 }));
}

export function call({ name, arguments: text }) {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch { /* still on its way */ }
  return element("div", { className: "call" },
    element("strong", { textContent: name }), element("pre", {}, element("code", { textContent: shown })));
}

export function tally({ k, tally: groups, without_answer: without }) {
  const box = element("div", { className: "tally" }, element("p", { textContent: `The vote of ${k} samples` }));
  const rows = groups.map((group) => [group.answer, group.votes]);
  if (without) rows.push(["no answer", without]);
  for (const [answer, votes] of rows) {
    box.append(
      element("span", { textContent: answer, title: answer }),
      element("meter", { min: 0, max: k, value: votes, ariaLabel: `${votes} of ${k}` }),
      element("span", { textContent: votes }));
  }
  return box;
}

// An answer token by token; how likely each was, and what else was, in a popover.
export function tokens(list) {
  const popover = document.getElementById("popover");
  const box = element("div", { className: "tokens" });
  const percent = (logprob) => `${(100 * Math.exp(logprob)).toFixed(1).padStart(5)} %`;
  for (const { token, logprob, top_logprobs: top } of list) {
    const p = Math.exp(logprob);
    const level = p < 0.2 ? "p0" : p < 0.5 ? "p1" : p < 0.8 ? "p2" : "p3";
    const span = element("span", { className: `token ${level}`, textContent: token, tabIndex: 0, ariaLabel: `${token}: ${percent(logprob)}` });
    const show = () => {
      popover.textContent = [`${percent(logprob)}  ${JSON.stringify(token)}`, ...top.filter((other) => other.token !== token)
        .map((other) => `${percent(other.logprob)}  ${JSON.stringify(other.token)}`)].join("\n");
      popover.hidden = false;
      const at = span.getBoundingClientRect();
      popover.style.left = `${Math.max(8, Math.min(at.left, innerWidth - popover.offsetWidth - 8))}px`;
      popover.style.top = `${at.bottom + popover.offsetHeight + 8 > innerHeight ? at.top - popover.offsetHeight - 4 : at.bottom + 4}px`;
    };
    const hide = () => { popover.hidden = true; };
    Object.assign(span, { onmouseenter: show, onfocus: show, onmouseleave: hide, onblur: hide });
    box.append(span);
  }
  return box;
}

export function speed(info) {
  const parts = [];
  if (info.tokens_per_second) parts.push(`${info.tokens_per_second.toFixed(0)} tokens/s`);
  if (info.first) parts.push(`first after ${info.first.toFixed(2)} s`);
  if (info.tokens) parts.push(`${info.tokens} tokens`);
  return parts.join(" · ");
}
