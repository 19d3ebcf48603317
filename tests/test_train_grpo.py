"""GRPO: its loss against its formula and TRL's, what groups teach, and runs with the engine that go on where they were."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import torch
from msgspec.structs import replace

from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import new_adapter
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem
from phiforge.train import groups, grpo, sft
from phiforge.train.batches import Batch, Document, hidden
from phiforge.train.groups import Prompt, Rebalance, Selection, advantages, balanced, lesson
from phiforge.train.grpo import Settings, grpo_loss
from phiforge.train.loop import Stage, Step, train
from phiforge.train.lora import attach
from phiforge.train.loss import with_entropy
from phiforge.train.optim import Optimizer
from phiforge.train.rewards import Rollout
from phiforge.train.rollouts import Sampler, Wanted, plain_weights
from phiforge.train.shared import Begun, Shared

GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden/trl_losses.json").read_text())["rows"]
CONFIG = replace(shrink(PRESETS["phi-4-mini-instruct"], vocab_size=16), pad_id=None)


def fresh(seed: int = 0) -> Phi3:
    return Phi3(CONFIG).init_weights(torch.Generator().manual_seed(seed))


def drawn(n: int, seed: int) -> torch.Tensor:
    return -torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


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


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["what"] == "grpo"])
def test_the_grpo_loss_is_trls(row: dict[str, Any]) -> None:
    """golden/trl_losses.py made the figures with TRL's own code. TRL averages entropy over tokens whatever the loss is
    averaged over, ours goes with the loss: the same for answers of equal length, and where the loss is by token."""
    by_answer, lengths = row["loss_type"] == "grpo", row["lengths"]
    if by_answer and row["entropy_coef"] and len(set(lengths)) > 1:
        lengths, others = row["lengths"], [r for r in GOLDEN if r["what"] == "grpo" and r["lengths"] == row["lengths"]]
        plain = next(
            r for r in others if r["loss_type"] == "grpo" and r["beta"] == row["beta"] and not r["entropy_coef"]
        )
        row = row | {"entropy_coef": 0.0, "loss": plain["loss"], "of_entropy": None}
    policy, entropy = (torch.tensor(row[k], dtype=torch.float64, requires_grad=True) for k in ("policy", "entropy"))
    old, reference, advantage = (torch.tensor(row[k], dtype=torch.float64) for k in ("old", "reference", "advantages"))
    total, _ = grpo_loss(
        policy, old, advantage, lengths, clip=(0.2, 0.3), beta=row["beta"], reference=reference, by_answer=by_answer,
        entropy=entropy, gamma=row["entropy_coef"],
    )  # fmt: skip
    loss = total / (len(lengths) if by_answer else sum(lengths))
    slopes = torch.autograd.grad(loss, [policy, entropy], allow_unused=True)
    assert float(loss.detach()) == pytest.approx(row["loss"], abs=1e-9)
    assert slopes[0].tolist() == pytest.approx(row["of_policy"], abs=1e-9)
    if row["entropy_coef"]:
        assert slopes[1].tolist() == pytest.approx(row["of_entropy"], abs=1e-9)


def test_entropy_and_its_gradient_are_those_of_whole_logits() -> None:
    """More words than a piece of logits has room for rows, so that there are several pieces."""
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(1100, 12, generator=chance, requires_grad=True)
    w = torch.randn(41, 12, generator=chance, requires_grad=True)
    labels = torch.randint(41, (1100,), generator=chance)
    u, v = torch.randn(1100, generator=chance), torch.randn(1100, generator=chance)
    logp = (x @ w.T).log_softmax(-1)
    expected = (u * logp.gather(-1, labels[:, None]).squeeze(-1)).sum() - (v * (logp.exp() * logp).sum(-1)).sum()
    chosen, entropy = with_entropy(x, w, labels)
    torch.testing.assert_close((u * chosen).sum() + (v * entropy).sum(), expected)
    for weight in (1.0, 0.0):
        chosen, entropy = with_entropy(x, w, labels)
        found = torch.autograd.grad((u * chosen).sum() + weight * (v * entropy).sum(), [x, w])
        logp = (x @ w.T).log_softmax(-1)
        whole = (u * logp.gather(-1, labels[:, None]).squeeze(-1)).sum() - weight * (
            v * (logp.exp() * logp).sum(-1)
        ).sum()
        for one, other in zip(found, torch.autograd.grad(whole, [x, w]), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


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
    lost = Rollout("", 5, False, True, parsed=False)
    assert lesson([lost, cut], [-1, -1]) == "unparsable"
    assert lesson([lost, wrong], [-1, -1]) == "all wrong"
    assert lesson([right, wrong], [0, 0]) == "paid alike"


def test_rebalancing_keeps_all_right_answers_and_as_many_wrong_ones() -> None:
    right, wrong = Rollout("", 5, True, True), Rollout("", 5, False, True)
    mixed = [wrong, right, wrong, wrong, wrong, right, wrong, wrong]
    drawn_negatives = set()
    for seed in range(40):
        kept = balanced(mixed, Rebalance(0.5), Random(seed))
        assert isinstance(kept, list)
        assert {1, 5} < set(kept)
        assert len(kept) == 4
        drawn_negatives |= set(kept) - {1, 5}
    assert drawn_negatives == {0, 2, 3, 4, 6, 7}
    assert balanced([right, right, right, wrong], Rebalance(0.5), Random(0)) == "too easy"
    assert balanced([right, right, wrong, wrong], Rebalance(0.5), Random(0)) == [0, 1, 2, 3]
    assert balanced([wrong, wrong], Rebalance(0.5), Random(0)) == "all wrong"


def test_settings_are_checked_and_the_temperature_is_annealed() -> None:
    for settings, said in (
        (Settings(group=1), "group = 1 must be 2 or more"),
        (Settings(temperature=0), "temperature = 0 must be above 0"),
        (Settings(ahead=2, passes=3, staleness=4), "make rollouts 5 steps old, more than staleness = 4"),
    ):
        with pytest.raises(ValueError, match=said):
            settings.check()
    annealed = Settings(last_temperature=0.6)
    assert [round(annealed.temperature_at(step, 100), 3) for step in (0, 25, 50, 75)] == [1.0, 0.8, 0.6, 0.6]
    assert Settings().temperature_at(99, 100) == 1.0


def test_answers_that_share_their_prompt_are_what_they_are_alone(network: Any) -> None:
    model = network(CONFIG)
    chance = Random(0)
    ids = lambda n: [chance.randrange(3, 16) for _ in range(n)]  # noqa: E731
    groups = [Begun(ids(5), [ids(4), ids(1), ids(7)]), Begun(ids(3), [ids(2)]), Begun(ids(9), [ids(3), ids(8)])]
    shared = Shared.of_groups(groups)
    alone = Batch.of(Document([*p, *a], [0.0] * len(p) + [1.0] * len(a)) for p, said in groups for a in said)
    taught = alone.weights > 0
    assert torch.equal(shared.targets, alone.labels[taught])
    assert shared.answers == (4, 1, 7, 2, 3, 8)
    assert len(shared) < len(alone)
    one, other = hidden(model, shared)[shared.rows], hidden(model, alone)[taught]
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    slope = torch.randn(one.shape, generator=torch.Generator().manual_seed(0))
    weights = [p for name, p in model.named_parameters() if "lm_head" not in name]
    found, expected = (torch.autograd.grad((x * slope).sum(), weights) for x in (one, other))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()))
    with pytest.raises(ValueError, match="a group needs a prompt"):
        Shared.of_groups([Begun([1], [[]])])


# --- rollouts -----------------------------------------------------------------------------------------------------------


def test_rollouts_see_the_weights_as_they_are_without_a_copy() -> None:
    model = fresh()
    sampler = Sampler(model, [2])
    wanted = [Wanted([3, 4, 5], 4, 6, seed=1, logprobs=True)]
    (before,) = sampler.answers(wanted)
    assert sampler.answers(wanted)[0] == before
    with torch.no_grad():
        model.layers[0].mlp.down_proj.weight.mul_(5)  # type: ignore[union-attr]
        model.embed_tokens.weight.neg_()
    sampler.refresh()
    (after,) = sampler.answers(wanted)
    assert after != before
    assert Sampler(model, [2]).answers(wanted)[0] == after
    for answer in after:
        ids = torch.tensor([3, 4, 5, *answer.ids])
        logp = model(ids).log_softmax(-1)[2:-1].gather(-1, ids[3:, None]).squeeze(-1)
        assert answer.logprobs == pytest.approx(logp.tolist(), abs=1e-4)
    assert sampler.spent.written == sum(len(a.ids) for a in [*before, *before, *after])
    assert sampler.spent.read + sampler.spent.saved == 3 * 4 * 3


def test_log_probabilities_are_of_the_temperature_sampled_at() -> None:
    model = fresh(3)
    ((answer,),) = Sampler(model, [2]).answers([Wanted([3, 4, 5], 1, 8, seed=1, temperature=0.5, logprobs=True)])
    ids = torch.tensor([3, 4, 5, *answer.ids])
    logp = (model(ids) / 0.5).log_softmax(-1)[2:-1].gather(-1, ids[3:, None]).squeeze(-1)
    assert answer.logprobs == pytest.approx(logp.tolist(), abs=1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_quantised_rollouts_follow_the_weights(dtype: Any) -> None:
    model = fresh()
    sampler = Sampler(model, [2], dtype=dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    sampler.refresh()
    ((answer,),) = sampler.answers([Wanted([3, 4, 5], 1, 8, seed=1, logprobs=True)])
    ids = torch.tensor([3, 4, 5, *answer.ids])
    logp = model(ids).log_softmax(-1)[2:-1].gather(-1, ids[3:, None]).squeeze(-1)
    assert answer.logprobs == pytest.approx(logp.tolist(), abs=0.3)
    assert answer.logprobs != pytest.approx(logp.tolist(), abs=1e-6)


def test_adapters_are_merged_for_quantised_rollouts() -> None:
    model = fresh()
    adapter = new_adapter(CONFIG, 4, modules=("q_proj", "down_proj"), generator=torch.Generator().manual_seed(0))
    whole = {name: p.detach().clone() for name, p in model.named_parameters()}
    attach(model, adapter)
    assert all(torch.equal(plain_weights(model)[name], p) for name, p in whole.items())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".b"):
                parameter.normal_(generator=torch.Generator().manual_seed(2))
    merged = Phi3(CONFIG)
    merged.load_state_dict(plain_weights(model) | {"lm_head.weight": plain_weights(model)["embed_tokens.weight"]})
    ids = torch.arange(3, 12)
    torch.testing.assert_close(merged(ids), model(ids), rtol=1e-4, atol=1e-4)
    assert not torch.equal(merged.layers[0].mlp.down_proj.weight, whole["layers.0.mlp.down_proj.weight"])  # type: ignore[union-attr]
    wanted = [Wanted([3, 4, 5], 2, 6, seed=1)]
    assert Sampler(model, [2], dtype="int8").answers(wanted) == Sampler(merged, [2], dtype="int8").answers(wanted)
    assert Sampler(model, [2]).answers(wanted)


# --- GRPO, with the engine ---------------------------------------------------------------------------------------------

PROMPTS = [Prompt([3, 10 + n], Problem(str(n), [Message("user", "?")], str(10 + n), "choice")) for n in range(4)]


def decode(ids: Any) -> str:
    return f"Answer: {ids[0]}" if ids else ""


def small_stage(model: Phi3, folder: Path, steps: int, **how: Any) -> Stage[grpo.Lessons]:
    """Problems whose answer is the prompt's own last token, in answers of one token and an end."""
    settings = Settings(**({"prompts": 4, "group": 16, "longest": 2, "seed": 5} | how))
    return grpo.stage(
        model, PROMPTS, decode, [2], folder, steps=steps, settings=settings,
        reward=lambda rollout, _: float(rollout.correct) + 0.2 * rollout.ended,
    )  # fmt: skip


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Phi3:
    """After SFT: right about a third of the time."""
    model = fresh()
    taught = [Document([3, 10 + n, 10 + (n + k) % 4, 2], [0.0, 0.0, 1.0, 1.0]) for n in range(4) for k in (0, 1, 2)]
    return train(model, sft.stage(taught, tokens=64, epochs=30), Optimizer(lr=3e-3), tmp_path_factory.mktemp("sft"))


