"""How long a recipe takes here, reckoned from measured speeds, and its stages cut to the time there is."""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.forge.recipe import Forge
from phiforge.model.lora import new_adapter
from phiforge.model.phi3 import Phi3
from phiforge.train import run as training
from phiforge.train import sft
from phiforge.train.batches import Document
from phiforge.train.loop import Stage, train
from phiforge.train.lora import attach, detach
from phiforge.train.optim import Optimizer
from phiforge.train.recipe import AnyStage, Distil, Dpo, Grpo, Reading
from phiforge.train.work import Progress

SHIPPING = 40.0  # seconds that merging, quantising and loading take, about
USUAL = 200.0  # tokens a second that a model writes, where no measurement has said
WRITTEN = 0.6  # of the tokens an answer may have
SAMPLED = 16  # answers to a problem that pairs are made of, about
ROWS = 200  # that a source's mean length is taken of


def cut(recipe: Forge, learnt: dict[str, Path], spent: float, generated: float, progress: Progress) -> Forge:
    """The recipe with stages short enough for its minutes, of which `spent` seconds are gone or set aside. `generated` is how
    many tokens a second the model writes."""
    if recipe.minutes is None:
        return recipe
    progress("measuring how fast this machine trains", None)
    model = training.network(recipe.training(), 0)
    tokenizer = Tokenizer.from_folder(recipe.path / "train/start")
    format = ChatFormat.for_tokenizer(tokenizer, recipe.start.chat)
    needed = sum(_seconds(recipe, stage, model, format, learnt, generated or USUAL) for stage in recipe.stage)
    left = 60 * recipe.minutes - spent - SHIPPING
    share = max(0.0, left) / needed if needed else 1.0
    if share >= 1:
        return recipe
    progress(
        f"the stages would take {needed / 60:.1f} minutes, {max(0.0, left) / 60:.1f} are left: cut to {share:.0%}",
        None,
    )
    return replace(recipe, stage=[shorter(stage, share) for stage in recipe.stage])


def shorter(stage: AnyStage, share: float) -> AnyStage:
    """A stage with a share of its work, and at least some."""
    share = max(share, 0.01)
    if isinstance(stage, Grpo):
        return replace(stage, steps=max(1, round(share * stage.steps)))
    if isinstance(stage, Dpo):
        return replace(stage, problems=max(1, round(share * stage.problems)))
    if isinstance(stage, Distil) and stage.problems:
        return replace(stage, problems=max(1, round(share * stage.problems)))
    if stage.mix:
        return replace(stage, tokens=max(stage.batch, round(share * stage.tokens)))
    return replace(stage, epochs=share * stage.epochs)


def _seconds(
    recipe: Forge, stage: AnyStage, model: Phi3, format: ChatFormat, learnt: dict[str, Path], generated: float
) -> float:
    """About how long a stage takes."""
    trained = _speed(stage, model)
    if isinstance(stage, Grpo):
        tokens = WRITTEN * stage.steps * stage.settings.prompts * stage.settings.group * stage.settings.longest
        return tokens / generated + tokens / trained
    if isinstance(stage, Dpo):
        tokens = SAMPLED * stage.problems * 256
        return tokens / generated + 2 * stage.problems * 256 / trained
    assert isinstance(stage, Reading)
    tokens = stage.tokens or stage.epochs * sum(
        _tokens(learnt[name], format) for name in stage.sources if name in learnt
    )
    return tokens / trained


def _tokens(place: Path, format: ChatFormat) -> float:
    rows = list(mixture.rows(str(place)))
    some = Random(0).sample(rows, min(ROWS, len(rows)))
    return len(rows) * fmean(len(sft.document(format, row).ids) for row in some) if some else 0.0


def _speed(stage: AnyStage, model: Phi3) -> float:
    """Tokens a second of the stage's training, from a few steps that move nothing."""
    length = min(256, stage.micro)
    documents = [Document([i % 97 + 3] * length, [1.0] * length) for i in range(4 * (stage.micro // length))]
    work = sft.stage(documents, tokens=stage.micro)
    rate: list[float] = []
    adapter = None
    if stage.lora:
        adapter = new_adapter(model.config, stage.lora.rank, stage.lora.alpha, stage.lora.modules)
        attach(model, adapter)
    else:
        model.requires_grad_(True)
    with TemporaryDirectory() as folder:
        train(
            model, Stage(3, work.batches, work.loss, work.count, work.tokens), Optimizer(lr=0.0, weight_decay=0.0), folder,
            progress=lambda step: rate.append(step.tokens / step.seconds), precision=stage.precision, recompute=stage.recompute,
        )  # fmt: skip
    if adapter:
        detach(model, adapter)
    return max(rate)
