"""How algebra is written: coefficients, signs, polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def signed(value: Fraction | int) -> str:
    """ "+ 3" or "− 3", to be put behind another term."""
    return f"{'−' if value < 0 else '+'} {abs(value)}"


def term(value: Fraction | int, name: str) -> str:
    """ "3x", "-x", "x", "(1/2)x"."""
    if abs(value) == 1:
        return f"{'-' if value < 0 else ''}{name}"
    text = f"({abs(value)})" if Fraction(value).denominator > 1 else str(abs(value))
    return f"{'-' if value < 0 else ''}{text}{name}"


def plus(value: Fraction | int, name: str) -> str:
    """ "+ 3x" or "− x", to be put behind another term."""
    return f"{'−' if value < 0 else '+'} {term(abs(value), name)}"


def linear(a: Fraction | int, b: Fraction | int, name: str = "x") -> str:
    """ "3x − 2", "x", "5"."""
    if not a:
        return str(b)
    return term(a, name) + (f" {signed(b)}" if b else "")


def polynomial(coefficients: Sequence[Fraction | int], name: str = "x") -> str:
    """A polynomial, the coefficient of the highest power first: "2x^2 − x + 3"."""
    text = ""
    for i, c in enumerate(coefficients):
        power = len(coefficients) - 1 - i
        if not c:
            continue
        base = "" if power == 0 else name if power == 1 else f"{name}^{power}"
        if not text:
            text = term(c, base) if base else str(c)
        else:
            text += f" {plus(c, base)}" if base else f" {signed(c)}"
    return text or "0"
