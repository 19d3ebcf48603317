"""A recipe's stages, one after the other: what each starts from, what it learns, what it is worth before and after."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import torch
from msgspec.structs import replace

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.lora import merge, new_adapter
from phiforge.model.peft import load_adapter, save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.records import Example, Problem
from phiforge.store.models import find
from phiforge.train import dpo, groups, grpo, measure, midtrain, pivotal_run, pretrain, rewards, sft
from phiforge.train.loop import Stage as Work
from phiforge.train.loop import Step, train
from phiforge.train.lora import attach, detach
from phiforge.train.measure import Measured, Result
from phiforge.train.recipe import AnyStage, Dpo, Grpo, Midtrain, Pretrain, Reading, Recipe, Sft, Stage
from phiforge.train.rollouts import Sampler
from phiforge.train.run_folder import RunFolder

Progress = Callable[[str, Step | None], None]
"""`progress(what, step)`: what is done now, and in training which step is done."""


class Course:
    """A recipe's stages, one after the other; `data` says where each source is."""

    def __init__(self, recipe: Recipe, data: dict[str, str], tokenizer: Tokenizer, progress: Progress) -> None:
        self.recipe, self.data, self.tokenizer, self.progress = recipe, data, tokenizer, progress
        self.format = ChatFormat.for_tokenizer(tokenizer, recipe.start.model or recipe.start.preset or None)
        self._problems: list[Problem] | None = None

    def result(self, number: int) -> Result | None:
        """What a finished stage came to."""
        file = self.recipe.folder(number) / "stage.json"
        return msgspec.json.decode(file.read_bytes(), type=Result) if file.exists() else None

    def train(self, number: int) -> Result:
        """Train stage `number`, or go on, measure before and after, and store the model."""
        recipe, stage = self.recipe, self.recipe.stage[number]
        folder = RunFolder(recipe.folder(number))
        model = self._model(number)
        if isinstance(stage, Midtrain):
            model = _longer(model, stage)
        adapter = None
        if stage.lora:
            how, chance = stage.lora, torch.Generator().manual_seed(recipe.seed)
            adapter = new_adapter(model.config, how.rank, how.alpha, how.modules, rslora=how.rslora, generator=chance)
            attach(model, adapter)
        else:
            _make_trainable(model)
        self.progress(f"{stage.title}: reading", None)
        work, about = self._work(stage, model, folder.path)
        before = _kept(folder.path / "before.json", lambda: self._measure(model, stage, work))
        said = f"{number + 1}/{len(recipe.stage)} {stage.title}"
        train(
            model, work, stage.optimizer, folder.path, progress=lambda step: self.progress(said, step),
        )  # fmt: skip
        result = folder.path / ("adapter" if adapter else "model")
        if adapter:
            save_adapter(detach(model, adapter), result, model.config)
            merge(model, load_adapter(result, model.config))
        after = self._measure(model, stage, work)
        if not adapter:
            self.tokenizer.save(result)
            checkpoint.save(model.to(getattr(torch, recipe.dtype)), result)
        rows = folder.metrics()
        done = Result(
            stage.title, stage.kind, str(result), work.steps, sum(row["tokens"] for row in rows),
            round(sum(row["seconds"] for row in rows), 1), rows[-1]["loss"], before, after, **about,
        )  # fmt: skip
        (folder.path / "stage.json").write_bytes(msgspec.json.encode(done))
        folder.clear_checkpoints()
        return done

    # --- what a stage learns ---------------------------------------------------------------------------------------

    def _work(self, stage: AnyStage, model: Phi3, folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        """The stage as the loop takes it, and what the result says of its data. `model` is as the stage begins."""
        if isinstance(stage, Sft):
            return self._sft(stage)
        if isinstance(stage, Dpo):
            return self._dpo(stage, model, folder)
        if isinstance(stage, Grpo):
            return self._grpo(stage, model, folder)
        texts, kept, entries = self._texts(stage)
        work = pretrain.stage(texts, length=stage.length, z=stage.z, held_out=kept, **self._reading(stage))
        return work, {"documents": len(texts), "ledger": entries}

    def _reading(self, stage: Reading) -> dict[str, Any]:
        accumulate = max(1, stage.batch // stage.micro)
        return {
            "tokens": stage.micro, "accumulate": accumulate, "seed": self.recipe.seed, "held_out_every": stage.every
        }  # fmt: skip

    def _sft(self, stage: Sft) -> tuple[Work[Any], dict[str, Any]]:
        found = [sft.document(self.format, row) for name in stage.sources for row in self._rows(name)]
        fit = [each for each in found if len(each.ids) <= stage.length]
        if not fit:
            raise ValueError(f"stage {stage.title!r}: none of {len(found)} rows has at most {stage.length} tokens")
        learnt, kept = _apart(fit, stage.held_out)
        work = sft.stage(learnt, epochs=stage.epochs, held_out=kept, **self._reading(stage))
        return work, {"documents": len(learnt), "too_long": len(found) - len(fit)}

    def _dpo(self, stage: Dpo, model: Phi3, folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        found = self._pairs(stage, model, folder / "pairs")
        fit = [pair for pair in found if sum(map(len, pair)) + len(pair.prompt) <= stage.length]
        work = dpo.stage(
            model, fit, folder, beta=stage.beta, tokens=stage.micro, epochs=stage.epochs,
            accumulate=max(1, stage.batch // stage.micro), seed=self.recipe.seed, first=stage.first or None,
        )  # fmt: skip
        return work, {"documents": len(fit), "too_long": len(found) - len(fit)}

    def _pairs(self, stage: Dpo, model: Phi3, folder: Path) -> list[dpo.Pair]:
        """Made by the model as it is, or gone on with where a stopped search was."""
        prompts = self._prompts(stage)[: stage.problems]
        sampler = Sampler(model, self.format.stop_ids)
        if stage.pairs == "pivotal":
            pivotal_run.run(
                sampler, prompts, self._decode, folder, stage.search,
                progress=lambda cost: self.progress(
                    f"{stage.title}: {cost.pairs} pairs from {cost.prompts} of {len(prompts)} problems", None
                ),
            )  # fmt: skip
            found = pivotal_run.pairs(folder)
        if not found:
            raise ValueError(
                f"stage {stage.title!r}: {len(prompts)} problems gave no pair; the model solves all or none of them: "
                "take others, or more"
            )
        return found

    def _grpo(self, stage: Grpo, model: Phi3, folder: Path) -> tuple[Work[Any], dict[str, Any]]:
        prompts = self._prompts(stage)
        how = stage.settings
        if stage.select:
            prompts = groups.select(
                Sampler(model, self.format.stop_ids),
                prompts,
                folder,
                stage.select,
                group=how.group,
                longest=how.longest,
            )
        reward = rewards.load(stage.reward, scale=stage.scale)
        work = grpo.stage(
            model, prompts, self._decode, self.format.stop_ids, folder, steps=stage.steps, reward=reward, settings=how
        )
        return work, {"documents": len(prompts)}

    def _prompts(self, stage: Stage) -> list[groups.Prompt]:
        """The data's problems that have a verifier, as the model reads them."""
        found: list[groups.Prompt] = []
        for row in (row for name in stage.sources for row in self._rows(name)):
            if row.problem.verifier:
                prompt = self.format.render(row.problem.messages, tools=row.problem.metadata.get("tools"))
                opened = "<think>" if prompt.text.rstrip().endswith("<think>") else ""
                found.append(groups.Prompt(prompt.ids, row.problem, opened))
        if not found:
            raise ValueError(f"stage {stage.title!r}: its data has no problem with a verifier")
        Random(f"prompts {self.recipe.seed}").shuffle(found)
        return found

    def _decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special=False)

    def _texts(self, stage: Pretrain | Midtrain) -> tuple[list[array[int]], list[array[int]], list[mixture.Entry]]:
        """Texts to learn, in the mixture's order, those to measure on, and the ledger."""
        learnt: dict[str, list[array[int]]] = {}
        kept: list[array[int]] = []
        for name in stage.sources:
            learnt[name], aside = _apart(pretrain.read(self.data[name], self.tokenizer), stage.held_out)
            kept += aside
        shares, tokens = stage.mix, stage.tokens
        if not shares:
            sizes = {name: sum(map(len, each)) for name, each in learnt.items()}
            tokens = round(stage.epochs * sum(sizes.values()))
            shares = {name: size / sum(sizes.values()) for name, size in sizes.items()}
        if isinstance(stage, Midtrain) and stage.long:
            rows = [row for name in stage.sources for row in self._learnt_rows(name)]
            size = round(stage.long * tokens)
            learnt["long"] = midtrain.books(rows, self.tokenizer, stage.length, size, self.recipe.seed)
            shares = {name: share * (1 - stage.long) for name, share in shares.items()} | {"long": stage.long}
        texts, entries = pretrain.mixed(learnt, shares, tokens, self.recipe.seed)
        return texts, kept, entries

    def _rows(self, name: str) -> list[Example]:
        return list(mixture.rows(self.data[name]))

    # --- the model a stage starts from -------------------------------------------------------------------------------

    def _model(self, number: int) -> Phi3:
        """The model after the stages before `number`, fp32: the last whole one, with the adapters learnt since."""
        adapters: list[Path] = []
        model = None
        for before in reversed(range(number)):
            folder = self.recipe.folder(before)
            if (folder / "model/config.json").exists():
                model = checkpoint.load(folder / "model", dtype=torch.float32)
                break
            adapters.insert(0, folder / "adapter")
        model = model or self._first()
        for adapter in adapters:
            merge(model, load_adapter(adapter, model.config))
        return model

    def _first(self) -> Phi3:
        start = self.recipe.start
        if start.model:
            source = open_source(find(start.model))
            return checkpoint.assemble(source.config, source.tensors, dtype=torch.float32)
        config = start.config(-(-self.tokenizer.vocab_size // 64) * 64)
        if start.depth:
            ids = {"bos_id": self.tokenizer.bos_id, "eos_ids": self.tokenizer.eos_ids, "pad_id": self.tokenizer.pad_id}
            config = replace(config, **ids)
        return Phi3(config).init_weights(torch.Generator().manual_seed(self.recipe.seed))

    # --- before and after -------------------------------------------------------------------------------------------

    def _measure(self, model: Phi3, stage: AnyStage, work: Work[Any]) -> Measured:
        self.progress(f"{stage.title}: measuring", None)
        model.eval()
        with torch.no_grad():
            held_out = work.held_out(model)["held_out"] if work.held_out else None
        score, asked = None, self.recipe.measure
        if asked:
            plain = isinstance(stage, Pretrain | Midtrain)
            score = measure.solve(model, self.format, self.problems(), asked.longest, plain=plain)
        lengths = stage.lengths if isinstance(stage, Midtrain) else []
        found = {str(length): midtrain.retrieval(model, self.tokenizer, length) for length in lengths}
        return Measured(held_out, score, found)

    def problems(self) -> list[Problem]:
        """Those to measure on."""
        asked = self.recipe.measure
        assert asked
        if self._problems is None:
            learnt = {name for stage in self.recipe.stage for name in stage.sources}
            seen = {measure.question(row.problem) for name in learnt for row in self._learnt_rows(name)}
            self._problems = measure.unseen(self._rows(asked.data), seen, asked.problems)
        return self._problems

    def _learnt_rows(self, name: str) -> list[Example]:
        return [] if any(file.suffix == ".txt" for file in mixture.files(self.data[name])) else self._rows(name)


def _kept(file: Path, make: Callable[[], Measured]) -> Measured:
    """A measurement from its file, or made and left there: a run that goes on has other weights by then."""
    if not file.exists():
        made = msgspec.json.encode(make())
        file.with_suffix(".part").write_bytes(made)
        file.with_suffix(".part").replace(file)
    return msgspec.json.decode(file.read_bytes(), type=Measured)


T = TypeVar("T")


def _apart(items: Sequence[T], share: float) -> tuple[list[T], list[T]]:
    """Those to learn and those to measure on: every so-many-th, the first ones not among them."""
    every = max(2, round(1 / share)) if share else 0
    kept = list(items[every - 1 :: every]) if every else []
    return [each for i, each in enumerate(items) if not every or i % every != every - 1], kept


def _longer(model: Phi3, stage: Midtrain) -> Phi3:
    """The same weights in a network for a longer context."""
    longer = Phi3(midtrain.extend(model.config, stage.context, stage.rope_theta))
    longer.load_state_dict(model.state_dict())
    return longer


def _make_trainable(model: Phi3) -> None:
    """Give it weights that are no file's pages, and gradients for all of them."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
