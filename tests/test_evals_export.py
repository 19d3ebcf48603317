"""A log in other tools' formats, read back by those tools where they are installed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eval_logs import items, log, run

from phiforge.cli.main import main
from phiforge.evals.export import export, turns
from phiforge.evals.log import Item, Weighed, read_items, write_log
from phiforge.evals.summary import summarise


def choice(number: int, gold: str, logprobs: tuple[float, float]) -> Item:
    texts = (" short", " a much longer one")
    weighed = [Weighed(text, value, 2, len(text) - 1, False) for text, value in zip(texts, logprobs, strict=True)]
    said = "AB"[logprobs.index(max(logprobs))]
    right = said == gold
    return Item(
        id=f"mmlu/test/{number}", prompt=f"Question {number}", gold=gold, extracted=said, outcome="right" if right else "wrong",
        score=float(right), choices=weighed,
    )  # fmt: skip


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """By sums the first two are right, by characters only the last: the longer option then wins."""
    told = run(task="mmlu", protocol="cloze", kind="choice", verifiers=[], sampling={"shots": 5}, items=3)
    made = [choice(0, "A", (-4.0, -5.0)), choice(1, "A", (-3.0, -6.0)), choice(2, "B", (-4.0, -5.0))]
    return write_log(tmp_path / "choices", told, made)


def exported(folder: Path, form: str, out: Path) -> tuple[Any, list[Any]]:
    first, *rest = export(folder, form, out)
    rows = [json.loads(line) for file in rest for line in file.read_text().splitlines()]
    return json.loads(first.read_text()), rows


def test_an_inspect_log_has_every_answer_with_its_thought_and_mark(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", 0.5, n=20, repeats=2)
    found, _ = exported(folder, "inspect", tmp_path / "out.json")
    (score,) = found["results"]["scores"]
    assert score["name"] == "math"
    assert score["metrics"]["accuracy"]["value"] == pytest.approx(summarise(folder).value.value)
    assert len(found["samples"]) == 40 == found["results"]["completed_samples"]
    assert found["eval"]["config"] == {"limit": None, "epochs": 2}
    for sample, item in zip(found["samples"], read_items(folder), strict=True):
        assert (sample["id"], sample["epoch"] - 1) == (item.id, item.repeat)
        assert sample["scores"]["math"]["value"] == ("C" if item.right else "I")
        assert sample["scores"]["math"]["metadata"]["outcome"] == item.outcome
        reasoning, text = sample["messages"][-1]["content"]
        assert (reasoning["reasoning"], text["text"]) == (item.thought, item.response)


@pytest.mark.parametrize("repeats", [1, 2])
def test_inspect_ai_reads_its_log(tmp_path: Path, repeats: int) -> None:
    inspect_log = pytest.importorskip("inspect_ai.log")
    folder = log(tmp_path / "run", 0.5, n=20, repeats=repeats)
    (file,) = export(folder, "inspect", tmp_path / "out.json")
    found = inspect_log.read_eval_log(str(file))
    assert found.status == "success"
    assert found.results.scores[0].metrics["accuracy"].value == pytest.approx(summarise(folder).value.value)
    for sample, item in zip(found.samples, read_items(folder), strict=True):
        assert sample.output.completion == item.response
        assert sample.target == item.gold
        assert sample.output.usage.total_tokens == item.tokens_in + item.tokens_out


def test_choices_have_lm_evals_two_accuracies(choices: Path, tmp_path: Path) -> None:
    found, rows = exported(choices, "lm-eval", tmp_path / "out.json")
    results = found["results"]["mmlu"]
    assert results["acc,none"] == pytest.approx(2 / 3)
    assert results["acc_norm,none"] == pytest.approx(1 / 3)
    assert [row["acc"] for row in rows] == [1, 1, 0]
    assert [row["acc_norm"] for row in rows] == [0, 0, 1]
    assert rows[0]["resps"] == [[["-4.0", "False"]], [["-5.0", "False"]]]
    assert rows[0]["arguments"]["gen_args_1"] == {"arg_0": "Question 0", "arg_1": " a much longer one"}
    assert (found["n-shot"], rows[2]["target"]) == ({"mmlu": 5}, "1")


def test_written_answers_are_exact_matches_and_repeats_one_row(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", 0.5, n=10, repeats=3)
    found, rows = exported(folder, "lm-eval", tmp_path / "out.json")
    made = items(0.5, 10, 3)
    assert found["results"]["gsm8k"]["exact_match,none"] == pytest.approx(sum(i.right for i in made) / 30)
    assert found["results"]["gsm8k"]["exact_match_stderr,none"] == pytest.approx(summarise(folder).value.se)
    assert len(rows) == 10
    assert rows[0]["resps"] == [[i.response for i in made if i.id == "gsm8k/test/0"]]
    assert rows[0]["exact_match"] == pytest.approx(sum(i.right for i in made[:3]) / 3)


def test_perplexities_are_of_bytes_and_words(tmp_path: Path) -> None:
    told = run(task="perplexity", kind="perplexity", metric="perplexity", verifiers=[], sampling={"shots": 0}, items=2)
    of = [
        {"logprob": -70.0, "tokens": 20, "bytes": 100, "words": 18},
        {"logprob": -30.0, "tokens": 9, "bytes": 50, "words": 7},
    ]
    texts = [Item(id=str(i), prompt="text", outcome="right", score=1.0, measures=each) for i, each in enumerate(of)]
    found, rows = exported(write_log(tmp_path / "run", told, texts), "lm-eval", tmp_path / "out.json")
    results = found["results"]["perplexity"]
    assert results["word_perplexity,none"] == pytest.approx(math.exp(100 / 25))
    assert results["byte_perplexity,none"] == pytest.approx(math.exp(100 / 150))
    assert results["bits_per_byte,none"] == pytest.approx(100 / 150 / math.log(2))
    assert [row["resps"] for row in rows] == [[["-70.0"]], [["-30.0"]]]
    assert found["higher_is_better"]["perplexity"]["bits_per_byte"] is False


def test_a_prompt_is_cut_into_its_turns() -> None:
    prompt = "<|system|>\nBe brief.\n<|user|>\nOne\ntwo\n\n<|assistant|>\n3\n<|user|>\nWhy?"
    assert [(m["role"], m["content"]) for m in turns(prompt)] == [
        ("system", "Be brief."), ("user", "One\ntwo\n"), ("assistant", "3"), ("user", "Why?"),
    ]  # fmt: skip
    assert turns("Question: 1+1\nAnswer:") == [{"role": "user", "content": "Question: 1+1\nAnswer:"}]


def test_the_command_names_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = log(tmp_path / "run", 0.5)
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "export", str(folder)]) == 0
    assert main(["eval", "export", str(folder), "--format", "lm-eval", "--out", "there/results.json"]) == 0
    files = capsys.readouterr().out.split()
    assert files[:2] == ["run.inspect.json", "there/results.json"]
    assert files[2].startswith("there/samples_gsm8k_")
    assert all(Path(file).stat().st_size for file in files)
    assert main(["eval", "export", str(folder), str(folder)]) == 2


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", 0.5)
    with pytest.raises(ValueError, match=r"'csv'.*inspect or lm-eval"):
        export(folder, "csv", tmp_path / "out")
    with pytest.raises(ValueError, match="no evaluation log"):
        export(tmp_path, "inspect", tmp_path / "out")
    empty = write_log(tmp_path / "empty", msgspec.structs.replace(run(), items=1), [])
    with pytest.raises(ValueError, match="no items yet"):
        export(empty, "inspect", tmp_path / "out")
