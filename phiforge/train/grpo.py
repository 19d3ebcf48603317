"""Group-relative policy optimisation (Shao et al. 2024): answers are sampled in groups, and each is pushed up or down by how
much better than its group it was. `groups.py` says how groups come about and what they teach.

Rollouts may serve several steps: `ahead` steps' prompts are sampled at once, and gone through `passes` times. The policy that
learns is then up to ahead * passes - 1 steps older than the one that sampled, which is its `age` in the log, and bounded by
`staleness`. Rollouts whose policy is still at hand after a kill are in `folder/rounds`, so nothing is sampled or logged twice.

    T tokens of all answers, end to end; n answers
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from typing import Literal

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from phiforge.model.phi3 import Phi3
from phiforge.train.batches import Batch, Document, hidden, plan
from phiforge.train.entropy import with_entropy
from phiforge.train.groups import Group, Prompt, Rebalance, Sampling, row, sample
from phiforge.train.loop import Stage
from phiforge.train.rewards import Judge, Reward, by_verifier, load
from phiforge.train.rollouts import RolloutDtype, Sampler, seed_of
from phiforge.train.run_folder import RunFolder

MISMATCH = 2.0  # times at most that a token weighs for being likelier to the learner than to a quantised sampler


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`prompts` a step, `group` answers each of at most `longest` tokens.

    The temperature goes from `temperature` to `last_temperature` over the first `annealing` of the steps, linearly.
    `beta` ties to the policy that sampled, or to the one training started from; `entropy` pays for open choices. `clip` bounds
    how far a token's chance may move within a round, down and up. `by_answer` averages over each answer's tokens first.
    """

    prompts: int = 8
    group: int = 8
    longest: int = 512
    temperature: float = 1.0
    last_temperature: float | None = None  # mini-reasoning: 0.6
    annealing: float = 0.5
    tokens: int = 4096  # of a micro-batch
    clip: tuple[float, float] = (0.2, 0.2)
    beta: float = 0.0
    tied_to: Literal["sampled", "start"] = "sampled"
    entropy: float = 0.0
    by_answer: bool = True
    ahead: int = 1
    passes: int = 1
    staleness: int = 0
    rebalance: Rebalance | None = None
    rollout_dtype: RolloutDtype = "same"
    seed: int = 0

    def check(self) -> None:
        """Raises ValueError, naming the setting, for values that cannot be."""
        for name, ok, expected in (
            ("prompts", self.prompts >= 1, "1 or more"),
            ("group", self.group >= 2, "2 or more: an answer is compared with its group"),
            ("longest", self.longest >= 1, "1 or more"),
            ("temperature", self.temperature > 0, "above 0"),
            ("last_temperature", self.last_temperature is None or self.last_temperature > 0, "above 0"),
            ("annealing", 0 < self.annealing <= 1, "above 0, and 1 at most"),
            ("beta", self.beta >= 0, "0 or more"),
            ("ahead", self.ahead >= 1, "1 or more"),
            ("passes", self.passes >= 1, "1 or more"),
        ):
            if not ok:
                raise ValueError(f"{name} = {getattr(self, name)} must be {expected}")
        if self.ahead * self.passes - 1 > self.staleness:
            raise ValueError(
                f"ahead = {self.ahead} and passes = {self.passes} make rollouts {self.ahead * self.passes - 1} steps old, "
                f"more than staleness = {self.staleness}"
            )

    def temperature_at(self, step: int, steps: int) -> float:
        if self.last_temperature is None:
            return self.temperature
        done = min(1.0, step / max(1.0, self.annealing * steps))
        return self.temperature + done * (self.last_temperature - self.temperature)


