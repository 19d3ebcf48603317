"""The code verifier on the public benchmarks' own solutions, and on what it must not be asked."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from phiforge.records import Message, Problem
from phiforge.verify.code import extract, verify

DATA = Path(__file__).parents[2] / "shared/data"


def problem(**args: Any) -> Problem:
    return Problem("p", [Message("user", "?")], "", "code", args)


def human_eval() -> list[dict[str, Any]]:
    path = DATA / "humaneval/HumanEval.jsonl.gz"
    if not path.exists():
        pytest.skip("HumanEval is not here")
    return [json.loads(line) for line in gzip.open(path)]


def test_human_eval_accepts_its_solutions_and_no_others() -> None:
    tasks = human_eval()
    assert len(tasks) == 164
    rejected, accepted = [], []
    for task in tasks:
        asked = problem(tests=task["test"], entry_point=task["entry_point"], prompt=task["prompt"])
        if not verify(task["canonical_solution"], asked).correct:
            rejected.append(task["task_id"])
        if verify("    return None\n", asked).correct:
            accepted.append(task["task_id"])
    assert rejected == []
    assert accepted == []


def test_mbpp_accepts_its_solutions() -> None:
    path = DATA / "mbpp/mbpp.jsonl"
    if not path.exists():
        pytest.skip("MBPP is not here")
    tasks = [json.loads(line) for line in path.open()][:200]
    rejected = [
        (task["task_id"], verdict.reason)
        for task in tasks
        if not (verdict := verify(f"```python\n{task['code']}\n```", problem(**task))).correct
    ]
    assert len(rejected) <= 4, rejected


@pytest.mark.parametrize("args", [{}, {"test_list": []}, {"cases": []}, {"tests": ""}, {"tests": "assert ("}])
def test_a_problem_without_tests_is_its_own_fault(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tests|cases"):
        verify("def f(): pass", problem(**args))


def test_part_marks_for_cases() -> None:
    verdict = verify("print(5)", problem(cases=[["", "5"], ["", "6"], ["", "5\n"], ["", "7"]]))
    assert (verdict.correct, verdict.score) == (False, 0.5)
    assert verdict.reason == "case 2: prints '5\\n', not '6'"


def test_the_reason_names_the_test_that_fails() -> None:
    verdict = verify(
        "def f(x):\n    return x", problem(tests="assert f(1) == 1\nassert f(2) == 4, 'square'", entry_point="f")
    )
    assert verdict.reason == "assert f(2) == 4, 'square' — fails"
    raised = verify("def f(x):\n    return [][x]", problem(tests="assert f(1) == 1", entry_point="f"))
    assert raised.reason == "assert f(1) == 1 — IndexError: list index out of range"


def test_code_is_found_in_a_response() -> None:
    assert extract("text only")
    assert extract("```json\n{}\n```\n```python\nx = 1\n```") == "x = 1\n"
    assert extract("```python\nimport re\n```\nand\n```python\nx = 1\n```") == "import re\n\n\nx = 1\n"
    assert extract("```python\ndef f(): pass\n```\n```python\nprint(f())\n```", "f") == "def f(): pass\n"
    assert extract("<think>```python\nx = 1\n```") is None
