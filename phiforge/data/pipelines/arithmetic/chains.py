"""Chains of whole-number arithmetic, with brackets and all four operations.

`make` works the expression out step by step as a person would; `solve` reads the printed text again with a parser of its own.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver

_ASKS = (
    "What is {}?",
    "Calculate {}.",
    "Work out {}.",
    "Find the value of {}.",
    "Evaluate {}.",
    "{} = ?",
    "How much is {}?",
    "Compute {} without a calculator.",
    "Please work out {} step by step.",
    "What does {} come to?",
    "I need the result of {}. What is it?",
    "Simplify {} to a single number.",
    "Give the value of {}.",
    "What number does {} equal?",
    "Could you tell me what {} is?",
    "My homework says {}. What is the answer?",
    "Determine {}.",
    "Solve: {}",
    "What do you get for {}?",
    "Mentally or on paper: {}.",
    "Carry out {}.",
    "Reckon {}.",
    "I get stuck at {}. What is it?",
    "Write {} as one number.",
    "In the right order of operations, what is {}?",
    "Check me: how much is {}?",
    "Tell me the result of {}.",
    "Result of {}?",
    "Show how to work out {}.",
    "What value has {}?",
    "For a bill I need {}. How much is that?",
)
_SIZE = (0, 20, 60, 120, 400, 999)  # largest number, by level


def make(draw: Draw, level: int) -> Draft:
    text, value, steps, check = _grow(draw, level, 1 + (level + 2) // 2)
    ask = draw.between(0, len(_ASKS) - 1)
    return Draft(
        question=_ASKS[ask].format(text),
        answer=str(value),
        facts={"expression": text},
        template=f"ask{ask}",
        steps=steps,
        says=f"{text} = {value}.",
        given=f"I have to work out {text}; brackets come first, then × and ÷, then + and −.",
        check=check,
    )


def _grow(draw: Draw, level: int, operations: int) -> tuple[str, int, list[Step], str]:
    """An expression, its value, the steps to it, and a check of the last; each operation wraps what is there."""
    value = draw.between(2, _SIZE[level])
    text, steps, check, tight = str(value), [], "", True
    for _ in range(operations):
        sign = draw.pick("++−−××÷")
        other = draw.between(2, _SIZE[level] if sign in "+−" else 9 + level)
        if sign == "÷":
            divisors = [d for d in range(2, 13) if value % d == 0 and abs(value) > d]
            if not divisors:
                sign = "+"
            else:
                other = draw.pick(divisors)
        inner = text if tight or sign in "+−" else f"({text})"
        left, a, b = _bracketed(value), value, other
        if sign == "−" and draw.chance(0.3) and tight:
            text, new, said = f"{other} − {inner}", other - value, f"{other} − {left}"
            if value < 0:
                text, new, said = f"{inner} − {other}", value - other, f"{left} − {other}"
            else:
                a, b = other, value
        else:
            new = {"+": value + other, "−": value - other, "×": value * other, "÷": value // other}[sign]
            text, said = f"{inner} {sign} {other}", f"{left} {sign} {other}"
        tight = sign in "×÷"
        reckoned = _unsigned(sign, value, other, new)
        steps.append(Step(f"{reckoned}{said} = {new}.", slip=_slip(draw, said, sign, value, other, new)))
        check = _undone(a, sign, b, new)
        value = new
    return text, value, steps, check


def _unsigned(sign: str, value: int, other: int, new: int) -> str:
    """What has to be reckoned without signs first: "18 − 11 = 7, so " for 11 − 18."""
    if value >= 0 and new >= 0:
        return ""
    if sign in "×÷":
        return f"{-value} {sign} {other} = {-new}, so "
    low, high = sorted((abs(value), other))
    both = f"{low} + {high}" if value < 0 and sign == "−" else f"{high} − {low}"
    return f"{both} = {abs(new)}, so "


def _slip(draw: Draw, said: str, sign: str, a: int, b: int, right: int) -> Slip | None:
    if abs(a) < 10 or right < 0 or a < 0:
        return None
    wrong = right + draw.pick((10, -10, 100)) if right > 110 else right + draw.pick((1, 10))
    if sign == "×" and b < 10:
        tens, ones = a // 10 * 10, a % 10
        return Slip(
            f"{said} = {wrong}.", f"{tens} × {b} is {tens * b} and {ones} × {b} is {ones * b}, together {right}."
        )
    if sign == "÷":
        return Slip(f"{said} = {wrong}.", f"{wrong} × {b} is {wrong * b}, not {a}.")
    if sign == "+":
        return Slip(f"{said} = {wrong}.", f"Going back, {wrong} − {b} is {wrong - b}, not {a}.")
    return None


def _undone(a: int, sign: str, b: int, value: int) -> str:
    """An operation undone: of 24 + 11 = 35, "Undoing the last step, 35 − 11 = 24, as it was before." """
    inverse = {"+": "−", "−": "+", "×": "÷", "÷": "×"}[sign]
    return f"Undoing the last step, {_bracketed(value)} {inverse} {_bracketed(b)} = {a}, as it was before."


def _bracketed(value: int) -> str:
    return str(value) if value >= 0 else f"({value})"


_TOKEN = re.compile(r"\d+|[-+−×÷()]")


def solve(facts: dict[str, Any]) -> str:
    """Read the expression by recursive descent, in fractions."""
    tokens = _TOKEN.findall(facts["expression"])[::-1]

    def atom() -> Fraction:
        token = tokens.pop()
        if token == "(":
            value = total()
            tokens.pop()
            return value
        return Fraction(token)

    def product() -> Fraction:
        value = atom()
        while tokens and tokens[-1] in "×÷":
            value = value * atom() if tokens.pop() == "×" else value / atom()
        return value

    def total() -> Fraction:
        value = product()
        while tokens and tokens[-1] in "+−":
            value = value + product() if tokens.pop() == "+" else value - product()
        return value

    return str(total())


PIPELINE = Solver(make, solve, knobs="level: numbers up to 20 … 999, two to four operations")
