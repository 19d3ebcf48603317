"""What each kind of stage learns: from a recipe's words to batches and a loss, as the loop takes them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from msgspec.structs import replace

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.lm import open_model
from phiforge.lm.local import LocalModel
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.phi3 import Phi3
from phiforge.records import Example, Problem, Verdict
from phiforge.store.models import find
from phiforge.train import (
    distil,
    distributed,
    dpo,
    groups,
    grpo,
    midtrain,
    pairs,
    pivotal,
    pivotal_run,
    pretrain,
    rewards,
    sft,
)
from phiforge.train.asking import Account
from phiforge.train.batches import Document, stream
from phiforge.train.environments import Environment
from phiforge.train.loop import Stage as Work
from phiforge.train.loop import Step
from phiforge.train.recipe import AnyStage, Distil, Dpo, Grpo, Midtrain, Pretrain, Reading, Sft, Stage
from phiforge.train.rollouts import Sampler, seed_of, to_sample

Progress = Callable[[str, Step | None], None]
"""`progress(what, step)`: what is done now, and in training which step is done."""


Seeded = TypeVar(
    "Seeded", grpo.Settings, distil.Sampled, pivotal.Settings, pairs.Rolled, pairs.Refusals, pairs.Judged
)  # fmt: skip


class Works:
    """A recipe's data, as its stages learn from it. `data` says where each source is, or which environment it is; `name` whose
    chat format it is."""

    def __init__(
        self, name: str, data: dict[str, str | Environment], format: ChatFormat, seed: int, progress: Progress
    ) -> None:
        self.name, self.data, self.format, self.seed, self.progress = name, data, format, seed, progress
        self.tokenizer = format.tokenizer
        environments = [each for each in data.values() if isinstance(each, Environment)]
        self._judges = {problem.id: each.judge for each in environments for problem in each.problems}

    def judge(self, text: str, problem: Problem) -> Verdict:
        """By the problem's environment, or its verifier."""
        return self._judges.get(problem.id, rewards.by_verifier)(text, problem)

    def judgeable(self, name: str) -> list[Problem]:
        """The problems of a source whose answers can be judged."""
        return [each for each in self.problems(name) if each.verifier or each.id in self._judges]

    def made(self, stage: AnyStage, model: Phi3, folder: Path) -> list[Any]:
        """What a stage learns from that a model makes first: pairs, or a teacher's answers. Goes on with what is there."""
        if isinstance(stage, Dpo):
            return self._pairs(stage, model, folder)
        if isinstance(stage, Distil) and stage.learn == "answers":
            problems = [prompt.problem for prompt in self._prompts(stage)][: stage.problems or None]
            how, said = self._seeded(stage.sampled), self._counting(stage)
            with open_model(stage.teacher) if stage.teacher else self._own(stage, model) as teacher:
                distil.sample(teacher, problems, folder, how, judge=self.judge, progress=said)
            return list(mixture.rows(str(folder / "examples.jsonl")))
        return []

    def work(self, stage: AnyStage, model: Phi3, made: list[Any], folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        """The stage as the loop takes it, and what the result says of its data. `model` is as the stage begins."""
        self.progress(f"{stage.title}: reading", None)
        if isinstance(stage, Sft):
            return self._mixed(stage)
        if isinstance(stage, Distil):
            return self._answers(stage, made) if stage.learn == "answers" else self._chances(stage, model, folder)
        if isinstance(stage, Dpo):
            return self._dpo(stage, model, made, folder)
        if isinstance(stage, Grpo):
            return self._grpo(stage, model, folder)
        texts, kept, entries = self._texts(stage)
        work = pretrain.stage(texts, length=stage.length, z=stage.z, held_out=kept, **self._reading(stage))
        return work, {"documents": len(texts), "ledger": entries}

    def _drawn(self, stage: Stage) -> int:
        """What the order of a stage's data is drawn from: a stage that reads a part of the same sources reads another part."""
        return seed_of(self.seed, stage.title)

    def _reading(self, stage: Reading) -> dict[str, Any]:
        return {
            "tokens": stage.micro, "accumulate": stage.batch // stage.micro, "seed": self._drawn(stage),
            "held_out_every": stage.every,
        }  # fmt: skip

    def _answers(self, stage: Distil, rows: Sequence[Example]) -> tuple[Work[Any], dict[str, Any]]:
        learnt, kept, too_long = self._chats(stage, rows)
        work = sft.stage(learnt, epochs=stage.epochs, held_out=kept, **self._reading(stage))
        return work, {"documents": len(learnt), "too_long": too_long}

    def _mixed(self, stage: Sft) -> tuple[Work[Any], dict[str, Any]]:
        """Chats and texts: all that the sources have, or in shares of the stage's tokens."""
        learnt: dict[str, list[Document]] = {}
        kept: list[Document] = []
        about: dict[str, Any] = {"too_long": 0}
        for name in stage.sources:
            if self._is_text(name):
                pieces = list(stream(pretrain.read(self._place(name), self.tokenizer), stage.length))
                learnt[name], aside = _apart(pieces, stage.held_out)
            else:
                chats, aside, too_long = self._chats(stage, self.rows(name))
                learnt[name] = [sft.with_prompt(each, stage.prompt) for each in chats]
                about["too_long"] += too_long
            if name in stage.recall:
                learnt[name] = [each._replace(recalled=True) for each in learnt[name]]
            kept += aside
        documents = [each for name in stage.sources for each in learnt[name]]
        if stage.mix:
            documents, about["ledger"] = pretrain.mixed(
                learnt, stage.mix, stage.tokens, self._drawn(stage), lambda each: len(each.ids)
            )
        epochs, teacher = 1 if stage.mix else stage.epochs, self._teacher(stage) if stage.recall else None
        work = sft.stage(documents, epochs=epochs, held_out=kept, teacher=teacher, **self._reading(stage))
        return work, {"documents": len(documents), **about}

    def _chats(self, stage: Reading, rows: Sequence[Example]) -> tuple[list[Document], list[Document], int]:
        """Rows as the model reads them: those to learn, those to measure on, and how many were too long."""
        found = [sft.document(self.format, row) for row in rows]
        if idle := [row.problem.id for row, each in zip(rows, found, strict=True) if not any(each.weights[1:])]:
            raise ValueError(f"stage {stage.title!r}: row {idle[0]} has no token to learn")
        fit = [each for each in found if len(each.ids) <= stage.length]
        if not fit:
            raise ValueError(
                f"stage {stage.title!r}: none of {len(found)} rows of {', '.join(stage.sources)} has at most "
                f"{stage.length} tokens"
            )
        return *_apart(fit, stage.held_out), len(found) - len(fit)

    def _chances(self, stage: Distil, model: Phi3, folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        learnt, _, too_long = self._chats(replace(stage, held_out=0.0), self._all_rows(stage))
        how = self._reading(stage)
        work = distil.stage(
            self._teacher(stage), model, learnt, folder, tokens=how["tokens"], epochs=stage.epochs, accumulate=how["accumulate"],
            seed=how["seed"], temperature=stage.temperature, mix=stage.share, top_k=stage.top_k,
        )  # fmt: skip
        return work, {"documents": len(learnt), "too_long": too_long}

    def _teacher(self, stage: Distil | Sft) -> Phi3:
        """A stage's teacher, of whose chances it learns. Raises ValueError for one with another vocabulary."""
        source = open_source(find(stage.teacher))
        with TemporaryDirectory() as folder:
            source.companions(Path(folder))
            words = Tokenizer.from_folder(folder).token_bytes()
        if words != self.tokenizer.token_bytes():
            raise ValueError(
                f"stage {stage.title!r}: {stage.teacher} has other words than the model that learns: its answers can be learnt "
                'from (distil with learn = "answers"), its chances cannot'
            )
        return checkpoint.assemble(source.config, source.tensors, dtype=torch.float32)

    def _dpo(self, stage: Dpo, model: Phi3, found: list[dpo.Pair], folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        begun = [pair.begun(stage.first) for pair in found] if stage.first else found
        apart = [pair for pair in begun if list(pair.chosen) != list(pair.rejected)]
        fit = [pair for pair in apart if sum(map(len, pair)) + len(pair.prompt) <= stage.length]
        alike, too_long = len(begun) - len(apart), len(apart) - len(fit)
        if not fit:
            raise ValueError(
                f"stage {stage.title!r}: {stage.problems} problems gave no pair that fits ({too_long} are too long, {alike} "
                "alike); a model that solves all or none of them gives none: take others, or more"
            )
        work = dpo.stage(
            model, fit, folder, beta=stage.beta, nll=stage.nll, tokens=stage.micro, epochs=stage.epochs,
            accumulate=stage.batch // stage.micro, seed=self.seed,
        )  # fmt: skip
        return work, {"documents": len(fit), "too_long": too_long, "alike": alike}

    def _pairs(self, stage: Dpo, model: Phi3, folder: Path) -> list[dpo.Pair]:
        """Made by the model as it is, or gone on with where a stopped search was."""
        prompts = self._prompts(stage)[: stage.problems]
        if stage.pairs == "pivotal":
            sampler = Sampler(model, self.format.stop_ids, dtype=stage.rollout_dtype)
            pivotal_run.run(
                sampler, prompts, self._decode, folder, self._seeded(stage.search), judge=self.judge,
                progress=lambda cost: self.progress(
                    f"{stage.title}: {cost.pairs} pairs from {cost.prompts} of {len(prompts)} problems", None
                ),
            )  # fmt: skip
            return pivotal_run.pairs(folder)
        problems, said = [prompt.problem for prompt in prompts], self._counting(stage)
        with self._own(stage, model) as own, ExitStack() as opened:
            if stage.pairs == "rollouts":
                pairs.rolled(own, problems, folder, self._seeded(stage.rolled), judge=self.judge, progress=said)
            elif stage.pairs == "refusals":
                pairs.refusals(own, problems, folder, self._seeded(stage.refusals), judge=self.judge, progress=said)
            else:
                judge, *others = (opened.enter_context(open_model(name)) for name in (stage.judge, *stage.others))
                candidates = [pairs.Candidates(own, 0.7), pairs.Candidates(own, 1.0), *map(pairs.Candidates, others)]
                pairs.judged(candidates, judge, problems, folder, self._seeded(stage.judged), progress=said)
        return [pairs.tokens(self.format, each) for each in pairs.read(folder)]

    def _own(self, stage: Dpo | Distil, model: Phi3) -> LocalModel:
        """The model that is trained, as it is, to answer."""
        return LocalModel(to_sample(model, stage.rollout_dtype), self.tokenizer, name=self.name)

    def _seeded(self, how: Seeded) -> Seeded:
        """A stage's settings, whose seed counts from the recipe's."""
        return replace(how, seed=how.seed + self.seed)

    def _counting(self, stage: Stage) -> Callable[[Account], None]:
        return lambda account: self.progress(f"{stage.title}: {account.kept} from {account.problems} problems", None)

    def _grpo(self, stage: Grpo, model: Phi3, folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        prompts = self._prompts(stage)
        how = self._seeded(stage.settings)
        if stage.select:
            sampler = Sampler(model, self.format.stop_ids)
            every, chosen = prompts, stage.select
            prompts = distributed.by_first(
                lambda: groups.select(
                    sampler, every, folder, chosen, group=how.group, longest=how.longest, seed=how.seed
                )
            )
        reward = rewards.load(stage.reward, scale=stage.scale)
        work = grpo.stage(
            model, prompts, self._decode, self.format.stop_ids, folder, steps=stage.steps, tokens=stage.micro,
            reward=reward, judge=self.judge, settings=how,
        )  # fmt: skip
        return work, {"documents": len(prompts)}

    def _prompts(self, stage: Stage) -> list[groups.Prompt]:
        """The data's problems that have a verifier, as the model reads them."""
        found: list[groups.Prompt] = []
        for problem in (each for name in stage.sources for each in self.judgeable(name)):
            prompt = self.format.render(problem.messages, tools=problem.metadata.get("tools"))
            opened = "<think>" if prompt.text.rstrip().endswith("<think>") else ""
            found.append(groups.Prompt(prompt.ids, problem, opened))
        if not found:
            raise ValueError(f"stage {stage.title!r}: its data has no problem with a verifier")
        Random(self._drawn(stage)).shuffle(found)
        return found

    def _decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special=False)

    def _texts(self, stage: Pretrain | Midtrain) -> tuple[list[array[int]], list[array[int]], list[mixture.Entry]]:
        """Texts to learn, in the mixture's order, those to measure on, and the ledger."""
        learnt: dict[str, list[array[int]]] = {}
        kept: list[array[int]] = []
        for name in stage.sources:
            learnt[name], aside = _apart(pretrain.read(self._place(name), self.tokenizer), stage.held_out)
            if not learnt[name]:
                raise ValueError(f"stage {stage.title!r}: [data.{name}] has no text to learn")
            kept += aside
        shares, tokens = stage.mix, stage.tokens
        if not shares:
            sizes = {name: sum(map(len, each)) for name, each in learnt.items()}
            tokens = round(stage.epochs * sum(sizes.values()))
            shares = {name: size / sum(sizes.values()) for name, size in sizes.items()}
        if isinstance(stage, Midtrain) and stage.long:
            rows = [row for name in stage.sources if self.problems(name) for row in self.rows(name)]
            size = round(stage.long * tokens)
            learnt["long"] = midtrain.books(rows, self.tokenizer, stage.length, size, self._drawn(stage))
            shares = {name: share * (1 - stage.long) for name, share in shares.items()} | {"long": stage.long}
        texts, entries = pretrain.mixed(learnt, shares, tokens, self._drawn(stage))
        return texts, kept, entries

    def rows(self, name: str) -> list[Example]:
        """The rows of a source."""
        return list(mixture.rows(self._place(name)))

    def _all_rows(self, stage: AnyStage) -> list[Example]:
        return [row for name in stage.sources for row in self.rows(name)]

    def problems(self, name: str) -> list[Problem]:
        """The problems of a source; none of one that holds texts."""
        where = self.data[name]
        if isinstance(where, Environment):
            return where.problems
        return [] if self._is_text(name) else [row.problem for row in self.rows(name)]

    def _is_text(self, name: str) -> bool:
        return any(file.suffix == ".txt" for file in mixture.files(self._place(name)))

    def _place(self, name: str) -> str:
        """Where a source's rows or texts are. Raises ValueError for an environment, which has problems alone."""
        where = self.data[name]
        if isinstance(where, Environment):
            raise ValueError(f"[data.{name}] is an environment: problems without answers, for grpo, dpo and distil")
        return where


T = TypeVar("T")


def _apart(items: Sequence[T], share: float) -> tuple[list[T], list[T]]:
    """Those to learn and those to measure on: every so-many-th, the first ones not among them."""
    every = max(2, round(1 / share)) if share else 0
    kept = list(items[every - 1 :: every]) if every else []
    return [each for i, each in enumerate(items) if not every or i % every != every - 1], kept
