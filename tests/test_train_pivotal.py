"""Pivotal token search on chains whose chances are known: all that matters is found, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Problem, Verdict
from phiforge.train import sft
from phiforge.train.batches import Document
from phiforge.train.dpo import Pair
from phiforge.train.groups import Prompt
from phiforge.train.loop import train
from phiforge.train.optim import Optimizer
from phiforge.train.pivotal import Chance, Pivotal, Rolled, Search, Settings, answered, difference, midpoint
from phiforge.train.pivotal_run import Cost, Estimate, Searched, Token, cost, pairs, rows, run
from phiforge.train.pivotal_view import html, text
from phiforge.train.rollouts import Sampler

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

    def roll(self, begun: Sequence[int], n: int) -> list[Rolled]:
        answers = [self.answer(begun) for _ in range(n)]
        return [Rolled(tuple(each[len(begun) :]), self.rng.random() < self.chance(each)) for each in answers]


def found(chain: Chain, answer: list[int], logprobs: Sequence[float] = (), **how: Any) -> tuple[list[Pivotal], Search]:
    search = Search(Settings(**how))
    return answered(search.pivotal(answer, logprobs), search, chain.roll), search


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_all_pivotal_tokens_are_found_and_none_invented(seed: int, weighed: bool) -> None:
    """Whether answers are cut in the middle or at the midpoint of their log-probability."""
    rng = Random(seed)
    places = sorted(rng.sample(range(40), rng.choice([0, 1, 1, 2])))
    chain = Chain(40, dict.fromkeys(places, 0.7 if len(places) < 2 else 0.45), seed=seed)
    way = rng.choice([GOOD, BAD])  # all one way: what cancels out over a half stays unseen
    answer = [way if place in places else PLAIN for place in range(40)]
    logprobs = [-(rng.random() ** 4) for _ in answer] if weighed else []
    tokens, search = found(chain, answer, logprobs, gap=0.13, most=1024)
    assert [each.place for each in tokens] == places
    for each in tokens:
        for chance, begun in ((each.before, answer[: each.place]), (each.after, answer[: each.place + 1])):
            low, high = search.interval(chance)
            assert low <= chain.chance(begun) <= high


def test_intervals_of_searches_cover_the_truth_at_their_level() -> None:
    """Of every chance that 300 adaptive searches asked for, and of the pivotal ones alone, which were chosen for moving far."""
    asked = covered = pivotal = pivotal_covered = 0
    for seed in range(300):
        rng = Random(seed)
        places = sorted(rng.sample(range(16), 2))
        chain = Chain(
            16, {place: rng.uniform(0.3, 0.45) for place in places}, start=rng.uniform(0.46, 0.54), seed=seed
        )
        answer = chain.answer()
        tokens, search = found(chain, answer, level=0.9, gap=0.15)
        for begun in search._found:
            if len(begun) < 16:
                low, high = search.interval(search.chance(begun))
                asked += 1
                covered += low <= chain.chance(begun) <= high
        for each in tokens:
            low, high = search.interval(each.after)
            pivotal += 1
            pivotal_covered += low <= chain.chance(answer[: each.place + 1]) <= high
    assert asked > 300
    assert pivotal > 60
    assert covered / asked > 0.9
    assert pivotal_covered / pivotal > 0.9


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


def test_answers_are_cut_at_the_midpoint_of_their_log_probability() -> None:
    assert midpoint([1, 1, 1, 1]) == 2
    assert midpoint([9, 1, 1, 1]) == 1
    assert midpoint([1, 1, 1, 9]) == 3
    assert midpoint([0, 0, 0.1, 3, 0.1, 2.9, 0]) == 4
    assert midpoint([0, 0]) == 1


def test_pairs_are_of_one_token_each_and_of_both_directions() -> None:
    chain = Chain(20, {7: 0.7})
    for first in (GOOD, BAD):
        answer = [*[PLAIN] * 7, first, *[PLAIN] * 12]
        (token,), _ = found(chain, answer)
        assert token.pair((9,), answer) == Pair((9, *[PLAIN] * 7), (GOOD,), (BAD,))
        assert token.other_chance is not None
        raised, lowered = (token.after, token.other_chance) if first == GOOD else (token.other_chance, token.after)
        assert lowered.p < token.before.p < raised.p


def test_a_token_that_moves_the_chance_the_same_way_is_no_counterpart() -> None:
    """Three tokens: the best, another good one, and a rare bad one that must be the rejected one."""

    def roll(begun: tuple[int, ...], n: int) -> list[Rolled]:
        rolled: list[Rolled] = []
        for _ in range(n):
            rest = () if begun else (rng.choices([5, 6, 7], [0.2, 0.6, 0.2])[0],)
            first = (begun or rest)[0]
            rolled.append(Rolled((*rest, 0), rng.random() < {5: 1.0, 6: 0.6, 7: 0.0}[first]))
        return rolled

    rng = Random(1)
    search = Search(Settings(gap=0.3))
    (token,) = answered(search.pivotal([5, 0], [-2.0, -0.1]), search, roll)
    assert (token.token, token.other) == (5, 7)
    search = Search(Settings(gap=0.3))
    (token,) = answered(search.pivotal([7, 0], [-2.0, -0.1]), search, roll)
    assert token.pair((9,), [7, 0]) == Pair((9,), (5,), (7,))


def test_an_oracle_that_always_says_yes_yields_nothing() -> None:
    chain = Chain(30, {4: 0.6, 20: 0.3})
    search = Search()
    roll = lambda begun, n: [each._replace(right=True) for each in chain.roll(begun, n)]  # noqa: E731
    assert answered(search.whole(), search, roll) == []
    assert search.rollouts == 32


@pytest.mark.parametrize("start", [0.02, 0.98])
def test_too_easy_and_too_hard_prompts_are_left(start: float) -> None:
    assert found(Chain(30, {}, start=start), [PLAIN] * 30)[0] == []


def test_rollouts_are_spent_where_they_decide() -> None:
    counts = []
    for jump in (0.9, 0.5):
        answer = [*[PLAIN] * 10, GOOD, *[PLAIN] * 19]
        _, search = found(Chain(30, {10: jump}), answer, gap=0.2, most=512)
        counts.append(search.rollouts)
        assert search.tokens <= 30 * search.rollouts
    assert counts[0] < counts[1]


# --- with the engine --------------------------------------------------------------------------------------------------

END, LONGEST = 2, 4


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Phi3:
    """Writes answers of one to three tokens of 4, 5, 6, 8, 9 and an end, none of them surely."""
    rng = Random(0)
    documents: list[Document] = []
    for _ in range(200):
        prompt = [3, rng.choice([10, 11, 12])]
        answer = [rng.choice([4, 4, 5, 6, 8, 9, 9]) for _ in range(rng.randint(1, 3))]
        documents.append(Document([*prompt, *answer, END], [0.0, 0.0, *[1.0] * (len(answer) + 1)]))
    config = replace(shrink(PRESETS["phi-4-mini-instruct"], vocab_size=16), pad_id=None)
    model = Phi3(config).init_weights(torch.Generator().manual_seed(0))
    stage = sft.stage(documents, tokens=256, epochs=4)
    return train(model, stage, Optimizer(lr=3e-3), tmp_path_factory.mktemp("pivotal"))


def judge(text: str, problem: Problem) -> Verdict:
    """Right when a 4 comes before any 9."""
    tokens = text.split()
    first = next((t for t in tokens if t in "49"), "9")
    return Verdict(first == "4", float(first == "4"))


def decode(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


PROMPTS = [Prompt([3, 10 + n % 3], Problem(f"p{n}", [], "", "")) for n in range(6)]
SETTINGS = Settings(gap=0.15, most=512, longest=LONGEST, answers=2, at_once=3, level=0.999)


def true_chance(network: Phi3, prompt: Sequence[int], begun: Sequence[int], known: dict[Any, float]) -> float:
    """p(success | begun) by going through all continuations."""
    key = (*prompt, *begun)
    if key not in known:
        if begun and begun[-1] == END:
            known[key] = float(judge(decode(begun[:-1]), PROMPTS[0].problem).correct)
        elif len(begun) >= LONGEST:
            known[key] = 0.0
        else:
            with torch.no_grad():
                chances = network(torch.tensor(key))[-1].softmax(-1).tolist()
            likely = [(id, p) for id, p in enumerate(chances) if p > 1e-3]
            known[key] = sum(p * true_chance(network, prompt, [*begun, id], known) for id, p in likely)
    return known[key]


def test_the_engine_finds_what_enumeration_finds(network: Phi3, tmp_path: Path) -> None:
    seen: list[Cost] = []
    total = run(Sampler(network, [END]), PROMPTS[:3], decode, tmp_path, SETTINGS, judge=judge, progress=seen.append)
    found = rows(tmp_path)
    assert [row.problem for row in found] == ["p0", "p1", "p2"]
    n_pivotal, n_checked, known = 0, 0, dict[Any, float]()

    def inside(estimate: Estimate, begun: list[int]) -> float:
        truth = true_chance(network, row.prompt, begun, known)
        assert estimate.low - 5e-3 <= truth <= estimate.high + 5e-3
        return truth

    for row in found:
        inside(row.chance, [])
        assert {answer.right for answer in row.answers} == {True, False}
        for answer in row.answers:
            for each in answer.pivotal:
                before = inside(each.before, answer.ids[: each.place])
                after = inside(each.after, answer.ids[: each.place + 1])
                assert abs(after - before) > SETTINGS.gap / 2
                n_pivotal += 1
            # Where nothing cancels out, all that moves the chance well over the gap has been found.
            truth = [true_chance(network, row.prompt, answer.ids[:k], known) for k in range(len(answer.ids) + 1)]
            moves = [after - before for before, after in pairwise(truth)]
            if len({move > 0 for move in moves if abs(move) > 0.02}) == 1:
                n_checked += 1
                found_at = {each.place for each in answer.pivotal}
                assert {k for k, move in enumerate(moves) if abs(move) > SETTINGS.gap + 0.1} <= found_at
    assert n_pivotal >= 6
    assert n_checked >= 2
    for pair in pairs(tmp_path):
        up, down = (true_chance(network, PROMPTS[0].ids, [*pair.prompt[2:], *side], known) for side in pair[1:])
        assert up > down
    assert total == cost(tmp_path) == seen[-1]
    assert (total.prompts, total.pairs) == (3, len(pairs(tmp_path)))
    assert total.rollouts == sum(row.rollouts for row in found)
    assert total.saved > total.read  # many rollouts of one beginning read it once


def test_a_search_that_was_killed_gives_the_same_file(network: Phi3, tmp_path: Path) -> None:
    settings = replace(SETTINGS, most=32)

    def search(folder: Path, n: int, at_once: int = 3) -> None:
        how = replace(settings, at_once=at_once)
        run(Sampler(network, [END]), PROMPTS[:n], decode, folder, how, judge=judge)

    search(tmp_path / "whole", 6)
    search(tmp_path / "cut", 3, at_once=1)
    with (tmp_path / "cut/pivotal.jsonl").open("ab") as file:
        file.write(b'{"problem": "p3", "pro')  # a line that a kill cut short
    search(tmp_path / "cut", 6)
    assert (tmp_path / "cut/pivotal.jsonl").read_bytes() == (tmp_path / "whole/pivotal.jsonl").read_bytes()
    assert cost(tmp_path / "cut").rollouts == cost(tmp_path / "whole").rollouts
    with pytest.raises(ValueError, match="holds a search of other prompts: p0 is not p1"):
        run(Sampler(network, [END]), PROMPTS[1:], decode, tmp_path / "cut", settings, judge=judge)


def test_with_a_judge_that_always_says_yes_there_are_no_pairs(network: Phi3, tmp_path: Path) -> None:
    yes = lambda text, problem: Verdict(True, 1.0)  # noqa: E731
    run(Sampler(network, [END]), PROMPTS, decode, tmp_path, replace(SETTINGS, longest=40, most=32), judge=yes)
    assert pairs(tmp_path) == []
    assert all(not row.answers for row in rows(tmp_path))


def test_settings_are_checked() -> None:
    for settings, said in (
        (Settings(gap=0), "gap = 0 must be between 0 and 1"),
        (Settings(most=4), "most = 4 must be at least `least`, which is 16"),
        (Settings(temperature=0), "temperature = 0 must be above 0"),
    ):
        with pytest.raises(ValueError, match=said):
            settings.check()


def test_an_answer_is_shown_with_its_pivotal_tokens() -> None:
    up = Token(1, 66, Estimate(8, 16, 0.5, 0.2, 0.8), Estimate(16, 16, 1.0, 0.7, 1.0), 67, Estimate(0, 16, 0, 0, 0.3))
    down = Token(3, 38, Estimate(16, 16, 1.0, 0.7, 1.0), Estimate(0, 16, 0.0, 0.0, 0.3))
    answer = Searched([65, 66, 60, 38, 70], False, [up, down])
    as_text = lambda ids: "".join(map(chr, ids))  # noqa: E731
    assert text(answer, as_text) == "A[B|▲ 0.50 → 1.00]<[&|▼ 1.00 → 0.00]F"
    shown = html(answer, as_text)
    assert re.sub("<[^>]*>", "", shown) == "AB&lt;&amp;F"
    assert shown.count("<span") == 2
    assert "rgba(46,160,67,0.70)" in shown
    assert "rgba(207,34,46,1.00)" in shown
    assert "instead &#x27;C&#x27;: 0.00" in shown
    split = Searched([0, 1, 2], True, [Token(1, 1, up.before, up.after)])
    half = {1: "x", 2: "x\ufffd", 3: "xé"}  # a character of two tokens
    assert text(split, lambda ids: half[len(ids)]) == "x[|▲ 0.50 → 1.00]é"
