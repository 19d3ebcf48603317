"""Group-relative policy optimisation (Shao et al. 2024): answers are sampled in groups, and each is pushed up or down by how
much better than its group it was. `groups.py` says how groups come about and what they teach.

Rollouts may serve several steps: `ahead` steps' prompts are sampled at once, and gone through `passes` times. The policy that
learns is then up to ahead * passes - 1 steps older than the one that sampled, which is its `age` in the log, and bounded by
`staleness`. Rollouts whose policy is still at hand after a kill are in `folder/rounds`, so nothing is sampled or logged twice.

    T tokens of all answers, end to end; n answers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Literal

import torch
from msgspec import Struct
from torch import Tensor

from phiforge.model.phi3 import Phi3
from phiforge.train.groups import Group, Prompt, Rebalance
from phiforge.train.lessons import Lessons, count, lessons_of, packed, referred, weighed
from phiforge.train.loop import Stage
from phiforge.train.rewards import Judge, Reward, by_verifier, load
from phiforge.train.rollouts import RolloutDtype, Sampler
from phiforge.train.rounds import Rounds

MISMATCH = 2.0  # times at most that a token weighs for being likelier to the learner than to a quantised sampler


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`prompts` a step, `group` answers each of at most `longest` tokens.

    The temperature goes from `temperature` to `last_temperature` over the first `annealing` of the steps, linearly.
    `beta` ties to the policy that sampled, which moves nothing while each round serves one step (the two are one then), or to the
    one training started from; `entropy` pays for open choices. `clip` bounds how far a token's chance may move within a round,
    down and up. `by_answer` averages over each answer's tokens first.
    """

    prompts: int = 8
    group: int = 8
    longest: int = 512
    temperature: float = 1.0
    last_temperature: float | None = None  # mini-reasoning: 0.6
    annealing: float = 0.5
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


def stage(
    model: Phi3,
    prompts: Sequence[Prompt],
    decode: Callable[[Sequence[int]], str],
    stop_ids: Sequence[int],
    folder: str | Path,
    *,
    steps: int,
    tokens: int = 4096,
    reward: Reward | None = None,
    judge: Judge = by_verifier,
    settings: Settings | None = None,
    memory: int | None = None,
) -> Stage[Lessons]:
    """Answers to `settings.prompts` problems a step, judged by their verifiers (or by `judge`) and paid by `reward`, in
    micro-batches of at most `tokens`.

    `model` is what is trained, as training starts: its weights are read whenever a round begins, and processes share the
    sampling. `decode` gives an answer's text, special tokens included where the reward looks for them. `folder/groups.jsonl`
    says of every group what it taught, or why nothing. Raises ValueError without a prompt, or for settings that cannot be.
    """
    settings = settings or Settings()
    settings.check()
    if not prompts:
        raise ValueError("there is no problem to learn from")
    sampler = Sampler(model, stop_ids, dtype=settings.rollout_dtype, memory=memory)
    start = deepcopy(model).eval().requires_grad_(False) if settings.beta and settings.tied_to == "start" else None
    paid = reward or load("plain")
    rounds = Rounds(model, prompts, sampler, Path(folder), steps, settings, decode, paid, judge, tokens)

    def of_step(step: int) -> list[Lessons]:
        found, age = rounds.of(step)
        part = found.parts[step % settings.ahead]
        rounds.log(step, age, found.temperature, part)
        batches = [
            lessons_of(some, prompts, found.temperature, aged=rounds.outlives)
            for some in packed(part, prompts, tokens)
        ]
        if start is not None:
            batches = [referred(start, each) for each in batches]
        return _noted(batches, part, found.temperature, age, settings)

    def loss(policy: Phi3, lessons: Lessons) -> tuple[Tensor, dict[str, float]]:
        now, entropy = weighed(policy, lessons.batch, lessons.temperature)
        lengths = lessons.batch.answers
        old = now.detach() if lessons.old is None else lessons.old
        weight, sums = None, dict(lessons.also)
        if lessons.sampled is not None:
            weight = (old - lessons.sampled).exp().clamp(max=MISMATCH)
            sums["mismatch"] = float((old - lessons.sampled).abs().mean()) * count(lessons, settings.by_answer)
        value, more = grpo_loss(
            now, old, lessons.advantage, lengths, clip=settings.clip, beta=settings.beta, reference=lessons.reference,
            by_answer=settings.by_answer, entropy=entropy, gamma=settings.entropy, weight=weight,
        )  # fmt: skip
        return value, sums | more

    return Stage(
        steps=steps,
        batches=of_step,
        loss=loss,
        count=lambda lessons: count(lessons, settings.by_answer),
        tokens=lambda lessons: len(lessons.batch),
        samples=rounds.begins,
    )


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
    total = sum(count(each, settings.by_answer) for each in batches)
    batches[0].also.update({key: value * total for key, value in about.items()})
    return batches
