"""Preferences and rewards: DPO and GRPO losses against TRL's, the reports' reward to the letter, and training that prefers."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import msgspec
import pytest
import torch
from msgspec.structs import replace

from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem
from phiforge.train import dpo, grpo, rewards, sft
from phiforge.train.batches import Document
from phiforge.train.dpo import Pair, dpo_loss
from phiforge.train.grpo import advantages, grpo_loss, lesson
from phiforge.train.loop import Stage, Step, train
from phiforge.train.optim import Optimizer
from phiforge.train.rewards import Rollout

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


def test_an_answer_can_be_cut_to_its_beginning(tmp_path: Path) -> None:
    stage = dpo.stage(network(), [Pair([1, 2], [4, 6, 8, 10], [5, 7, 9])], tmp_path, first=2)
    assert stage.batches(0)[0].batch.weights.sum() == 4
    with pytest.raises(ValueError, match="pair 0 needs a prompt and two answers that differ"):
        dpo.stage(network(), [Pair([1, 2], [4, 6, 8], [4, 6, 9])], tmp_path, first=2)


# --- GRPO -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_answer", [True, False])
@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_the_grpo_loss_is_its_formula(by_answer: bool, beta: float) -> None:
    lengths, advantage = [3, 5, 2], torch.tensor([1.2, -0.7, 0.4], dtype=torch.float64)
    policy, old, reference = drawn(10, 1), drawn(10, 2), drawn(10, 3)
    expected, at = 0.0, 0
    for n, a in zip(lengths, advantage.tolist(), strict=True):
        tokens = []
        for t in range(at, at + n):
            ratio = math.exp(policy[t] - old[t])
            kept = min(ratio * a, max(0.8, min(1.3, ratio)) * a)
            tokens.append(-(kept - beta * (math.exp(reference[t] - policy[t]) - float(reference[t] - policy[t]) - 1)))
        expected += sum(tokens) / n if by_answer else sum(tokens)
        at += n
    loss, sums = grpo_loss(
        policy, old, advantage, lengths, clip=(0.2, 0.3), beta=beta, reference=reference, by_answer=by_answer
    )
    assert float(loss) == pytest.approx(expected, abs=1e-9)
    assert 0 < sums["clipped"] < (3 if by_answer else 10)
    assert sums["divergence"] > 0


def test_at_the_policy_that_sampled_the_gradient_is_the_plain_one() -> None:
    policy = drawn(6, 1).requires_grad_()
    loss, _ = grpo_loss(policy, policy.detach(), torch.tensor([2.0, -1.0]), [4, 2], beta=0.5)
    (gradient,) = torch.autograd.grad(loss, policy)
    torch.testing.assert_close(gradient, torch.tensor([-0.5] * 4 + [0.5] * 2, dtype=torch.float64))


def test_advantages_and_what_a_group_teaches() -> None:
    assert advantages([1, 1, 1]) == [0, 0, 0]
    found = advantages([1.0, -1.0, -1.0, -1.0])
    assert sum(found) == pytest.approx(0)
    assert found[0] == pytest.approx(1.5, abs=1e-3)
    right, wrong, cut = Rollout("", 5, True, True), Rollout("", 5, False, True), Rollout("", 9, False, False)
    assert lesson([right, wrong], [1, -1]) == "taught"
    assert lesson([right, right], [1, 1]) == "all right"
    assert lesson([wrong, wrong], [-1, -1]) == "all wrong"
    assert lesson([cut, cut], [-1, -1]) == "all truncated"


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


# --- GRPO, with the engine ---------------------------------------------------------------------------------------------


def small_stage(model: Phi3, folder: Path, steps: int) -> Stage[grpo.Lessons]:
    """Problems whose answer is the prompt's own last token, in answers of one token and an end."""
    prompts = [
        grpo.Prompt([3, 10 + n], Problem(str(n), [Message("user", "?")], str(10 + n), "choice")) for n in range(4)
    ]
    settings = grpo.Settings(prompts=4, group=16, longest=2, seed=5)
    return grpo.stage(
        model, prompts, lambda ids: f"Answer: {ids[0]}", [2], folder, steps=steps, settings=settings,
        reward=lambda rollout: float(rollout.correct) + 0.2 * rollout.ended,
    )  # fmt: skip


def test_grpo_teaches_what_pays_and_says_what_each_group_taught(tmp_path: Path) -> None:
    """From an SFT start that is right about a third of the time."""
    model = Phi3(replace(CONFIG, vocab_size=16, pad_id=None)).init_weights(torch.Generator().manual_seed(0))
    start = [Document([3, 10 + n, 10 + (n + k) % 4, 2], [0.0, 0.0, 1.0, 1.0]) for n in range(4) for k in (0, 1, 2)]
    train(model, sft.stage(start, tokens=64, epochs=30), Optimizer(lr=3e-3), tmp_path / "sft")
    train(model, small_stage(model, tmp_path, 30), Optimizer(lr=1e-3, schedule="constant"), tmp_path)
    groups = [msgspec.json.decode(line) for line in (tmp_path / "groups.jsonl").read_bytes().splitlines()]
    right = [sum(g["right"] for g in groups if g["step"] == step) / 64 for step in range(1, 31)]
    assert right[0] < 0.5
    assert sum(right[-3:]) / 3 > 0.9
    assert {g["lesson"] for g in groups} <= {"taught", "all right", "all wrong", "all truncated"}
    assert all(g["lesson"] == "all right" for g in groups if g["right"] == 16)


def test_a_grpo_run_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    def run(folder: Path, stop_after: int | None = None) -> Phi3:
        def stop(step: Step) -> None:
            if step.step == stop_after:
                raise KeyError("killed")

        model = Phi3(replace(CONFIG, vocab_size=16, pad_id=None)).init_weights(torch.Generator().manual_seed(0))
        return train(model, small_stage(model, folder, 6), Optimizer(lr=1e-2), folder, progress=stop, save_seconds=0.0)

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyError):
        run(tmp_path / "cut", 3)
    for one, other in zip(whole.parameters(), run(tmp_path / "cut").parameters(), strict=True):
        assert torch.equal(one, other)
