"""Pivotal token search on chains whose chances are known: all that matters is found, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from phiforge.train.pivotal import Chance, Search, difference

GOOD, BAD, PLAIN = 1, 2, 0


class Chain:
    """Answers of `length` tokens, right with a chance that moves at some places: there a good token comes with chance `q` and
    adds jump * (1 - q), a bad one takes jump * q away, so that on average nothing changes."""

    def __init__(
        self, length: int, jumps: dict[int, float], start: float = 0.5, q: float = 0.5, seed: int = 0
    ) -> None:
        self.length, self.jumps, self.start, self.q = length, jumps, start, q
        self.rng = Random(seed)

    def chance(self, begun: Sequence[int]) -> float:
        p = self.start
        for place, token in enumerate(begun):
            jump = self.jumps.get(place, 0.0)
            p += jump * (1 - self.q) if token == GOOD else -jump * self.q if token == BAD else 0.0
        return p

    def answer(self, begun: Sequence[int] = ()) -> list[int]:
        tokens = list(begun)
        while len(tokens) < self.length:
            tokens.append(PLAIN if len(tokens) not in self.jumps else GOOD if self.rng.random() < self.q else BAD)
        return tokens

    def roll(self, ids: Sequence[int], n: int) -> list[tuple[list[int], bool]]:
        begun = list(ids[1:])  # after the prompt's one token
        answers = [self.answer(begun) for _ in range(n)]
        return [(each[len(begun) :], self.rng.random() < self.chance(each)) for each in answers]


def search(chain: Chain, **how: float) -> Search:
    return Search((9,), chain.roll, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
def test_all_pivotal_tokens_are_found_and_none_invented(seed: int) -> None:
    rng = Random(seed)
    places = sorted(rng.sample(range(40), rng.choice([0, 1, 1, 2])))
    chain = Chain(40, dict.fromkeys(places, 0.7 if len(places) < 2 else 0.45), seed=seed)
    looked = search(chain, gap=0.13, most=1024)
    way = rng.choice([GOOD, BAD])  # all one way: what cancels out over a half stays unseen
    answer = [way if place in places else PLAIN for place in range(40)]
    found = looked.pivotal(answer)
    assert [each.place for each in found] == places
    for each in found:
        for chance, begun in ((each.before, answer[: each.place]), (each.after, answer[: each.place + 1])):
            low, high = chance.interval(3.9)
            assert low <= chain.chance(begun) <= high


def test_intervals_cover_the_truth_at_their_level() -> None:
    rng, covered, covered_difference = Random(1), 0, 0
    for _ in range(2000):
        p, r, n = rng.uniform(0.02, 0.98), rng.uniform(0.02, 0.98), rng.choice([16, 32, 64])
        one = Chance(sum(rng.random() < p for _ in range(n)), n)
        two = Chance(sum(rng.random() < r for _ in range(n)), n)
        low, high = one.interval()
        covered += low <= p <= high
        low, high = difference(one, two)
        covered_difference += low <= r - p <= high
    assert 0.935 < covered / 2000 < 0.975
    assert 0.935 < covered_difference / 2000 < 0.985


def test_pairs_are_of_one_token_each_and_of_both_directions() -> None:
    chain = Chain(20, {7: 0.7})
    for first in (GOOD, BAD):
        answer = [*[PLAIN] * 7, first, *[PLAIN] * 12]
        (pair,) = search(chain).pairs(answer)
        assert pair.prompt == (9, *[PLAIN] * 7)
        assert (pair.chosen, pair.rejected) == ((GOOD,), (BAD,))


def test_an_oracle_that_always_says_yes_yields_nothing() -> None:
    chain = Chain(30, {4: 0.6, 20: 0.3})
    looked = Search((9,), lambda ids, n: [(tokens, True) for tokens, _ in chain.roll(ids, n)])
    assert looked.pairs(chain.answer()) == []
    assert looked.rollouts == 32


def test_too_easy_and_too_hard_prompts_are_left() -> None:
    for start in (0.02, 0.98):
        assert search(Chain(30, {}, start=start)).pivotal([PLAIN] * 30) == []


def test_rollouts_are_spent_where_they_decide() -> None:
    clear, close = Chain(30, {10: 0.9}), Chain(30, {10: 0.4})
    counts = []
    for chain in (clear, close):
        looked = search(chain, gap=0.2, most=512)
        looked.pivotal([*[PLAIN] * 10, GOOD, *[PLAIN] * 19])
        counts.append(looked.rollouts)
    assert counts[0] < counts[1]
    assert looked.tokens <= 30 * looked.rollouts
