"""How answers are graded: what hangs or is broken costs its own item only."""

from __future__ import annotations

from typing import Any

import pytest

from phiforge.evals.grade import Graders, grade, refuses
from phiforge.records import Message, Problem


def problem(**fields: Any) -> Problem:
    return Problem(**{"id": "p", "messages": [Message("user", "?")], "answer": "4", "verifier": "math"} | fields)


def test_hanging_code_and_broken_problems_cost_their_item_only() -> None:
    broken = problem(verifier="code", verifier_args={"entry_point": "f"})
    code = problem(verifier="code", verifier_args={"tests": "assert f() == 1", "entry_point": "f", "seconds": 0.5})
    graders = Graders(1)
    try:
        answers = [
            graders.submit("math", "\\boxed{4}", problem()).result(),
            graders.submit("no_such", "4", problem()).result(),
            graders.submit("code", "def f(): pass", broken).result(),
            graders.submit("code", "def f():\n    while True: pass", code).result(),
            graders.submit("code", "def f():\n    return 1", code).result(),
            graders.submit("math", "\\boxed{5}", problem()).result(),
        ]
    finally:
        graders.close()
    assert [g.outcome for g in answers] == ["right", "error", "error", "timeout", "right", "wrong"]


def test_a_grader_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.evals.grade.SECONDS", 0.0)  # no answer can come in no time
    graders = Graders(1)
    try:
        assert graders.submit("math", "\\boxed{4}", problem()).result().outcome == "timeout"
        monkeypatch.setattr("phiforge.evals.grade.SECONDS", 60.0)
        assert graders.submit("math", "\\boxed{4}", problem()).result().outcome == "right"
    finally:
        graders.close()


@pytest.mark.parametrize(
    ("said", "declines"),
    [
        ("I'm sorry, but I can't assist with that.", True),
        ("I cannot answer this question.", True),
        ("As an AI language model, I am unable to do so.", True),
        ("Sorry, no.", True),
        ("The answer is 4. I am sorry for the delay.", False),
        ("I can say that it is 4.", False),
        ("I'm sorry to say so. " + "But let us compute. " * 60, False),
    ],
)
def test_refusals_are_short_and_begin_by_declining(said: str, declines: bool) -> None:
    assert refuses(said) is declines


def test_part_marks_are_kept() -> None:
    args = {"constraints": [{"kind": "punctuation:no_comma"}, {"kind": "change_case:english_lowercase"}]}
    found = grade("instructions", "Well said.", problem(verifier="instructions", verifier_args=args))
    assert (found.outcome, found.score) == ("wrong", 0.5)
