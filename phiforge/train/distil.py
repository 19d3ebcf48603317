"""Distillation: what a larger model writes, once a verifier has accepted it; or, of one with the same vocabulary, what it would
have written with which chance.

`sample` makes rows for `sft`: a teacher answers problems, and right answers are kept. `stage` trains on the teacher's whole
distribution at every token of given documents. A teacher that is asked at every step is slow and exact; its `top_k` likeliest
words, asked once and kept in the run's folder, serve any number of epochs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor

from phiforge.engine.request import Sampling
from phiforge.files import whole
from phiforge.lm.base import LanguageModel, Reply
from phiforge.model.phi3 import Phi3
from phiforge.records import Example, Problem, Provenance, write_jsonl
from phiforge.train import distributed
from phiforge.train.asking import Account, Asked, Notes, account, answers, go_through
from phiforge.train.batches import Batch, Document, hidden, plan
from phiforge.train.divergence import Teach, distillation
from phiforge.train.limits import Count, NotNegative
from phiforge.train.loop import Stage
from phiforge.train.loss import pieces
from phiforge.train.rewards import Judge, by_verifier, judged, repetition
from phiforge.train.rollouts import seed_of

# --- what the teacher writes --------------------------------------------------------------------------------------------


class Sampled(Struct, frozen=True, forbid_unknown_fields=True):
    """`n` answers to a problem, of which the first `keep` right ones that differ are kept. `temperature` None is what the
    teacher's makers recommend."""

    n: Count = 4
    keep: Count = 2
    longest: Count = 2048
    temperature: NotNegative | None = None
    at_once: Count = 16
    seed: int = 0


def sample(
    teacher: LanguageModel,
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    how: Sampled | None = None,
    *,
    judge: Judge = by_verifier,
    progress: Callable[[Account], None] = lambda _: None,
) -> Account:
    """Right answers of a teacher, as rows of `folder/examples.jsonl` with where each comes from. Goes on where it stopped."""
    how = how or Sampled()
    of_makers = teacher.defaults
    sampling = Sampling(
        temperature=of_makers.temperature if how.temperature is None else how.temperature,
        top_p=of_makers.top_p, top_k=of_makers.top_k, max_tokens=how.longest, seed=seed_of(how.seed, "distil"),
    )  # fmt: skip

    def work(some: Sequence[Problem]) -> list[Asked[Example]]:
        notes = [Notes() for _ in some]
        found = answers(teacher, some, how.n, sampling, notes)
        return [
            note.asked(problem, _kept(teacher.name, problem, replies, judge, how, note))
            for problem, replies, note in zip(some, found, notes, strict=True)
        ]

    done = go_through(problems, folder, Example, work, at_once=how.at_once, progress=progress)
    write_jsonl(Path(folder) / "examples.jsonl", [row for each in done for row in each.kept])
    return account(done)


def _kept(
    name: str, problem: Problem, replies: Sequence[Reply], judge: Judge, how: Sampled, notes: Notes
) -> list[Example]:
    kept: list[Example] = []
    for reply in replies:
        rollout = judged(reply.text, reply.tokens, reply.finish_reason == "stop", problem, judge)
        if not rollout.ended or not reply.thought_closed:
            notes.why["not ended"] += 1
        elif not rollout.correct:
            notes.why["wrong" if rollout.parsed else "unparsable"] += 1
        elif repetition(reply.text) < 0:
            notes.why["repeats itself"] += 1
        elif any(reply.message == each.response for each in kept):
            notes.why["the same again"] += 1
        elif len(kept) < how.keep:
            about = {"sample": reply.sample, "tokens": reply.tokens, "verdict": rollout.reason}
            origin = Provenance(
                "distil", [problem.id], model=name, created=f"{datetime.now(UTC):%Y-%m-%d}", metadata=about
            )
            kept.append(Example(problem, reply.message, origin))
    return kept


# --- what the teacher would have written --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taught:
    """A batch; of its tokens that count [T'], the teacher's likeliest words [T', K] with their log-probabilities, if kept."""

    batch: Batch
    ids: Tensor | None = None
    logprobs: Tensor | None = None


