"""Equations worked out in steps that a small model can take: 144*4=576 becomes 144*4=400+160+16=560+16=576.

Each step rewrites what can be done in one's head: sums and differences without carries or of a single digit, products of single
digits and their places, quotients of one digit. A longer quotient first takes off what divides: 243/9=(180+63)/9=20+63/9=20+7=27.
What is too long that way, or isn't a decimal, is left as it was.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

LONGEST = 9  # steps of an equation
_EQUATION = re.compile(r"(?<![\w.)=/*+%-])(\(?[\d.][\d.+\-*/()]*)=(\d+(?:\.\d+)?)(?![\d=*/+(%:-]|\.\d)")
_SPACED = re.compile(r"(?<=[\d)]) ?([-+*/=<>]) ?(?=[\d(])")
_ASCII = str.maketrans({"×": "*", "÷": "/", "−": "-"})
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class Term(NamedTuple):
    """Two numbers or terms, and the sign between them."""

    left: Term | Decimal
    sign: str
    right: Term | Decimal


def jotted(thought: str) -> str:
    """A thought with a line for each sentence, its equations without spaces, in ASCII, and worked out."""
    lines = re.split(r"(?<=[.;]) |\n", thought.translate(_ASCII))
    return "\n".join(spelled(_SPACED.sub(r"\1", line).rstrip(".;")) for line in lines)


def spelled(text: str) -> str:
    """A text whose equations "a*b=c" show how one gets there."""
    return _EQUATION.sub(lambda found: _spelled(*found.groups()) or found.group(), text)


def _spelled(expression: str, result: str) -> str | None:
    """The equation in steps; None where there is nothing to show, or it isn't right."""
    try:
        whole = _parsed(ast.parse(expression, mode="eval").body)
        steps = [_text(step) for step in _steps(whole)]
    except (ArithmeticError, SyntaxError, ValueError, RecursionError):
        return None
    if not steps or len(steps) > LONGEST or Decimal(steps[-1]) != Decimal(result):
        return None
    return "=".join([expression, *steps[:-1], result])


def _parsed(node: ast.expr) -> Term | Decimal:
    if isinstance(node, ast.Constant):
        return Decimal(str(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        return Term(_parsed(node.left), _SIGNS[type(node.op)], _parsed(node.right))
    raise ValueError("neither a number nor one of the four operations")


def _steps(whole: Term | Decimal) -> Iterator[Term | Decimal]:
    for _ in range(LONGEST + 1):
        if isinstance(whole, Decimal):
            return
        yield (whole := _step(whole))


def _step(term: Term) -> Term | Decimal:
    """What becomes of a term when everything in it that can be done is done once."""
    left, sign, right = term
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return {"+": _sum, "-": _difference, "*": _product, "/": _quotient}[sign](left, right)
    if sign == "/" and isinstance(left, Term) and isinstance(right, Decimal) and (parts := _divided(left, right)):
        return parts
    left = _step(left) if isinstance(left, Term) else left
    if isinstance(right, Term):
        right = _step(right)
    if sign == "+" and isinstance(right, Term) and right.sign == "+":  # a+(b+c) is a+b+c
        return _added(left, right)
    return Term(left, sign, right)


def _added(left: Term | Decimal, right: Term | Decimal) -> Term:
    if isinstance(right, Term) and right.sign == "+":
        return Term(_added(left, right.left), "+", right.right)
    return Term(left, "+", right)


def _sum(a: Decimal, b: Decimal) -> Term | Decimal:
    if a < b and len(_places(a)) < len(_places(b)):
        a, b = b, a
    if len(_places(b)) < 2 or all(x + y < 10 for x, y in _digits(a, b)):
        return a + b
    first, *rest = _places(b)
    return Term(a + first, "+", sum(rest, Decimal()))


def _difference(a: Decimal, b: Decimal) -> Term | Decimal:
    if len(_places(b)) < 2 or all(x >= y for x, y in _digits(a, b)):
        return a - b
    first, *rest = _places(b)
    return Term(a - first, "-", sum(rest, Decimal()))


def _product(a: Decimal, b: Decimal) -> Term | Decimal:
    if len(_places(a)) < len(_places(b)):
        a, b = b, a
    head = _places(b)
    if len(head) > 1:
        return _total([Term(a, "*", each) for each in head])
    digit = b.normalize().as_tuple().digits[0]
    if len(_places(a)) < 2 or all(each * digit < 10 for each in a.normalize().as_tuple().digits):
        return a * b
    return _total([each * b for each in _places(a)])


def _quotient(a: Decimal, b: Decimal) -> Term | Decimal:
    found = a / b
    if found * b != a:
        raise ArithmeticError("not a decimal")
    first, *rest = _places(found)
    if not rest or len(rest) > 3 or b in (1, 10) or b >= 100 or all(x % b == 0 for x, _ in _digits(a, a)):
        return found
    return Term(Term(first * b, "+", a - first * b), "/", b)


def _divided(term: Term, b: Decimal) -> Term | None:
    """What `_quotient` made of a number, divided: (180+63)/9 is 20+63/9. None for any other sum."""
    first, sign, rest = term
    if sign != "+" or not isinstance(first, Decimal) or not isinstance(rest, Decimal):
        return None
    found = first / b
    fits = found * b == first and len(_places(found)) == 1 and rest < b.scaleb(found.adjusted())
    return Term(found, "+", Term(rest, "/", b)) if fits else None


def _total(parts: list[Term | Decimal]) -> Term | Decimal:
    first, *rest = parts
    for each in rest:
        first = Term(first, "+", each)
    return first


def _places(value: Decimal) -> list[Decimal]:
    """307 is 300 and 7."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    size = len(digits)
    return [Decimal(digit).scaleb(exponent + size - 1 - i) for i, digit in enumerate(digits) if digit]


def _digits(a: Decimal, b: Decimal) -> Iterator[tuple[int, int]]:
    """The digits of both, place by place."""
    low = min(int(a.as_tuple().exponent), int(b.as_tuple().exponent), 0)
    for x, y in zip(*(reversed(str(int(each.scaleb(-low))).zfill(20)) for each in (a, b)), strict=True):
        yield int(x), int(y)


def _text(whole: Term | Decimal) -> str:
    if isinstance(whole, Decimal):
        return f"{whole.normalize():f}" if whole else "0"
    left, right = _text(whole.left), _text(whole.right)
    if isinstance(whole.left, Term) and whole.sign in "*/" and whole.left.sign in "+-":
        left = f"({left})"
    if isinstance(whole.right, Term) and whole.sign != "+" and not (whole.sign == "-" and whole.right.sign in "*/"):
        right = f"({right})"
    return f"{left}{whole.sign}{right}"
