"""Statistics of evaluations, against closed forms, brute force over all choices, and simulations with fixed seeds."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist, fmean, stdev

import numpy as np
import pytest

from phiforge.evals import paired, repeats, stats


def test_without_clusters_the_standard_error_is_the_textbooks() -> None:
    values = [0.1, 0.4, 0.9, 0.3, 0.7, 0.25]
    found = stats.mean(values)
    se = stdev(values) / math.sqrt(len(values))
    assert found.value == pytest.approx(fmean(values))
    assert found.se == pytest.approx(se)
    assert (found.low, found.high) == pytest.approx(
        (found.value - 2.570582 * se, found.value + 2.570582 * se)
    )  # t, 5 df
    assert found.method == "t"


def test_items_of_a_cluster_that_are_alike_count_once() -> None:
    values = [1, 0, 1, 1, 0, 1, 0, 1]
    alone = stats.mean(values)
    thrice = stats.mean([v for v in values for _ in range(3)], [i for i, _ in enumerate(values) for _ in range(3)])
    assert thrice.se == pytest.approx(alone.se)
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high))
    assert (thrice.n, thrice.clusters) == (24, 8)
    assert stats.mean([v for v in values for _ in range(3)]).se < 0.6 * alone.se  # what ignoring them would claim


def test_the_clustered_standard_error_is_millers_sum_over_pairs() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(6, size=40).tolist()
    values = rng.random(40)
    centred = values - values.mean()
    pairs = sum(
        centred[i] * centred[j] for i in range(40) for j in range(40) if clusters[i] == clusters[j]
    )  # arXiv:2411.00640, equation 4, before the factor G / (G - 1)
    assert stats.mean(values.tolist(), clusters).se == pytest.approx(math.sqrt(6 / 5 * pairs) / 40)


def test_wilsons_interval() -> None:
    assert stats.wilson(9, 10, z=1.959964) == pytest.approx((0.59585, 0.98212), abs=1e-4)  # R's prop.test, uncorrected
    assert stats.wilson(0, 10, z=1.959964) == pytest.approx((0.0, 0.27753), abs=1e-4)
    assert stats.wilson(0, 0) == (0.0, 1.0)
    found = stats.mean([1] * 20)  # no variation says little, not everything
    assert found.se == 0.0
    assert found.high == 1.0
    assert found.low == pytest.approx(20 / (20 + stats.t_quantile(0.975, 19) ** 2))


@pytest.mark.parametrize(
    ("p", "df", "value"),
    [(0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.975, 5, 2.57058), (0.975, 30, 2.04227), (0.9, 10, 1.37218),
     (0.995, 7, 3.49948), (0.975, 120, 1.97993), (0.975, 499, 1.96473), (0.025, 5, -2.57058), (0.5, 4, 0.0)],
)  # fmt: skip
def test_students_t_is_the_tables(p: float, df: int, value: float) -> None:
    assert stats.t_quantile(p, df) == pytest.approx(value, abs=2e-5)
    assert stats.t_cdf(value, df) == pytest.approx(p, abs=1e-5)


def test_students_t_and_mcnemar_are_scipys() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    for df in (1, 2, 3, 8, 51, 498):
        for t in (-3.0, -0.2, 0.0, 1.1, 7.5):
            assert stats.t_cdf(t, df) == pytest.approx(scipy_stats.t.cdf(t, df), abs=1e-9)
    for b, c in ((3, 11), (0, 5), (7, 7), (40, 61)):
        assert paired.mcnemar(b, c).p == pytest.approx(scipy_stats.binomtest(b, b + c).pvalue)


def clustered(rng: np.random.Generator, groups: int, size: int, spread: float) -> tuple[list[float], list[int]]:
    """Right or wrong items whose chance belongs to their cluster; 0.7 on the whole."""
    chance = np.clip(rng.beta(0.7 * spread, 0.3 * spread, size=groups), 0, 1)
    marks = rng.random((groups, size)) < chance[:, None]
    return marks.ravel().astype(float).tolist(), np.repeat(np.arange(groups), size).tolist()


def test_intervals_hold_what_they_say() -> None:
    """400 simulated runs of 40 clusters of 5 items: 95 % intervals hold the truth 95 %; without clusters, far less."""
    rng = np.random.default_rng(11)
    held, drawn, careless = 0, 0, 0
    for trial in range(400):
        values, clusters = clustered(rng, 40, 5, spread=1.5)
        by_cluster, alone = stats.mean(values, clusters), stats.mean(values)
        again = stats.bootstrap(values, clusters=clusters, seed=trial, draws=300)
        held += by_cluster.low <= 0.7 <= by_cluster.high
        drawn += again.low <= 0.7 <= again.high
        careless += alone.low <= 0.7 <= alone.high
    assert 0.93 <= held / 400 <= 0.97
    assert 0.91 <= drawn / 400 <= 0.97
    assert careless / 400 < 0.80


def test_small_and_lopsided_shares_are_held_too() -> None:
    rng = np.random.default_rng(5)
    for chance, n in ((0.03, 60), (0.95, 40), (0.5, 25)):
        runs = [stats.mean((rng.random(n) < chance).astype(float).tolist()) for _ in range(1000)]
        assert sum(r.low <= chance <= r.high for r in runs) / 1000 >= 0.93


def test_the_bootstrap_agrees_with_the_formula_and_repeats_itself() -> None:
    values, clusters = clustered(np.random.default_rng(2), 120, 4, spread=2)
    formula = stats.mean(values, clusters)
    found = stats.bootstrap(values, clusters=clusters, seed=3)
    assert found == stats.bootstrap(values, clusters=clusters, seed=3)
    assert found != stats.bootstrap(values, clusters=clusters, seed=4)
    assert found.value == formula.value
    assert found.se == pytest.approx(formula.se, rel=0.08)
    assert (found.low, found.high) == pytest.approx((formula.low, formula.high), abs=0.01)


def test_a_ratio_is_of_sums() -> None:
    """Bits per byte over texts of different lengths; where they are equally long it is the mean."""
    bits, size = [10.0, 500.0, 33.0], [5.0, 400.0, 30.0]
    assert stats.ratio(bits, size).value == pytest.approx(543 / 435)
    equal = stats.ratio([2.0, 4.0, 9.0], [2.0, 2.0, 2.0])
    assert equal.se == pytest.approx(stdev([1.0, 2.0, 4.5]) / math.sqrt(3))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stats.mean([]), "no item"),
        (lambda: stats.mean([1.0, 0.0], ["a"]), "not one for each"),
        (lambda: stats.ratio([1.0], [0.0]), "not positive"),
        (lambda: repeats.pass_at(3, 1, 4), "4 of 3"),
        (lambda: repeats.majority_of([(4, 1.0)], 3, 2), "not parts"),
        (lambda: repeats.spread([[1.0], [1.0, 0.0]]), "side by side"),
        (lambda: paired.compare([1.0], [1.0, 0.0]), "no pairs"),
    ],
)
def test_what_cannot_be_computed_is_said(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=says):
        call()


def test_one_cluster_has_no_interval() -> None:
    found = stats.mean([1, 0, 1], ["one"] * 3)
    assert math.isnan(found.low)
    assert found.text() == "66.7 %"


def test_pass_at_k_is_the_mean_over_all_choices() -> None:
    scores = [0.2, 1.0, 0.0, 1.0, 0.7, 0.0]
    marks = [float(score == 1.0) for score in scores]
    for k in range(1, 7):
        chosen = list(combinations(range(6), k))
        assert repeats.pass_at(6, 2, k) == pytest.approx(fmean(max(marks[i] for i in c) for c in chosen))
        assert repeats.all_of(6, 2, k) == pytest.approx(fmean(min(marks[i] for i in c) for c in chosen))
        assert repeats.best_of(scores, k) == pytest.approx(fmean(max(scores[i] for i in c) for c in chosen))
        assert repeats.worst_of(scores, k) == pytest.approx(fmean(min(scores[i] for i in c) for c in chosen))
        assert repeats.best_of(marks, k) == pytest.approx(repeats.pass_at(6, 2, k))


@pytest.mark.parametrize(
    "groups",
    [[(3, 1.0), (3, 0.0), (2, 0.0)], [(1, 1.0), (1, 0.0), (4, 0.25)], [(5, 1.0)], [(2, 1.0), (2, 1.0), (2, 0.5)], []],
)
def test_the_majority_is_the_mean_over_all_choices_and_ties(groups: list[tuple[int, float]]) -> None:
    """Brute force: every choice of k of 9 answers is voted on, and ties are shared evenly."""
    votes = [at for at, (size, _) in enumerate(groups) for _ in range(size)]
    votes += [-1] * (9 - len(votes))
    for k in range(1, 10):
        results: list[float] = []
        for chosen in combinations(votes, k):
            counts = {at: chosen.count(at) for at in set(chosen) if at >= 0}
            first = [groups[at][1] for at, n in counts.items() if n == max(counts.values())]
            results.append(fmean(first) if first else 0.0)
        assert repeats.majority_of(groups, 9, k) == pytest.approx(fmean(results)), k


def test_the_majority_of_many_answers_is_quick_and_of_all_is_the_vote() -> None:
    groups = [(90, 1.0), (80, 0.0), *[(1, 0.0)] * 60]
    assert repeats.majority_of(groups, 256, 256) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    votes = np.array([0] * 90 + [1] * 80 + list(range(2, 62)) + [-1] * 26)
    wins = 0.0
    for _ in range(4000):
        counts = np.bincount(rng.choice(votes, 32, replace=False) + 1, minlength=63)[1:]
        wins += (counts[0] == counts.max()) / (counts == counts.max()).sum()
    assert repeats.majority_of(groups, 256, 32) == pytest.approx(wins / 4000, abs=0.025)


def test_runs_of_like_answers_spread_as_their_items_say() -> None:
    rng = np.random.default_rng(8)
    chance = rng.random(200)
    found = repeats.spread((rng.random((400, 200)) < chance).astype(float).tolist())
    assert found.within == pytest.approx(math.sqrt((chance * (1 - chance)).sum()) / 200, rel=0.02)
    assert found.between == pytest.approx(found.within, rel=0.1)
    shifted = repeats.spread([[1.0] * 5, [0.0] * 5, [1.0] * 5])
    assert shifted.between > 2 * shifted.within
    assert (shifted.low, shifted.high, shifted.runs) == (0.0, 1.0, 3)
    assert math.isnan(repeats.spread([[1.0, 0.0]]).between)


@pytest.mark.parametrize(("b", "c", "p"), [(0, 0, 1.0), (1, 0, 1.0), (0, 6, 0.03125), (5, 5, 1.0), (2, 12, 0.012939)])
def test_mcnemar_is_a_fair_coins_binomial(b: int, c: int, p: float) -> None:
    assert paired.mcnemar(b, c).p == pytest.approx(p, abs=1e-6)


def test_pairs_show_what_two_intervals_hide() -> None:
    rng = np.random.default_rng(1)
    hard = rng.random(400)
    a = (hard < 0.60).astype(float)
    b = np.where(rng.random(400) < 0.12, 1.0, a)
    found = paired.compare(a.tolist(), b.tolist())
    assert found.difference.value == pytest.approx(float(b.mean() - a.mean()))
    assert found.difference.low > 0
    assert found.bootstrap.low > 0
    assert found.p < 0.01
    assert found.mcnemar is not None
    assert found.mcnemar.only_a == 0
    assert found.mcnemar.p < 0.01
    one, other = stats.mean(a.tolist()), stats.mean(b.tolist())
    assert one.high > other.low  # side by side they overlap
    independent = math.hypot(one.se, other.se)
    assert found.difference.se == pytest.approx(
        math.sqrt(one.se**2 + other.se**2 - 2 * found.correlation * one.se * other.se), rel=1e-6
    )
    assert found.difference.se < independent / 2


def test_the_items_needed_do_show_the_difference() -> None:
    """Simulated: with as many items as are said to be needed, about 80 % of comparisons are significant."""
    rng = np.random.default_rng(21)

    def draw(n: int) -> paired.Paired:
        a = rng.random(n) < 0.5
        flip = rng.random(n)
        b = np.where(flip < 0.10, True, np.where(flip > 0.94, False, a))
        return paired.compare(a.astype(float).tolist(), b.astype(float).tolist())

    known = draw(40_000)
    assert known.needed is not None
    seen = sum(abs(e.difference.value / e.difference.se) > 1.96 for e in (draw(known.needed) for _ in range(150)))
    assert 0.70 <= seen / 150 <= 0.90
    assert paired.visible(known.difference.se * math.sqrt(40_000 / known.needed)) == pytest.approx(
        known.difference.value, rel=0.01
    )


def test_where_nothing_differs_nothing_is_claimed() -> None:
    same = paired.compare([1, 0, 1], [1, 0, 1])
    assert (same.p, same.needed, same.mcnemar) == (1.0, None, paired.McNemar(0, 0, 1.0))
    all_better = paired.compare([0, 0, 0], [1, 1, 1])
    assert all_better.p == 0.25  # three heads in a row, or three tails
    rng = np.random.default_rng(3)
    wrongly = sum(
        paired.compare(rng.random(80).tolist(), rng.random(80).tolist(), weights=[1.0] * 80).p < 0.05
        for _ in range(200)
    )
    assert wrongly / 200 < 0.09
    assert NormalDist().cdf(1.96) == pytest.approx(0.975, abs=1e-4)
