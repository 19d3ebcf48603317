"""The recipes that come with the project: all can be planned, phi-4's plan is its report's, smoke goes through every stage."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from phiforge.cli.main import main
from phiforge.model import checkpoint
from phiforge.train import run as runs
from phiforge.train.recipe_file import read_recipe

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.mark.parametrize(
    "file", sorted(file for file in RECIPES.rglob("*.toml") if file.parent.name != "forge"), ids=lambda file: file.stem
)
def test_every_recipe_can_be_planned(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(file), "--plan", "--json"]) == 0
    planned = msgspec.json.decode(capsys.readouterr().out)
    assert len(planned) == len(read_recipe(file, here=False).stage)
    assert all(each["fits"] for each in planned)


def test_the_plan_of_phi_4_is_its_reports(capsys: pytest.CaptureFixture[str]) -> None:
    """Weights, Table 5's epochs (to its rounding), and about three weeks on 1,920 H100s (model card)."""
    assert main(["train", str(RECIPES / "phi-4.toml"), "--plan", "--gpus", "1920", "--json"]) == 0
    pretraining, midtraining, *_ = msgspec.json.decode(capsys.readouterr().out)
    assert pretraining["weights"] == 14_659_507_200
    epochs = {entry["name"]: entry["epochs"] for entry in pretraining["ledger"]}
    table5 = {"web": 1.2, "web_rewrites": 5.2, "synthetic": 13.8, "code": 2.4, "acquired": 1.7}
    assert epochs == pytest.approx(table5, rel=0.06)
    assert 19 < pretraining["days"] < 25
    assert (midtraining["context"], midtraining["lr"]) == (16384, pytest.approx(pretraining["lr"] / 10))
    assert main(["train", str(RECIPES / "phi-4.toml"), "--plan"]) == 0
    assert "14.7B" in capsys.readouterr().out


@pytest.mark.parametrize(("word", "value"), [("--gpus", "0"), ("--use", "-1")])
def test_a_plan_on_nothing_is_refused(word: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(RECIPES / "phi-4.toml"), "--plan", word, value]) == 1
    assert f"{word} {float(value):g}" in capsys.readouterr().err.replace(".0", "")


@pytest.mark.usefixtures("default_gguf")  # the judge
def test_smoke_goes_through_every_stage(tmp_path: Path) -> None:
    """`recipes/smoke.toml`, from nothing to GRPO, in a minute or two; a second run of it finds all done."""
    recipe = msgspec.structs.replace(read_recipe(RECIPES / "smoke.toml"), out=str(tmp_path))
    results = runs.run(recipe)
    assert [each.kind for each in results] == ["pretrain", "midtrain", "sft", "distil", "dpo", "dpo", "dpo", "grpo"]
    for each in results[:3]:
        assert (each.after.held_out or 9) < (each.before.held_out or 0)
    pretraining, midtraining, tuning, *rest = results
    assert pretraining.after.score is not None
    assert pretraining.after.score.right > 0  # weekdays: one in seven is luck, and a random network has none
    assert midtraining.after.retrieval.keys() == {"160", "320"}
    assert all(each.documents > 0 for each in rest)
    groups = [msgspec.json.decode(line) for line in (tmp_path / "8-grpo/groups.jsonl").read_bytes().splitlines()]
    assert len(groups) == 6 * 16
    assert {group["lesson"] for group in groups} <= {"taught", "all right", "all wrong", "all truncated", "unparsable"}
    report = (tmp_path / "report.html").read_text()
    assert all(f". {each.stage}</h2>" in report for each in results)
    assert "<script" not in report
    assert "http" not in report.replace("http-equiv", "")
    assert checkpoint.load(tuning.model, dtype=torch.float32).config.context == 384
    started = (tmp_path / "8-grpo/stage.json").stat().st_mtime_ns
    assert runs.run(recipe) == results
    assert (tmp_path / "8-grpo/stage.json").stat().st_mtime_ns == started
