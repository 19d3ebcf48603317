"""Pivotal token search (Phi-4's report, §4.3, Figure 4): the tokens of an answer that decide whether it becomes right.

The chance that an answer begun in some way becomes right is measured by finishing it many times and asking the verifier. An
answer is cut in two at the midpoint of its log-probability, and so on where that chance moves by `gap`, until single tokens
are left that move it. From each comes a pair for DPO: the query ends before the token, the chosen and the rejected answer are
one token each, of which one raises the chance and the other lowers it; both were drawn there. Where tokens that raise the
chance and tokens that lower it cancel out over a part, they stay unseen, as the report says.

Rollouts and gap are not in the report. Here the number is decided as it goes: until it is settled whether two chances differ
by `gap`, or `most` rollouts are spent. Every chance carries its interval (Wilson 1927), every difference too (Newcombe 1998),
wide enough to hold at `level` although we look more than once (Bonferroni).

The search is a generator that asks for rollouts and is resumed when they are there, so that one engine can serve many
(`pivotal_run.py`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import NamedTuple, TypeVar

from msgspec import Struct

from phiforge.train.dpo import Pair

T = TypeVar("T")
Ids = tuple[int, ...]
Asking = Generator[dict[Ids, int], None, T]
"""Yields beginnings of the answer, each with how many more rollouts of it are wanted; `Search.learn` takes them."""


class Chance(NamedTuple):
    """How often it went right, of how many times."""

    right: int
    n: int

    @property
    def p(self) -> float:
        return self.right / self.n if self.n else 0.5

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Where the true chance lies, at the level of `z`: 1.96 for 95 %."""
        if not self.n:
            return 0.0, 1.0
        middle = (self.right + z * z / 2) / (self.n + z * z)
        half = z / (self.n + z * z) * math.sqrt(self.right * (self.n - self.right) / self.n + z * z / 4)
        return max(0.0, middle - half), min(1.0, middle + half)


def difference(before: Chance, after: Chance, z: float = 1.96) -> tuple[float, float]:
    """Where `after.p - before.p` truly lies."""
    (l1, u1), (l2, u2) = before.interval(z), after.interval(z)
    d = after.p - before.p
    return (
        d - math.sqrt((after.p - l2) ** 2 + (u1 - before.p) ** 2),
        d + math.sqrt((u2 - after.p) ** 2 + (before.p - l1) ** 2),
    )


