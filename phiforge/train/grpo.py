"""Group-relative policy optimisation (Shao et al. 2024): answers are sampled in groups, and each is pushed up or down by how
much better than its group it was. Also here: why a group teaches nothing.

    T tokens of all answers, end to end; n answers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import NamedTuple

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from phiforge import verify
from phiforge.engine.engine import Engine
from phiforge.engine.request import Failed, Finished, Request, Sampling, Token
from phiforge.model.phi3 import Phi3
from phiforge.records import Problem
from phiforge.train.batches import Batch, Document, hidden, plan
from phiforge.train.loop import Stage
from phiforge.train.loss import log_probabilities
from phiforge.train.rewards import Rollout, plain


def advantages(rewards: Sequence[float], eps: float = 1e-4) -> list[float]:
    """How much better each answer of a group is than the group, in its standard deviations; all 0 where all are alike."""
    mean, spread = fmean(rewards), stdev(rewards) if len(rewards) > 1 else 0.0
    if spread == 0:
        return [0.0] * len(rewards)
    return [(reward - mean) / (spread + eps) for reward in rewards]


def lesson(rollouts: Sequence[Rollout], rewards: Sequence[float]) -> str:
    """What a group teaches, for the log: "taught", or why nothing."""
    if len(set(rewards)) > 1:
        return "taught"
    if all(each.correct for each in rollouts):
        return "all right"
    if not any(each.ended for each in rollouts):
        return "all truncated"
    return "all wrong"


def grpo_loss(
    policy: Tensor,
    old: Tensor,
    advantage: Tensor,
    lengths: Sequence[int],
    *,
    clip: tuple[float, float] = (0.2, 0.2),
    beta: float = 0.0,
    reference: Tensor | None = None,
    by_answer: bool = True,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped objective, negated, summed over answers (`by_answer`: mean over each one's tokens) or over tokens.

    policy, old, reference: log-probabilities [T] now, when sampled, and of the model that `beta` ties to (`old` if not
    given); advantage [n]; lengths of the answers. The divergence is estimated by exp(d) - d - 1, which is never negative
    (Schulman 2020). Sums for the log: share of clipped tokens and the divergence, weighted as the loss is.
    """
    ratio = (policy - old).exp()
    each = advantage.repeat_interleave(torch.tensor(lengths, device=policy.device))
    bounded = ratio.clamp(1 - clip[0], 1 + clip[1])
    value = torch.minimum(ratio * each, bounded * each)
    apart = (old if reference is None else reference) - policy
    divergence = apart.exp() - apart - 1
    if beta:
        value = value - beta * divergence
    clipped = ((ratio < 1 - clip[0]) & (each < 0)) | ((ratio > 1 + clip[1]) & (each > 0))

    def total(tokens: Tensor) -> Tensor:
        if not by_answer:
            return tokens.sum()
        return torch.stack([part.mean() for part in tokens.split(list(lengths))]).sum()

    with torch.no_grad():
        sums = {"clipped": float(total(clipped.float())), "divergence": float(total(divergence))}
    return -total(value), sums


# --- the stage --------------------------------------------------------------------------------------------------------


class Prompt(NamedTuple):
    """A problem, and its token ids up to where an answer begins."""

    ids: Sequence[int]
    problem: Problem


class Answer(NamedTuple):
    """Sampled token ids with their log-probabilities when sampled, and whether the answer ended by itself."""

    ids: list[int]
    logprobs: list[float]
    ended: bool


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`prompts` a step, `group` answers each of at most `longest` tokens; `beta` ties to the policy that sampled."""

    prompts: int = 8
    group: int = 8
    longest: int = 512
    temperature: float = 1.0
    tokens: int = 4096  # of a micro-batch
    clip: tuple[float, float] = (0.2, 0.2)
    beta: float = 0.0
    by_answer: bool = True
    seed: int = 0


class Sampler:
    """Answers from the engine of floor 2, which takes the policy's weights anew before each round."""

    def __init__(self, model: Phi3, stop_ids: Sequence[int]) -> None:
        self._engine = Engine(deepcopy(model).eval().requires_grad_(False))
        self._stop = tuple(stop_ids)

    def __call__(
        self, model: Phi3, prompts: Sequence[Sequence[int]], settings: Settings, seed: int
    ) -> list[list[Answer]]:
        """`settings.group` answers to each prompt; the same for the same weights and seed."""
        self._engine.update({name: parameter.detach() for name, parameter in model.named_parameters()})
        requests = [
            Request(
                prompt=list(ids), n=settings.group,
                sampling=Sampling(
                    temperature=settings.temperature, max_tokens=settings.longest, stop_ids=self._stop, logprobs=0,
                    seed=(seed * 1_000_003 + number) % 2**63,
                ),
            )
            for number, ids in enumerate(prompts)
        ]  # fmt: skip
        found = {(r.id, sample): Answer([], [], False) for r in requests for sample in range(settings.group)}
        for request in requests:
            self._engine.submit(request)
        while self._engine.busy:
            for event in self._engine.step():
                if isinstance(event, Failed):
                    raise event.error
                key = (event.request, event.sample)
                if isinstance(event, Token):
                    found[key].ids.append(event.id)
                    found[key].logprobs.append(event.logprob or 0.0)
                elif isinstance(event, Finished):
                    found[key] = found[key]._replace(ended=event.reason == "stop")
        return [[found[r.id, sample] for sample in range(settings.group)] for r in requests]