def copy(model: Phi3) -> Phi3:
    other = fresh()
    other.load_state_dict(model.state_dict())
    return other


def log(folder: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (folder / "groups.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"ahead": 2, "passes": 2, "staleness": 3, "beta": 0.01, "tied_to": "start", "entropy": 0.003},
        {"rollout_dtype": "int8", "last_temperature": 0.6, "by_answer": False},
    ],
)
def test_grpo_teaches_what_pays_and_says_what_each_group_taught(
    start: Phi3, tmp_path: Path, how: dict[str, Any]
) -> None:
    model, seen = copy(start), list[Step]()
    train(model, small_stage(model, tmp_path, 30, **how), Optimizer(lr=1e-3, schedule="constant"), tmp_path,
          progress=seen.append)  # fmt: skip
    found = log(tmp_path)
    right = [sum(g["right"] for g in found if g["step"] == step) / 64 for step in range(1, 31)]
    assert right[0] < 0.5
    assert sum(right[-3:]) / 3 > 0.9
    assert {g["lesson"] for g in found} <= {"taught", "all right", "all wrong", "all truncated", "unparsable"}
    assert all(g["lesson"] == "all right" for g in found if g["right"] == 16)
    assert len(found) == 30 * 4
    period = how.get("ahead", 1) * how.get("passes", 1)
    assert all(g["age"] == (g["step"] - 1) % period for g in found)
    more = seen[0].more
    assert more["right"] == pytest.approx(right[0])
    assert more["entropy"] > 0
    if how.get("rollout_dtype"):
        assert 0 < more["mismatch"] < 0.2
        assert seen[-1].more["temperature"] == pytest.approx(0.6)


