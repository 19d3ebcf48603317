"""The data of tasks: found, pinned, and read as it was published."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from eval_sets import SHARED, write_sets

from phiforge.evals import task as registry
from phiforge.evals.data import data_folder, load, problems, read_rows
from phiforge.evals.grade import grade
from phiforge.evals.tasks.mgsm import INSTRUCTIONS


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def test_missing_data_says_how_to_get_it(sets: Path, tmp_path: Path) -> None:
    task = registry.get("gsm8k")
    with pytest.raises(ValueError, match=r"github\.com/openai/grade-school-math.*--data.*--hub"):
        load(task.data["test"], tmp_path)
    with pytest.raises(ValueError, match="did you mean gsm8k"):
        registry.get("gsm8")
    with pytest.raises(ValueError, match="has no part 'botany': it has sums, words_of_the_sea"):
        problems(registry.get("mmlu"), load(registry.get("mmlu").data["test"], sets), "test", "botany")
    assert len(problems(registry.get("mmlu"), load(registry.get("mmlu").data["test"], sets), "test", "sums")) == 6


def test_data_that_is_pinned_must_be_the_same(sets: Path) -> None:
    source = registry.get("gsm8k").data["test"]
    found = load(source, sets)
    assert not found.pinned
    pinned = type(source)(folder="gsm8k", files="test.jsonl", sha256=found.sha256)
    assert load(pinned, sets).pinned
    with pytest.raises(ValueError, match="is not the data this task was written for"):
        load(registry.get("gsm8k").data["train"], sets)
    assert not load(registry.get("gsm8k").data["train"], sets, unpinned=True).pinned


def test_the_folder_of_data_is_named_or_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder("x") == Path("x")
    monkeypatch.setenv("PHIFORGE_DATA", "/y")
    assert data_folder() == Path("/y")
    monkeypatch.delenv("PHIFORGE_DATA")
    assert data_folder() == Path("data")


@pytest.mark.skipif(not (SHARED / "mmlu").exists(), reason="the data sets are not here")
def test_mmlu_and_gsm8k_read_the_published_files() -> None:
    mmlu, gsm8k = registry.get("mmlu"), registry.get("gsm8k")
    there = problems(mmlu, load(mmlu.data["test"], SHARED), "test")
    assert (len(there), len({p.metadata["subset"] for p in there})) == (570, 57)
    assert load(gsm8k.data["train"], SHARED).pinned
    assert load(mmlu.data["dev"], SHARED).pinned
    train = problems(gsm8k, load(gsm8k.data["train"], SHARED), "train")
    assert len(train) == 7473
    for each in train[::500]:
        assert grade("math", each.metadata["solution"], each).outcome == "right"
        assert "<<" not in each.metadata["solution"]


def test_files_may_hold_one_row_a_list_or_a_row_a_line(tmp_path: Path) -> None:
    for text, n in (('{\n "a": 1\n}', 1), ('[{"a": 1}, {"a": 2}]', 2), ('{"a": 1}\n{"a": 2}\n', 2)):
        (tmp_path / "x.json").write_text(text)
        assert [row["a"] for row in read_rows(tmp_path / "x.json")] == [1, 2][:n]
    (tmp_path / "x.json").write_text('{"a": 1}\n{"a": ')
    with pytest.raises(ValueError, match=r"x\.json"):
        read_rows(tmp_path / "x.json")
    (tmp_path / "x.tsv").write_text('one "1\t2\n\n')
    assert read_rows(tmp_path / "x.tsv") == [{"0": 'one "1', "1": "2", "_file": "x"}]


def test_several_configurations_of_the_hub_are_one_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is another's server: here is what its client would give."""
    hub = types.ModuleType("datasets")

    def load_dataset(name: str, config: str, *, split: str, revision: str | None) -> list[dict[str, Any]]:
        assert (name, split, revision) == ("juletxara/mgsm", "test", None)
        return [{"question": f"Q in {config}", "answer": None, "answer_number": 4, "equation_solution": None}]

    monkeypatch.setattr(hub, "load_dataset", load_dataset, raising=False)
    monkeypatch.setitem(sys.modules, "datasets", hub)
    task = registry.get("mgsm")
    found = problems(task, load(task.data["test"], tmp_path, hub=True), "test")
    assert [p.metadata["subset"] for p in found] == list(INSTRUCTIONS)
    assert {p.answer for p in found} == {"4"}
