"""From a training set to a score without the items that it holds: `data leaks`, then `eval --flagged`, on GSM8K itself."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from eval_sets import SHARED
from test_evals_run import model_folder as model_folder

from phiforge.cli.main import main
from phiforge.evals.log import read_items
from phiforge.evals.summary import read_flags

GSM8K = SHARED / "gsm8k/train.jsonl"
CORPUS = SHARED / "docs_corpus"
ROWS, PLANTED = 120, 40


@pytest.fixture
def training(tmp_path: Path) -> tuple[Path, list[int]]:
    """Passages of documentation with a third of GSM8K's first problems among them, some with other numbers; and which."""
    if not GSM8K.exists() or not CORPUS.exists():
        pytest.skip("GSM8K and a corpus are not here")
    lines = GSM8K.read_text().splitlines()[:ROWS]
    asked = [json.loads(line)["question"] for line in lines]
    planted = random.Random(1).sample(range(ROWS), PLANTED)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k/train.jsonl").write_text("\n".join(lines) + "\n")
    parts = [part for name in sorted(CORPUS.glob("*.txt"))[:3] for part in name.read_text().split("\n\n")]
    prose = [part for part in parts if len(part) > 200][:400]
    texts = [f"{prose[-1 - i]}\n\n{_edited(asked[at], i)}" for i, at in enumerate(planted)]
    texts += prose
    random.Random(2).shuffle(texts)
    file = tmp_path / "training.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file, sorted(planted)


def _edited(question: str, i: int) -> str:
    return question if i % 4 else question.replace("2", "9").replace("5", "6")


def test_flags_of_a_training_set_split_a_score(
    training: tuple[Path, list[int]], model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, planted = training
    flags = tmp_path / "flags.jsonl"
    words = ["--against", "gsm8k:train", "--sets", str(tmp_path), "--text", "text", "-o", str(flags)]
    assert main(["data", "leaks", str(file), *words]) == 0
    ids = read_flags(flags, "gsm8k", "train")
    assert f"gsm8k: {PLANTED} of {ROWS} items found, in {PLANTED} texts" in capsys.readouterr().out
    assert {f"gsm8k/train/{at}" for at in planted} == ids
    measure = [
        "gsm8k",
        "--split",
        "train",
        "--max-tokens",
        "2",
        "-m",
        str(model_folder),
        "--data",
        str(tmp_path),
        "--unpinned",
    ]
    assert main(["eval", *measure, "--limit", "90", "--out", str(tmp_path), "--flagged", str(flags), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["contamination"]
    here = {item.id for item in read_items(tmp_path / "gsm8k-chat")}
    assert found["flagged"] == len(here & ids) > 5
    assert found["strangers"] == len(ids - here)
    assert found["without"]["n"] == 90 - found["flagged"]
    assert found["of_flagged"]["n"] == found["flagged"]


def test_a_curations_report_names_all_that_leaked(training: tuple[Path, list[int]], tmp_path: Path) -> None:
    """The report shows some places, and lists every item: row numbers of the benchmark's file."""
    file, planted = training
    out = tmp_path / "curated"
    assert (
        main(
            [
                "data",
                "curate",
                str(file),
                "--text",
                "text",
                "--against",
                str(tmp_path / "gsm8k/train.jsonl"),
                "-o",
                str(out),
                "--json",
            ]
        )
        == 0
    )
    report = json.loads((out / "report.json").read_text())["benchmarks"]["train"]
    assert len(report["matches"]) < report["leaked_items"] == PLANTED
    assert read_flags(out / "report.json", "gsm8k", "train") == {f"gsm8k/train/{at}" for at in planted}


def test_what_cannot_be_looked_for_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "nothing"}\n')
    for against, said in (
        ("gsm9k", "no task is called 'gsm9k'"),
        ("gsm8k:best", "no split 'best'"),
        ("gsm8k", "no data"),
    ):
        words = ["--against", against, "--sets", str(tmp_path), "--text", "text", "-o", str(tmp_path / "out")]
        assert main(["data", "leaks", str(file), *words]) != 0
        assert said in capsys.readouterr().err
