"""What several answers to an item are worth: pass@k, all k, best and worst of k, majority of k, and how runs differ.

Each is the mean over every choice of k among the n answers there are, so that it estimates without bias what k answers would
come to (for pass@k: Chen et al., arXiv:2107.03374, section 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

MOST = 1_000  # answers to an item, beyond which binomial coefficients leave double precision's range


class Spread(Struct, frozen=True):
    """How whole runs over the same items differ: the mean of their figures, the standard deviation between them, their range.

    `within` is the standard deviation to be expected between runs from each item's own answers alone; a `between` far above
    it says that runs differ by more than sampling.
    """

    runs: int
    mean: float
    between: float
    within: float
    low: float
    high: float


def pass_at(n: int, right: int, k: int) -> float:
    """The chance that at least one of `k` answers is right, drawn from `n` of which `right` are: 1 - C(n-c, k) / C(n, k)."""
    _check(n, k)
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def all_of(n: int, right: int, k: int) -> float:
    """The chance that all of `k` answers are right: what can be relied on."""
    _check(n, k)
    return math.comb(right, k) / math.comb(n, k)


def best_of(scores: Sequence[float], k: int) -> float:
    """The expected best score of `k` answers; of marks 0 and 1 it is `pass_at`."""
    n = len(scores)
    _check(n, k)
    ordered = sorted(scores)
    return math.fsum(score * (math.comb(i, k - 1) / math.comb(n, k)) for i, score in enumerate(ordered))


def worst_of(scores: Sequence[float], k: int) -> float:
    """The expected worst score of `k` answers; of marks 0 and 1 it is `all_of`."""
    return -best_of([-score for score in scores], k)


def majority_of(groups: Sequence[tuple[int, float]], n: int, k: int) -> float:
    """The expected score of the answer given most often among `k` of `n`.

    `groups` are answers that agree: how many, and the score of what they say. The n - sum(sizes) others have no answer and do
    not vote; if nobody votes the score is 0. Of groups with equally many votes each wins as often. Exact: for each number of
    votes m a group may win with, the choices of the others in which none has more are counted.
    """
    _check(n, k)
    sizes = [size for size, _ in groups]
    if sum(sizes) > n or min(sizes, default=1) < 1:
        raise ValueError(f"groups of {sizes} answers are not parts of {n}")
    if n > MOST:
        raise ValueError(f"{n} answers to an item: at most {MOST} can be counted")
    total = 0.0
    for at, (size, score) in enumerate(groups):
        if score:
            total += score * sum(_wins(sizes, at, n, k, m) for m in range(1, min(size, k) + 1))
    return total / math.comb(n, k)


def _wins(sizes: Sequence[int], at: int, n: int, k: int, m: int) -> float:
    """Choices of `k` in which group `at` has `m` votes and none has more, each divided by the number of groups with `m`."""
    rest = k - m
    rivals = [size for i, size in enumerate(sizes) if i != at and size >= m]
    others = n - sizes[at] - sum(rivals)  # too few to reach m, or without an answer: free to take
    ways = np.zeros((rest + 1, rest // m + 1))  # [answers taken, groups that have m too]
    ways[:, 0] = [float(math.comb(others, taken)) for taken in range(rest + 1)]
    for size in rivals:
        after = np.zeros_like(ways)
        for votes in range(min(m, rest + 1)):
            after[votes:] += math.comb(size, votes) * ways[: rest + 1 - votes]
        if m <= rest:
            after[m:, 1:] += math.comb(size, m) * ways[: rest + 1 - m, :-1]
        ways = after
    return math.comb(sizes[at], m) * float((ways[rest] / np.arange(1, ways.shape[1] + 1)).sum())


def spread(runs: Sequence[Sequence[float]]) -> Spread:
    """`runs[r][i]` is item i's score in run r; all of the same items. Raises ValueError where they are not."""
    table = np.asarray([list(run) for run in runs], np.float64) if len({len(run) for run in runs}) == 1 else None
    if table is None or not table.size:
        raise ValueError(f"runs of {[len(run) for run in runs]} items cannot be laid side by side")
    means = table.mean(axis=1)
    several = len(runs) > 1
    within = math.sqrt(float(table.var(axis=0, ddof=1).sum())) / table.shape[1] if several else math.nan
    between = float(means.std(ddof=1)) if several else math.nan
    return Spread(len(runs), float(means.mean()), between, within, float(means.min()), float(means.max()))


def _check(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"{k} of {n} answers cannot be drawn")