REASONING_PLUS = Settings(
    prompts=64, group=8, longest=31_744, tokens=32_768, beta=0.001, entropy=0.001
)  # as the report gives them; clipping and the sampling temperature it does not
MINI_REASONING = Settings(
    prompts=16, group=8, longest=25_000, tokens=25_600, last_temperature=0.6, rebalance=Rebalance(0.5, 128)
)


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
    entropy: Tensor | None = None,
    gamma: float = 0.0,
    weight: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped objective, negated, summed over answers (`by_answer`: mean over each one's tokens) or over tokens.

    policy, old, reference: log-probabilities [T] now, when sampled, and of the model that `beta` ties to (`old` if not
    given); advantage [n]; lengths of the answers. `gamma` pays for `entropy` [T]; `weight` [T] multiplies the objective of
    tokens that another policy drew. The divergence is estimated by exp(d) - d - 1, which is never negative (Schulman 2020).
    Sums for the log: share of clipped tokens, divergence and entropy, weighted as the loss is.
    """
    ratio = (policy - old).exp()
    each = advantage.repeat_interleave(torch.tensor(lengths, device=policy.device))
    bounded = ratio.clamp(1 - clip[0], 1 + clip[1])
    value = torch.minimum(ratio * each, bounded * each)
    if weight is not None:
        value = value * weight
    apart = (old if reference is None else reference) - policy
    divergence = apart.exp() - apart - 1
    if beta:
        value = value - beta * divergence
    if gamma and entropy is not None:
        value = value + gamma * entropy
    clipped = ((ratio < 1 - clip[0]) & (each < 0)) | ((ratio > 1 + clip[1]) & (each > 0))

    def total(tokens: Tensor) -> Tensor:
        if not by_answer:
            return tokens.sum()
        return torch.stack([part.mean() for part in tokens.split(list(lengths))]).sum()

    with torch.no_grad():
        sums = {"clipped": float(total(clipped.float())), "divergence": float(total(divergence))}
        if entropy is not None:
            sums["entropy"] = float(total(entropy))
    return -total(value), sums


# --- the stage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lessons:
    """A micro-batch: answers as documents and what each is worth above its group [n]; log-probabilities [T] when sampled
    (None where the policy has not moved since), by the quantised sampler, and by the model that `beta` ties to. `also` are
    sums for the log."""

    batch: Batch
    advantage: Tensor
    temperature: float
    old: Tensor | None = None
    sampled: Tensor | None = None
    reference: Tensor | None = None
    also: dict[str, float] = field(default_factory=dict)


class Round(Struct, frozen=True):
    """Groups sampled by one policy for `ahead` steps, from step `first` on."""

    first: int
    temperature: float
    parts: list[list[Group]]


def stage(
    model: Phi3,
    prompts: Sequence[Prompt],
    decode: Callable[[Sequence[int]], str],
    stop_ids: Sequence[int],
    folder: str | Path,
    *,
    steps: int,
    reward: Reward | None = None,
    judge: Judge = by_verifier,
    settings: Settings | None = None,
    memory: int | None = None,
) -> Stage[Lessons]:
    """Answers to `settings.prompts` problems a step, judged by their verifiers (or by `judge`) and paid by `reward`.

    `model` is what is trained, as training starts: its weights are read whenever a round begins. `decode` gives an answer's
    text, special tokens included where the reward looks for them. `folder/groups.jsonl` says of every group what it taught,
    or why nothing. Raises ValueError without a prompt, or for settings that cannot be.
    """
    settings = settings or Settings()
    settings.check()
    if not prompts:
        raise ValueError("there is no problem to learn from")
    sampler = Sampler(model, stop_ids, dtype=settings.rollout_dtype, memory=memory)
    start = deepcopy(model).eval().requires_grad_(False) if settings.beta and settings.tied_to == "start" else None
    rounds = _Rounds(model, prompts, sampler, Path(folder), steps, settings, decode, reward or load("plain"), judge)

    def of_step(step: int) -> list[Lessons]:
        found, age = rounds.of(step)
        part = found.parts[step % settings.ahead]
        rounds.log(step, age, found.temperature, part)
        batches = [
            _lessons(some, prompts, found.temperature, aged=rounds.outlives)
            for some in _packed(part, prompts, settings.tokens)
        ]
        if start is not None:
            batches = [_referred(start, each) for each in batches]
        return _noted(batches, part, found.temperature, age, settings)

    def loss(policy: Phi3, lessons: Lessons) -> tuple[Tensor, dict[str, float]]:
        now, entropy, lengths = _weighed(policy, lessons.batch, lessons.temperature)
        old = now.detach() if lessons.old is None else lessons.old
        weight, sums = None, dict(lessons.also)
        if lessons.sampled is not None:
            weight = (old - lessons.sampled).exp().clamp(max=MISMATCH)
            sums["mismatch"] = float((old - lessons.sampled).abs().mean()) * len(lengths)
        value, more = grpo_loss(
            now, old, lessons.advantage, lengths, clip=settings.clip, beta=settings.beta, reference=lessons.reference,
            by_answer=settings.by_answer, entropy=entropy, gamma=settings.entropy, weight=weight,
        )  # fmt: skip
        return value, sums | more

    return Stage(
        steps=steps,
        batches=of_step,
        loss=loss,
        count=lambda lessons: _count(lessons, settings.by_answer),
        tokens=lambda lessons: len(lessons.batch.tokens),
    )


class _Rounds:
    """Sampled groups, kept on disk as long as a checkpoint may need them again."""

    def __init__(
        self,
        model: Phi3,
        prompts: Sequence[Prompt],
        sampler: Sampler,
        folder: Path,
        steps: int,
        settings: Settings,
        decode: Callable[[Sequence[int]], str],
        reward: Reward,
        judge: Judge,
    ) -> None:
        self.model, self.prompts, self.sampler, self.settings, self.steps = model, prompts, sampler, settings, steps
        self.decode, self.reward, self.judge = decode, reward, judge
        self.outlives = settings.ahead * settings.passes > 1  # whether a round serves more than one step
        self._folder, self._run = folder / "rounds", RunFolder(folder)
        self._groups = folder / "groups.jsonl"
        self._begun = False
        if self.outlives:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._last: Round | None = None

    def of(self, step: int) -> tuple[Round, int]:
        """The round that a step learns from, and how many steps ago it was sampled."""
        age = step % (self.settings.ahead * self.settings.passes)
        first = step - age
        if self._last is None or self._last.first != first:
            self._last = self._kept(first) or self._sampled(first)
        return self._last, age

    def _kept(self, first: int) -> Round | None:
        file = self._folder / f"{first:08}.json"
        return msgspec.json.decode(file.read_bytes(), type=Round) if file.exists() else None

    def _sampled(self, first: int) -> Round:
        """By the policy as it is: only ever asked for before step `first` has been taken."""
        settings = self.settings
        quantised = settings.rollout_dtype != "same"
        temperature = settings.temperature_at(first, self.steps)
        chosen: list[list[int]] = []
        for step in range(first, first + settings.ahead):
            chance = Random(f"{settings.seed} {step}")
            chosen.append(chance.sample(range(len(self.prompts)), min(settings.prompts, len(self.prompts))))
        self.sampler.refresh()
        # A prompt that two steps of a round have drawn is sampled for each of them.
        parts = [
            sample(
                self.sampler, self.prompts, some, self.decode, self.reward, self.judge,
                Sampling(
                    settings.group, settings.longest, temperature, seed_of(settings.seed, first + i), quantised,
                    settings.rebalance,
                ),
            )
            for i, some in enumerate(chosen)
        ]  # fmt: skip
        found = Round(first, temperature, parts)
        if self.outlives:
            found = msgspec.structs.replace(found, parts=[self._weighed(part, temperature) for part in parts])
            file = self._folder / f"{first:08}.json"
            partial = file.with_suffix(".part")
            partial.write_bytes(msgspec.json.encode(found))
            partial.replace(file)
            self._forget(first)
        return found

    @torch.no_grad()
    def _weighed(self, part: list[Group], temperature: float) -> list[Group]:
        """With the log-probabilities that the policy gives its answers before it moves."""
        old: dict[tuple[int, int], list[float]] = {}
        for some in _packed(part, self.prompts, self.settings.tokens):
            batch = Batch.of(_document(self.prompts, group, k) for group, k, _ in some)
            now, _, lengths = _weighed(self.model, batch, temperature)
            for (group, k, _), values in zip(some, now.split(lengths), strict=True):
                old[group.prompt, k] = values.tolist()
        return [
            msgspec.structs.replace(group, old=[old[group.prompt, k] for k, _ in _taught(group)]) for group in part
        ]

    def _forget(self, first: int) -> None:
        """Rounds that were over before the oldest checkpoint."""
        checkpoints = self._run.checkpoints()
        oldest = int(checkpoints[0].stem) if checkpoints else 0
        for file in self._folder.glob("*.json"):
            if int(file.stem) + self.settings.ahead * self.settings.passes <= min(oldest, first):
                file.unlink()

    def log(self, step: int, age: int, temperature: float, part: list[Group]) -> None:
        """Say of each group what it taught. A resumed run first forgets what was said of steps it takes again."""
        if not self._begun:
            self._begun = True
            lines = self._groups.read_bytes().splitlines(True) if self._groups.exists() else []
            whole = [line for line in lines if line.endswith(b"\n")]
            kept = [line for line in whole if msgspec.json.decode(line)["step"] <= step]
            partial = self._groups.with_suffix(".part")
            self._groups.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(b"".join(kept))
            os.replace(partial, self._groups)
        about = {"step": step + 1, "age": age, "temperature": round(temperature, 4)}
        with self._groups.open("ab") as file:
            file.writelines(
                msgspec.json.encode(about | row(group, self.prompts[group.prompt].problem)) + b"\n" for group in part
            )


def _taught(group: Group) -> list[tuple[int, float]]:
    """The answers of a group that teach something, with how much."""
    pairs = zip(group.kept, group.advantages, strict=True)
    return [(k, worth) for k, worth in pairs if worth and group.answers[k].ids]


def _document(prompts: Sequence[Prompt], group: Group, k: int) -> Document:
    prompt, answer = prompts[group.prompt].ids, group.answers[k].ids
    return Document([*prompt, *answer], [0.0] * len(prompt) + [1.0] * len(answer))


Taught = tuple[Group, int, float]  # a group, the place of an answer in it, and what that is worth


def _packed(part: Sequence[Group], prompts: Sequence[Prompt], tokens: int) -> Iterator[list[Taught]]:
    """All that teaches, in micro-batches; an answer that is longer than those is one by itself."""
    all_of_it = [(group, k, worth) for group in part for k, worth in _taught(group)]
    sizes = [len(prompts[group.prompt].ids) + len(group.answers[k].ids) for group, k, _ in all_of_it]
    if all_of_it:
        for numbers in plan(sizes, max(tokens, *sizes), 1, 0):
            yield [all_of_it[i] for i in numbers]


def _lessons(some: list[Taught], prompts: Sequence[Prompt], temperature: float, aged: bool) -> Lessons:
    def tensor(values: list[list[float]]) -> Tensor | None:
        return torch.tensor(list(chain.from_iterable(values))) if all(values) else None

    old = [group.old[[k for k, _ in _taught(group)].index(at)] for group, at, _ in some] if aged else [[]]
    return Lessons(
        Batch.of(_document(prompts, group, k) for group, k, _ in some),
        torch.tensor([worth for _, _, worth in some]),
        temperature,
        old=tensor(old),
        sampled=tensor([group.answers[k].logprobs for group, k, _ in some]),
    )


def _weighed(model: Phi3, batch: Batch, temperature: float) -> tuple[Tensor, Tensor, list[int]]:
    """Log-probabilities [T] and entropies [T] of a batch's answers at a temperature, and their lengths."""
    taught = batch.weights > 0
    states = hidden(model, batch)[taught]
    now, entropy = with_entropy(
        states / temperature if temperature != 1 else states, model.lm_head.weight, batch.labels[taught]
    )
    return now, entropy, [int(part.sum()) for part in taught.split(batch.lengths)]


@torch.no_grad()
def _referred(start: Phi3, lessons: Lessons) -> Lessons:
    now, _, _ = _weighed(start, lessons.batch, lessons.temperature)
    return Lessons(
        lessons.batch, lessons.advantage, lessons.temperature, lessons.old, lessons.sampled, now, lessons.also
    )


def _count(lessons: Lessons, by_answer: bool) -> float:
    return float(len(lessons.advantage) if by_answer else int((lessons.batch.weights > 0).sum()))


def _noted(
    batches: list[Lessons], part: list[Group], temperature: float, age: int, settings: Settings
) -> list[Lessons]:
    """With what the step's answers were, for the log; the loop divides sums by the step's count."""
    if not batches:
        return batches
    rollouts = [each for group in part for each in group.rollouts]
    rewards = [each for group in part for each in group.rewards]
    about = {
        "right": sum(each.correct for each in rollouts) / len(rollouts), "reward": sum(rewards) / len(rewards),
        "length": sum(each.tokens for each in rollouts) / len(rollouts), "age": float(age),
        "taught": sum(group.lesson == "taught" for group in part) / len(part), "temperature": temperature,
    }  # fmt: skip
    count = sum(_count(each, settings.by_answer) for each in batches)
    batches[0].also.update({key: value * count for key, value in about.items()})
    return batches
