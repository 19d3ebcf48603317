// What the page asks of the server. A server with bearer tokens gets one from the person, once a tab.

const KEY = "phiforge-token";

export class Refused extends Error {}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  if (response.ok) return response;
  if (response.status === 401) {
    const given = await askForToken();
    if (given) {
      sessionStorage.setItem(KEY, given);
      return ask(path, options);
    }
  }
  let message = `${response.status} ${response.statusText}`;
  try {
    message = (await response.json()).error.message;
  } catch { /* not one of ours */ }
  throw new Refused(message);
}

let askForToken = async () => null;
export const onTokenNeeded = (handler) => { askForToken = handler; };

const json = (value) => JSON.stringify(value);
export const get = async (path) => (await ask(path)).json();
export const post = async (path, value) => (await ask(path, { method: "POST", body: json(value) })).json();
export const put = (path, value, keepalive = false) => ask(path, { method: "PUT", body: json(value), keepalive });
export const patch = (path, value) => ask(path, { method: "PATCH", body: json(value) });
export const remove = (path) => ask(path, { method: "DELETE" });
export const download = async (path) => (await ask(path)).blob();

export async function whole(request, signal) {
  const response = await ask("/v1/chat/completions", { method: "POST", body: json(request), signal });
  return response.json();
}

// The chunks of a streamed answer, as they come.
export async function* stream(request, signal) {
  const body = json({ ...request, stream: true, stream_options: { include_usage: true } });
  const response = await ask("/v1/chat/completions", { method: "POST", body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const events = buffer.split("\n\n");
    buffer = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data === "[DONE]") return;
      if (!data) continue;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(chunk.error.message);
      yield chunk;
    }
  }
}
