"""The answers a teacher has given, in one SQLite file, found by what was asked: what is paid for once is never paid again.

A question is a model's identity, the messages and every argument of sampling; its key is a hash of these. Answers to it
are numbered from 0. Those of one request are written together or not at all, each is readable by other processes at once,
and a process that is killed loses nothing that it has written. Neither keys of APIs nor addresses with passwords come here.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.records import Message

_WAIT_S = 120.0  # for another process that writes
_TABLES = """
CREATE TABLE IF NOT EXISTS questions (key TEXT PRIMARY KEY, model TEXT NOT NULL, asked TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL, number INTEGER NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
"""


class Question(Struct, frozen=True, kw_only=True):
    """All that an answer depends on, but for its number."""

    model: str
    messages: list[Message]
    sampling: dict[str, Any]

    @property
    def key(self) -> str:
        content = msgspec.json.encode(self, order="deterministic")
        return blake2b(content, digest_size=16).hexdigest()


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. `whole` is False where it was cut off at the most tokens it could have.

    `prompt_tokens` are what was paid for the prompt: of the answers to one request, the first has them all.
    """

    text: str
    thinking: str = ""
    whole: bool = True
    prompt_tokens: int = 0
    tokens: int = 0


class Answers:
    """The file of answers. Any number of processes may use it; within one, any thread.

    Raises ValueError for an address that is no file of this machine, or a file that is none of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        if "://" in self.path:
            raise ValueError(
                f"{self.path}: a teacher's answers are kept in a file of this machine; name one as `cache`"
            )
        if self.path != ":memory:":
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
        try:
            # NORMAL: what is written outlives the process. A power cut may take the last answers, and breaks nothing.
            for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *_TABLES.strip().split(";\n")):
                self._db.execute(line)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ValueError(f"{self.path} cannot keep a teacher's answers: {error}") from None
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Answer)

    def get(self, key: str, n: int) -> list[Answer]:
        """The answers to a question, from number 0 on, at most `n`."""
        with self._lock:
            rows = self._db.execute(
                "SELECT number, answer FROM answers WHERE key = ? AND number < ? ORDER BY number", (key, n)
            ).fetchall()
        found = [self._decoder.decode(answer) for number, answer in rows]
        assert [number for number, _ in rows] == list(range(len(rows))), f"{self.path}: answers to {key} are missing"
        return found

    def put(self, question: Question, first: int, answers: Sequence[Answer]) -> None:
        """Keep answers from number `first` on. What is there already, written by another process meanwhile, stays."""
        key = question.key
        rows = [(key, first + i, self._encoder.encode(answer).decode()) for i, answer in enumerate(answers)]
        asked = self._encoder.encode({"messages": question.messages, "sampling": question.sampling}).decode()
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute("INSERT OR IGNORE INTO questions VALUES (?, ?, ?)", (key, question.model, asked))
                self._db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def question(self, key: str) -> Question | None:
        """What was asked, by the key that a row's provenance has."""
        with self._lock:
            row = self._db.execute("SELECT model, asked FROM questions WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        return msgspec.convert({"model": row[0], **msgspec.json.decode(row[1])}, Question)

    def knows(self, model: str) -> bool:
        """Whether the model has ever answered."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM questions WHERE model = ? LIMIT 1", (model,)).fetchone() is not None

    def count(self) -> int:
        with self._lock:
            return self._db.execute("SELECT count(*) FROM answers").fetchone()[0]

    def close(self) -> None:
        self._db.close()
