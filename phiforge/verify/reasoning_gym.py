"""Whether an answer is right by the scorer of the reasoning-gym task that made it (`pip install phiforge[environments]`).

`verifier_args`: `task`, `seed`, `size` and `index` of `create_dataset(task, seed=seed, size=size)[index]`, which is made anew
here, as its metadata need not survive JSON; `tagged`, False where all visible text is the answer, else it stands between
<answer> and </answer>, the last ones. The score is the task's own, 0 to 1; an answer on which its scorer fails is wrong.

Some tasks go through sets, so that their questions hang on Python's hash seed too: they are made under PYTHONHASHSEED=0, by
this file as a program, and scored so. Some scorers evaluate what they are given: score in a process of its own, as
evaluations do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import visible

Entry = dict[str, Any]


def tasks() -> list[str]:
    """The names of its tasks. Raises ValueError that says how to install the package where it is missing."""
    try:
        import_module("reasoning_gym")
    except ModuleNotFoundError as error:
        missing = f"reasoning-gym is not installed ({error.name} is missing)"
        raise ValueError(f"{missing}: pip install 'phiforge[environments]'") from None
    return sorted(import_module("reasoning_gym.factory").DATASETS)


def make(task: str, seed: int, size: int) -> list[Entry]:
    """`size` questions with their answers, the same for the same seed. Raises ValueError for a task that cannot be had."""
    known = tasks()
    if task not in known:
        near = get_close_matches(task, known, n=3, cutoff=0.4)
        raise ValueError(
            f"reasoning-gym has no task {task!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", __name__, task, str(seed), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise ValueError(f"reasoning-gym's task {task!r}: {done.stderr.strip().rpartition(chr(10))[2]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def verify(response: str, problem: Problem) -> Verdict:
    """Score the answer. Raises ValueError for a question that isn't the one that is made here."""
    answer = extracted(response, problem)
    if not answer:
        return Verdict(False, 0.0, "the response gives no final answer")
    args = problem.verifier_args
    entry = _entry(args["task"], args["seed"], args["size"], args["index"])
    if entry["question"] not in problem.messages[-1].text:
        raise ValueError(f"{problem.id}: another question is made of it here; is it another version of reasoning-gym?")
    try:
        score = float(import_module("reasoning_gym").get_score_answer_fn(args["task"])(answer, entry))
    except Exception as error:
        return Verdict(False, 0.0, f"the task's scorer cannot read it: {type(error).__name__}: {error}")
    if not 0 <= score <= 1:
        raise ValueError(f"{problem.id}: reasoning-gym gave a score of {score}, which is not from 0 to 1")
    return Verdict(score == 1, score, f"a score of {score:g}")


def extracted(response: str, problem: Problem) -> str | None:
    """The answer as written; None where there is none."""
    said = visible(response) or ""
    if problem.verifier_args.get("tagged", True):
        _, opened, rest = said.rpartition("<answer>")
        said, closed, _ = rest.partition("</answer>")
        said = said if opened and closed else ""
    return said.strip() or None


@lru_cache(8)
def _dataset(task: str, seed: int, size: int) -> Any:
    tasks()
    return import_module("reasoning_gym").create_dataset(task, seed=seed, size=size)


@lru_cache(256)
def _entry(task: str, seed: int, size: int, index: int) -> Entry:
    return _dataset(task, seed, size)[index]


def _print(task: str, seed: int, size: int) -> None:
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a task prints is no entry
    for i in range(size):
        entry = _entry(task, seed, size, i)
        print(json.dumps({"question": entry["question"], "answer": str(entry["answer"])}), file=told)


if __name__ == "__main__":
    _print(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