class Rolled(NamedTuple):
    """A continuation of prompt and begun answer, whether the whole answer is right, and its tokens' log-probabilities."""

    ids: Sequence[int]
    right: bool
    logprobs: Sequence[float] = ()


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How answers are searched. `least` rollouts of a beginning before anything is concluded from it, `most` at all. Prompts
    are searched whose own chance is `between` these; of their answers `answers`, right and wrong ones in turn."""

    gap: float = 0.2
    least: int = 16
    most: int = 256
    level: float = 0.95
    between: tuple[float, float] = (0.2, 0.8)
    answers: int = 2
    longest: int = 512  # tokens of a whole answer
    temperature: float = 1.0
    top_p: float = 1.0
    at_once: int = 32  # prompts searched side by side
    seed: int = 0

    @property
    def z(self) -> float:
        """Standard deviations that an interval reaches to hold at `level` in all of our looks together."""
        looks = 1 + math.ceil(math.log2(self.most / self.least))
        return NormalDist().inv_cdf(1 - (1 - self.level) / (2 * looks))

    def check(self) -> None:
        """Raises ValueError, naming the setting, for values that cannot be."""
        for name, ok, expected in (
            ("gap", 0 < self.gap < 1, "between 0 and 1"),
            ("least", self.least >= 1, "1 or more"),
            ("most", self.most >= self.least, f"at least `least`, which is {self.least}"),
            ("level", 0 < self.level < 1, "between 0 and 1"),
            ("between", 0 <= self.between[0] <= self.between[1] <= 1, "two chances in order"),
            ("answers", self.answers >= 1, "1 or more"),
            ("temperature", self.temperature > 0, "above 0: rollouts have to differ"),
            ("at_once", self.at_once >= 1, "1 or more"),
        ):
            if not ok:
                raise ValueError(f"{name} = {getattr(self, name)} must be {expected}")


class Pivotal(NamedTuple):
    """Token `token` at `place` of the answer, the chances before and with it, and the token that moves it the other way, with
    its chance, where one was drawn."""

    place: int
    token: int
    before: Chance
    after: Chance
    other: int | None = None
    other_chance: Chance | None = None

    def pair(self, prompt: Sequence[int], answer: Sequence[int]) -> Pair | None:
        """For DPO. None without a counterpart."""
        if self.other is None:
            return None
        raises = self.after.p > self.before.p
        chosen, rejected = (self.token, self.other) if raises else (self.other, self.token)
        return Pair((*prompt, *answer[: self.place]), (chosen,), (rejected,))


class Search:
    """Searches answers to one prompt. Every rollout serves all questions asked of its beginning; `rollouts` counts them and
    `tokens` what they cost."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.rollouts = 0
        self.tokens = 0
        self._found: dict[Ids, list[Rolled]] = defaultdict(list)

    def learn(self, begun: Ids, rolled: Sequence[Rolled]) -> None:
        """Take rollouts of a beginning. Of an answer that has ended they are without tokens, and cost nothing."""
        self._found[begun] += rolled
        self.rollouts += sum(bool(each.ids) for each in rolled)
        self.tokens += sum(len(each.ids) for each in rolled)

    def chance(self, begun: Ids) -> Chance:
        """Of the answer begun so, as far as is known."""
        found = self._found[begun]
        return Chance(sum(each.right for each in found), len(found))

    def interval(self, chance: Chance) -> tuple[float, float]:
        return chance.interval(self.settings.z)

    def pivotal(self, answer: Sequence[int], logprobs: Sequence[float] = ()) -> Asking[list[Pivotal]]:
        """The pivotal tokens of an answer, first to last. None where the prompt is too easy or too hard."""
        if not (yield from self._worth()):
            return []
        found: list[Pivotal] = []
        place, ids = 0, tuple(answer)
        weights = [-each for each in logprobs] or [1.0] * len(ids)
        for part in (yield from self._subdivide(ids, 0, len(ids), weights)):
            before, after = ids[:place], ids[: place + part]
            if part == 1 and (yield from self._moves(before, after)):
                found.append(Pivotal(place, ids[place], self.chance(before), self.chance(after)))
            place += part
        for i, each in enumerate(found):
            other = yield from self._counterpart(ids[: each.place], each)
            if other is not None:
                found[i] = each._replace(other=other, other_chance=self.chance((*ids[: each.place], other)))
        return found

    def whole(self) -> Asking[list[tuple[Rolled, list[Pivotal]]]]:
        """Answers to the prompt itself, right and wrong in turn, with their pivotal tokens."""
        if not (yield from self._worth()):
            return []
        found = list(self._found[()])
        right, wrong = [r for r in found if r.right], [r for r in found if not r.right]
        in_turn = [each for both in zip(right, wrong, strict=False) for each in both]
        found = []
        for rolled in (in_turn or right or wrong)[: self.settings.answers]:
            found.append((rolled, (yield from self.pivotal(rolled.ids, rolled.logprobs))))
        return found

    def _worth(self) -> Asking[bool]:
        """Whether the prompt's own chance is neither too small nor too great to learn from."""
        yield from self._ask((), 2 * self.settings.least)
        low, high = self.settings.between
        return low <= self.chance(()).p <= high

    def _ask(self, *wanted: Ids | int) -> Asking[None]:
        """`_ask(one, other, n)`: at least n rollouts of each."""
        *beginnings, n = wanted
        assert isinstance(n, int)
        missing = {begun: n - len(self._found[begun]) for begun in beginnings if isinstance(begun, tuple)}
        if missing := {begun: more for begun, more in missing.items() if more > 0}:
            yield missing

    def _moves(self, before: Ids, after: Ids) -> Asking[bool]:
        """Whether the chance differs by `gap` or more between two beginnings, from as many rollouts as that takes."""
        settings, n = self.settings, self.settings.least
        while True:
            yield from self._ask(before, after, n)
            one, other = self.chance(before), self.chance(after)
            low, high = difference(one, other, settings.z)
            if low >= settings.gap or high <= -settings.gap:
                return True
            if -settings.gap < low and high < settings.gap:
                return False
            if n >= settings.most:
                return abs(other.p - one.p) >= settings.gap
            n = min(settings.most, 2 * n)

    def _subdivide(self, ids: Ids, start: int, end: int, weights: Sequence[float]) -> Asking[list[int]]:
        """Lengths of the parts of ids[start:end]: cut in two, and those again, as long as the chance moves over them."""
        if end - start <= 1 or not (yield from self._moves(ids[:start], ids[:end])):
            return [end - start]
        middle = start + midpoint(weights[start:end])
        left = yield from self._subdivide(ids, start, middle, weights)
        return left + (yield from self._subdivide(ids, middle, end, weights))

    def _counterpart(self, begun: Ids, pivotal: Pivotal) -> Asking[int | None]:
        """Another token that the rollouts so far began with, best (or worst) where it was: one that moves the chance the other
        way, and differs from the pivotal one by `gap`, both settled by rollouts of its own."""
        raises = pivotal.after.p > pivotal.before.p
        counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for each in self._found[begun]:
            if each.ids and each.ids[0] != pivotal.token:
                counts[each.ids[0]][0] += each.right
                counts[each.ids[0]][1] += 1
        likely = sorted(counts, key=lambda t: (Chance(*counts[t]).p * (1 if raises else -1), -counts[t][1], t))
        for other in likely[:TRIED]:
            with_it = (*begun, other)
            if (yield from self._moves((*begun, pivotal.token), with_it)):
                moved = self.chance(with_it).p - self.chance(begun).p
                if moved < 0 if raises else moved > 0:
                    return other
        return None


TRIED = 3  # counterparts of a pivotal token


def midpoint(weights: Sequence[float]) -> int:
    """Where to cut so that both sides weigh as much as they can alike; at least one on either side."""
    sums = list(accumulate(weights))
    if sums[-1] <= 0:
        return len(weights) // 2
    return min(range(1, len(weights)), key=lambda k: abs(sums[k - 1] - sums[-1] / 2))


def answered(asking: Asking[T], search: Search, roll: Callable[[Ids, int], Sequence[Rolled]]) -> T:
    """Run one search to its end with `roll(begun, n)`, one question after another."""
    try:
        wanted = next(asking)
        while True:
            for begun, n in wanted.items():
                search.learn(begun, roll(begun, n))
            wanted = next(asking)
    except StopIteration as end:
        return end.value
