"""Preferences: the DPO loss against its formula and TRL's, and training that prefers; and rewards: the report's to the letter."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem, Verdict
from phiforge.train import dpo, rewards
from phiforge.train.dpo import Pair, dpo_loss
from phiforge.train.loop import train
from phiforge.train.optim import Optimizer
from phiforge.train.rewards import Rollout

GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden/trl_losses.json").read_text())["rows"]
CONFIG = shrink(PRESETS["phi-4-mini-instruct"], vocab_size=97)


def network(seed: int = 0) -> Phi3:
    return Phi3(CONFIG).init_weights(torch.Generator().manual_seed(seed))


def drawn(n: int, seed: int) -> torch.Tensor:
    return -torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


# --- DPO --------------------------------------------------------------------------------------------------------------


def test_the_dpo_loss_is_its_formula() -> None:
    policy, reference = drawn(8, 1), drawn(8, 2)
    each, margins = dpo_loss(policy, reference, 0.3)
    for i in range(4):
        margin = 0.3 * float((policy[2 * i] - reference[2 * i]) - (policy[2 * i + 1] - reference[2 * i + 1]))
        assert float(margins[i]) == pytest.approx(margin)
        assert float(each[i]) == pytest.approx(math.log(1 + math.exp(-margin)))


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["what"] == "dpo"])
def test_the_dpo_loss_is_trls(row: dict[str, Any]) -> None:
    """golden/trl_losses.py made the figures with TRL's own code."""
    policy = torch.tensor(row["policy"], dtype=torch.float64, requires_grad=True)
    each, _ = dpo_loss(policy, torch.tensor(row["reference"], dtype=torch.float64), row["beta"])
    loss = each.mean()
    (slope,) = torch.autograd.grad(loss, policy)
    assert float(loss.detach()) == pytest.approx(row["loss"], abs=1e-9)
    assert slope.tolist() == pytest.approx(row["of_policy"], abs=1e-9)


def pairs(n: int) -> list[Pair]:
    """Answers of even numbers are preferred to those of odd ones."""
    rng = Random(0)
    return [
        Pair(
            [rng.randrange(97) for _ in range(rng.randint(2, 8))],
            [rng.randrange(0, 96, 2) for _ in range(rng.randint(1, 6))],
            [rng.randrange(1, 97, 2) for _ in range(rng.randint(1, 6))],
        )
        for _ in range(n)
    ]


def test_dpo_teaches_the_preference_and_asks_the_reference_once(tmp_path: Path) -> None:
    model, reference = network(), network()
    stage = dpo.stage(reference, pairs(80), tmp_path, tokens=160, epochs=3, beta=0.2)
    before = sorted(tmp_path.glob("reference-*.pt"))
    assert len(before) == 1
    last: list[dict[str, float]] = []
    train(model, stage, Optimizer(lr=3e-3), tmp_path, progress=lambda step: last.append(step.more))
    assert abs(last[0]["margin"]) < 1e-4  # at first it is the reference
    assert last[-1]["preferred"] > 0.9
    broken = Phi3(CONFIG)  # its weights are whatever memory held; the file answers for it
    again = dpo.stage(broken, pairs(80), tmp_path, tokens=160, epochs=3, beta=0.2)
    assert torch.equal(again.batches(0)[0].reference, stage.batches(0)[0].reference)
    unseen = dpo.answers([Pair([5, 6], [2, 4, 8], [3, 5, 7])])
    chosen, rejected = dpo.answer_log_probabilities(model, dpo.Batch.of(unseen)).tolist()
    assert chosen > rejected


def test_what_is_chosen_stays_likely_if_that_is_asked_for(tmp_path: Path) -> None:
    some, model = pairs(6), network(1)
    with torch.no_grad():
        (plain, _), (kept, said) = (
            stage.loss(model, stage.batches(0)[0])
            for stage in (dpo.stage(network(), some, tmp_path, tokens=400, nll=nll) for nll in (0.0, 0.7))
        )
        likely = 0.0
        for prompt, chosen, _ in some:
            logits = model(torch.tensor([*prompt, *chosen]))
            each = logits[len(prompt) - 1 : -1].log_softmax(-1)
            likely += sum(float(each[i, token]) for i, token in enumerate(chosen)) / len(chosen)
    assert said["nll"] == pytest.approx(-likely, rel=1e-4)
    assert float(kept - plain) == pytest.approx(-0.7 * likely, rel=1e-4)


def test_an_answer_can_be_cut_to_its_beginning(tmp_path: Path) -> None:
    stage = dpo.stage(network(), [Pair([1, 2], [4, 6, 8, 10], [5, 7, 9]).begun(2)], tmp_path)
    assert stage.batches(0)[0].batch.weights.sum() == 4
    with pytest.raises(ValueError, match="pair 0 needs a prompt and two answers that differ"):
        dpo.stage(network(), [Pair([1, 2], [4, 6, 8], [4, 6, 9]).begun(2)], tmp_path)


# --- the reward of Phi-4-reasoning-plus -------------------------------------------------------------------------------

