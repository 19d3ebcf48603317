"""Exact numbers as physics writes them."""

from __future__ import annotations

from fractions import Fraction

from phiforge.data.rows import Unfit


def decimal(value: Fraction | int) -> str:
    """A number as an exact decimal: "2.75", "-3". Raises Unfit for one that does not end within six places."""
    value = Fraction(value)
    scaled = value * 10**6
    if scaled.denominator != 1:
        raise Unfit
    whole, rest = divmod(abs(scaled.numerator), 10**6)
    places = f"{rest:06}".rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{'.' + places if places else ''}"