@dataclass(frozen=True)
class Lessons:
    """A micro-batch: answers as documents, what each is worth above its group, and log-probabilities when sampled [T]."""

    batch: Batch
    advantage: Tensor
    old: Tensor


def stage(
    model: Phi3,
    prompts: Sequence[Prompt],
    decode: Callable[[Sequence[int]], str],
    stop_ids: Sequence[int],
    folder: str | Path,
    *,
    steps: int,
    reward: Callable[[Rollout], float] = plain,
    settings: Settings | None = None,
) -> Stage[Lessons]:
    """Answers to `settings.prompts` problems a step, judged by their verifiers and paid by `reward`.

    `model` is what is trained: its weights are read whenever a step begins. `folder/groups.jsonl` says of every group what it
    taught, or why nothing. Raises ValueError without a prompt.
    """
    if not prompts:
        raise ValueError("there is no problem to learn from")
    settings = settings or Settings()
    sampler, run = Sampler(model, stop_ids), Path(folder)
    run.mkdir(parents=True, exist_ok=True)

    def of_step(step: int) -> list[Lessons]:
        chosen = Random(f"{settings.seed} {step}").sample(range(len(prompts)), min(settings.prompts, len(prompts)))
        groups = sampler(model, [prompts[i].ids for i in chosen], settings, settings.seed + step)
        documents: list[Document] = []
        worth: list[float] = []
        old: list[list[float]] = []
        rows: list[dict[str, object]] = []
        for i, answers in zip(chosen, groups, strict=True):
            rollouts = [_rollout(prompts[i].problem, decode(each.ids), each) for each in answers]
            paid = [reward(each) for each in rollouts]
            for answer, each in zip(answers, advantages(paid), strict=True):
                if each and answer.ids:
                    documents.append(
                        Document([*prompts[i].ids, *answer.ids], [0.0] * len(prompts[i].ids) + [1.0] * len(answer.ids))
                    )
                    worth.append(each)
                    old.append(answer.logprobs)
            rows.append({
                "step": step + 1, "problem": prompts[i].problem.id, "lesson": lesson(rollouts, paid),
                "right": sum(each.correct for each in rollouts), "rewards": paid, "tokens": [e.tokens for e in rollouts],
            })  # fmt: skip
        with (run / "groups.jsonl").open("ab") as file:
            file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
        return [_lessons(documents, worth, old, numbers) for numbers in _packed(documents, settings.tokens)]

    def loss(policy: Phi3, lessons: Lessons) -> tuple[Tensor, dict[str, float]]:
        batch = lessons.batch
        taught = batch.weights > 0
        now = log_probabilities(hidden(policy, batch)[taught], policy.lm_head.weight, batch.labels[taught])
        lengths = [int(part.sum()) for part in taught.split(batch.lengths)]
        return grpo_loss(
            now,
            lessons.old,
            lessons.advantage,
            lengths,
            clip=settings.clip,
            beta=settings.beta,
            by_answer=settings.by_answer,
        )

    return Stage(
        steps=steps,
        batches=of_step,
        loss=loss,
        count=lambda lessons: float(len(lessons.advantage) if settings.by_answer else len(lessons.old)),
        tokens=lambda lessons: len(lessons.batch.tokens),
    )


def _rollout(problem: Problem, text: str, answer: Answer) -> Rollout:
    return Rollout(
        text, len(answer.ids), answer.ended and verify.get(problem.verifier)(text, problem).correct, answer.ended
    )


def _packed(documents: Sequence[Document], tokens: int) -> list[list[int]]:
    return plan([len(each.ids) for each in documents], tokens, 1, 0) if documents else []


def _lessons(
    documents: Sequence[Document], worth: Sequence[float], old: Sequence[list[float]], numbers: list[int]
) -> Lessons:
    return Lessons(
        Batch.of(documents[i] for i in numbers),
        torch.tensor([worth[i] for i in numbers]),
        torch.tensor([value for i in numbers for value in old[i]]),
    )
