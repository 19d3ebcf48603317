"""Scalar equality by computer algebra. Imported only inside the worker process (`math_worker`): it is slow and may hang.

Trees become sympy expressions through constructors; no text is ever parsed or evaluated by sympy.

A pair is accepted only when sympy brings the difference to exactly zero, *and* the two sides agree to 40 digits at
scattered points. Numbers alone can only reject. Symbols are real; identities are sought over the positive reals as
well, where √(x²) = x, which is safe because the points, of both signs, must agree wherever both sides are real.
"""

# sympy's own annotations are partial.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import sympy

from phiforge.verify.math_exact import NotRational, Undefined, Unproven, near, point_of, rational
from phiforge.verify.math_lex import TooLarge
from phiforge.verify.math_tree import Node, holds_infinity
from phiforge.verify.math_tree import symbols as names_of

DIGITS = 60  # carried
AGREE = sympy.Float(10, DIGITS) ** -40  # largest relative difference of values that count as the same
POINTS = 8
MAX_EXPONENT = 1_000  # of a number that is not rational

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "sec": sympy.sec, "csc": sympy.csc, "cot": sympy.cot,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh, "arcsin": sympy.asin, "arccos": sympy.acos,
    "arctan": sympy.atan, "ln": sympy.log, "exp": sympy.exp, "abs": sympy.Abs, "sqrt": sympy.sqrt, "floor": sympy.floor,
    "ceil": sympy.ceiling, "factorial": sympy.factorial, "binom": sympy.binomial,
}  # fmt: skip


class Symbolic:
    """Decides scalars. Raises Unproven, Undefined or TooLarge; the caller bounds time and memory."""

    def __init__(self, tolerance: Fraction = Fraction(0)) -> None:
        self.tolerance = tolerance

    def equal(self, a: Node, b: Node) -> bool:
        if holds_infinity(a) or holds_infinity(b):
            return False
        x, y = _built(a), _built(b)
        if self.tolerance and not (x.free_symbols | y.free_symbols):
            values = [Fraction(str(value)) for value in (x.evalf(DIGITS), y.evalf(DIGITS)) if value.is_Float]
            if len(values) == 2 and near(values[0], values[1], self.tolerance):
                return True
        if x == y:
            return True
        if _differ(x, y, names_of(a) | names_of(b)):
            return False
        if _is_zero(x - y) or _is_zero(_built(a, positive=True) - _built(b, positive=True)):
            return True
        raise Unproven

    def proportional(self, a: Node, b: Node, positive: bool) -> bool:
        """Whether a = c·b for a constant c, not zero, and above zero if `positive`."""
        x, y = _built(a), _built(b)
        names = names_of(a) | names_of(b)
        if not (x.free_symbols | y.free_symbols) or x == 0 or y == 0:
            return False
        for number in range(POINTS):
            point = _substitution(names, number)
            ratio = sympy.radsimp(x.subs(point) / y.subs(point)) if _value(y, point) else None
            if ratio is None or not _value(ratio, {}):
                continue
            if not ratio.is_real or (positive and not ratio.is_positive) or _differ(x, ratio * y, names):
                return False
            if _is_zero(x - ratio * y):
                return True
            break
        raise Unproven


def _built(node: Node, positive: bool = False) -> Any:
    """The sympy expression of a scalar, rational parts already exact. Raises Undefined or TooLarge."""
    try:
        value = rational(node)
        return sympy.Rational(value.numerator, value.denominator)
    except NotRational:
        pass
    args = [_built(arg, positive) for arg in node.args]
    expression = _applied(node, args, positive)
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise Undefined
    return expression


def _applied(node: Node, args: list[Any], positive: bool) -> Any:
    match node.op:
        case "sym":
            return sympy.Symbol(str(node.value), real=True, positive=True if positive else None)
        case "const":
            return {"π": sympy.pi, "e": sympy.E, "i": sympy.I}[str(node.value)]
        case "add":
            return sympy.Add(*args)
        case "mul":
            return sympy.Mul(*args)
        case "neg":
            return -args[0]
        case "inv":
            return _power(args[0], sympy.Integer(-1))
        case "pow":
            return _power(args[0], args[1])
        case "percent":
            return args[0] / 100
        case "deg":
            return args[0] * sympy.pi / 180
        case "fact":
            return sympy.factorial(args[0])
        case "call":
            return _called(str(node.value), args)
        case _:
            raise Undefined