def test_a_network_may_train_in_bfloat16(start: Phi3, tmp_path: Path) -> None:
    """Its precision may change after the stage was made, as the loop's choice comes later."""
    model = copy(start)
    stage = small_stage(model, tmp_path, 2, entropy=0.01, ahead=2, staleness=1)
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16()
    (lessons,) = stage.batches(0)
    loss, _ = stage.loss(model, lessons)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert lessons.old is not None
    assert log(tmp_path)[0]["right"] + log(tmp_path)[1]["right"] > 0


def test_hard_prompts_are_sampled_again_and_easy_ones_dropped(start: Phi3, tmp_path: Path) -> None:
    hard = [*PROMPTS[:2], Prompt([3, 12], Problem("never", [], "99", "choice"))]
    stage = grpo.stage(
        copy(start), hard, decode, [2], tmp_path, steps=1,
        settings=Settings(prompts=3, group=4, longest=2, rebalance=Rebalance(easiest=0.3, most=24)),
    )  # fmt: skip
    stage.batches(0)
    found = {g["problem"]: g for g in log(tmp_path)}
    assert len(found["never"]["rewards"]) == 24
    assert found["never"]["lesson"] == "all wrong"
    for each in (found["0"], found["1"]):
        if each["right"] / len(each["rewards"]) > 0.3:
            assert (each["lesson"], each["kept"]) == ("too easy", 0)
        else:
            assert each["kept"] == 2 * each["right"]


