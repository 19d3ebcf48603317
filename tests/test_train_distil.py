"""Distillation: rows of a teacher's right answers, and learning from its whole distribution, against logits taken whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace

from phiforge.data import mixture
from phiforge.data.simulated import Known, Nature, SimulatedModel
from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem
from phiforge.train import distil
from phiforge.train.batches import Batch, Document, hidden
from phiforge.train.distil import Sampled
from phiforge.train.divergence import distillation
from phiforge.train.loop import train
from phiforge.train.optim import Optimizer
from phiforge.train.sft import language_loss
from phiforge.verify import math

CONFIG = replace(shrink(PRESETS["phi-4-mini-instruct"], vocab_size=97), pad_id=None)

# --- what the teacher writes ------------------------------------------------------------------------------------------

PROBLEMS = [Problem(f"{n}", [Message("user", f"What is {n} + 1?")], str(n + 1), "math") for n in range(10, 30)]


def teacher(error: float) -> SimulatedModel:
    known = [Known(question=p.messages[0].text, answer=p.answer, wrong=("0",)) for p in PROBLEMS]
    return SimulatedModel(known, Nature(errors=(error,) * 5))


def test_right_answers_become_rows_with_their_origin(tmp_path: Path) -> None:
    total = distil.sample(teacher(0.4), PROBLEMS, tmp_path, Sampled(n=6, keep=2, at_once=6))
    rows = list(mixture.rows(str(tmp_path / "examples.jsonl")))  # as `sft` reads them
    assert len(rows) == total.kept > 25
    for row in rows:
        assert math.verify(row.response.text, row.problem).correct
        assert (row.provenance.source, row.provenance.model) == ("distil", "simulated")
        assert row.provenance.seeds == [row.problem.id]
    for problem in PROBLEMS:
        said = [row.response.text for row in rows if row.problem.id == problem.id]
        assert len(said) == len(set(said)) <= 2
    assert (total.problems, total.calls) == (20, 120)
    assert 20 < total.why["wrong"] < 80
    again = teacher(0.4)
    assert distil.sample(again, PROBLEMS, tmp_path, Sampled(n=6, keep=2, at_once=6)) == total
    assert again.asked == []


def test_a_teacher_that_is_always_wrong_leaves_no_rows(tmp_path: Path) -> None:
    total = distil.sample(teacher(1.0), PROBLEMS, tmp_path, Sampled(n=3))
    assert (total.kept, total.why) == (0, {"wrong": 60})
    assert (tmp_path / "examples.jsonl").read_bytes() == b""
    cut = distil.sample(teacher(0.0), PROBLEMS, tmp_path / "cut", Sampled(n=3, longest=2))
    assert cut.why == {"not ended": 60}


# --- what it would have written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("temperature", "mix"), [(1.0, 1.0), (2.0, 0.7), (0.5, 0.3)])
@pytest.mark.parametrize("top_k", [0, 5])
def test_the_loss_and_its_gradient_are_those_of_whole_logits(temperature: float, mix: float, top_k: int) -> None:
    """More tokens than a piece has, so that there are several."""
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(1100, 12, generator=chance, requires_grad=True)
    w = torch.randn(41, 12, generator=chance, requires_grad=True)
    labels = torch.randint(41, (1100,), generator=chance)
    weights = torch.rand(1100, generator=chance)
    said = torch.randn(1100, 41, generator=chance) * 2
    teach: Any = lambda piece: (None, said[piece])  # noqa: E731
    p = (said / temperature).softmax(-1)
    if top_k:
        best = said.log_softmax(-1).topk(top_k)
        teach = lambda piece: (best.indices[piece], best.values[piece])  # noqa: E731
        p = torch.zeros_like(said).scatter(-1, best.indices, (best.values / temperature).softmax(-1))
    student = (x @ w.T / temperature).log_softmax(-1)
    divergence = (weights * (torch.xlogy(p, p) - p * student).sum(-1)).sum()
    entropy = -(weights * (x @ w.T).log_softmax(-1).gather(-1, labels[:, None]).squeeze(-1)).sum()
    expected = mix * temperature**2 * divergence + (1 - mix) * entropy
    found, apart = distillation(x, w, labels, weights, teach, temperature, mix)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(apart, divergence.detach())
    for one, other in zip(
        torch.autograd.grad(3 * found, [x, w]), torch.autograd.grad(3 * expected, [x, w]), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def network(seed: int) -> Phi3:
    return Phi3(replace(CONFIG, init_std=0.1)).init_weights(torch.Generator().manual_seed(seed))


def documents(n: int) -> list[Document]:
    chance = torch.Generator().manual_seed(9)
    drawn = torch.randint(97, (n, 12), generator=chance).tolist()
    return [Document(ids, [0.0] * 4 + [1.0] * 8) for ids in drawn]


@pytest.mark.parametrize("top_k", [0, 16])
def test_a_student_comes_to_say_what_its_teacher_says(tmp_path: Path, top_k: int) -> None:
    told, student = network(1), network(2)
    last: list[float] = []
    stage = distil.stage(told, student, documents(60), tmp_path, tokens=128, epochs=12, mix=1.0, top_k=top_k)
    train(student, stage, Optimizer(lr=3e-3), tmp_path, progress=lambda step: last.append(step.more["divergence"]))
    assert last[-1] < 0.2 * last[0]
    batch = Batch.of(documents(60))
    with torch.no_grad():
        best = told.lm_head(hidden(told, batch)).argmax(-1) == student.lm_head(hidden(student, batch)).argmax(-1)
    assert best[batch.weights > 0].float().mean() > 0.5


def test_what_is_recalled_is_learnt_by_a_teacher_s_chances_beside_the_rest() -> None:
    told, student = network(1), network(2)
    *plain, first, second = documents(5)
    mixed = [plain[0], first._replace(recalled=True), plain[1], second._replace(recalled=True), plain[2]]
    loss, said = language_loss(student, Batch.of(mixed, 32), teacher=told)
    loss.backward()
    assert told.lm_head.weight.grad is None
    slopes = [weight.grad.clone() for weight in student.parameters() if weight.grad is not None]
    student.zero_grad()
    batch = Batch.of([first, second])
    apart = [F.log_softmax(each.lm_head(hidden(each, batch)), -1)[batch.weights > 0] for each in (student, told)]
    divergence = F.kl_div(*apart, log_target=True, reduction="sum")
    whole = language_loss(student, Batch.of(plain))[0] + divergence
    whole.backward()
    torch.testing.assert_close(loss, whole)
    assert said["divergence"] == pytest.approx(divergence.item(), rel=1e-5)
    for one, weight in zip(slopes, student.parameters(), strict=True):
        torch.testing.assert_close(one, weight.grad, rtol=1e-3, atol=1e-4)
    untaught, as_they_are = (language_loss(student, Batch.of(each))[0] for each in (mixed, documents(5)))
    torch.testing.assert_close(untaught, as_they_are)


def test_the_likeliest_words_are_asked_for_once(tmp_path: Path) -> None:
    told, student = network(1), network(2)
    stage = distil.stage(told, student, documents(9), tmp_path, tokens=40, top_k=4, seed=3)
    assert len(list(tmp_path.glob("teacher-*-4.pt"))) == 1
    again = distil.stage(network(5), student, documents(9), tmp_path, tokens=40, top_k=4, seed=3)
    for step in range(stage.steps):
        (one,), (other,) = stage.batches(step), again.batches(step)
        assert one.ids is not None
        assert other.ids is not None
        assert torch.equal(one.ids, other.ids)
        logits = told.lm_head(hidden(told, one.batch))[one.batch.weights > 0]
        assert torch.equal(one.ids, logits.topk(4).indices)
        assert one.logprobs is not None
        torch.testing.assert_close(one.logprobs, logits.log_softmax(-1).topk(4).values)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    other = Phi3(replace(CONFIG, vocab_size=96)).init_weights()
    with pytest.raises(ValueError, match="the teacher has 96 words and the student 97"):
        distil.stage(other, network(1), documents(2), tmp_path)
    for how, said in (
        ({"mix": 0.0}, "mix = 0.0 must be above 0"),
        ({"temperature": 0.0}, "temperature = 0.0 must be above 0"),
        ({"top_k": 98}, "top_k = 98 must be from 0 to 97"),
    ):
        with pytest.raises(ValueError, match=said):
            distil.stage(network(0), network(1), documents(2), tmp_path, **how)
    with pytest.raises(ValueError, match="document 0 has no token to learn"):
        distil.stage(network(0), network(1), [Document([1, 2], [0.0, 0.0])], tmp_path)
