"""The calculator: exact, and nothing but arithmetic."""

from __future__ import annotations

import pytest

from phiforge.lm.tools import answer, calculate
from phiforge.records import ToolCall

RIGHT = {
    "12*(3+4.5)": "90",
    "48/2+48": "72",
    "1/3": "0.3333333333",
    "2/3": "0.6666666667",
    "0.1+0.2": "0.3",
    "-3--4": "1",
    "-7/2": "-3.5",
    "20%*50": "10",
    "$1,200-3": "1197",
    "6×7÷2−1": "20",
    "2^10": "1024",
    "2^-1": "0.5",
    "007+1": "8",
    ".5*4": "2",
    "10**20": "100000000000000000000",
}
WRONG = ["", " ", "x+1", "1/0", "9**9**9", "2**0.5", "import os", "f(2)", "1 if 1 else 2", "'a'*9", "True+1", "(" * 400,
         "1" * 501, "1j", "2**99999"]  # fmt: skip


@pytest.mark.parametrize(("expression", "value"), RIGHT.items())
def test_values(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize("expression", WRONG)
def test_what_is_no_arithmetic(expression: str) -> None:
    with pytest.raises(ValueError, match=r"expression|divides by zero|power|arithmetic|astronomical"):
        calculate(expression)


def test_calls_are_answered() -> None:
    assert answer(ToolCall("calculator", {"expression": "2*3"}, "c1")).text == "6"
    assert answer(ToolCall("calculator", {"expression": "2*3"}, "c1")).tool_call_id == "c1"
    assert answer(ToolCall("calculator", {})).text.startswith("error: an expression has")
    assert answer(ToolCall("weather")).text == "error: there is no tool 'weather'"
