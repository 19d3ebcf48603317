"""The verifier of instructions knows every constraint of IFEval's file, and names what it doesn't know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phiforge.records import Message, Problem
from phiforge.verify.instructions import KINDS, broken, sentences, verify

IFEVAL = Path(__file__).parents[2] / "shared/data/ifeval/input_data.jsonl"


def test_there_are_enough_kinds() -> None:
    assert len([kind for kind in KINDS if ":" in kind]) == 25
    assert len(KINDS) >= 40


def test_every_constraint_of_ifeval_can_be_checked() -> None:
    if not IFEVAL.exists():
        pytest.skip("IFEval is not here")
    checked = 0
    for line in IFEVAL.open():
        task = json.loads(line)
        for kind, arguments in zip(task["instruction_id_list"], task["kwargs"], strict=True):
            assert isinstance(
                broken({"kind": kind, **arguments}, "Some answer, made of two sentences. Here is one."), str
            )
            checked += 1
    assert checked > 800


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ({"kind": "no_such"}, "no constraint is called 'no_such'"),
        ({"kind": "lines"}, "lines"),
        ({"kind": "lines", "n": 2, "rows": 3}, "lines"),
        ({"kind": "lines", "n": 2, "relation": "around"}, "no relation is called 'around'"),
    ],
)
def test_a_constraint_that_makes_no_sense_is_named(constraint: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        broken(constraint, "text")


def test_part_marks() -> None:
    constraints = [
        {"kind": "punctuation:no_comma"},
        {"kind": "lines", "n": 1},
        {"kind": "no_digits"},
        {"kind": "first_word", "word": "b"},
    ]
    verdict = verify("b, 1", Problem("p", [Message("user", "?")], "", "instructions", {"constraints": constraints}))
    assert (verdict.correct, verdict.score, verdict.reason) == (False, 0.5, "it has a comma")


def test_sentences_are_told_apart() -> None:
    assert sentences('He said "No." Then he left, at 3.15 p.m. sharp. Dr. Lee stayed! Why?') == [
        'He said "No."',
        "Then he left, at 3.15 p.m. sharp.",
        "Dr. Lee stayed!",
        "Why?",
    ]
