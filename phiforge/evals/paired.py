"""Two models on the same items. What an item adds to both cancels, so that far smaller differences are seen than between
two figures with intervals of their own (Miller, arXiv:2411.00640, section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from phiforge.evals.stats import LEVEL, NORMAL_FROM, Estimate, bootstrap, ratio, t_cdf

POWER = 0.80


class McNemar(Struct, frozen=True):
    """Items that only one of two has right, and the chance of a split as uneven if either were as likely (exact, two-sided).

    Items count as independent here: where they come in clusters, `Paired.p` is the one to read.
    """

    only_a: int
    only_b: int
    p: float


class Paired(Struct, frozen=True):
    """`difference` is B minus A, `p` its two-sided chance if there were none, both respecting clusters.

    `correlation` of A's and B's items; NaN where one has no variation. `needed` are the items with which a difference of this
    size would be seen `POWER` of the time; None where there is none. `visible` is the difference that these items would show
    as often. `mcnemar` where items are right or wrong.
    """

    difference: Estimate
    bootstrap: Estimate
    p: float
    correlation: float
    needed: int | None
    visible: float
    mcnemar: McNemar | None = None


def compare(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Paired:
    """Compare item by item. With `weights` values are sums to be divided by them (bits and bytes), not averaged."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} items of one and {len(y)} of the other are no pairs")
    below = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    found = ratio(y - x, below, clusters, level=level)
    drawn = bootstrap(y - x, below, clusters, seed=seed, level=level)
    varied = len(x) > 1 and x.std() > 0 and y.std() > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if varied else math.nan
    marks = weights is None and bool(np.isin([x, y], (0.0, 1.0)).all())
    return Paired(
        found, drawn, _p(found), correlation, items_needed(found, level=level), visible(found.se, level=level),
        mcnemar(int(((x == 1) & (y == 0)).sum()), int(((x == 0) & (y == 1)).sum())) if marks else None,
    )  # fmt: skip


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's test in its exact form (1947): of the items that differ, a fair coin's two-sided binomial."""
    n = only_a + only_b
    if not n:
        return McNemar(0, 0, 1.0)
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1))
    return McNemar(only_a, only_b, min(1.0, 2 * tail / 2**n))


def items_needed(difference: Estimate, *, power: float = POWER, level: float = LEVEL) -> int | None:
    """Items of the same kind, clustered alike, with which a difference of this size is seen `power` of the time."""
    if not difference.value or math.isnan(difference.se):
        return None
    return max(2, math.ceil(difference.n * (_reach(power, level) * difference.se / difference.value) ** 2))


def visible(se: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """The least difference that is seen `power` of the time with a standard error like this."""
    return _reach(power, level) * se


def _reach(power: float, level: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)


def _p(found: Estimate) -> float:
    if math.isnan(found.se):
        return math.nan
    if not found.se:
        return min(1.0, 2 * 0.5**found.clusters) if found.value else 1.0  # all alike: the sign test of the clusters
    return 2 * (1 - t_cdf(abs(found.value / found.se), min(found.clusters - 1, NORMAL_FROM)))
