"""`phiforge train`: from rows and a model's folder to a model's folder, by a recipe that is checked first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from test_export import small_tokenizer

from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import merge
from phiforge.model.peft import load_adapter
from phiforge.records import Example, Message, Problem, Provenance, write_jsonl
from phiforge.train.lora import attach, detach

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m.role }} {{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


@pytest.fixture
def recipe(tmp_path: Path, network: Callable[..., Any]) -> Callable[..., Path]:
    """recipe(**changes): the path of a recipe over thirty rows and a random network."""
    small = small_tokenizer()
    Tokenizer(small.core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE).save(tmp_path / "base")
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"])), tmp_path / "base")
    rows = [
        Example(
            Problem(str(n), [Message("user", f"say {n} {'and wait ' * (n == 7) * 100}")], str(n)),
            Message("assistant", f"hello {n}"),
            Provenance("test"),
        )
        for n in range(30)
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)

    def write(**changes: object) -> Path:
        keys: dict[str, object] = {
            "stage": "sft", "model": str(tmp_path / "base"), "data": str(tmp_path / "rows.jsonl"), "out": str(tmp_path / "out"),
            "tokens": 128, "longest": 100, "epochs": 4, "held_out": 0.1, "measure": 5, "dtype": "float32",
        }  # fmt: skip
        file = tmp_path / "recipe.toml"
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in (keys | changes).items()]
        file.write_text("\n".join(lines) + "\n[optimizer]\nlr = 1e-3\n")
        return file

    return write


def test_a_recipe_makes_a_model(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(recipe()), "--json"]) == 0
    result = msgspec.json.decode(capsys.readouterr().out)
    assert (result["rows"], result["too_long"]) == (27, 1)
    rows = [msgspec.json.decode(line) for line in (tmp_path / "out/metrics.jsonl").read_bytes().splitlines()]
    assert len(rows) == result["steps"]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["held_out"] == result["held_out"]
    before, after = (checkpoint.load(folder, dtype=torch.float32) for folder in (tmp_path / "base", result["model"]))
    assert not torch.equal(before.lm_head.weight, after.lm_head.weight)
    assert Tokenizer.from_folder(result["model"]).chat_template == TEMPLATE
    assert not (tmp_path / "out/checkpoints").exists()
    assert main(["train", str(recipe()), "--json"]) == 1
    assert "holds a finished run" in capsys.readouterr().err
    assert main(["train", str(recipe(epochs=2)), "--json"]) == 1
    assert "holds a run of another recipe" in capsys.readouterr().err


def test_an_adapter_is_learnt_and_the_network_stays(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recipe()
    file.write_text(file.read_text() + "[lora]\nrank = 4\n")
    assert main(["train", str(file), "--json"]) == 0
    result = msgspec.json.decode(capsys.readouterr().out)
    assert result["model"] == str(tmp_path / "out/adapter")
    base = checkpoint.load(tmp_path / "base", dtype=torch.float32)
    adapter = load_adapter(result["model"], base.config)
    assert all(update.b.any() for update in adapter.updates.values())
    tokens = torch.tensor([[1, 5, 9, 12]])
    plain = base(tokens)
    attached = attach(base, adapter)(tokens)
    detach(base, adapter)
    torch.testing.assert_close(base(tokens), plain)
    merge(base, adapter)
    torch.testing.assert_close(base(tokens), attached, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(attached, plain, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stage": "sleep"}, "Invalid enum value 'sleep' - at `$.stage`"),
        ({"learning_rate": 3}, "unknown field `learning_rate`"),
        ({"epochs": 0}, "epochs = 0.0 must be above 0"),
        ({"longest": 4000}, "longest = 4000 must be at least 2 and at most `tokens`"),
        ({"data": "nowhere"}, "nowhere: no such file"),
        ({"model": "nobody"}, "nobody"),
        ({"longest": 5}, "none of 30 rows has at most 5 tokens"),
    ],
)
def test_a_recipe_is_checked_before_any_work(
    recipe: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    said: str,
) -> None:
    assert main(["train", str(recipe(**changes)), "--json"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out/run.json").exists()