def test_prompts_of_uniform_length_are_chosen_once(start: Phi3, tmp_path: Path) -> None:
    sampler = Sampler(fresh(3), [2])
    wanted: dict[str, Any] = {"group": 8, "longest": 12, "seed": 1}
    kept = groups.select(sampler, PROMPTS, tmp_path, Selection(rounds=2, spread=0.6), **wanted)
    assert 0 < len(kept) < 4
    rows = [msgspec.json.decode(line) for line in (tmp_path / "selection.jsonl").read_bytes().splitlines()]
    assert [row["problem"] for row in rows] == ["0", "1", "2", "3"]
    assert [p.problem.id for p in kept] == [row["problem"] for row in rows if row["spread"] <= 0.6]
    whole = (tmp_path / "selection.jsonl").read_bytes()
    written = sampler.spent.written
    again = groups.select(sampler, PROMPTS, tmp_path, Selection(rounds=2, spread=100), **wanted)
    assert [p.problem.id for p in again] == [p.problem.id for p in kept]
    assert sampler.spent.written == written  # nothing was sampled again
    (tmp_path / "selection.jsonl").write_bytes(whole[: len(whole) // 2])  # a kill in the middle of a line
    groups.select(sampler, PROMPTS, tmp_path, Selection(rounds=2, spread=0.6), **wanted)
    assert (tmp_path / "selection.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "how", [{}, {"ahead": 2, "passes": 2, "staleness": 3, "rollout_dtype": "int8", "beta": 0.1, "tied_to": "start"}]
)
@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_a_grpo_run_goes_on_exactly_where_it_was(
    start: Phi3, tmp_path: Path, how: dict[str, Any], stop_after: int
) -> None:
    """The last checkpoint lies before the kill, so that steps are taken again, also in the middle of a round."""

    def run(folder: Path, stop_after: int | None = None) -> Phi3:
        def stop(step: Step) -> None:
            if step.step == stop_after:
                raise KeyError("killed")

        model = copy(start)
        return train(
            model, small_stage(model, folder, 8, **how), Optimizer(lr=1e-2), folder, progress=stop, save_seconds=0.0
        )

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyError):
        run(tmp_path / "cut", stop_after)
    for one, other in zip(whole.parameters(), run(tmp_path / "cut").parameters(), strict=True):
        assert torch.equal(one, other)
    assert (tmp_path / "whole/groups.jsonl").read_bytes() == (tmp_path / "cut/groups.jsonl").read_bytes()
