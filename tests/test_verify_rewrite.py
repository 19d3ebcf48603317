"""The verifier of rewritten code: requirements that aren't known, reasons, and helpers that hide nothing."""

from __future__ import annotations

from typing import Any

import pytest

from phiforge.records import Message, Problem
from phiforge.verify.rewrite import missed, verify

LOOP = "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x + 1)\n    return out\n"


def problem(*requires: list[Any]) -> Problem:
    args = {"tests": "assert f([1, 2]) == [2, 3]", "entry_point": "f", "requires": list(requires)}
    return Problem("p", [Message("user", "?")], "", "rewrite", args)


def test_form_and_behaviour_both_count() -> None:
    assert verify(LOOP, problem()).correct
    assert verify(LOOP, problem(["no_loops"])).reason == "there is a loop"
    assert verify("def f(xs):\n    return [x + 2 for x in xs]", problem(["no_loops"])).reason.endswith("— fails")
    assert verify("def f(xs):\n    return [x + 1 for x in xs]", problem(["no_loops"], ["comprehension"])).correct


def test_an_unknown_requirement_is_the_problem_s_fault() -> None:
    with pytest.raises(ValueError, match="no requirement is called 'no_goto'"):
        verify(LOOP, problem(["no_goto"]))


@pytest.mark.parametrize(
    "hidden",
    [
        "def g(xs):\n    for x in xs:\n        yield x + 1\n\ndef f(xs):\n    return list(g(xs))",
        "def f(xs):\n    def g():\n        for x in xs:\n            yield x + 1\n    return list(g())",
        "def h(xs):\n    for x in xs:\n        yield x + 1\n\ng = h\n\ndef f(xs):\n    return list(g(xs))",
        "def f(xs):\n    out = []\n    exec('for x in xs: out.append(x + 1)')\n    return out",
    ],
)
def test_a_loop_does_not_hide(hidden: str) -> None:
    assert missed(hidden, "f", [["no_loops"]])


def test_lines_are_counted_as_they_are_formatted() -> None:
    assert (
        missed("def f(x):\n    a = x; b = a; return b", "f", [["max_lines", 2]]) == "its body has 3 lines, more than 2"
    )
    assert (
        missed(
            "def f(x):\n    '''A text.'''\n    # a remark\n\n    return (\n        x\n    )", "f", [["max_lines", 1]]
        )
        == ""
    )
    assert missed(
        "def f(x):\n    if x:\n        return 1\n    else:\n        return 2", "f", [["max_lines", 3]]
    ).startswith("its body has 4")


def test_deep_nesting_is_no_crash() -> None:
    deep = "def f(x):\n    return " + "(" * 150 + "x" + ")" * 150
    assert missed(deep, "f", [["no_nested_loops"]]) in ("", "the code is nested too deeply") or "parse" in missed(
        deep, "f", [["no_if"]]
    )
