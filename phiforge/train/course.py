"""A recipe's stages, one after the other: what each starts from, what it learns, what it is worth before and after.

Of several processes, the first alone makes what a stage learns from, measures and writes; all of them train.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec.structs import replace

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.files import whole
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.lora import Adapter, merge, new_adapter
from phiforge.model.peft import load_adapter, save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.records import Problem
from phiforge.store.models import find
from phiforge.train import distributed, measure, midtrain
from phiforge.train.environments import Environment
from phiforge.train.loop import Stage as Work
from phiforge.train.loop import train
from phiforge.train.lora import attach, detach
from phiforge.train.measure import Measured, Result
from phiforge.train.precision import converted
from phiforge.train.recipe import AnyStage, Midtrain, Pretrain, Recipe
from phiforge.train.run_folder import RunFolder
from phiforge.train.scaling import optimizer
from phiforge.train.work import Progress, Works


class Course:
    """A recipe's stages, one after the other; `data` says where each source is."""

    def __init__(
        self, recipe: Recipe, data: dict[str, str | Environment], tokenizer: Tokenizer, progress: Progress
    ) -> None:
        self.recipe, self.tokenizer, self.progress = recipe, tokenizer, progress
        self.format = ChatFormat.for_tokenizer(tokenizer, recipe.start.chat)
        self.works = Works(recipe.start.chat, data, self.format, recipe.seed, progress)
        self._problems: list[Problem] | None = None

    def result(self, number: int) -> Result | None:
        """What a finished stage came to."""
        file = self.recipe.folder(number) / "stage.json"
        return msgspec.json.decode(file.read_bytes(), type=Result) if file.exists() else None

    def train(self, number: int) -> Result:
        """Train stage `number`, or go on, measure before and after, and store the model."""
        recipe, stage = self.recipe, self.recipe.stage[number]
        folder = RunFolder(recipe.folder(number))
        model = self.model(number, getattr(torch, stage.weights))
        if isinstance(stage, Midtrain):
            model = _longer(model, stage)
        made = distributed.by_first(lambda: self.works.made(stage, model, folder.path / "made"))
        adapter = None
        if stage.lora:
            how, chance = stage.lora, torch.Generator().manual_seed(recipe.seed)
            adapter = new_adapter(model.config, how.rank, how.alpha, how.modules, rslora=how.rslora, generator=chance)
            attach(model, adapter, dora=how.dora)
        else:
            _make_trainable(model)
        work, about = self.works.work(stage, model, made, folder.path)
        before = distributed.by_first(
            lambda: _kept(folder.path / "before.json", lambda: self._measure(model, stage, work))
        )
        said = f"{number + 1}/{len(recipe.stage)} {stage.title}"
        train(
            model, work, optimizer(stage, model, work.steps), folder.path, progress=lambda step: self.progress(said, step),
            precision=stage.precision, recompute=stage.recompute, tracker=recipe.tracker, spike=stage.spike,
        )  # fmt: skip
        return distributed.by_first(lambda: self._finish(stage, model, adapter, folder, work, before, about))

    def _finish(
        self, stage: AnyStage, model: Phi3, adapter: Adapter | None, folder: RunFolder, work: Work[Any], before: Measured,
        about: dict[str, Any],
    ) -> Result:  # fmt: skip
        """Store what has been trained, and what it is worth now."""
        result = folder.path / ("adapter" if adapter else "model")
        if adapter:
            base = self.recipe.start.model if stage is self.recipe.stage[0] else ""
            save_adapter(detach(model, adapter), result, model.config, base=base)
            if self.recipe.start.format:
                (result / "chat_template.jinja").write_text(self.tokenizer.chat_template or "")
            merge(model, load_adapter(result, model.config))
        after = self._measure(model, stage, work)
        if not adapter:
            self.tokenizer.save(result)
            checkpoint.save(model.to(getattr(torch, self.recipe.dtype)), result)
        rows = folder.metrics()
        done = Result(
            stage.title, stage.kind, str(result), work.steps, sum(row["tokens"] for row in rows),
            round(sum(row["seconds"] for row in rows), 1), rows[-1]["loss"], before, after, **about,
        )  # fmt: skip
        (folder.path / "stage.json").write_bytes(msgspec.json.encode(done))
        folder.clear_checkpoints()
        return done

    # --- the model a stage starts from -------------------------------------------------------------------------------

    def model(self, number: int, dtype: torch.dtype = torch.float32) -> Phi3:
        """The model after the stages before `number`: the last whole one, with the adapters learnt since."""
        adapters: list[Path] = []
        model = None
        for before in reversed(range(number)):
            folder = self.recipe.folder(before)
            if (folder / "model/config.json").exists():
                model = checkpoint.load(folder / "model", dtype=dtype)
                break
            adapters.insert(0, folder / "adapter")
        model = model or self._first(dtype)
        for adapter in adapters:
            merge(model, load_adapter(adapter, model.config))
        return model

    def _first(self, dtype: torch.dtype) -> Phi3:
        start = self.recipe.start
        if start.model:
            source = open_source(find(start.model))
            return checkpoint.assemble(source.config, source.tensors, dtype=dtype)
        config = start.config(-(-self.tokenizer.vocab_size // 64) * 64)
        if start.layers:
            ids = {"bos_id": self.tokenizer.bos_id, "eos_ids": self.tokenizer.eos_ids, "pad_id": self.tokenizer.pad_id}
            config = replace(config, **ids)
        return converted(Phi3(config).init_weights(torch.Generator().manual_seed(self.recipe.seed)), dtype)

    # --- before and after -------------------------------------------------------------------------------------------

    def _measure(self, model: Phi3, stage: AnyStage, work: Work[Any]) -> Measured:
        self.progress(f"{stage.title}: measuring", None)
        model.eval()
        with torch.no_grad():
            held_out = work.held_out(model)["held_out"] if work.held_out else None
        score, asked = None, self.recipe.measure
        if asked:
            plain = isinstance(stage, Pretrain | Midtrain)
            score = measure.solve(
                model, self.format, self.problems(), asked.longest, plain=plain, judge=self.works.judge
            )
        lengths = stage.lengths if isinstance(stage, Midtrain) else []
        found = {str(length): midtrain.retrieval(model, self.tokenizer, length) for length in lengths}
        return Measured(held_out, score, found)

    def problems(self) -> list[Problem]:
        """Those to measure on."""
        asked = self.recipe.measure
        assert asked
        if self._problems is None:
            learnt = {name for stage in self.recipe.stage for name in stage.sources}
            seen = {measure.question(problem) for name in learnt for problem in self.works.problems(name)}
            self._problems = measure.unseen(self.works.judgeable(asked.data), seen, asked.problems)
        return self._problems


def _kept(file: Path, make: Callable[[], Measured]) -> Measured:
    """A measurement from its file, or made and left there: a run that goes on has other weights by then."""
    if not file.exists():
        made = msgspec.json.encode(make())
        with whole(file) as partial:
            partial.write_bytes(made)
    return msgspec.json.decode(file.read_bytes(), type=Measured)


def _longer(model: Phi3, stage: Midtrain) -> Phi3:
    """The same weights in a network for a longer context."""
    longer = Phi3(midtrain.extend(model.config, stage.context, stage.rope_theta))
    longer.load_state_dict(model.state_dict())
    return converted(longer, model.norm.weight.dtype)


def _make_trainable(model: Phi3) -> None:
    """Give it weights that are no file's pages, and gradients for all of them."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