def _power(base: Any, exponent: Any) -> Any:
    if base.is_number and base != sympy.I and exponent.is_number and abs(exponent) > MAX_EXPONENT:
        raise TooLarge
    if base.is_zero and not exponent.is_positive:
        raise Undefined
    return sympy.Pow(base, exponent)


def _called(name: str, args: list[Any]) -> Any:
    if name == "log":
        # Without a base it may be ln or log10: a symbol keeps what holds for both and refuses what does not.
        base = args[1] if len(args) > 1 else sympy.Symbol("base of log", positive=True)
        return sympy.log(args[0]) / sympy.log(base)
    if name == "log10":
        return sympy.log(args[0]) / sympy.log(10)
    if name in ("root", "cbrt"):
        index = args[1] if len(args) > 1 else sympy.Integer(3)
        if index.is_zero:
            raise Undefined
        if index.is_odd and args[0].is_negative:
            return -_power(-args[0], 1 / index)  # the real root, as schools have it
        return _power(args[0], 1 / index)
    return _FUNCTIONS[name](*args)


# --- rejecting by numbers


def _differ(x: Any, y: Any, names: frozenset[str]) -> bool:
    """Whether the sides differ at a point where both are real, or, where there is none, at one where both are defined."""
    if x.has(sympy.Symbol("base of log", positive=True)) or y.has(sympy.Symbol("base of log", positive=True)):
        names = names | {"base of log"}
    complex_difference = real_seen = False
    for number in range(POINTS if names else 1):
        point = _substitution(names, number)
        values = [_value(side, point) for side in (x, y)]
        if values[0] is None or values[1] is None:
            continue
        difference = abs(values[0] - values[1]).evalf(DIGITS)
        apart = bool(difference > AGREE * max(1, abs(values[0]), abs(values[1])))
        if all(abs(sympy.im(value)) <= AGREE * max(1, abs(value)) for value in values):
            real_seen = True
            if apart:
                return True
        complex_difference |= apart
    return complex_difference and not real_seen


def _substitution(names: frozenset[str], number: int) -> dict[Any, Any]:
    point = point_of(names, number)
    substitution: dict[Any, Any] = {}
    for name, value in point.items():
        number_ = sympy.Rational(value.numerator, value.denominator)
        if name == "base of log":
            substitution[sympy.Symbol(name, positive=True)] = abs(number_) + 2
        substitution[sympy.Symbol(name, real=True)] = number_
    return substitution


def _value(expression: Any, point: dict[Any, Any]) -> Any:
    """The value to `DIGITS` digits, or None where there is none."""
    value = expression.evalf(DIGITS, subs=point)
    finite = value.is_number and not value.has(sympy.zoo, sympy.nan, sympy.oo)
    parts = value.as_real_imag() if finite else ()
    return value if finite and all(part.is_Float or part.is_Rational for part in parts) else None


# --- accepting by algebra


def _is_zero(difference: Any) -> bool:
    return any(form == 0 for form in _simpler_forms(difference))


def _simpler_forms(difference: Any) -> Iterator[Any]:
    """Equal expressions in the order of what they cost; the first that is literally zero ends the search."""
    yield difference
    yield sympy.expand(difference)
    yield sympy.expand(sympy.numer(sympy.together(difference)))
    if difference.has(sympy.log):
        yield sympy.expand(sympy.expand_log(sympy.expand(difference), factor=True))
    if difference.has(sympy.sinh, sympy.cosh, sympy.tanh):
        yield sympy.expand(sympy.expand(difference.rewrite(sympy.exp)))
    if difference.has(sympy.sin, sympy.cos, sympy.tan, sympy.cot, sympy.sec, sympy.csc):
        yield sympy.trigsimp(sympy.expand_trig(difference))
        yield sympy.expand(sympy.expand(difference.rewrite(sympy.exp)))
    yield sympy.simplify(difference)
    yield sympy.simplify(sympy.sqrtdenest(sympy.radsimp(difference)))
    if not difference.free_symbols and difference.is_algebraic:
        unknown = sympy.Dummy()
        yield (
            sympy.minimal_polynomial(difference, unknown) - unknown
        )  # zero's minimal polynomial is the unknown itself
