"""Pivotal token search over many prompts, with one engine that finishes their answers side by side.

`folder/pivotal.jsonl` has a line for every prompt that is done, in their order, with its answers and their pivotal tokens;
`folder/cost.jsonl` what that took. A run that was killed goes on after the last line, and the lines are the same as if it had
not been: a rollout's seed follows from the prompt, the beginning and its number, not from what ran beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.engine.scheduler import MAX_SAMPLES
from phiforge.files import mended, whole_lines
from phiforge.train.dpo import Pair
from phiforge.train.groups import Prompt
from phiforge.train.pivotal import Asking, Chance, Ids, Pivotal, Rolled, Search, Settings
from phiforge.train.rewards import Judge, by_verifier, judged
from phiforge.train.rollouts import Answer, Sampler, Spent, Wanted, seed_of


class Estimate(Struct, frozen=True):
    """A chance: right of n, and the interval that it lies in."""

    right: int
    n: int
    p: float
    low: float
    high: float


class Token(Struct, frozen=True):
    """A pivotal token at its place in the answer; `other` is its counterpart, where one was found."""

    place: int
    token: int
    before: Estimate
    after: Estimate
    other: int | None = None
    other_chance: Estimate | None = None

    @property
    def raises(self) -> bool:
        return self.after.p > self.before.p


class Searched(Struct, frozen=True):
    """An answer with its pivotal tokens."""

    ids: list[int]
    right: bool
    pivotal: list[Token]


class Row(Struct, frozen=True):
    """A prompt that is done. `tokens` were written by its `rollouts`."""

    problem: str
    prompt: list[int]
    chance: Estimate
    answers: list[Searched]
    rollouts: int
    tokens: int

    def pairs(self) -> list[Pair]:
        """A pair for each pivotal token that has a counterpart; each once."""
        found: dict[Pair, None] = {}
        for answer in self.answers:
            for each in answer.pivotal:
                pivotal = Pivotal(
                    each.place, each.token, Chance(each.before.right, each.before.n),
                    Chance(each.after.right, each.after.n), each.other,
                )  # fmt: skip
                if pair := pivotal.pair(self.prompt, answer.ids):
                    found[pair] = None
        return list(found)


class Cost(Struct, frozen=True):
    """What a search took so far. Of the prompts' and beginnings' tokens, `read` were computed and `saved` were not, because
    another rollout had."""

    prompts: int = 0
    pairs: int = 0
    rollouts: int = 0
    written: int = 0
    read: int = 0
    saved: int = 0
    seconds: float = 0.0


def rows(folder: str | os.PathLike[str]) -> list[Row]:
    """The prompts that are done."""
    return [msgspec.json.decode(line, type=Row) for line in whole_lines(Path(folder) / "pivotal.jsonl")]


def pairs(folder: str | os.PathLike[str]) -> list[Pair]:
    """All pairs that were found, for `dpo.stage`."""
    return [pair for row in rows(folder) for pair in row.pairs()]


def cost(folder: str | os.PathLike[str]) -> Cost:
    """What it took so far; of what was in flight when a run was killed, nothing."""
    parts = [msgspec.json.decode(line, type=Cost) for line in whole_lines(Path(folder) / "cost.jsonl")]
    return Cost(**{name: sum(getattr(part, name) for part in parts) for name in Cost.__struct_fields__})


def run(
    sampler: Sampler,
    prompts: Sequence[Prompt],
    decode: Callable[[Sequence[int]], str],
    folder: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    judge: Judge = by_verifier,
    progress: Callable[[Cost], None] = lambda _: None,
) -> Cost:
    """Search answers to every prompt, or go on. Raises ValueError for settings that cannot be, or a folder of other prompts."""
    settings = settings or Settings()
    settings.check()
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    done = rows(place)
    for row, prompt in zip(done, prompts, strict=False):
        if row.prompt != list(prompt.ids):
            raise ValueError(f"{place} holds a search of other prompts: {row.problem} is not {prompt.problem.id}")
    mended(place / "pivotal.jsonl")
    mended(place / "cost.jsonl")
    total, before, started = cost(place), replace(sampler.spent), time.monotonic()
    finished = _finished(sampler, list(enumerate(prompts))[len(done) :], decode, settings, judge)
    with (place / "pivotal.jsonl").open("ab") as file, (place / "cost.jsonl").open("ab") as account:
        for row in _in_order(finished, len(done)):
            file.write(msgspec.json.encode(row) + b"\n")
            file.flush()
            part = _since(row, before, sampler.spent, time.monotonic() - started)
            before, started = replace(sampler.spent), time.monotonic()
            account.write(msgspec.json.encode(part) + b"\n")
            account.flush()
            total = Cost(**{n: getattr(total, n) + getattr(part, n) for n in Cost.__struct_fields__})
            progress(total)
    return total


@dataclass
class _Running:
    """A search under way: what it has asked for, request by request, and the answers that are there."""

    search: Search
    prompt: Prompt
    asking: Asking[Any]
    waits: dict[int, tuple[Ids, int]]  # request -> beginning, place among its requests
    there: dict[tuple[Ids, int], list[Rolled]]


def _finished(
    sampler: Sampler,
    prompts: list[tuple[int, Prompt]],
    decode: Callable[[Sequence[int]], str],
    settings: Settings,
    judge: Judge,
) -> Iterator[tuple[int, Row]]:
    """Rows as their searches end, with `at_once` of them under way."""
    queue = iter(prompts)
    running: dict[int, _Running] = {}
    owner: dict[int, int] = {}

    def advance(number: int) -> Row | None:
        """Let a search go on until it waits for the engine, or is done."""
        one = running[number]
        while not one.waits:
            for (begun, _), rolled in sorted(one.there.items()):
                one.search.learn(begun, rolled)
            one.there.clear()
            try:
                wanted = next(one.asking)
            except StopIteration as end:
                del running[number]
                return _row(one, end.value, settings)
            for begun, n in wanted.items():
                submit(number, one, begun, n)
        return None

    def submit(number: int, one: _Running, begun: Ids, n: int) -> None:
        if len(begun) >= settings.longest or (begun and begun[-1] in sampler.stop_ids):
            ended = begun[-1] in sampler.stop_ids
            one.there[begun, 0] = [Rolled((), right(one.prompt, begun, ended))] * n
            return
        have = one.search.chance(begun).n
        for first in range(0, n, MAX_SAMPLES):
            request = sampler.submit(
                Wanted(
                    [*one.prompt.ids, *begun], min(n - first, MAX_SAMPLES), settings.longest - len(begun),
                    seed_of(settings.seed, number, begun, have + first), settings.temperature, settings.top_p,
                    logprobs=not begun,
                )
            )  # fmt: skip
            one.waits[request] = (begun, first)
            owner[request] = number

    def right(prompt: Prompt, ids: Sequence[int], ended: bool) -> bool:
        text = prompt.opened + decode(ids[:-1] if ended else ids)
        return judged(text, len(ids), ended, prompt.problem, judge).correct

    while True:
        while len(running) < settings.at_once and (new := next(queue, None)):
            number, prompt = new
            search = Search(settings)
            running[number] = _Running(search, prompt, search.whole(), {}, {})
            if row := advance(number):
                yield number, row
        if not running:
            return
        for request, answers in sampler.step():
            number = owner.pop(request)
            one = running[number]
            begun, first = one.waits.pop(request)
            one.there[begun, first] = [_rolled(one.prompt, begun, each, right) for each in answers]
            if not one.waits and (row := advance(number)):
                yield number, row


def _rolled(
    prompt: Prompt, begun: Ids, answer: Answer, right: Callable[[Prompt, Sequence[int], bool], bool]
) -> Rolled:
    return Rolled(tuple(answer.ids), right(prompt, [*begun, *answer.ids], answer.ended), tuple(answer.logprobs))


def _row(one: _Running, found: list[tuple[Rolled, list[Pivotal]]], settings: Settings) -> Row:
    def estimate(chance: Chance) -> Estimate:
        low, high = chance.interval(settings.z)
        return Estimate(chance.right, chance.n, round(chance.p, 4), round(low, 4), round(high, 4))

    answers = [
        Searched(
            list(rolled.ids), rolled.right,
            [
                Token(p.place, p.token, estimate(p.before), estimate(p.after), p.other,
                      estimate(p.other_chance) if p.other_chance else None)
                for p in pivotal
            ],
        )
        for rolled, pivotal in found
    ]  # fmt: skip
    search = one.search
    return Row(
        one.prompt.problem.id, list(one.prompt.ids), estimate(search.chance(())), answers, search.rollouts,
        search.tokens,
    )  # fmt: skip


def _in_order(finished: Iterator[tuple[int, Row]], first: int) -> Iterator[Row]:
    """Rows by their numbers, from `first` on, each as soon as those before it are there."""
    early: dict[int, Row] = {}
    for number, row in finished:
        early[number] = row
        while first in early:
            yield early.pop(first)
            first += 1


def _since(row: Row, before: Spent, now: Spent, seconds: float) -> Cost:
    return Cost(
        1, len(row.pairs()), row.rollouts, now.written - before.written, now.read - before.read,
        now.saved - before.saved, round(seconds, 3),
    )  # fmt: skip
