"""A recipe's file, read and checked before any work, so that what is wrong in it is said at once and by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import inspect

from phiforge.chat import dialects
from phiforge.data import mixture
from phiforge.data import run as factory
from phiforge.lm import is_endpoint
from phiforge.model.config import PRESETS
from phiforge.model.lora import new_adapter
from phiforge.store.models import find
from phiforge.train import rewards
from phiforge.train.pretrain import DEPTHS, nano
from phiforge.train.recipe import AnyStage, Distil, Dpo, Grpo, Midtrain, Reading, Recipe, Sft

R = TypeVar("R", bound=Recipe)


def read_recipe(path: str | os.PathLike[str], *, here: bool = True) -> Recipe:
    """Raises OSError for a missing file, ValueError naming the file and what is wrong in it; `here`: also if its model or data
    are not at hand."""
    with _named(path):
        recipe = decode(Path(path).read_bytes(), Recipe)
        check(recipe)
        if here:
            check_here(recipe)
        return recipe


def decode(text: bytes, kind: type[R]) -> R:
    """Raises ValueError for what is no TOML or no such recipe; where a word is none of a few, it says which there are."""
    kinds = [str(each.__struct_config__.tag) for each in get_args(AnyStage)]
    try:
        keys = msgspec.toml.decode(text)
        stages = keys.get("stage")
        for number, stage in enumerate(stages if isinstance(stages, list) else ()):
            if isinstance(stage, dict) and stage.get("kind") not in kinds:
                raise ValueError(f"stage {number + 1}: kind = {stage.get('kind')!r}: there are {', '.join(kinds)}")
        return msgspec.convert(keys, kind)
    except msgspec.DecodeError as error:
        said, field = str(error), str(error).rpartition(".")[2].rstrip("`")
        known = next(_words(inspect.type_info(kind), field), ()) if "enum" in said else ()
        raise ValueError(f"{said}: there are {', '.join(map(str, known))}" if known else said) from None


def _words(of: inspect.Type, field: str) -> Iterator[tuple[Any, ...]]:
    """Those that a field of this name may have, wherever it is within a type."""
    inner: list[inspect.Type] = []
    if isinstance(of, inspect.StructType):
        inner = [each.type for each in of.fields]
        named = [each.type for each in of.fields if each.encode_name == field]
        yield from (each.values for each in named if isinstance(each, inspect.LiteralType))
    elif isinstance(of, inspect.UnionType):
        inner = list(of.types)
    elif isinstance(of, inspect.ListType):
        inner = [of.item_type]
    elif isinstance(of, inspect.DictType):
        inner = [of.value_type]
    for each in inner:
        yield from _words(each, field)


def check(recipe: Recipe) -> None:
    start = recipe.start
    if sum(bool(each) for each in (start.model, start.depth, start.preset)) != 1:
        raise ValueError("[start] needs one of model, depth and preset")
    if start.preset and start.preset not in (*PRESETS, *DEPTHS):
        raise ValueError(f"start.preset = {start.preset!r}: there are {', '.join((*PRESETS, *DEPTHS))}")
    if start.model and (start.context or start.rope_theta):
        raise ValueError(
            "start.context and start.rope_theta are for random weights; a midtrain stage changes a model's"
        )
    if start.layers and not recipe.tokenizer:
        raise ValueError("a network from scratch needs a [tokenizer]")
    if start.format and (not start.model or not dialects.find(start.format)):
        raise ValueError(
            f"start.format = {start.format!r} must be one of {', '.join(dialects.DIALECTS)}, for a `model`"
        )
    if start.model and recipe.tokenizer:
        raise ValueError(f"{start.model} has a tokenizer of its own: leave [tokenizer] out, or start from `depth`")
    if not recipe.stage:
        raise ValueError("there is no [[stage]]")
    for name, data in recipe.data.items():
        if sum(map(bool, (data.path, data.pipelines, data.environment, data.tokens))) != 1:
            raise ValueError(f"[data.{name}] needs one of path, pipelines, environment and tokens")
        if data.environment and data.environment.partition(":")[0] not in ("reasoning_gym", "verifiers"):
            raise ValueError(
                f"[data.{name}]: environment = {data.environment!r} must begin with reasoning_gym: or verifiers:"
            )
    known = set(recipe.data)
    for where, names in (
        ("tokenizer.data", recipe.tokenizer.data if recipe.tokenizer else []),
        ("measure.data", [recipe.measure.data] if recipe.measure else []),
        *((f"stage {stage.title!r}", stage.sources) for stage in recipe.stage),
    ):
        if unknown := sorted(set(names) - known):
            raise ValueError(
                f"{where}: there is no [data.{unknown[0]}]; there are {', '.join(sorted(known)) or 'none'}"
            )
    for stage in recipe.stage:
        _check_stage(stage)
    folders = [recipe.folder(i).name.partition("-")[2] for i in range(len(recipe.stage))]
    if twice := sorted({name for name in folders if folders.count(name) > 1}):
        raise ValueError(f"two stages are called {twice[0]!r}: give them names")


def _check_stage(stage: AnyStage) -> None:
    moved = stage.weights == "float32" or not stage.optimizer.muon
    rules: list[tuple[str, bool, str]] = [("weights", moved, '"float32": Muon moves no others')]
    if isinstance(stage, Reading):
        rules += [
            ("length", 2 <= stage.length <= stage.micro, "at least 2 and at most `micro`"),
            ("mix", bool(stage.mix) != bool(stage.data), "given, or else `data`, not both"),
            ("mix", not stage.mix or abs(sum(stage.mix.values()) - 1) < 1e-6, "shares that add up to 1"),
            ("tokens", not stage.mix or stage.tokens > 0, "given, as `mix` has shares of them"),
            ("tokens", not stage.data or not stage.tokens, "left out: `data` is gone through `epochs` times"),
            ("epochs", not stage.mix or stage.epochs == 1, "left out: `mix` has shares of `tokens`"),
        ]
    else:
        rules += [("data", bool(stage.data), "the names of problems to learn from")]
    if isinstance(stage, Sft):
        rules += [
            ("recall", set(stage.recall) <= set(stage.sources), "some of what the stage learns from"),
            ("teacher", bool(stage.recall) == bool(stage.teacher), "a model if there is `recall`, else left out"),
        ]
    if isinstance(stage, Distil):
        rules += [
            ("teacher", bool(stage.teacher) or stage.learn == "answers", "a model: its own chances teach it nothing"),
            ("mix", not stage.mix, "left out: a distil stage goes through its `data`"),
        ]
    if isinstance(stage, Dpo):
        rules += [
            ("length", stage.length <= stage.micro, "at most `micro`"),
            ("judge", stage.pairs != "judged" or bool(stage.judge), "a model or an endpoint"),
        ]
    if isinstance(stage, Reading | Dpo):
        rules += [
            ("batch", stage.batch > 0 and stage.batch % stage.micro == 0, f"a multiple of micro = {stage.micro}")
        ]
    if isinstance(stage, Midtrain):
        rules += [
            ("length", stage.length <= stage.context, "at most the context"),
        ]
    for name, ok, expected in rules:
        if not ok:
            raise ValueError(f"stage {stage.title!r}: {name} = {_shown(getattr(stage, name))} must be {expected}")
    with _named(f"stage {stage.title!r}"):
        if stage.lora:
            new_adapter(nano(1, 64), modules=stage.lora.modules)  # of any network: the names are alike in all
        if isinstance(stage, Dpo):
            stage.search.check()
        elif isinstance(stage, Grpo):
            stage.settings.check()


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def check_here(recipe: Recipe) -> None:
    if recipe.start.model:
        find(recipe.start.model)
    for name, data in recipe.data.items():
        with _named(f"[data.{name}]"):
            if data.tokens:
                raise ValueError("it has no path: such a recipe can only be planned (--plan)")
            if data.path:
                mixture.files(data.path)
            if data.pipelines:
                factory.plan(data.making(str(Path(recipe.out).expanduser() / "data" / name)))
            _at_hand(data.teacher)
    for stage in recipe.stage:
        with _named(f"stage {stage.title!r}"):
            if isinstance(stage, Distil) and stage.learn == "answers":
                _at_hand(stage.teacher)
            elif isinstance(stage, Distil | Sft) and stage.teacher:
                find(stage.teacher)  # an endpoint does not tell its chances of all words
            elif isinstance(stage, Dpo) and stage.pairs == "judged":
                _at_hand(stage.judge, *stage.others)
            elif isinstance(stage, Grpo):
                rewards.load(stage.reward)


def _at_hand(*models: str) -> None:
    """Raises ValueError for a model that isn't here, and is no endpoint."""
    for model in models:
        if model and not is_endpoint(model):
            find(model)


@contextmanager
def _named(where: str | os.PathLike[str]) -> Iterator[None]:
    """What is wrong in here is said to be there."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
