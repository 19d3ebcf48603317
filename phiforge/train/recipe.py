"""A recipe: one stage of training as a TOML file, checked whole before any work starts.

stage = "sft"
model = "smollm2-135m-instruct"      # a pulled model or a path
data = "runs/mixture"                # rows, as `phiforge data run`, `curate` and `mix` leave them
out = "runs/tutor"                   # metrics and checkpoints; the finished model in out/model
epochs = 2

[optimizer]
lr = 2e-5

[lora]                               # to learn an adapter, in out/adapter, instead of all weights
rank = 16
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import torch
from msgspec import Struct

import phiforge
from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.lora import new_adapter
from phiforge.model.peft import save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.store.models import find
from phiforge.train import sft
from phiforge.train.batches import Document
from phiforge.train.loop import Step, train
from phiforge.train.lora import attach, detach
from phiforge.train.optim import Optimizer
from phiforge.train.run_folder import RunFolder


class Lora(Struct, frozen=True, forbid_unknown_fields=True):
    """An adapter's shape. `modules` are names of linear layers, fused or split."""

    rank: int = 16
    alpha: float = 32
    modules: tuple[str, ...] = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    rslora: bool = False


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """`tokens` are a batch's, `longest` an example's: longer ones are left out, and counted. `held_out` is the share of rows
    that is only measured on, every `measure` steps. `dtype` is what the finished model is stored in."""

    stage: Literal["sft"]
    model: str
    data: str
    out: str
    epochs: float = 2
    tokens: int = 4096
    longest: int = 2048
    accumulate: int = 1
    seed: int = 0
    held_out: float = 0.01
    measure: int = 50
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    optimizer: Optimizer = Optimizer(lr=2e-5, weight_decay=0.0)
    lora: Lora | None = None


class Result(Struct, frozen=True):
    """What a run came to. `model` is the folder of model or adapter. `too_long` rows were left out; `held_out` is the last
    measured loss of those kept aside."""

    model: str
    steps: int
    rows: int
    too_long: int
    loss: float
    held_out: float | None = None


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Raises OSError for a missing file, ValueError naming the file and what is wrong in it."""
    try:
        recipe = msgspec.toml.decode(Path(path).read_bytes(), type=Recipe)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    for name, ok, expected in (
        ("epochs", recipe.epochs > 0, "above 0"),
        ("held_out", 0 <= recipe.held_out < 1, "from 0 to below 1"),
        ("longest", 2 <= recipe.longest <= recipe.tokens, "at least 2 and at most `tokens`"),
        ("accumulate", recipe.accumulate >= 1, "at least 1"),
    ):
        if not ok:
            raise ValueError(f"{path}: {name} = {getattr(recipe, name)} must be {expected}")
    mixture.files(recipe.data)
    find(recipe.model)
    return recipe


def run(recipe: Recipe, progress: Callable[[Step], None] = lambda _: None) -> Result:
    """Train, or go on, and store the model. Raises ValueError if `out` holds a run of another recipe, or no row is fit."""
    out = Path(recipe.out).expanduser()
    _refuse_another(out, recipe)
    source = open_source(find(recipe.model))
    (out / "model").mkdir(parents=True, exist_ok=True)
    source.companions(out / "model")
    format = ChatFormat.for_tokenizer(Tokenizer.from_folder(out / "model"), recipe.model)
    documents = [sft.document(format, row) for row in mixture.rows(recipe.data)]
    fit = [each for each in documents if len(each.ids) <= recipe.longest]
    learnt, kept = _apart(fit, recipe)
    if not learnt:
        raise ValueError(f"{recipe.data}: none of {len(documents)} rows has at most {recipe.longest} tokens")
    stage = sft.stage(
        learnt, tokens=recipe.tokens, epochs=recipe.epochs, accumulate=recipe.accumulate, seed=recipe.seed,
        held_out=kept, held_out_every=recipe.measure,
    )  # fmt: skip
    _describe(out, recipe)
    model = checkpoint.assemble(source.config, source.tensors, dtype=torch.float32)
    folder, result = RunFolder(out), out / ("adapter" if recipe.lora else "model")
    if recipe.lora:
        how, chance = recipe.lora, torch.Generator().manual_seed(recipe.seed)
        adapter = new_adapter(source.config, how.rank, how.alpha, how.modules, rslora=how.rslora, generator=chance)
        train(attach(model, adapter), stage, recipe.optimizer, out, progress=progress)
        save_adapter(detach(model, adapter), result, source.config)
    else:
        train(_trainable(model), stage, recipe.optimizer, out, progress=progress)
        checkpoint.save(model.to(getattr(torch, recipe.dtype)), result)
    folder.clear_checkpoints()
    rows = folder.metrics()
    measured = [row["held_out"] for row in rows if "held_out" in row]
    return Result(
        str(result), stage.steps, len(learnt), len(documents) - len(fit), rows[-1]["loss"],
        measured[-1] if measured else None,
    )  # fmt: skip


def _refuse_another(out: Path, recipe: Recipe) -> None:
    file = out / "run.json"
    if not file.exists():
        return
    if msgspec.json.decode(file.read_bytes())["recipe"] != msgspec.json.decode(msgspec.json.encode(recipe)):
        raise ValueError(f"{out} holds a run of another recipe: name another `out`, or delete it")
    if not (out / "checkpoints").exists():
        raise ValueError(f"{out} holds a finished run, with its model or adapter")


def _describe(out: Path, recipe: Recipe) -> None:
    """Write run.json: what is made, and by which versions."""
    about = {"recipe": recipe, "phiforge": phiforge.__version__, "torch": str(torch.__version__)}
    (out / "checkpoints").mkdir(exist_ok=True)
    (out / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(about)))


def _apart(documents: list[Document], recipe: Recipe) -> tuple[list[Document], list[Document]]:
    """Those to learn and those to measure on: every so-many-th, the first ones not among them."""
    if not recipe.held_out:
        return documents, []
    every = max(2, round(1 / recipe.held_out))
    kept = documents[every - 1 :: every]
    return [each for i, each in enumerate(documents) if i % every != every - 1], kept


def _trainable(model: Phi3) -> Phi3:
    """With weights that are no file's pages, and gradients for all of them."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
    return model
