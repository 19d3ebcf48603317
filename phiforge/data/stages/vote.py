"""The arithmetic of votes: what a count decides, when it can no longer change, and what to expect of a given voter.

N independent answers to one question are clustered. The question is dropped when all agree (too easy) or when no answer
stands out (too hard, or ambiguous); else the largest cluster stands in for the truth. (phi-4 report, section 2.2.)
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Literal

from msgspec import Struct

Outcome = Literal["kept", "all agree", "no agreement"]
Stop = Literal["exact", "bayes", "never"]

LARGEST = 32  # votes for which chances are computed: the states to sum over are partitions of this number


def decide(counts: Sequence[int], n: int, least: int = 2) -> Outcome:
    """What `n` votes decide. `counts` are the sizes of the clusters; votes that agree with nobody are clusters of one.

    Kept is a cluster of at least `least` votes that is larger than every other, unless it is all of them.
    """
    first, second = _two_largest(counts)
    if first == n:
        return "all agree"
    return "kept" if first >= least and first > second else "no agreement"


def settled(counts: Sequence[int], left: int, least: int = 2) -> bool:
    """Whether no further `left` votes can change what is decided, nor which cluster is the plurality."""
    if not left:
        return True
    first, second = _two_largest(counts)
    if first + left < least:
        return True  # nobody can get there any more
    return len(counts) > 1 and first >= least and first > second + left and first > left


def earliest(n: int, least: int = 2) -> int:
    """The number of votes after which `settled` can be true at the soonest; to ask for fewer at first saves nothing."""
    return min(n, n // 2 + 2, max(n - least + 2, 1))


def chance_of_change(counts: Sequence[int], left: int, least: int = 2, spread: float = 1.0) -> float:
    """The chance that further `left` votes change the outcome or the plurality.

    Bayesian, under a Dirichlet process of concentration `spread`: the next vote joins a cluster in proportion to its
    size, or begins a new one in proportion to `spread`. Exact, by summing over the ways the votes can fall.
    """
    if sum(counts) + left > LARGEST:
        raise ValueError(f"chances are computed for at most {LARGEST} votes, not {sum(counts) + left}")
    ordered = sorted(counts, reverse=True)
    now = decide(ordered, sum(counts), least)
    n = sum(counts) + left
    if not ordered:
        return 1.0
    return 1.0 - _stays(ordered[0], tuple(ordered[1:]), left, n, least, now, spread)


@lru_cache(maxsize=200_000)
def _stays(
    leader: int, others: tuple[int, ...], left: int, n: int, least: int, outcome: Outcome, spread: float
) -> float:
    """The chance that it ends in this outcome, a kept one with this leader."""
    if not left:
        largest = max(others, default=0)
        same = decide((leader, *others), n, least) == outcome
        return float(same and (outcome == "no agreement" or leader > largest))
    votes = leader + sum(others)
    total = votes + spread
    stays = leader / total * _stays(leader + 1, others, left - 1, n, least, outcome, spread)
    for size in dict.fromkeys(others):
        grown = list(others)
        grown[others.index(size)] += 1
        after = tuple(sorted(grown, reverse=True))
        share = size * others.count(size) / total
        stays += share * _stays(leader, after, left - 1, n, least, outcome, spread)
    return stays + spread / total * _stays(leader, (*others, 1), left - 1, n, least, outcome, spread)


class Expected(Struct, frozen=True):
    """What the filter does to a question whose answers follow a known law. Shares of such questions; votes on average."""

    kept: float
    right: float  # kept, and the plurality is the true answer
    all_agree: float
    no_agreement: float
    votes: float

    @property
    def precision(self) -> float:
        """Of the questions that are kept, those whose plurality is the true answer."""
        return self.right / self.kept if self.kept else 0.0

    @property
    def recall(self) -> float:
        """Of all questions, those that come through with the true answer."""
        return self.right


def expected(
    law: Sequence[Fraction], n: int, *, least: int = 2, stop: Stop = "exact", risk: float = 0.01, step: int = 1
) -> Expected:
    """What to expect of a voter that gives answer `i` with probability `law[i]`, of which 0 is the true one.

    Exact, by the multinomial law of the votes, which end as those of `plurality` do. With `stop` "exact" the outcomes are
    those of all `n` votes, at lower cost.
    """
    if sum(law) != 1:
        raise ValueError(f"the chances of the answers add up to {float(sum(law))}, not 1")
    states: dict[tuple[int, ...], Fraction] = {(0,) * len(law): Fraction(1)}
    shares = dict.fromkeys(("kept", "all agree", "no agreement"), Fraction())
    right, votes, asked = Fraction(), Fraction(), 0
    for more in blocks(n, least, stop, step):
        votes += more * sum(states.values())
        states = _after(states, law, more)
        asked += more
        for counts in list(states):
            sizes = [size for size in counts if size]
            if ended(sizes, n - asked, least, stop, risk):
                outcome, chance = decide(sizes, asked, least), states.pop(counts)
                shares[outcome] += chance
                right += chance if outcome == "kept" and counts[0] == max(counts) else 0
    return Expected(*map(float, (shares["kept"], right, shares["all agree"], shares["no agreement"], votes)))


def ended(counts: Sequence[int], left: int, least: int, stop: Stop, risk: float) -> bool:
    """Whether no more votes are asked for."""
    if settled(counts, left, least):
        return stop != "never" or not left
    return stop == "bayes" and chance_of_change(counts, left, least) <= risk


def blocks(n: int, least: int = 2, stop: Stop = "exact", step: int = 1) -> list[int]:
    """The sizes of the requests in which `n` votes are asked for: those that are needed in any case, then step by step."""
    if not 2 <= least <= n or n < 3 or step < 1:
        raise ValueError(
            f"expected 3 votes or more, `least` from 2 to their number, steps of 1 or more: {n=}, {least=}, {step=}"
        )
    first = {"never": n, "exact": earliest(n, least), "bayes": 3}[stop]
    return [first, *(min(step, n - at) for at in range(first, n, step))]


def _after(
    states: dict[tuple[int, ...], Fraction], law: Sequence[Fraction], more: int
) -> dict[tuple[int, ...], Fraction]:
    """The states after `more` votes, each kind of answer in turn taking a binomial share of those that are left."""
    found: dict[tuple[int, ...], Fraction] = {}
    for counts, chance in states.items():
        for added, share in _multinomial(tuple(law), more):
            key = tuple(a + b for a, b in zip(counts, added, strict=True))
            found[key] = found.get(key, Fraction()) + chance * share
    return found


@lru_cache(maxsize=256)
def _multinomial(law: tuple[Fraction, ...], n: int) -> list[tuple[tuple[int, ...], Fraction]]:
    if len(law) == 1:
        return [((n,), law[0] ** n)]
    found: list[tuple[tuple[int, ...], Fraction]] = []
    for k in range(n + 1):
        share = comb(n, k) * law[0] ** k
        if share:
            found += [((k, *rest), share * chance) for rest, chance in _multinomial(law[1:], n - k)]
    return [each for each in found if each[1]]


def _two_largest(counts: Sequence[int]) -> tuple[int, int]:
    ordered = sorted(counts, reverse=True)[:2]
    return (*ordered, 0, 0)[:2]  # type: ignore[return-value]
