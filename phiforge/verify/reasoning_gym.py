"""Whether an answer is right by the scorer of the reasoning-gym task that made it (`pip install phiforge[environments]`).

`verifier_args`: `task`, `seed`, `size` and `index` of `create_dataset(task, seed=seed, size=size)[index]`, which is made anew
here, as its metadata need not survive JSON; `tagged`, False where all visible text is the answer, else it stands between
<answer> and </answer>, the last ones. The score is the task's own, 0 to 1. Some of its scorers evaluate what they are given:
grade in a process of its own, as evaluations do.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import visible


def gym() -> Any:
    """The package. Raises ValueError that says how to install it."""
    try:
        return import_module("reasoning_gym")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"reasoning-gym is not installed ({error.name} is missing): pip install 'phiforge[environments]'"
        ) from None


def tasks() -> list[str]:
    """The names of its tasks."""
    gym()
    return sorted(import_module("reasoning_gym.factory").DATASETS)


@lru_cache(8)
def dataset(task: str, seed: int, size: int) -> Any:
    """A task's data set by its own default settings. Raises ValueError for a task that is not there."""
    made = gym()
    if task not in tasks():
        from difflib import get_close_matches

        near = get_close_matches(task, tasks(), n=3, cutoff=0.4)
        raise ValueError(
            f"reasoning-gym has no task {task!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    return made.create_dataset(task, seed=seed, size=size)


def verify(response: str, problem: Problem) -> Verdict:
    """Score the answer. Raises ValueError for a question that isn't the one that is made here, or another version's."""
    answer = extracted(response, problem)
    if not answer:
        return Verdict(False, 0.0, "the response gives no final answer")
    args = problem.verifier_args
    made = dataset(args["task"], args["seed"], args["size"])
    entry = made[args["index"]]
    if str(entry["answer"]) != problem.answer:
        raise ValueError(f"{problem.id}: this version of reasoning-gym makes another question of it")
    score = float(import_module("reasoning_gym").get_score_answer_fn(args["task"])(answer, entry))
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
