"""How answers are graded: DROP's and MGSM's as their authors do; what hangs or is broken costs its own item only."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from phiforge.evals.grade import Graders, grade, refuses
from phiforge.records import Message, Problem
from phiforge.verify import mgsm
from phiforge.verify.drop import f1


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


@pytest.mark.parametrize(
    ("given", "gold", "expected"),
    [
        (["Bo"], ["Bo"], 1.0),
        (["the quick, Bo!"], ["Quick Bo"], 1.0),
        (["Bo Li"], ["Bo"], 2 / 3),  # one of two words, and all of one
        (["10 yards"], ["12 yards"], 0.0),  # numbers that differ make the rest worth nothing
        (["10 yards"], ["10.0"], 2 / 3),
        (["1,000"], ["1000"], 1.0),
        (["b a-c", "x"], ["x", "c b"], 1.0),  # hyphens part words, "a" is an article; spans match in any order
        (["x"], ["x", "y"], 0.5),
        (["x y", "x"], ["x"], 0.5),  # one span matches, the other is one too many
        (["a b", "b c"], ["b c", "b d"], (1.0 + 2 / 3) / 2),  # the best matching of both, not the best of each
    ],
)
def test_drop_s_f1(given: list[str], gold: list[str], expected: float) -> None:
    assert f1(given, gold) == pytest.approx(expected)
    assert f1(gold, given) == pytest.approx(expected) or gold == ["12 yards"]


def test_drop_takes_the_best_reference_and_reads_lists() -> None:
    one = Problem("p", [Message("user", "?")], "Bo", "drop", {"answers": ["Bo", ["Ann Lee", "Cy"], "3 May 1990"]})
    cases = {
        "Answer: Bo.": ("right", 1.0),
        "**Answer:** it is Cy and Ann Lee": ("wrong", 0.75),  # "it is Cy" has one word of one among three
        "Answer: Ann Lee, Cy": ("right", 1.0),
        "Answer: 3 May, 1990": ("right", 1.0),
        "Answer: Dee\n\nNo.\nAnswer: Bo": ("right", 1.0),
        "Bo": ("right", 1.0),
        "<think>Answer: Bo": ("unparsable", 0.0),
    }
    for said, expected in cases.items():
        found = grade("drop", said, one)
        assert (found.outcome, found.score) == (expected[0], pytest.approx(expected[1])), said
    with pytest.raises(ValueError, match="needs `answers`"):
        grade("drop", "x", msgspec.structs.replace(one, verifier_args={"answers": [" "]}))


def test_mgsm_wants_the_word_for_answer() -> None:
    def of_language(language: str) -> Problem:
        return Problem("p", [Message("user", "?")], "1080", "mgsm", metadata={"subset": language})

    assert mgsm.verify("Antwort: 1.080", of_language("de")).correct is False  # as simple-evals reads it
    assert mgsm.verify("Antwort: 7\nAntwort: 5 + 1075 = 1,080.", of_language("de")).correct
    assert mgsm.verify("答案：1080.0", of_language("zh")).correct
    assert mgsm.verify("Es sind 1080", of_language("de")).reason == "no number after 'Antwort'"
    with pytest.raises(ValueError, match="'it' is none of MGSM's languages bn, de"):
        mgsm.verify("1", of_language("it"))