WHOLE = "<think>\nso\n</think>\n\n\\boxed{4}"


@pytest.mark.parametrize(
    ("tokens", "correct", "worth"),
    [
        (10, True, 1.0),
        (25_600, True, 1.0),
        (28_672, True, 0.75),
        (31_744, True, 0.5),
        (40_000, True, 0.5),
        (0, False, -1.0),
        (1_851, False, -0.75),
        (3_702, False, -0.5),
        (9_000, False, -0.5),
    ],
)
def test_accuracy_is_worth_less_when_long_and_error_less_when_thoughtful(
    tokens: int, correct: bool, worth: float
) -> None:
    assert rewards.accuracy(Rollout(WHOLE, tokens, correct, True)) == pytest.approx(worth)


@pytest.mark.parametrize(
    "text", ["4", "<think>4", "4</think>", "<think></think><think></think>4", "well <think>a</think>4"]
)
def test_a_broken_thought_overrides_all(text: str) -> None:
    assert rewards.accuracy(Rollout(text, 10, True, True)) == -1.0
    assert rewards.accuracy(Rollout(text, 10, True, False)) == -1.0


def test_an_answer_that_does_not_end_is_worth_minus_a_half() -> None:
    assert rewards.accuracy(Rollout(WHOLE, 10, True, False)) == -0.5


def test_repetition_is_punished_by_share_or_by_length() -> None:
    assert rewards.repetition("one two three four five " * 5) == 0.0
    assert (
        rewards.repetition("one two three four five " * 6) == -1.0
    )  # the commonest 5-gram's words are all of the words
    unlike = " ".join(map(str, range(970)))
    mixed = f"{unlike} {'a b c d e ' * 6}"  # 30 of 1,000 words
    assert rewards.repetition(mixed) == pytest.approx(-6 / 200)
    assert rewards.reasoning_plus(Rollout(WHOLE, 10, True, True)) == pytest.approx(8 / 13)
    assert rewards.plain(Rollout(WHOLE, 10, False, True)) == -1.0


# --- a reward of one's own, and what the verifier says ------------------------------------------------------------------


def test_a_reward_is_a_function_in_a_file(tmp_path: Path) -> None:
    problem, rollout = Problem("1", [], "4"), Rollout("4", 10, True, True)
    (one, two, none, wrong, many) = (tmp_path / f"{n}.py" for n in range(5))
    one.write_text("def reward(rollout):\n    return rollout.tokens / 4")
    two.write_text("def reward(rollout, problem):\n    return float(problem.answer == rollout.text)")
    none.write_text("x = 1")
    wrong.write_text("def reward(rollout):\n    return float('nan')")
    many.write_text("def reward(a, b, c):\n    return 0")
    assert rewards.load(str(one))(rollout, problem) == 2.5
    assert rewards.load(str(two))(rollout, problem) == 1.0
    assert rewards.load("plain")(rollout, problem) == 1.0
    whole = Rollout(WHOLE, 28, True, True)
    assert rewards.load("reasoning_plus", scale=0.001)(whole, problem) == pytest.approx(
        8 / 13 * rewards.accuracy(whole, 0.001)
    )
    for name, said in (
        ("best", "no reward is called 'best': expected plain, reasoning_plus, score or the path"),
        (str(tmp_path / "9.py"), "there is no such file"),
        (str(none), "defines no function `reward"),
        (str(many), "takes 3 arguments"),
    ):
        with pytest.raises(ValueError, match=said):
            rewards.load(name)
    with pytest.raises(ValueError, match="gave nan, not a finite number"):
        rewards.load(str(wrong))(rollout, problem)


@pytest.mark.parametrize(
    ("verifier", "response", "args"),
    [
        ("math", "I wonder.", {}),
        ("choice", "", {}),
        ("units", "I wonder.", {}),
        ("code", "I wonder.", {"tests": "assert f() == 1"}),
        ("sql", "I wonder.", {"schema": "create table t (a int)"}),
        ("logic", "", {"constraints": [], "domains": {}}),
    ],
)
def test_an_answer_without_an_answer_is_unparsable(verifier: str, response: str, args: dict[str, Any]) -> None:
    found = rewards.judged(response, 3, True, Problem("1", [Message("user", "?")], "4", verifier, args))
    assert (found.parsed, found.correct) == (False, False)


def test_what_can_be_read_is_right_or_wrong_and_a_cut_answer_is_not_right() -> None:
    problem = Problem("1", [Message("user", "2 + 2?")], "4", "math")
    wrong = rewards.judged("The answer is \\boxed{5}.", 3, True, problem)
    assert (wrong.parsed, wrong.correct, wrong.reason) == (True, False, "differs")
    assert rewards.judged("\\boxed{4}", 3, True, problem).correct
    assert not rewards.judged("\\boxed{4}", 3, False, problem).correct
    half = rewards.judged("4", 3, True, problem, lambda text, problem: Verdict(False, 0.5, "half"))
    assert (half.score, half.reason, half.parsed) == (0.5, "half", True)
    assert rewards.load("score")(half, problem) == 0.5
