"""Pivotal token search (Phi-4's report, Figure 4): the tokens of an answer that decide whether it becomes right.

The chance that an answer begun in some way becomes right is measured by finishing it many times and asking the verifier. An
answer is cut in halves where that chance moves, until single tokens are left that move it. From each comes a pair for DPO: the
query ends before the token, the chosen and the rejected answer are one token each. Where tokens that raise the chance and
tokens that lower it cancel out over a half, they stay unseen, as the report says.

How often to finish an answer is decided as it goes: until it is settled whether two chances differ by `gap`, or `most`
rollouts are spent. Every chance carries its interval (Wilson 1927), every difference too (Newcombe 1998).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from phiforge.train.dpo import Pair

Ids = tuple[int, ...]
Roll = Callable[[Sequence[int], int], list[tuple[Sequence[int], bool]]]
"""`roll(ids, n)`: n continuations of prompt and begun answer, each with whether the whole answer is right."""


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


class Pivotal(NamedTuple):
    """Token `token` at `place` of the answer, and the chances before and with it."""

    place: int
    token: int
    before: Chance
    after: Chance


@dataclass
class Search:
    """Searches answers to one prompt. Every rollout serves all questions asked of its beginning; `rollouts` counts them and
    `tokens` what they cost."""

    prompt: Ids
    roll: Roll
    gap: float = 0.2
    least: int = 16  # rollouts of a beginning before anything is concluded
    most: int = 256
    z: float = 1.96
    between: tuple[float, float] = (0.2, 0.8)  # of the prompt's own chance; outside there is little to learn
    rollouts: int = 0
    tokens: int = 0
    _found: dict[Ids, list[tuple[Ids, bool]]] = field(default_factory=lambda: defaultdict(list))

    def chance(self, begun: Ids, n: int | None = None) -> Chance:
        """Of the answer begun so, from at least `n` rollouts."""
        found = self._found[begun]
        if (missing := (n or self.least) - len(found)) > 0:
            for continuation, right in self.roll([*self.prompt, *begun], missing):
                found.append((tuple(continuation), right))
                self.tokens += len(continuation)
            self.rollouts += missing
        return Chance(sum(right for _, right in found), len(found))

    def moves(self, before: Ids, after: Ids) -> bool:
        """Whether the chance differs by `gap` or more between two beginnings, from as many rollouts as that takes."""
        n = self.least
        while True:
            low, high = difference(self.chance(before, n), self.chance(after, n), self.z)
            if low >= self.gap or high <= -self.gap:
                return True
            if -self.gap < low and high < self.gap:
                return False
            if n >= self.most:
                return abs(self.chance(after).p - self.chance(before).p) >= self.gap
            n = min(self.most, 2 * n)

    def worth(self) -> bool:
        """Whether the prompt's own chance is neither too small nor too great to learn from."""
        low, high = self.chance((), 2 * self.least).interval(self.z)
        return high >= self.between[0] and low <= self.between[1] and 0 < self.chance(()).p < 1

    def pivotal(self, answer: Sequence[int]) -> list[Pivotal]:
        """The pivotal tokens of an answer, first to last. None where the prompt is not worth it."""
        if not self.worth():
            return []
        found: list[Pivotal] = []
        place = 0
        for part in self._subdivide((), tuple(answer)):
            before, after = tuple(answer[:place]), tuple(answer[: place + len(part)])
            if len(part) == 1 and self.moves(before, after):
                found.append(Pivotal(place, part[0], self.chance(before), self.chance(after)))
            place += len(part)
        return found

    def _subdivide(self, before: Ids, part: Ids) -> list[Ids]:
        """Halves of a part, and halves of those, as long as the chance moves over them."""
        if len(part) <= 1 or not self.moves(before, before + part):
            return [part]
        middle = len(part) // 2
        left, right = part[:middle], part[middle:]
        return self._subdivide(before, left) + self._subdivide(before + left, right)

    def pairs(self, answer: Sequence[int]) -> list[Pair]:
        """A pair for each pivotal token that has a counterpart among the rollouts: another first token that moves the chance
        the other way, relative to the pivotal one, by `gap` or more."""
        found: list[Pair] = []
        for place, token, before, after in self.pivotal(answer):
            begun = tuple(answer[:place])
            raises = after.p > before.p
            other = self._counterpart(begun, token, raises)
            if other is not None:
                chosen, rejected = ((token,), (other,)) if raises else ((other,), (token,))
                found.append(Pair((*self.prompt, *begun), chosen, rejected))
        return found

    def _counterpart(self, begun: Ids, token: int, raises: bool) -> int | None:
        """The first token, of the rollouts made already, that went worst (or best) often enough, confirmed by rollouts."""
        counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for continuation, right in self._found[begun]:
            if continuation and continuation[0] != token:
                counts[continuation[0]][0] += right
                counts[continuation[0]][1] += 1
        likely = sorted(counts, key=lambda t: (Chance(*counts[t]).p * (1 if raises else -1), -counts[t][1]))
        for other in likely[:3]:
            low, high = (other, token) if raises else (token, other)
            moved = self.moves((*begun, low), (*begun, high))
            if moved and self.chance((*begun, high)).p > self.chance((*begun, low)).p:
                return other
        return None
