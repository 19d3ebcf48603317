"""Conversations of the page, in one SQLite file. A conversation is a tree: a question edited or an answer tried again is a
sibling of the one before, and `leaf` says which path is shown."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

TITLE = 60  # characters of a first question that make a title
FOUND = 200  # conversations in a list

SCHEMA = """
create table if not exists conversations (
    id text primary key, title text not null, leaf text, created real not null, updated real not null
);
create table if not exists messages (
    id text primary key, conversation text not null references conversations on delete cascade, parent text,
    role text not null, content text not null, thinking text, info text not null, created real not null
);
create index if not exists of_conversation on messages (conversation);
create virtual table if not exists found using fts5 (content, id unindexed, conversation unindexed);
"""


class Saved(Struct, frozen=True):
    """A message as the page keeps it; `info` is the page's own: times, tallies, tool calls, log-probabilities."""

    role: str
    content: str
    parent: str | None = None
    thinking: str | None = None
    info: dict[str, Any] = {}


class Missing(KeyError):
    """There is no conversation, or message, of this id."""


class History:
    """The store at `path`. Threads may share it; so may processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        path.chmod(0o600)  # what people say to a model is theirs
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma foreign_keys = on")
        self._db.executescript(SCHEMA)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def create(self, title: str = "") -> dict[str, Any]:
        now, id = time.time(), uuid.uuid4().hex
        with self._change() as db:
            db.execute("insert into conversations values (?, ?, null, ?, ?)", (id, title, now, now))
        return self.get(id)

    def list(self, query: str = "") -> list[dict[str, Any]]:
        """The latest conversations; with a query, those whose title or messages have words that begin as its words do."""
        fields = "select id, title, created, updated from conversations"
        words = [f'"{word}"*' for word in query.replace('"', " ").split()]
        if not words:
            return [dict(row) for row in self._all(f"{fields} order by updated desc limit {FOUND}")]
        within = "id in (select conversation from found where found match ?) or title like ? escape '\\'"
        like = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._all(f"{fields} where {within} order by updated desc limit {FOUND}", " ".join(words), f"%{like}%")
        return [dict(row) for row in rows]

    def get(self, id: str) -> dict[str, Any]:
        """A conversation with all its messages, the oldest first. Raises Missing."""
        rows = self._all("select * from conversations where id = ?", id)
        if not rows:
            raise Missing(id)
        messages = self._all("select * from messages where conversation = ? order by created, rowid", id)
        return {**dict(rows[0]), "messages": [_message(row) for row in messages]}

    def change(self, id: str, *, title: str | None = None, leaf: str | None = None) -> None:
        """Set the title, or which path is shown. Raises Missing."""
        with self._change() as db:
            for column, value in (("title", title), ("leaf", leaf)):
                if value is not None:
                    db.execute(f"update conversations set {column} = ? where id = ?", (value, id))
            if not db.execute("select 1 from conversations where id = ?", (id,)).fetchone():
                raise Missing(id)

    def delete(self, id: str) -> None:
        """Forget a conversation. Raises Missing."""
        with self._change() as db:
            db.execute("delete from found where conversation = ?", (id,))
            if not db.execute("delete from conversations where id = ?", (id,)).rowcount:
                raise Missing(id)

    def put(self, conversation: str, id: str, message: Saved) -> None:
        """Keep a message, or what it has grown to, and show the path that ends with it. The first question is the title.

        Raises Missing for an unknown conversation or parent, ValueError for the id of another conversation's message.
        """
        now = time.time()
        with self._change() as db:
            row = db.execute("select title from conversations where id = ?", (conversation,)).fetchone()
            if row is None:
                raise Missing(conversation)
            known = db.execute("select conversation from messages where id = ?", (id,)).fetchone()
            if known is not None and known["conversation"] != conversation:
                raise ValueError(f"message {id} belongs to another conversation")
            if message.parent is not None:
                of = "select 1 from messages where id = ? and conversation = ?"
                if not db.execute(of, (message.parent, conversation)).fetchone():
                    raise Missing(message.parent)
            values = (message.content, message.thinking, json.dumps(message.info))
            if known is None:
                place = (id, conversation, message.parent, message.role)
                db.execute("insert into messages values (?, ?, ?, ?, ?, ?, ?, ?)", (*place, *values, now))
            else:
                db.execute("update messages set content = ?, thinking = ?, info = ? where id = ?", (*values, id))
                db.execute("delete from found where id = ?", (id,))
            db.execute("insert into found values (?, ?, ?)", (message.content, id, conversation))
            title = row["title"] or (_title(message.content) if message.role == "user" else "")
            change = "update conversations set updated = ?, leaf = ?, title = ? where id = ?"
            db.execute(change, (now, id, title, conversation))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _message(row: sqlite3.Row) -> dict[str, Any]:
    message = dict(row)
    del message["conversation"]
    return {**message, "info": json.loads(message["info"])}


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rsplit(" ", 1)[0] + "…"


def shown(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of the path that is shown, from the first on."""
    by_id = {message["id"]: message for message in conversation["messages"]}
    path: list[dict[str, Any]] = []
    at = conversation["leaf"]
    while at in by_id:
        path.append(by_id.pop(at))
        at = path[-1]["parent"]
    return path[::-1]


def markdown(conversation: dict[str, Any]) -> str:
    """The path that is shown, as a Markdown text."""
    parts = [f"# {conversation['title'] or 'Conversation'}"]
    for message in shown(conversation):
        parts.append(f"## {message['role'].capitalize()}")
        if message["thinking"]:
            parts.append("\n".join(f"> {line}" for line in message["thinking"].splitlines()))
        parts.append(message["content"])
    return "\n\n".join(parts) + "\n"
