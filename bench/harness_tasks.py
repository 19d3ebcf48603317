"""The same items for lm-evaluation-harness: its task files, written from our tasks' problems, with its own templates, or its own
task files over other rows.

What a prompt looks like is rendered by each side by itself, so that a difference would show.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phiforge.records import Problem

MMLU_LETTER = (
    "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
)


def write_choices(folder: Path, kind: str, items: Sequence[Problem], shots: Sequence[Problem]) -> list[str]:
    """MMLU by subject, five worked examples: "letter" as lm-eval's mmlu has it, "cloze" as its arc. Returns the task names."""
    names = []
    for subject in dict.fromkeys(item.metadata["subset"] for item in items):
        files = {}
        for split, rows in (("test", items), ("dev", shots)):
            files[split] = _write(
                folder / f"{subject}_{split}.jsonl", [_choice_row(p) for p in rows if _of(p, subject)]
            )
        names.append(f"{kind}_{subject}")
        _task(
            folder,
            names[-1],
            files,
            output_type="multiple_choice",
            fewshot_split="dev",
            fewshot_config={"sampler": "first_n"},
            num_fewshot=5,
            description="The following are multiple choice questions (with answers) about "
            f"{subject.replace('_', ' ')}.\n\n",
            doc_to_text=MMLU_LETTER if kind == "letter" else "Question: {{question.strip()}}\nAnswer:",
            doc_to_choice=["A", "B", "C", "D"] if kind == "letter" else "{{choices}}",
            doc_to_target="answer",
            metric_list=[{"metric": "acc"}, {"metric": "acc_norm"}],
        )
    return names


def write_own(folder: Path, package: Path, name: str, rows: Sequence[dict[str, Any]], split: str) -> list[str]:
    """lm-eval's own task of this name, out of its `package`, over rows in the hub's columns instead of the hub's."""
    (file,) = package.glob(f"tasks/*/{name}.yaml")
    data = {split: _write(folder / f"{name}_{split}.jsonl", list(rows))}
    splits = {"training_split": None, "validation_split": None, "test_split": split}
    _task(folder, f"own_{name}", data, include=str(file), dataset_name=None, num_fewshot=0, **splits)
    return [f"own_{name}"]


def write_words(folder: Path, items: Sequence[Problem], shots: Sequence[Problem]) -> list[str]:
    """GSM8K, eight worked examples, as text to continue."""
    files = {
        "test": _write(folder / "gsm8k_test.jsonl", [_worded_row(p) for p in items]),
        "dev": _write(folder / "gsm8k_dev.jsonl", [_worded_row(p) for p in shots]),
    }
    numbers = {"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}
    _task(
        folder,
        "gsm8k",
        files,
        output_type="generate_until",
        fewshot_split="dev",
        fewshot_config={"sampler": "first_n"},
        num_fewshot=len(shots),
        doc_to_text="Question: {{question}}\nAnswer:",
        doc_to_target="{{answer}}",
        generation_kwargs={"until": ["Question:"], "do_sample": False, "max_gen_toks": 256},
        filter_list=[{"name": "flexible-extract", "filter": [numbers, {"function": "take_first"}]}],
        metric_list=[
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"],
            }
        ],
    )
    return ["gsm8k"]


def write_texts(folder: Path, items: Sequence[Problem]) -> list[str]:
    """A corpus, for rolling log-likelihood."""
    rows = [{"id": p.id, "text": p.messages[-1].text} for p in items]
    files = {"test": _write(folder / "texts.jsonl", rows)}
    _task(
        folder,
        "texts",
        files,
        output_type="loglikelihood_rolling",
        doc_to_text="",
        doc_to_target="{{text}}",
        metric_list=[{"metric": "word_perplexity"}, {"metric": "byte_perplexity"}, {"metric": "bits_per_byte"}],
    )
    return ["texts"]


def _of(problem: Problem, subject: str) -> bool:
    return problem.metadata["subset"] == subject


def _choice_row(problem: Problem) -> dict[str, Any]:
    return {
        "id": problem.id,
        "question": problem.messages[-1].text,
        "choices": problem.verifier_args["options"],
        "answer": "ABCD".index(problem.answer),
    }


def _worded_row(problem: Problem) -> dict[str, Any]:
    return {"id": problem.id, "question": problem.messages[-1].text, "answer": problem.metadata["solution"]}


def _write(file: Path, rows: list[dict[str, Any]]) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def _task(folder: Path, name: str, files: dict[str, str], **fields: Any) -> None:
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files},
        "test_split": "test",
        "metadata": {"version": 1.0},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(task | fields))  # JSON is YAML
