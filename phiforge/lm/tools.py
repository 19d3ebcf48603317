"""Tools that run here, for a model that calls them: a calculator."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from phiforge.records import Message, ToolCall

CALCULATOR: dict[str, Any] = {
    "name": "calculator",
    "description": "Compute an arithmetic expression.",
    "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
}

_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
_CHARACTERS = 500  # of an expression
_BITS = 4096  # of a result
_DIGITS = 10  # after the point


def calculate(expression: str) -> str:
    """The value of an expression of numbers, + - * / ^ and brackets, exact up to ten decimals: "12*(3+4.5)" gives "90". "20%"
    is 0.2, commas between digits don't count. Raises ValueError for anything else."""
    plain = re.sub(r"(?<=\d),(?=\d{3})|[$€£]", "", expression.translate(_SIGNS)).replace("^", "**").strip()
    plain = re.sub(r"(\d+\.?\d*|\.\d+)\s*%", r"(\1/100)", plain)
    plain = re.sub(r"\b0+(?=\d)", "", plain)
    if not plain or len(plain) > _CHARACTERS:
        raise ValueError(f"an expression has 1 to {_CHARACTERS} characters")
    try:
        value = _value(ast.parse(plain, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{expression!r} is no arithmetic expression") from None
    except ZeroDivisionError:
        raise ValueError(f"{expression!r} divides by zero") from None
    whole = round(value * 10**_DIGITS)
    sign, (before, after) = "-" * (whole < 0), divmod(abs(whole), 10**_DIGITS)
    return f"{sign}{before}.{after:0{_DIGITS}}".rstrip("0").rstrip(".")


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if right.denominator != 1 or abs(right) * _bits(left) > _BITS:
                raise ValueError("a power must be a whole number, and its value not astronomical")
            return Fraction(left**right)
        if compute := _OPERATORS.get(type(node.op)):
            value = compute(left, right)
            if _bits(value) > _BITS:
                raise ValueError("the value is astronomical")
            return value
    raise ValueError("only numbers, + - * / ^ and brackets are arithmetic")


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def answer(call: ToolCall) -> Message:
    """What a call of a tool from here gives, as the message that the model gets; an error is a text, too."""
    if call.name != CALCULATOR["name"]:
        text = f"error: there is no tool {call.name!r}"
    else:
        try:
            text = calculate(str(call.arguments.get("expression", "")))
        except ValueError as error:
            text = f"error: {error}"
    return Message("tool", text, tool_call_id=call.id, name=call.name)
