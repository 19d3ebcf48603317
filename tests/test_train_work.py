"""What each kind of stage learns from a recipe's data: which rows, in which order, and whose words or chances."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from endpoint import Server, delta, sends, usage
from msgspec.structs import replace
from small_recipe import GROUPS, rows
from torch.nn.functional import kl_div

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.data import mixture
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS, shrink
from phiforge.records import write_jsonl
from phiforge.train.recipe import AnyStage
from phiforge.train.recipe_file import read_recipe
from phiforge.train.sft import document
from phiforge.train.work import Works


def test_prompts_are_learnt_as_far_as_asked_for(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firsts, befores = list[float](), list[float]()
    for prompt in (0.0, 0.5, 1.0):
        file = recipe(prompt=prompt, epochs=1, batch=2048, micro=2048)  # one step, of all rows
        assert main(["train", str(file), "--json"]) == 0
        (result,) = msgspec.json.decode(capsys.readouterr().out)
        (step,) = (tmp_path / "out/1-sft/metrics.jsonl").read_bytes().splitlines()
        firsts.append(msgspec.json.decode(step)["loss"])
        befores.append(result["before"]["held_out"])
        shutil.rmtree(tmp_path / "out")
    assert befores[0] == befores[1] == befores[2]  # what is kept aside is measured on its answers
    assert firsts[0] != pytest.approx(firsts[2], rel=1e-4)
    assert min(firsts[::2]) < firsts[1] < max(firsts[::2])


def test_chats_are_mixed_by_shares_of_tokens(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "others.jsonl", rows(7))
    sources = {name: {"path": str(tmp_path / f"{name}.jsonl")} for name in ("rows", "others")}
    mix: dict[str, object] = {"mix": {"rows": 0.75, "others": 0.25}, "data": [], "tokens": 2000, "epochs": 1}
    assert main(["train", str(recipe(sources=sources, **mix)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert [entry["name"] for entry in result["ledger"]] == ["rows", "others"]
    assert [entry["tokens"] for entry in result["ledger"]] == [1500, 500]
    assert result["tokens"] == pytest.approx(2000, rel=0.05)
    assert main(["train", str(recipe(sources=sources, **mix | {"kind": "distil"}))]) == 1
    assert "a distil stage goes through its `data`" in capsys.readouterr().err


@pytest.mark.parametrize("how", [{"data": [], "mix": {"rows": 1.0}, "tokens": 300, "epochs": 1}, {"epochs": 0.5}])
def test_stages_that_read_a_part_of_a_source_read_different_parts(
    recipe: Callable[..., Path], tmp_path: Path, how: dict[str, object]
) -> None:
    stage = read_recipe(recipe(**how)).stage[0]
    base = tmp_path / "base"
    format, model = ChatFormat.for_tokenizer(Tokenizer.from_folder(base), str(base)), checkpoint.load(base)

    def read(stage: AnyStage, seed: int = 0) -> list[list[int]]:
        works = Works(str(base), {"rows": str(tmp_path / "rows.jsonl")}, format, seed, lambda *_: None)
        work, _ = works.work(stage, model, [], tmp_path)
        return [batch.tokens.tolist() for step in range(work.steps) for batch in work.batches(step)]

    again = replace(stage, name="again")
    assert read(stage) == read(stage)
    assert set(map(str, read(stage))).isdisjoint(map(str, read(again)))
    assert read(again) != read(again, seed=1)


def test_problems_of_an_environment_are_selected_and_learnt_in_groups(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("reasoning_gym")
    changes = GROUPS | {
        "steps": 2, "data": ["sums"], "sources": {"sums": {"environment": "reasoning_gym:basic_arithmetic", "rows": 12}},
        "settings": {"prompts": 4, "group": 2, "longest": 8}, "select": {"rounds": 1, "spread": 10.0},
    }  # fmt: skip
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert (result["steps"], result["documents"]) == (2, 12)
    folder = tmp_path / "out/1-grpo"
    assert len((folder / "selection.jsonl").read_bytes().splitlines()) == 12
    assert len((folder / "groups.jsonl").read_bytes().splitlines()) == 2 * 4


@pytest.mark.parametrize(
    "how", [{"kind": "distil", "learn": "chances", "share": 1.0}, {"recall": ["rows"], "held_out": 0.0}]
)
def test_a_student_learns_its_teacher_s_chances(
    recipe: Callable[..., Path],
    tmp_path: Path,
    network: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    how: dict[str, object],
) -> None:
    base, student = tmp_path / "base", tmp_path / "student"
    Tokenizer.from_folder(base).save(student)
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"]), seed=1), student)
    changes = how | {"teacher": str(base), "start": {"model": str(student)}, "optimizer": {"lr": 2e-2}}
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    read = document(ChatFormat.for_tokenizer(Tokenizer.from_folder(base), str(base)), rows(4)[3])
    tokens, learnt = torch.tensor([read.ids]), [weight > 0 for weight in read.weights[1:]]
    taught, before, after = (
        checkpoint.load(folder, dtype=torch.float32)(tokens)[0, :-1][learnt].log_softmax(-1)
        for folder in (base, student, result["model"])
    )
    apart = [kl_div(each, taught, log_target=True, reduction="batchmean") for each in (before, after)]
    assert apart[1] < 0.5 * apart[0]


def test_an_endpoint_teaches_what_is_right(
    recipe: Callable[..., Path], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(handler: Any) -> None:
        n = int(server.asked[-1]["messages"][-1]["content"].split()[1])
        said = f"It is \\boxed{{{n if n % 3 else 100}}}."
        sends(delta(content=said), delta(finish="stop"), usage(9, 9))(handler)

    server.otherwise = act
    changes = {
        "kind": "distil",
        "teacher": f"{server.url}#larger",
        "sampled": {"n": 1, "at_once": 1},
        "epochs": 1,
        "held_out": 0.0,
    }
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert (len(server.asked), result["documents"] + result["too_long"]) == (30, 20)
    learnt = mixture.rows(str(tmp_path / "out/1-distil/made/examples.jsonl"))
    assert {row.response.text for row in learnt} == {f"It is \\boxed{{{n}}}." for n in range(30) if n % 3}
