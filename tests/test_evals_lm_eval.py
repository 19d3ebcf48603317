"""lm-eval's task files: what they ask is what is asked, and what is not plain is refused by its name."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_evals_run import lm as lm
from test_evals_run import measure, same
from test_evals_run import model_folder as model_folder

from phiforge.cli.main import main
from phiforge.evals import task as registry
from phiforge.evals.data import load, problems
from phiforge.evals.protocol import Choice, Generate
from phiforge.lm.local import LocalModel
from phiforge.records import Problem
from phiforge.verify import exact_match

SUMS = """
task: sums
dataset_path: json
dataset_kwargs:
  data_files: {test: test.jsonl, dev: dev.jsonl}
test_split: test
fewshot_split: dev
fewshot_config: {sampler: first_n}
num_fewshot: 2
description: "Sums for {{grade}}.\\n\\n"
doc_to_text: "Q: {{question|trim}}\\nA:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Q:"], max_gen_toks: 5}
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "#### (\\\\d+)"}, {function: take_first}]
  - name: loose
    filter: [{function: regex, regex_pattern: "(\\\\d+)", group_select: -1}, {function: take_first}]
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true, regexes_to_ignore: [",", "(?s).*#### "]}
metadata: {version: 2.0}
"""
COLOURS = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: colours.jsonl}}
validation_split: test
output_type: multiple_choice
doc_to_text: thing
doc_to_choice: "{{colours}}"
doc_to_target: "{{colours.index(colour)}}"
metric_list: [{metric: acc_norm}, {metric: acc}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two task files and their rows."""
    for name in ("test", "dev"):
        rows = [{"question": f" {name} {i}+1? ", "answer": f"count\n#### {i + 1}", "grade": "first"} for i in range(4)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [
        {"thing": f"the sea, {i}", "colours": ["red", "deep blue", "green"], "colour": "deep blue"} for i in range(6)
    ]
    (tmp_path / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "sums.yaml").write_text(SUMS)
    (tmp_path / "colours.yaml").write_text(COLOURS)
    return tmp_path


def of(file: Path, split: str = "test") -> tuple[registry.Task, list[Problem]]:
    task = registry.get(str(file))
    return task, problems(task, load(task.data[split], file.parent), split)


def changed(folder: Path, name: str, old: str, new: str) -> Path:
    text = {"sums": SUMS, "colours": COLOURS}[name]
    assert old in text
    file = folder / f"changed{len(list(folder.iterdir()))}.yaml"
    file.write_text(text.replace(old, new))
    return file


def test_a_task_to_write_by_has_its_prompt_examples_and_limits(folder: Path) -> None:
    task, items = of(folder / "sums.yaml")
    shown = of(folder / "sums.yaml", "dev")[1][:2]
    assert (task.name, task.version, items[1].id) == ("sums", 2, "sums/test/1")
    protocol = task.protocols["exact_match"]
    assert isinstance(protocol, Generate)
    assert protocol.text(items[0], shown) == (
        "Sums for first.\n\nQ: dev 0+1?\nA: count\n#### 1\n\nQ: dev 1+1?\nA: count\n#### 2\n\nQ: test 0+1?\nA:"
    )
    assert (protocol.stop, protocol.max_tokens, protocol.temperature, protocol.chat) == (("Q:",), 5, 0.0, False)
    right = exact_match.verify("I add.\n#### 1", items[0])
    assert right.correct
    assert not exact_match.verify("It is 1", items[0]).correct  # [invalid]
    assert exact_match.measures("It is 1", items[0]) == {"exact_match, strict": 0.0, "exact_match, loose": 1.0}


def test_choices_come_by_template_and_both_accuracies_are_protocols(folder: Path) -> None:
    task, items = of(folder / "colours.yaml")
    assert list(task.protocols) == ["acc_norm", "acc"]
    protocol = task.protocols["acc_norm"]
    assert isinstance(protocol, Choice)
    assert (protocol.per, items[0].answer, protocol.text(items[0])) == ("char", "B", "the sea, 0")
    assert protocol.choices(items[0]) == [" red", " deep blue", " green"]


def test_task_files_run_like_any_task(folder: Path, lm: LocalModel, tmp_path: Path) -> None:
    run, items = measure(str(folder / "sums.yaml"), lm, folder, tmp_path / "a", limit=3)
    assert (run.task, run.kind, run.verifiers, len(items)) == ("sums", "generate", ["exact_match"], 3)
    assert items[0].prompt.startswith("Sums for first.\n\nQ: dev 0")
    assert set(items[0].measures) == {"exact_match, strict", "exact_match, loose"}
    again = measure(str(folder / "sums.yaml"), lm, folder, tmp_path / "a", limit=3)[1]
    assert same(items, again)
    run, items = measure(str(folder / "colours.yaml"), lm, folder, tmp_path / "b", protocol="acc")
    assert [len(item.choices) for item in items] == [3] * 6
    best = [max(item.choices, key=lambda each: each.logprob).text for item in items]
    assert [item.right for item in items] == [text == " deep blue" for text in best]


def test_a_likelihood_is_right_where_greedy_decoding_would_write_it(
    folder: Path, lm: LocalModel, tmp_path: Path
) -> None:
    file = changed(folder, "colours", "output_type: multiple_choice", "output_type: loglikelihood")
    text = (
        file.read_text()
        .replace('doc_to_choice: "{{colours}}"\n', "")
        .replace("{{colours.index(colour)}}", "{{colour}}")
    )
    file.write_text(text.replace("[{metric: acc_norm}, {metric: acc}]", "[{metric: acc}]"))
    _, items = measure(str(file), lm, folder, tmp_path / "run")
    assert all(item.choices[0].text == " deep blue" and len(item.choices) == 1 for item in items)
    assert [item.right for item in items] == [item.choices[0].greedy for item in items]


def test_the_command_takes_a_file(folder: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", str(model_folder), "--unpinned", "--out", str(folder / "logs"), "--json"]
    assert main(["eval", str(folder / "colours.yaml"), *words]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["run"]["task"], row["run"]["protocol"], row["items"]) == ("colours", "acc_norm", 6)
    assert main(["eval", str(folder / "nothing.yaml"), *words]) != 0
    assert "nothing.yaml: No such file" in capsys.readouterr().err


def test_an_included_file_gives_what_is_not_said(folder: Path) -> None:
    (folder / "more.yaml").write_text("include: sums.yaml\ntask: more\nnum_fewshot: 0\n")
    task, items = of(folder / "more.yaml")
    assert (task.name, task.protocols["exact_match"].shots, items[0].answer) == ("more", 0, "count\n#### 1")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "sums",
            'doc_to_target: "{{answer}}"',
            "doc_to_target: !function utils.target",
            "!function utils.target: code",
        ),
        ("sums", "metric: exact_match", "metric: bleu", "metric 'bleu' is none of exact_match"),
        ("sums", "function: take_first", "function: majority_vote", "filter 'majority_vote' is not known"),
        ("sums", "max_gen_toks: 5", "num_beams: 5", "generation_kwargs: num_beams"),
        ("sums", "task: sums", "task: sums\nprocess_docs: mine", "process_docs: not known"),
        (
            "sums",
            "dataset_path: json",
            "dataset_path: json\noutput_type: loglikelihood_rolling",
            "'loglikelihood_rolling'",
        ),
        ("sums", "sampler: first_n", "sampler: balanced", "sampler 'balanced'"),
        ("sums", "dev: dev.jsonl", "train: dev.jsonl", "no single file of split 'dev'"),
        ("sums", "task: sums", "task: [a, b]", "a group of tasks"),
        ("sums", "test_split: test\n", "", "neither test_split nor validation_split"),
        ("sums", "task: sums", "task: [", "not YAML"),
        ("colours", "metric: acc_norm", "metric: brier_score", "metric 'brier_score'"),
        ("colours", 'doc_to_choice: "{{colours}}"\n', "", "doc_to_choice is not given"),
    ],
)
def test_what_is_not_plain_is_refused_by_its_name(folder: Path, name: str, old: str, new: str, said: str) -> None:
    with pytest.raises(ValueError, match="changed") as error:
        registry.get(str(changed(folder, name, old, new)))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("sums", "{{question|trim}}", "{{title}}", "row 0: template.*'title' is undefined"),
        ("sums", "{{question|trim}}", "{{question.__class__.__mro__}}", "row 0: template.*unsafe"),
        ("colours", "{{colours.index(colour)}}", "{{7}}", "gives 7, which is none of the 3 choices"),
        ("colours", "doc_to_text: thing", 'doc_to_text: "{{3}}"', "number of a choice"),
    ],
)
def test_a_row_that_does_not_fit_is_named(folder: Path, name: str, old: str, new: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        of(changed(folder, name, old, new))


def checked(response: str, answer: str, **args: Any) -> bool:
    return exact_match.verify(response, Problem("p", [], answer, "exact_match", args)).correct


def test_exact_match_ignores_what_it_is_told_to() -> None:
    assert checked("Paris", "Paris")
    assert not checked("paris", "Paris")
    assert checked("paris!", "Paris", ignore_case=True, ignore_punctuation=True)
    assert checked("room 12", "room 7", ignore_numbers=True)
    assert checked("$1,000", "1000", regexes_to_ignore=[",", "\\$"])
    assert checked("b", "", targets=["a", "b"])
    steps = [{"function": "regex", "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)", "group_select": -1}]
    assert checked("first 10 then 7", "7", filters={"flexible": steps})
    assert checked("  Yes", "yes", filters={"f": [{"function": "remove_whitespace"}, {"function": "lowercase"}]})
    with pytest.raises(ValueError, match="does not know tolerance"):
        checked("a", "a", tolerance=1)
    assert exact_match.extracted("no number", Problem("p", [], "1", "exact_match", {"filters": {"f": steps}})) is None


@pytest.mark.slow
def test_lm_eval_itself_asks_and_scores_alike(folder: Path, model_folder: Path, tmp_path: Path) -> None:
    """PHIFORGE_LM_EVAL is an interpreter that has lm-eval: the same files, the same weights, in fp32."""
    python = os.environ.get("PHIFORGE_LM_EVAL")
    if not python:
        pytest.skip("PHIFORGE_LM_EVAL is not set")
    for name in ("sums", "colours"):  # it looks for files in the working folder
        text = (folder / f"{name}.yaml").read_text()
        (folder / f"{name}.yaml").write_text(re.sub(r"(\w+\.jsonl)", rf"{folder}/\1", text))
    asked = {"model": str(model_folder), "dtype": "float32", "batch": 2, "tasks": ["sums", "colours"], "include": str(folder),
             "limit": None, "threads": 2, "max_length": 256}  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps(asked))
    harness = Path(__file__).parents[1] / "bench/peers/lm_eval_harness.py"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    command = [python, "-P", str(harness), str(tmp_path / "request.json"), str(tmp_path / "answer.json")]
    subprocess.run(command, env={**os.environ, **offline}, cwd=tmp_path, check=True)
    found = json.loads((tmp_path / "answer.json").read_text())["samples"]
    with LocalModel.open(str(model_folder), dtype="float32", device="cpu") as lm:
        _, sums = measure(str(folder / "sums.yaml"), lm, folder, tmp_path / "a")
        _, colours = measure(str(folder / "colours.yaml"), lm, folder, tmp_path / "b")
    strict, loose = found["sums"][: len(sums)], found["sums"][len(sums) :]  # a sample for each filter
    for item, sample, other in zip(sums, strict, loose, strict=True):
        assert item.prompt == sample["arguments"][0][0]
        assert item.response == sample["answers"][0][0]
        assert item.right == bool(sample["scores"]["exact_match"])
        assert item.measures["exact_match, loose"] == other["scores"]["exact_match"]
    for item, sample in zip(colours, found["colours"], strict=True):
        assert [[item.prompt, each.text] for each in item.choices] == [pair[:2] for pair in sample["arguments"]]
        theirs = [float(answer[0][0]) for answer in sample["answers"]]
        assert [each.logprob for each in item.choices] == pytest.approx(theirs, abs=1e-3)
        assert item.right == bool(sample["scores"]["acc_norm"])
