"""A recipe to change at will, over rows and a network that are small: for tests of what recipes and their stages do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from test_export import small_tokenizer

from phiforge.chat.tokenizer import Tokenizer
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS, shrink
from phiforge.records import Example, Message, Problem, Provenance, write_jsonl

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m.role }} {{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


OTHER_KEYS = dict.fromkeys(("epochs", "held_out", "every", "length", "batch"))  # that these kinds of stage don't have
PAIRS, GROUPS = {"kind": "dpo"} | OTHER_KEYS | {"micro": 2048}, {"kind": "grpo"} | OTHER_KEYS | {"steps": 1}


def rows(n: int) -> list[Example]:
    """One of them long."""
    return [
        Example(
            Problem(str(i), [Message("user", f"say {i} {'and wait ' * (i == 7) * 100}")], str(i), "math"),
            Message("assistant", f"hello {i}"),
            Provenance("test"),
        )
        for i in range(n)
    ]


def writer(folder: Path, network: Callable[..., Any]) -> Callable[..., Path]:
    """writer(...)(**changes): the path of a recipe of one SFT stage over thirty rows and a random network, in the folder."""
    small = small_tokenizer()
    Tokenizer(small.core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE).save(folder / "base")
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"])), folder / "base")
    write_jsonl(folder / "rows.jsonl", rows(30))

    def write(**changes: object) -> Path:
        stage: dict[str, object] = {
            "kind": "sft", "data": ["rows"], "batch": 128, "micro": 128, "length": 100, "epochs": 4, "held_out": 0.1,
            "every": 5, "optimizer": {"lr": 1e-3}, "precision": "float32",
        }  # fmt: skip
        keys: dict[str, object] = {
            "out": str(folder / "out"), "dtype": "float32", "start": {"model": str(folder / "base")},
            "data": {"rows": {"path": str(folder / "rows.jsonl")}},
        }  # fmt: skip
        top = {"start": "start", "tokenizer": "tokenizer", "sources": "data"}
        stage |= {key: value for key, value in changes.items() if key not in top}
        keys["stage"] = [{key: value for key, value in stage.items() if value is not None}]
        keys |= {key: changes[name] for name, key in top.items() if name in changes}
        file = folder / "recipe.toml"
        file.write_bytes(msgspec.toml.encode(keys))
        return file

    return write
