"""`phiforge eval`: its words, what it prints, and that it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_evals_run import model_folder as model_folder
from test_evals_run import sets as sets

from phiforge.cli.main import main
from phiforge.evals import task as registry
from phiforge.evals.log import read_items, read_run
from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Made


@pytest.fixture
def measured(model_folder: Path, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """measured(*words): the exit code, and the JSON lines that were printed."""

    def run(*words: str) -> tuple[int, list[Any]]:
        common = ["-m", str(model_folder), "--data", str(sets), "--unpinned", "--out", str(tmp_path), "--json"]
        code = main(["eval", *words, *common])
        return code, [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_several_tasks_are_measured_into_folders_of_their_own(measured: Callable[..., Any], tmp_path: Path) -> None:
    code, rows = measured("mmlu:sums", "gsm8k", "--limit", "3", "--max-tokens", "4")
    assert code == 0
    assert [row["run"]["task"] for row in rows] == ["mmlu", "gsm8k"]
    assert [row["log"] for row in rows] == [str(tmp_path / "mmlu-sums-letter"), str(tmp_path / "gsm8k-chat")]
    assert rows[0]["run"]["part"] == "sums"
    for row in rows:
        items = read_items(row["log"])
        assert len(items) == 3
        assert row["value"]["value"] == pytest.approx(sum(i.right for i in items) / 3)
        assert read_run(row["log"]).limit == 3


def test_a_stopped_run_is_a_failure_until_it_has_gone_on(measured: Callable[..., Any], tmp_path: Path) -> None:
    words = ("gsm8k", "--max-tokens", "4", "--at-once", "1")
    code, (row,) = measured(*words, "--max-tokens-total", "100")
    assert code == 1
    assert "100 tokens" in row["run"]["stopped"]
    code, (row,) = measured(*words)
    assert (code, row["run"]["finished"], len(read_items(row["log"]))) == (0, True, 12)


def test_people_read_figures_and_where_the_log_is(
    model_folder: Path, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-m", str(model_folder), "--data", str(sets), "--unpinned", "--out", str(tmp_path)]
    assert main(["eval", "perplexity", "mmlu", *words]) == 0
    out, err = capsys.readouterr()
    assert "bits/byte" in out
    assert f"log: {tmp_path / 'mmlu-letter'}" in out
    assert "mmlu (letter): 12 of 12" in err


def test_the_phi4_table_leaves_out_what_has_no_data(
    model_folder: Path, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-m",
        str(model_folder),
        "--data",
        str(sets),
        "--unpinned",
        "--out",
        str(tmp_path),
        "--limit",
        "2",
        "--max-tokens",
        "4",
    ]
    assert main(["eval", "phi4", *words]) == 0
    out, err = capsys.readouterr()
    assert "GPT-4o-mini" in out
    assert "left out: gpqa" in err
    assert read_run(tmp_path / "mmlu-phi4").sampling["temperature"] == 0.5


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["gsm9k"], 1, "did you mean gsm8k"),
        (["gsm8k", "--limit", "0"], 2, "--limit 0: expected more than 0"),
        (["compare", "one"], 2, "two logs"),
        (["view"], 2, "one log or more"),
        (["gsm8k", "-m", "http://127.0.0.1:9/v1#x", "--adapter", "y"], 2, "is an endpoint"),
        (["gsm8k", "-m", "/nowhere"], 1, "/nowhere"),
    ],
)
def test_wrong_words_are_told(words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", *words]) == code
    assert told in capsys.readouterr().err


def test_the_list_says_what_is_there(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "list", "--data", str(sets), "--json"]) == 0
    rows = {row["task"]: row for row in map(msgspec.json.decode, capsys.readouterr().out.splitlines())}
    assert set(rows) == set(registry.names())
    test = rows["gsm8k"]["data"]["test"]
    assert (test["here"], test["where"]) == (True, str(sets / "gsm8k/test.jsonl"))
    assert main(["eval", "list", "--data", str(sets)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0]: line.split()[-1] for line in lines if line[:1].isalnum()}["gsm8k"] == "here"
    assert max(map(len, lines)) <= 100
    assert main(["eval", "list", "gsm8k"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "MIT, from https://github.com/openai/grade-school-math" in told
    assert all(protocol.words in told for protocol in registry.get("gsm8k").protocols.values())
    assert main(["eval", "list", "gsm"]) == 1


@pytest.mark.parametrize("name", registry.names())
def test_a_task_says_in_words_what_it_does(name: str) -> None:
    task = registry.get(name)
    assert len(task.summary.split()) > 3
    assert Path(registry.home.__path__[0], f"{name}.py").read_text().count("\n") <= 75
    for protocol in task.protocols.values():
        assert len(protocol.words.split()) >= 5
        assert protocol.words.endswith(".")
        if isinstance(protocol, Generate) and protocol.judge is None and protocol.temperature is not None:
            assert protocol.temperature >= 0
    for source in task.data.values():
        assert isinstance(source, Made) or (isinstance(source, Files) and source.get)
    assert not task.published or (task.published_as in task.protocols and task.source)
