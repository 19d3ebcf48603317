// A conversation as a tree of messages: a question edited or an answer tried again is a sibling of the one before.

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is for https and this machine only
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Tree {
  constructor(messages = [], leaf = null) {
    this.messages = new Map(messages.map((message) => [message.id, message]));
    this.leaf = leaf;
  }

  add(message) {
    this.messages.set(message.id, message);
    this.leaf = message.id;
  }

  // The messages that are shown, from the first on.
  path(leaf = this.leaf) {
    const found = [];
    for (let at = this.messages.get(leaf); at; at = this.messages.get(at.parent)) found.unshift(at);
    return found;
  }

  siblings(message) {
    return [...this.messages.values()].filter((other) => other.parent === message.parent && other.role === message.role);
  }

  // Show the branch that a message is on, down to its latest end.
  show(message) {
    let at = message;
    for (;;) {
      const children = [...this.messages.values()].filter((other) => other.parent === at.id);
      if (!children.length) break;
      at = children[children.length - 1];
    }
    this.leaf = at.id;
  }
}
