"""Exact rational values of trees, and the decisions that need nothing more. No floats, no sympy."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from zlib import crc32

from phiforge.verify.math_lex import TooLarge
from phiforge.verify.math_tree import Node, holds_infinity, num, symbols

MAX_BITS = 20_000  # of a numerator or denominator on the way: 6,000 digits, about a millisecond an operation
MAX_FACTORIAL = 1_500
MAX_PLAIN_CHARS = 1_000


class NotRational(Exception):
    """The value is not rational, not defined, or takes more than arithmetic to find."""


class Undecided(Exception):
    """Exact rational arithmetic does not settle the question."""


class Unproven(Exception):
    """The two sides agree numerically, but no simplification shows that they are equal."""


class Undefined(Exception):
    """The expression has no value, such as 1/0."""


def rational(node: Node, point: dict[str, Fraction] | None = None) -> Fraction:
    """The exact value of a scalar, its symbols taken from `point`. Raises NotRational, or TooLarge over `MAX_BITS`."""
    value = _rational(node, point)
    if max(abs(value.numerator), value.denominator).bit_length() > MAX_BITS:
        raise TooLarge
    return value


def _rational(node: Node, point: dict[str, Fraction] | None) -> Fraction:
    args = node.args
    match node.op:
        case "num" if isinstance(node.value, Fraction):
            return node.value
        case "sym" if point and node.value in point:
            return point[str(node.value)]
        case "add":
            return _sum([rational(arg, point) for arg in args])
        case "mul":
            product = Fraction(1)
            for arg in args:
                product = _bounded(product * rational(arg, point))
            return product
        case "neg":
            return -rational(args[0], point)
        case "inv":
            value = rational(args[0], point)
            if value == 0:
                raise NotRational
            return 1 / value
        case "pow":
            return _power(rational(args[0], point), rational(args[1], point))
        case "percent":
            return rational(args[0], point) / 100
        case "fact":
            return _factorial(rational(args[0], point))
        case "call":
            return _called(str(node.value), [rational(arg, point) for arg in args])
        case _:
            raise NotRational


def _sum(values: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for value in values:
        total = _bounded(total + value)
    return total


def _bounded(value: Fraction) -> Fraction:
    if max(abs(value.numerator), value.denominator).bit_length() > MAX_BITS:
        raise TooLarge
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 2:
        base, exponent = _square_root(base), exponent * 2
    if exponent.denominator != 1 or (base == 0 and exponent <= 0):
        raise NotRational
    if base in (0, 1, -1):
        return base if exponent % 2 else abs(base)
    size = max(abs(base.numerator), base.denominator)
    if abs(exponent) * (size.bit_length() - 1) > MAX_BITS:  # the power has at least that many bits
        raise TooLarge
    return base ** int(exponent)


def _square_root(value: Fraction) -> Fraction:
    if value >= 0:
        root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
        if root * root == value:
            return root
    raise NotRational


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or value < 0:
        raise NotRational
    if value > MAX_FACTORIAL:
        raise TooLarge
    return Fraction(math.factorial(int(value)))


def _called(name: str, values: list[Fraction]) -> Fraction:
    match name:
        case "sqrt":
            return _square_root(values[0])
        case "abs":
            return abs(values[0])
        case "floor":
            return Fraction(math.floor(values[0]))
        case "ceil":
            return Fraction(math.ceil(values[0]))
        case "factorial":
            return _factorial(values[0])
        case "binom" if values[0].denominator == values[1].denominator == 1 and values[1] >= 0:
            if values[0] > MAX_FACTORIAL or values[0] < 0:
                raise TooLarge
            return Fraction(math.comb(int(values[0]), int(values[1])))
        case _:
            raise NotRational


def near(a: Fraction, b: Fraction, tolerance: Fraction) -> bool:
    """Whether `a` is within `tolerance` of the reference `b`, relative to `b`."""
    return abs(a - b) <= tolerance * abs(b)


_PLAIN = re.compile(
    r"([-+]?)(?:(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?|(\d+)/(\d+)|\\[dt]?frac\{(\d+)\}\{(\d+)\})", re.ASCII
)


def plain_number(text: str) -> Fraction | None:
    r"""The value of the commonest notations (-12, 1,234.5, 3/4, \frac{3}{4}), or None. The parser agrees, but takes longer."""
    match = _PLAIN.fullmatch(text) if len(text) <= MAX_PLAIN_CHARS else None
    if match is None:
        return None
    sign, whole, decimals, *rest = match.groups()
    if whole:
        digits = decimals or ""
        value = Fraction(int(whole.replace(",", "") + digits), 10 ** len(digits))
    else:
        top, bottom = int(rest[0] or rest[2]), int(rest[1] or rest[3])
        if not bottom:
            return None
        value = Fraction(top, bottom)
    return -value if sign == "-" else value


class Exact:
    """Decides scalars by rational arithmetic alone; what that cannot settle raises Undecided.

    Rational functions that differ at one point are different functions; that they agree at a point proves nothing.
    """

    def __init__(self, tolerance: Fraction = Fraction(0)) -> None:
        self.tolerance = tolerance

    def equal(self, a: Node, b: Node) -> bool:
        if holds_infinity(a) or holds_infinity(b):
            return False  # infinity ends an interval; it is not computed with
        names = symbols(a) | symbols(b)
        x, y = _values(a, b, point_of(names, 0))
        if not names:
            return x == y or near(x, y, self.tolerance)
        if x != y:
            return False
        raise Undecided

    def proportional(self, a: Node, b: Node, positive: bool) -> bool:
        """Whether a = c·b for a constant c, not zero, and above zero if `positive`."""
        names = symbols(a) | symbols(b)
        ratios: list[Fraction] = []
        for number in range(3):
            x, y = _values(a, b, point_of(names, number))
            if (x == 0) != (y == 0):
                return False
            if y != 0:
                ratios.append(x / y)
        if not names or len(set(ratios)) > 1 or (positive and ratios and ratios[0] < 0):
            return False
        if not ratios:
            raise Undecided
        scaled = Node("mul", (num(ratios[0]), b))
        return a == scaled or self.equal(a, scaled)


def _values(a: Node, b: Node, point: dict[str, Fraction]) -> tuple[Fraction, Fraction]:
    try:
        return rational(a, point), rational(b, point)
    except NotRational:
        raise Undecided from None
    except TooLarge:
        if point:  # too large at that point only, perhaps
            raise Undecided from None
        raise


def point_of(names: frozenset[str], number: int) -> dict[str, Fraction]:
    """One of a fixed series of points, scattered so that no simple relation holds between its coordinates.

    Even ones are positive, the first odd one is negative, the others have both signs.
    """
    point: dict[str, Fraction] = {}
    for name in names:
        bits = crc32(f"{name}/{number}".encode())
        value = Fraction(bits % 9973 + 1000, (bits >> 14) % 4999 + 2500)  # 0.13 to 4.4
        point[name] = -value if number == 1 or (number % 2 and bits >> 31) else value
    return point
