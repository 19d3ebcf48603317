"""Rollouts on disk: groups sampled by one policy for some steps, kept as long as a checkpoint may need them again, and the log
of what each group taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import torch
from msgspec import Struct

from phiforge.files import whole, whole_lines
from phiforge.model.phi3 import Phi3
from phiforge.train import distributed
from phiforge.train.groups import Group, Prompt, Sampling, row, sample
from phiforge.train.lessons import packed, weighed
from phiforge.train.rewards import Judge, Reward
from phiforge.train.rollouts import Sampler, seed_of
from phiforge.train.run_folder import RunFolder
from phiforge.train.shared import Shared

if TYPE_CHECKING:
    from phiforge.train.grpo import Settings


class Round(Struct, frozen=True):
    """Groups sampled by one policy for `ahead` steps, from step `first` on."""

    first: int
    temperature: float
    parts: list[list[Group]]


class Rounds:
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
        tokens: int,
    ) -> None:
        self.model, self.prompts, self.sampler, self.settings, self.steps = model, prompts, sampler, settings, steps
        self.decode, self.reward, self.judge, self.tokens = decode, reward, judge, tokens
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

    def begins(self, step: int) -> bool:
        """Whether a round begins with the step."""
        return step % (self.settings.ahead * self.settings.passes) == 0

    def _kept(self, first: int) -> Round | None:
        file = self._folder / f"{first:08}.json"
        return msgspec.json.decode(file.read_bytes(), type=Round) if file.exists() else None

    def _sampled(self, first: int) -> Round:
        """By the policy as it is: only ever asked for before step `first` has been taken. Each process samples its share of
        the prompts; which one does makes no difference to the answers."""
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
                self.sampler, self.prompts, some[distributed.rank() :: distributed.size()], self.decode, self.reward, self.judge,
                Sampling(
                    settings.group, settings.longest, temperature, seed_of(settings.seed, first + i), quantised,
                    settings.rebalance,
                ),
            )
            for i, some in enumerate(chosen)
        ]  # fmt: skip
        if self.outlives:
            parts = [self._with_chances(part, temperature) for part in parts]
        found = Round(first, temperature, [_in_turn(each) for each in zip(*distributed.gathered(parts), strict=True)])
        if self.outlives and distributed.rank() == 0:
            file = self._folder / f"{first:08}.json"
            with whole(file) as partial:
                partial.write_bytes(msgspec.json.encode(found))
            self._forget(first)
        return found

    @torch.no_grad()
    def _with_chances(self, part: list[Group], temperature: float) -> list[Group]:
        """With the log-probabilities that the policy gives its answers before it moves."""
        old: dict[tuple[int, int], list[float]] = {}
        for some in packed(part, self.prompts, self.tokens):
            batch = Shared.of_groups(unit.begun(self.prompts) for unit in some)
            each = [(unit.group.prompt, k) for unit in some for k in unit.places]
            now, _ = weighed(self.model, batch, temperature)
            old |= {key: values.tolist() for key, values in zip(each, now.split(batch.answers), strict=True)}
        return [
            msgspec.structs.replace(
                group, old=[old.get((group.prompt, k), []) for k in range(len(group.answers))]
            )
            for group in part
        ]  # fmt: skip

    def _forget(self, first: int) -> None:
        """Rounds that were over before the oldest checkpoint."""
        checkpoints = self._run.checkpoints()
        oldest = int(checkpoints[0].stem) if checkpoints else 0
        for file in self._folder.glob("*.json"):
            if int(file.stem) + self.settings.ahead * self.settings.passes <= min(oldest, first):
                file.unlink()

    def log(self, step: int, age: int, temperature: float, part: list[Group]) -> None:
        """Say of each group what it taught. A resumed run first forgets what was said of steps it takes again."""
        if distributed.rank() > 0:
            return
        if not self._begun:
            self._begun = True
            kept = [line for line in whole_lines(self._groups) if msgspec.json.decode(line)["step"] <= step]
            with whole(self._groups) as partial:
                partial.write_bytes(b"".join(kept))
        about = {"step": step + 1, "age": age, "temperature": round(temperature, 4)}
        with self._groups.open("ab") as file:
            file.writelines(
                msgspec.json.encode(about | row(group, self.prompts[group.prompt].problem)) + b"\n" for group in part
            )


def _in_turn(shares: Sequence[Sequence[Group]]) -> list[Group]:
    """The groups that the processes have sampled, in the order of all prompts."""
    return [share[i] for i in range(max(map(len, shares))) for share in shares if i < len(share)]
