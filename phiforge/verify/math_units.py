"""Units and counted things at the end of an answer: 12 cm, 15\\text{ cm}^2, $12 per hour, 5 red apples, 3 million.

Two amounts are compared in base units; when only one side names a unit, the amounts alone decide (see `math_compare`).
Conversions of physical quantities beyond these everyday factors are the business of `verify/units`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from phiforge.verify.math_lex import CURRENCIES, Token
from phiforge.verify.math_tree import is_name

MAX_WORDS = 3  # in the name of a counted thing
MAX_TOKENS = 12  # of a unit, the longest being like \text{kg} \cdot \text{m}^{2}


class Unit(NamedTuple):
    """A unit's dimension (exponents by base), its size in base units, and the multiplier of count words before it."""

    dimension: dict[str, int]
    size: Fraction = Fraction(1)
    multiplier: int = 1


# One line a unit: its names, its dimension, its size in the dimension's base unit (exact by definition).
_UNITS = """
m meter meters metre metres = length 1
cm centimeter centimeters centimetre centimetres = length 1/100
mm millimeter millimeters millimetre millimetres = length 1/1000
km kilometer kilometers kilometre kilometres = length 1000
in inch inches = length 127/5000
ft foot feet = length 381/1250
yd yard yards = length 1143/1250
mi mile miles = length 201168/125
s sec secs second seconds = time 1
min mins minute minutes = time 60
h hr hrs hour hours = time 3600
day days = time 86400
week weeks = time 604800
g gram grams = mass 1
mg milligram milligrams = mass 1/1000
kg kilogram kilograms = mass 1000
oz ounce ounces = mass 45359237/1600000
lb lbs pound pounds = mass 45359237/100000
l L liter liters litre litres = volume 1
ml mL milliliter milliliters millilitre millilitres = volume 1/1000
dollar dollars usd USD = dollar 1
cent cents = dollar 1/100
euro euros eur EUR = euro 1
pence penny = pound-sterling 1/100
degree degrees deg = degree 1
unit units = unit 1
radian radians rad = radian 1
°C celsius = celsius 1
°F fahrenheit = fahrenheit 1
"""
KNOWN = {
    name: (dimension, Fraction(size))
    for names, _, definition in (line.partition(" = ") for line in _UNITS.strip().splitlines())
    for dimension, size in [definition.split()]
    for name in names.split()
}
MULTIPLIERS = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
_BEFORE = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_AFTER = {"squared": 2, "cubed": 3}
_SPELLED_OUT = {"mph": "miles per hour", "kph": "km per hour", "kmh": "km per hour"}
_PART = re.compile(r"\s*(?:(?P<word>°?[^\W\d_]+)|\^\s*\{?\s*(?P<power>[123])\s*\}?|(?P<per>/)|\*)")
_THING = re.compile(r"[^\W\d_]{4,}|[^aeiou\W\d_][aeiou][^aeiou\W\d_]")  # eggs, men; not a product such as xyz
_SHORT = {"m", "s", "h", "g", "l", "L", "in"}  # a bare "5 m" is metres, 5m is five times m

# Words that say something about the number itself: what stands before them is not yet the answer.
_NUMBER_WORDS_TEXT = """
and or not no of to by from over under plus minus times divided multiplied mod modulo remainder factorial choose more less
fewer least most than half halves third thirds quarter quarters fourth fourths fifth fifths tenth tenths hundredth
hundredths thousandth thousandths percent root power negative positive below above between about because since so if
is are was were equals equal then when which with without in base binary octal hexadecimal st nd rd th am pm per
one two three four five six seven eight nine ten eleven twelve hundreds thousands millions billions dozens pi twice
double triple score pair pairs solutions solution
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
_NUMBER_WORDS = frozenset(_NUMBER_WORDS_TEXT.split())


def split_unit(tokens: list[Token]) -> tuple[list[Token], Unit] | None:
    """The tokens of an amount and its unit, or None if the tokens (without `end`) do not end in one."""
    at = 1 if tokens and tokens[0].text == "-" else 0
    if len(tokens) > at + 1 and tokens[at].text in CURRENCIES:
        amount, unit = split_unit(tokens[:at] + tokens[at + 1 :]) or (tokens[:at] + tokens[at + 1 :], Unit({}))
        return amount, unit._replace(dimension={CURRENCIES[tokens[at].text]: 1, **unit.dimension})
    if len(tokens) > 1 and tokens[-1].text in CURRENCIES:
        return tokens[:-1], Unit({CURRENCIES[tokens[-1].text]: 1})
    for at in range(max(1, len(tokens) - MAX_TOKENS), len(tokens)):
        if tokens[at].kind in ("word", "text"):
            plain = all(
                token.kind == "number" or token.text in ("-", "/", "\\frac", "{", "}") for token in tokens[:at]
            )
            unit = _unit(tokens[at:], plain)
            if unit is not None:
                return tokens[:at], unit
    return None


def _unit(tokens: list[Token], plain: bool) -> Unit | None:
    """The unit that all these tokens name. `plain`: the amount is a number in digits, so a thing may be counted."""
    quoted, spaced = tokens[0].kind == "text", tokens[0].spaced
    source = " ".join(_SPELLED_OUT.get(token.text, token.text) for token in tokens)
    dimension: dict[str, int] = {}
    size, multiplier = Fraction(1), 1
    things: list[str] = []
    sign, before, last = 1, 1, ("", Fraction(1))
    position = 0
    while position < len(source):
        part = _PART.match(source, position)
        if part is None:
            return None
        position = part.end()
        word, power = part["word"], int(part["power"] or 0)
        if part["per"] or word == "per":
            sign = -1
        elif power or word in _AFTER:
            if not last[0] or before != 1:
                return None
            extra = sign * ((power or _AFTER[word]) - 1)
            dimension[last[0]] += extra
            size *= last[1] ** extra
            last = ("", Fraction(1))
        elif word in _BEFORE:
            before = _BEFORE[word]
        elif word in MULTIPLIERS and not dimension and not things:
            multiplier *= MULTIPLIERS[word]
        elif word in KNOWN or (word and word.lower() in KNOWN and len(word) > 3):
            if word in _SHORT and not quoted and not (plain and spaced):
                return None
            last = KNOWN.get(word) or KNOWN[word.lower()]
            dimension[last[0]] = dimension.get(last[0], 0) + sign * before
            size *= last[1] ** (sign * before)
            before = 1
        elif word:
            word = word.lower()
            if word in _NUMBER_WORDS or is_name(word) or not _THING.fullmatch(word):
                return None
            things.append(word)
    if before != 1 or len(things) > MAX_WORDS or (things and not (plain and (spaced or quoted))):
        return None
    if things:
        dimension[" ".join(things).removesuffix("s")] = 1
    return Unit(dimension, size, multiplier)