def stage(
    teacher: Phi3,
    student: Phi3,
    documents: Sequence[Document],
    folder: str | Path,
    *,
    tokens: int = 4096,
    epochs: float = 1,
    accumulate: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    mix: float = 0.9,
    top_k: int = 0,
) -> Stage[Taught]:
    """Documents in packed batches, learnt by `mix` parts divergence from the teacher at a temperature and the rest
    cross-entropy. `top_k` 0 asks the teacher at every step, for all words.

    Raises ValueError for vocabularies of different sizes (that the words are the same is the caller's to see), for settings
    that cannot be, and for a document that is longer than a batch or has nothing to learn.
    """
    sizes = teacher.config.vocab_size, student.config.vocab_size
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the teacher has {sizes[0]} words and the student {sizes[1]}: sample from the teacher instead"
        )
    for name, value, ok, expected in (
        ("temperature", temperature, temperature > 0, "above 0"),
        ("mix", mix, 0 < mix <= 1, "above 0, and 1 at most"),
        ("top_k", top_k, 0 <= top_k <= sizes[0], f"from 0 to {sizes[0]}"),
    ):
        if not ok:
            raise ValueError(f"{name} = {value} must be {expected}")
    for number, each in enumerate(documents):
        if not any(each.weights[1:]):
            raise ValueError(f"document {number} has no token to learn")
    known = (
        distributed.by_first(lambda: _likeliest(teacher, documents, tokens, top_k, Path(folder))) if top_k else None
    )
    batches = plan([len(each.ids) for each in documents], tokens, epochs, seed)

    def of_step(step: int) -> list[Taught]:
        found: list[Taught] = []
        for numbers in batches[step * accumulate : (step + 1) * accumulate]:
            batch = Batch.of(documents[i] for i in numbers)
            if known is None:
                found.append(Taught(batch))
            else:
                ids, logprobs = (torch.cat([x[known[2][i] : known[2][i + 1]] for i in numbers]) for x in known[:2])
                found.append(Taught(batch, ids.long(), logprobs))
        return found

    def loss(model: Phi3, taught: Taught) -> tuple[Tensor, dict[str, float]]:
        batch = taught.batch
        counts = batch.weights > 0
        total, apart = distillation(
            hidden(model, batch)[counts], model.lm_head.weight, batch.labels[counts], batch.weights[counts],
            _teaching(teacher, taught, counts), temperature, mix,
        )  # fmt: skip
        return total, {"divergence": float(apart)}

    return Stage(
        steps=-(-len(batches) // accumulate),
        batches=of_step,
        loss=loss,
        count=lambda taught: float(taught.batch.weights.sum()),
        tokens=lambda taught: len(taught.batch),
    )


@torch.no_grad()
def _teaching(teacher: Phi3, taught: Taught, counts: Tensor) -> Teach:
    ids, logprobs = taught.ids, taught.logprobs
    if ids is not None and logprobs is not None:
        return lambda piece: (ids[piece], logprobs[piece])
    states, head = hidden(teacher, taught.batch)[counts], teacher.lm_head.weight
    return lambda piece: (None, states[piece] @ head.T)  # logits do: a softmax is taken of them anyway


Known = tuple[Tensor, Tensor, list[int]]  # ids int32 [N, K], log-probabilities [N, K], where each document begins


@torch.no_grad()
def _likeliest(teacher: Phi3, documents: Sequence[Document], tokens: int, top_k: int, folder: Path) -> Known:
    """The teacher's likeliest words at every token that counts, from the folder if these documents' are there."""
    lengths = [sum(weight > 0 for weight in each.weights[1:]) for each in documents]
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    mark = blake2b(repr([(list(d.ids), list(d.weights)) for d in documents]).encode(), digest_size=8).hexdigest()
    file = folder / f"teacher-{mark}-{top_k}.pt"
    if file.exists():
        found = torch.load(file, weights_only=True)
        return found["ids"], found["logprobs"], starts
    ids = torch.empty(starts[-1], top_k, dtype=torch.int32)
    logprobs = torch.empty(starts[-1], top_k)
    for numbers in plan([len(d.ids) for d in documents], tokens, 1, 0):
        batch = Batch.of(documents[i] for i in numbers)
        states = hidden(teacher, batch)[batch.weights > 0]
        at = torch.cat([torch.arange(starts[i], starts[i + 1]) for i in numbers])
        for piece in pieces(len(states), teacher.config.vocab_size):
            best = (states[piece] @ teacher.lm_head.weight.T).float().log_softmax(-1).topk(top_k)
            ids[at[piece]], logprobs[at[piece]] = best.indices.int(), best.values
    with whole(file) as partial:
        torch.save({"ids": ids, "logprobs": logprobs}, partial)
    return ids, logprobs, starts
