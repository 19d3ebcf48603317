"""The verifier of tool calls on the Berkeley leaderboard's own answers, and on answers and tools that make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phiforge.records import Message, Problem
from phiforge.verify.schema import read_calls, verify

DATA = Path(__file__).parents[2] / "shared/data/bfcl"


def lines(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return [json.loads(line) for line in path.open()]


def plain(value: Any) -> Any:
    """The first of the values that BFCL accepts, in nested objects too."""
    return (
        {name: plain(values[0]) for name, values in value.items() if values[0] != ""}
        if isinstance(value, dict)
        else value
    )


@pytest.mark.parametrize("kind", ["simple_python", "multiple"])
def test_bfcl_s_own_answers_are_accepted(kind: str) -> None:
    tasks = {task["id"]: task for task in lines(f"BFCL_v4_{kind}.json")}
    wrong = []
    for truth in lines(f"possible_answer/BFCL_v4_{kind}.json"):
        task = tasks[truth["id"]]
        expected = [
            {"name": name, "accept": accept} for call in truth["ground_truth"] for name, accept in call.items()
        ]
        asked = Problem(
            task["id"],
            [Message("user", "?")],
            json.dumps(expected),
            "schema",
            {"tools": task["function"], "loose": True},
        )
        if any(isinstance(value, dict) for call in expected for values in call["accept"].values() for value in values):
            continue  # its nested objects list alternatives inside, a form of its own
        calls = [{"name": call["name"], "arguments": plain(call["accept"])} for call in expected]
        verdict = verify(json.dumps(calls), asked)
        spoiled = json.dumps([{**calls[0], "name": "no_such_tool"}])
        if not verdict.correct or verify(spoiled, asked).correct or verify("I don't know", asked).correct:
            wrong.append((task["id"], verdict.reason))
    assert len(wrong) <= 3, wrong  # answers that break their own schema


def test_bfcl_s_irrelevant_tools_want_no_call() -> None:
    for task in lines("BFCL_v4_irrelevance.json"):
        asked = Problem(task["id"], [Message("user", "?")], "[]", "schema", {"tools": task["function"]})
        assert verify("None of my tools can do that.", asked).correct
        assert not verify(json.dumps([{"name": task["function"][0]["name"], "arguments": {}}]), asked).correct


@pytest.mark.parametrize("answer", ["", "{}", "[1]", '[{"name": "f"}]', "no"])
def test_expected_calls_that_make_no_sense_are_the_problem_s_fault(answer: str) -> None:
    with pytest.raises(ValueError, match="expected call"):
        verify("[]", Problem("p", [Message("user", "?")], answer, "schema"))


def test_a_tool_whose_schema_is_none_is_the_problem_s_fault() -> None:
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "nonsense"}}}}
    asked = Problem("p", [Message("user", "?")], '[{"name": "f", "arguments": {"x": 1}}]', "schema", {"tools": [tool]})
    with pytest.raises(ValueError, match="no JSON Schema"):
        verify('[{"name": "f", "arguments": {"x": 1}}]', asked)


def test_part_marks_for_parallel_calls() -> None:
    calls = [{"name": "f", "arguments": {"x": i}} for i in range(4)]
    asked = Problem("p", [Message("user", "?")], json.dumps(calls), "schema")
    calls[2]["arguments"] = {"x": 9}
    verdict = verify(json.dumps(calls), asked)
    assert (verdict.correct, round(verdict.score, 2)) == (False, 0.74)
    assert verdict.reason == "f: x is 9, not 2"


def test_hostile_responses_end() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, '[{"name": "f", "arguments": ' * 5_000, "functools" * 100_000):
        assert read_calls(text) == []
