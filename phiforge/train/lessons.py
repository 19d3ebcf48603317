"""Groups as micro-batches: what of them teaches, packed, with its prompts shared, and weighed by a network.

T tokens of all answers, end to end; n answers
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from phiforge.model.phi3 import Phi3
from phiforge.train.batches import hidden, plan
from phiforge.train.groups import Group, Prompt
from phiforge.train.loss import with_entropy
from phiforge.train.shared import Begun, Shared


@dataclass(frozen=True)
class Lessons:
    """A micro-batch: answers and what each is worth above its group [n]; log-probabilities [T] of their tokens when sampled
    (None where the policy has not moved since), by the quantised sampler, and by the model that `beta` ties to. `also` are
    sums for the log."""

    batch: Shared
    advantage: Tensor
    temperature: float
    old: Tensor | None = None
    sampled: Tensor | None = None
    reference: Tensor | None = None
    also: dict[str, float] = field(default_factory=dict)


class Unit(NamedTuple):
    """Answers of a group that teach something, by their places in it, with what each is worth."""

    group: Group
    places: list[int]
    worth: list[float]

    def begun(self, prompts: Sequence[Prompt]) -> Begun:
        return Begun(prompts[self.group.prompt].ids, [self.group.answers[k].ids for k in self.places])


def _units(group: Group, prompt: int, tokens: int) -> Iterator[Unit]:
    """All of a group that teaches, with its prompt of so many tokens, in parts that fit a micro-batch where they can."""
    unit, room = Unit(group, [], []), tokens - prompt
    for k, worth in zip(group.kept, group.advantages, strict=True):
        length = len(group.answers[k].ids)
        if not worth or not length:
            continue
        if unit.places and length > room:
            yield unit
            unit, room = Unit(group, [], []), tokens - prompt
        unit.places.append(k)
        unit.worth.append(worth)
        room -= length
    if unit.places:
        yield unit


def packed(part: Sequence[Group], prompts: Sequence[Prompt], tokens: int) -> Iterator[list[Unit]]:
    """All that teaches, in micro-batches; an answer that is longer than those is one by itself."""
    units = [unit for group in part for unit in _units(group, len(prompts[group.prompt].ids), tokens)]
    sizes = [
        len(prompts[unit.group.prompt].ids) + sum(len(unit.group.answers[k].ids) for k in unit.places)
        for unit in units
    ]  # fmt: skip
    if units:
        for numbers in plan(sizes, max(tokens, *sizes), 1, 0):
            yield [units[i] for i in numbers]


def lessons_of(some: list[Unit], prompts: Sequence[Prompt], temperature: float, aged: bool) -> Lessons:
    def tensor(values: list[list[float]]) -> Tensor | None:
        return torch.tensor(list(chain.from_iterable(values))) if all(values) else None

    each = [(unit.group, k) for unit in some for k in unit.places]
    return Lessons(
        Shared.of_groups(unit.begun(prompts) for unit in some),
        torch.tensor([worth for unit in some for worth in unit.worth]),
        temperature,
        old=tensor([group.old[k] for group, k in each]) if aged else None,
        sampled=tensor([group.answers[k].logprobs for group, k in each]),
    )


def weighed(model: Phi3, batch: Shared, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probabilities [A] and entropies [A] of a batch's answers at a temperature."""
    states = hidden(model, batch)[batch.rows]
    if temperature != 1:
        states = states / temperature
    return with_entropy(states, model.lm_head.weight, batch.targets)


@torch.no_grad()
def referred(start: Phi3, lessons: Lessons) -> Lessons:
    return replace(lessons, reference=weighed(start, lessons.batch, lessons.temperature)[0])


def count(lessons: Lessons, by_answer: bool) -> float:
    return float(len(lessons.advantage) if by_answer else len(lessons.batch.targets))
