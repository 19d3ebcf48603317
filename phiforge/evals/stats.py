"""Figures with their uncertainty: means that respect clusters, shares, ratios, by formula and by bootstrap.

Questions about one passage, made of one template, or answers to one question are no independent draws. Their residuals are
summed by cluster before they are squared (Liang & Zeger 1986; for evaluations Miller, arXiv:2411.00640, section 2.2), and the
bootstrap draws clusters. With one item a cluster all this is the textbook's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

LEVEL = 0.95
DRAWS = 2_000  # of a bootstrap
NORMAL_FROM = 500  # degrees of freedom, from which Student's t is the normal distribution to three digits

Floats = NDArray[np.float64]


class Estimate(Struct, frozen=True):
    """A figure, its standard error, and an interval that holds the true one `level` of the time.

    `n` items or answers in `clusters` clusters. `se` and the interval are NaN where one cluster tells nothing of others.
    """

    value: float
    se: float
    low: float
    high: float
    n: int
    clusters: int
    level: float = LEVEL
    method: str = "t"

    def text(self, percent: bool = True) -> str:
        """ "71.2 % (68.0 to 74.3)", or as a plain number."""
        scale, digits = (100, 1) if percent else (1, 4)
        value, low, high = (f"{scale * x:.{digits}f}" for x in (self.value, self.low, self.high))
        unit = " %" if percent else ""
        return f"{value}{unit}" if math.isnan(self.low) else f"{value}{unit} ({low} to {high})"


def mean(values: Sequence[float], clusters: Sequence[Hashable] | None = None, *, level: float = LEVEL) -> Estimate:
    """The mean of values from 0 to 1, in clusters by their labels (without: each its own).

    Where all are 0 or 1 the interval is Wilson's, of as many independent items as would have this standard error (Dean &
    Pagano 2015); else Student's t with one degree of freedom less than clusters, cut at 0 and 1.
    """
    x = np.asarray(values, np.float64)
    found = ratio(x, np.ones(len(x)), clusters, level=level)
    if math.isnan(found.se):
        return found
    z = _reach(level, found.clusters)
    p = min(1.0, max(0.0, found.value))
    if bool(np.isin(x, (0.0, 1.0)).all()):
        # Without any variation only the number of clusters says how much was seen.
        seen = p * (1 - p) / found.se**2 if found.se else float(found.clusters)
        low, high = wilson(p * seen, seen, z=z)
        return Estimate(found.value, found.se, low, high, found.n, found.clusters, level, "wilson")
    low, high = max(0.0, found.low), min(1.0, found.high)
    return Estimate(found.value, found.se, low, high, found.n, found.clusters, level, "t")


def ratio(
    above: Sequence[float] | Floats,
    below: Sequence[float] | Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
) -> Estimate:
    """sum(above) / sum(below), as bits per byte are; linearised, clusters counting whole, with the factor G / (G - 1).

    Raises ValueError for no items, for lengths that differ, and for a sum of `below` that is not positive.
    """
    up, down, n = _sums(above, below, clusters)
    value, groups = float(up.sum() / down.sum()), len(up)
    if groups < 2:
        return Estimate(value, math.nan, math.nan, math.nan, n, groups, level)
    residuals = up - value * down
    se = math.sqrt(groups / (groups - 1) * float(residuals @ residuals)) / float(down.sum())
    half = _reach(level, groups) * se
    return Estimate(value, se, value - half, value + half, n, groups, level)


def bootstrap(
    above: Sequence[float] | Floats,
    below: Sequence[float] | Floats | None = None,
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """The same mean or ratio with the percentile interval of clusters drawn again with replacement (Efron 1979)."""
    up, down, n = _sums(above, np.ones(len(above)) if below is None else below, clusters)
    value, groups = float(up.sum() / down.sum()), len(up)
    if groups < 2:
        return Estimate(value, math.nan, math.nan, math.nan, n, groups, level, "bootstrap")
    rng = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for i in range(draws):
        chosen = rng.integers(groups, size=groups)
        total = down[chosen].sum()
        drawn[i] = up[chosen].sum() / total if total else value
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(drawn.std(ddof=1)), float(low), float(high), n, groups, level, "bootstrap")


def wilson(right: float, n: float, *, level: float = LEVEL, z: float | None = None) -> tuple[float, float]:
    """Where a share truly lies of which `right` of `n` independent draws were seen (Wilson 1927). `n` may be effective."""
    if n <= 0:
        return 0.0, 1.0
    z = _reach(level, math.inf) if z is None else z
    middle = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(max(0.0, right * (n - right) / n) + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def t_quantile(p: float, df: float) -> float:
    """The value that Student's t with `df` (whole) degrees of freedom stays under with chance `p`, by bisection."""
    if df >= NORMAL_FROM:
        return NormalDist().inv_cdf(p)
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return high


def t_cdf(t: float, df: float) -> float:
    """P(T <= t): the finite sums for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    if df >= NORMAL_FROM:
        return NormalDist().cdf(t)
    n = round(df)
    angle = math.atan(t / math.sqrt(n))
    cos2 = math.cos(angle) ** 2
    if n % 2:
        term = math.cos(angle) if n > 1 else 0.0
        total = term
        for i in range(3, n - 1, 2):
            term *= cos2 * (i - 1) / i
            total += term
        inside = 2 / math.pi * (angle + math.sin(angle) * total)
    else:
        term = total = 1.0
        for i in range(2, n - 1, 2):
            term *= cos2 * (i - 1) / i
            total += term
        inside = math.sin(angle) * total
    return 0.5 + inside / 2


@cache
def _reach(level: float, clusters: float) -> float:
    """Standard errors from the middle to the interval's ends."""
    return t_quantile((1 + level) / 2, clusters - 1)


def _sums(
    above: Sequence[float] | Floats, below: Sequence[float] | Floats, clusters: Sequence[Hashable] | None
) -> tuple[Floats, Floats, int]:
    """Sums of both by cluster, in the order clusters first appear, and the number of items."""
    up, down = np.asarray(above, np.float64), np.asarray(below, np.float64)
    if not len(up):
        raise ValueError("there is no item to take a mean of")
    if len(up) != len(down) or (clusters is not None and len(clusters) != len(up)):
        raise ValueError(
            f"{len(up)} values, {len(down)} weights, {len(clusters or ())} cluster labels: not one for each"
        )
    if not down.sum() > 0:
        raise ValueError("the sum to divide by is not positive")
    if clusters is None:
        return up, down, len(up)
    place: dict[Hashable, int] = {}
    index = np.array([place.setdefault(label, len(place)) for label in clusters])
    return np.bincount(index, up).astype(np.float64), np.bincount(index, down).astype(np.float64), len(up)
