"""Going through problems with a language model, so that a kill loses only the work in flight.

`folder/asked.jsonl` has a line for every problem that is done, in order: what was kept of it, why the rest was not, and the
tokens it cost. What is there already is not asked again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from phiforge.engine.request import Sampling
from phiforge.files import mended
from phiforge.lm.base import LanguageModel, Reply
from phiforge.records import Problem

K = TypeVar("K")


class Asked(Struct, Generic[K], frozen=True):
    """A problem that is done: what was kept of it, and why other answers were not. `seconds` is its share of its batch's."""

    problem: str
    kept: list[K]
    why: dict[str, int] = {}
    calls: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Account(Struct, frozen=True):
    """What going through the problems came to. `why` counts the reasons of answers that were not kept."""

    problems: int = 0
    kept: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0
    why: dict[str, int] = {}


class Notes:
    """Counts while a problem is being worked on."""

    def __init__(self) -> None:
        self.why: Counter[str] = Counter()
        self.calls = self.prompt_tokens = self.tokens = 0

    def count(self, replies: Sequence[Reply]) -> None:
        """Replies to one prompt, which was read once."""
        self.calls += len(replies)
        self.tokens += sum(reply.tokens for reply in replies)
        self.prompt_tokens += replies[0].prompt_tokens if replies else 0

    def asked(self, problem: Problem, kept: list[K]) -> Asked[K]:
        return Asked(problem.id, kept, dict(self.why), self.calls, self.prompt_tokens, self.tokens)


def answers(
    lm: LanguageModel, problems: Sequence[Problem], n: int, sampling: Sampling, notes: Sequence[Notes]
) -> list[list[Reply]]:
    """`n` replies to each problem, side by side, counted."""
    found = lm.chat_many([problem.messages for problem in problems], sampling=sampling, n=n)
    for replies, note in zip(found, notes, strict=True):
        note.count(replies)
    return found


def go_through(
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    kind: type[K],
    work: Callable[[Sequence[Problem]], Sequence[Asked[K]]],
    *,
    at_once: int,
    progress: Callable[[Account], None] = lambda _: None,
) -> list[Asked[K]]:
    """`work` on `at_once` problems at a time, each of which gives an `Asked` in order; those of the folder are not done again.

    Raises ValueError if the folder holds other problems.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    file = place / "asked.jsonl"
    done = list(_read(file, kind))
    for each, problem in zip(done, problems, strict=False):
        if each.problem != problem.id:
            raise ValueError(f"{place} holds answers to other problems: {each.problem} is not {problem.id}")
    with file.open("ab") as out:
        for first in range(len(done), len(problems), at_once):
            started = time.monotonic()
            some = problems[first : first + at_once]
            found = work(some)
            seconds = (time.monotonic() - started) / len(some)
            found = [replace(each, seconds=round(seconds, 3)) for each in found]
            out.write(b"".join(msgspec.json.encode(each) + b"\n" for each in found))
            out.flush()
            done += found
            progress(account(done))
    return done


def account(done: Sequence[Asked[K]]) -> Account:
    """The sum of it all."""
    why: Counter[str] = Counter()
    for each in done:
        why.update(each.why)
    sums = {
        name: sum(getattr(each, name) for each in done) for name in ("calls", "prompt_tokens", "tokens", "seconds")
    }
    return Account(problems=len(done), kept=sum(len(each.kept) for each in done), why=dict(why), **sums)


def _read(file: Path, kind: type[K]) -> Iterator[Asked[K]]:
    """What is there; a line that a kill cut short is taken off."""
    line_of: type[Asked[K]] = Asked[kind]
    decoder = msgspec.json.Decoder(line_of)
    for line in mended(file):
        yield decoder.decode(line)
