r"""Whether a response gives the right physical quantity: value and unit, in whatever unit of the same kind.

`Problem.answer` is a quantity such as "12.5 m/s". `verifier_args`:
    tolerance   largest relative difference (default 0.01)
    digits      instead: the value has to agree when both are rounded to so many significant digits
    unit        False where a bare number in the answer's unit is right too
A unit is read with prefixes, powers (m^2, m², m^{-1}), products, one or more divisions, LaTeX and common words. Values are
exact fractions; degrees Celsius and Fahrenheit are temperatures with their zero, compared in kelvin.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from phiforge.records import Problem, Verdict
from phiforge.verify.choice import final_answer

MAX_CHARS = 200  # of a quantity; a longer text is not one
MAX_EXPONENT = 60


class Quantity(NamedTuple):
    """A value in SI base units, its dimension (exponents of kg, m, s, A, K, mol, cd), and whether a unit was written."""

    value: Fraction
    dimension: tuple[Fraction, ...]
    has_unit: bool


class NotAQuantity(ValueError):
    """The text cannot be read as a value with a unit."""


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the final answer of a response with `problem.answer`. Raises ValueError if that is not a quantity itself."""
    args = problem.verifier_args
    right = read(problem.answer)
    said = final_answer(response)
    if said is None:
        return Verdict(False, 0.0, "the response gives no final answer")
    try:
        given = read(said)
    except NotAQuantity as error:
        return Verdict(False, 0.0, str(error))
    if not given.has_unit and right.has_unit:
        if args.get("unit", True):
            return Verdict(False, 0.0, f"{said} has no unit")
        given = read(f"{said} {problem.answer.strip().split(maxsplit=1)[1]}")
    if given.dimension != right.dimension:
        return Verdict(False, 0.0, f"{said} is {_kind(given)}, not {_kind(right)}")
    if _agree(given.value, right.value, args):
        return Verdict(True, 1.0, f"{said} is {problem.answer}")
    return Verdict(False, 0.0, f"{said} is not {problem.answer}")


def _agree(given: Fraction, right: Fraction, args: dict[str, object]) -> bool:
    if "digits" in args:
        form = f".{int(str(args['digits'])) - 1}e"
        return format(float(given), form) == format(float(right), form)
    tolerance = Fraction(str(args.get("tolerance", 0.01)))
    return abs(given - right) <= tolerance * abs(right)


def _kind(quantity: Quantity) -> str:
    if not any(quantity.dimension):
        return "a bare number"
    parts = [n if e == 1 else f"{n}^{e}" for n, e in zip(_BASE, quantity.dimension, strict=True) if e]
    return "in " + " ".join(parts)


# --- values ----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(
    r"""(?P<sign>[-+−–]?)\s*
        (?: (?P<top>\d+)\s*/\s*(?P<bottom>\d+)(?![\w.])
          | \\[dt]?frac\{(?P<top2>\d+)\}\{(?P<bottom2>\d+)\}
          | (?P<digits>\d{1,3}(?:(?:,|\{,\}|\\,|\s|\u202f)\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+) )
        (?: (?:[eE](?P<e>[-+−]?\d+))
          | \s*(?:×|\\times|\\cdot|·|\*|x)\s*10\s*(?:\^|\*\*)?\s*\{?(?P<p>[-+−]?\d+|[⁻⁺]?[⁰¹²³⁴-⁹]+)\}? )?
    """,
    re.X,
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LEAD = re.compile(r"^(?:[A-Za-zΔ_]{1,3}(?:_\{?\w+\}?)?\s*=|=|≈|\\approx|\babout\b|approximately|roughly|~)\s*", re.I)


def read(text: str) -> Quantity:
    """A quantity from text. Raises NotAQuantity with the reason."""
    shown = _plain(text)
    if len(shown) > MAX_CHARS:
        raise NotAQuantity(f"{shown[:40]}… is too long for a quantity")
    while lead := _LEAD.match(shown):
        shown = shown[lead.end() :]
    match = _NUMBER.match(shown)
    if match is None:
        raise NotAQuantity(f"{text.strip()[:60]!r} does not begin with a number")
    value = _value(match)
    unit = shown[match.end() :].strip()
    if not unit:
        return Quantity(value, _NONE, False)
    degrees = re.fullmatch(r"(?:°|º|\^\{?\\circ\}?|deg(?:rees?)?)?\s*(C|F|Celsius|Fahrenheit)", unit)
    if degrees and (unit not in ("C", "F")):
        kelvin = (
            value + Fraction("273.15") if degrees[1][0] == "C" else (value - 32) * Fraction(5, 9) + Fraction("273.15")
        )
        return Quantity(kelvin, _dimension("K"), True)
    factor, dimension = _unit(unit)
    return Quantity(value * factor, dimension, True)


def _plain(text: str) -> str:
    """Without LaTeX's dress: \\mathrm, \\text, thin spaces, dollar signs, emphasis, a closing full stop."""
    text = text.strip().strip("*$ ").strip()
    for _ in range(4):
        text = re.sub(
            r"\\(?:mathrm|text|textrm|mathbf|operatorname|rm|si|unit)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r" \1 ", text
        )
    text = re.sub(r"\\(?:,|;|:|!|quad|qquad)|~(?=\s*[A-Za-z\\])|\\ ", " ", text)
    text = re.sub(r"\\(?:ohm|Omega)\b", "Ω", text)
    text = re.sub(r"\\(?:mu|micro)\b\s*", "µ", text)
    text = re.sub(r"\\(?:degree|circ)\b", "°", text).replace("^{°}", "°").replace("^°", "°")
    text = text.replace("$", "").replace("\\%", "%")
    return text.rstrip().rstrip(".").strip()


def _value(match: re.Match[str]) -> Fraction:
    if top := match["top"] or match["top2"]:
        bottom = int(match["bottom"] or match["bottom2"])
        if bottom == 0:
            raise NotAQuantity("the number divides by zero")
        value = Fraction(int(top), bottom)
    else:
        value = Fraction(re.sub(r"[^\d.]", "", match["digits"]).rstrip(".") or "0")
    power = int((match["e"] or match["p"] or "0").translate(_SUPERSCRIPT).replace("−", "-"))
    if abs(power) > MAX_EXPONENT:
        raise NotAQuantity(f"10^{power} is no sensible size")
    value *= Fraction(10) ** power
    return -value if match["sign"] in ("-", "−", "–") and match["sign"] else value


# --- units -----------------------------------------------------------------------------------------------------------

_BASE = ("kg", "m", "s", "A", "K", "mol", "cd")
_NONE = (Fraction(0),) * 7

Unit = tuple[Fraction, tuple[Fraction, ...]]


def _table(text: str) -> dict[str, Unit]:
    """Units from lines "symbol = factor base units; ..."."""
    units: dict[str, Unit] = {}
    for entry in text.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        symbol, _, meaning = entry.partition(" = ")
        factor, *bases = meaning.split()
        powers = {name: power or "1" for name, _, power in (base.partition("^") for base in bases)}
        units[symbol.strip()] = Fraction(factor), tuple(Fraction(powers.get(base, 0)) for base in _BASE)
    return units


_PREFIXED = _table("""
g = 1/1000 kg; m = 1 m; s = 1 s; A = 1 A; K = 1 K; mol = 1 mol; cd = 1 cd; Hz = 1 s^-1; N = 1 kg m s^-2
Pa = 1 kg m^-1 s^-2; J = 1 kg m^2 s^-2; W = 1 kg m^2 s^-3; C = 1 s A; V = 1 kg m^2 s^-3 A^-1
Ω = 1 kg m^2 s^-3 A^-2; ohm = 1 kg m^2 s^-3 A^-2; F = 1 kg^-1 m^-2 s^4 A^2; H = 1 kg m^2 s^-2 A^-2
T = 1 kg s^-2 A^-1; Wb = 1 kg m^2 s^-2 A^-1; S = 1 kg^-1 m^-2 s^3 A^2; L = 1/1000 m^3; l = 1/1000 m^3
eV = 801088317/5000000000000000000000000000 kg m^2 s^-2; bar = 100000 kg m^-1 s^-2; Bq = 1 s^-1
Gy = 1 m^2 s^-2; Sv = 1 m^2 s^-2; lm = 1 cd; cal = 523/125 kg m^2 s^-2; t = 1000 kg; Wh = 3600 kg m^2 s^-2
Ah = 3600 s A; M = 1000 m^-3 mol
""")
_PLAIN = _table("""
min = 60 s; h = 3600 s; hr = 3600 s; d = 86400 s; day = 86400 s; week = 604800 s; year = 31557600 s
ha = 10000 m^2; in = 127/5000 m; inch = 127/5000 m; ft = 381/1250 m; foot = 381/1250 m; yd = 1143/1250 m
yard = 1143/1250 m; mi = 201168/125 m; mile = 201168/125 m; mph = 1397/3125 m s^-1; kmh = 5/18 m s^-1
kph = 5/18 m s^-1; lb = 45359237/100000000 kg; pound = 45359237/100000000 kg; oz = 45359237/1600000000 kg
ounce = 45359237/1600000000 kg; atm = 101325 kg m^-1 s^-2; mmHg = 26664477483/200000000 kg m^-1 s^-2
hp = 37284993579113511/50000000000000 kg m^2 s^-3; rpm = 1/60 s^-1; % = 1/100; rad = 1; sr = 1
u = 8302695333/5000000000000000000000000000000000000 kg; AU = 149597870700 m; Å = 1/10000000000 m
° = 3490658503988659/200000000000000000; deg = 3490658503988659/200000000000000000; dozen = 12; °C = 1 K
""") | {"1": (Fraction(1), _NONE)}
_WORD_TABLE = """
meter m, metre m, second s, sec s, gram g, gramme g, ampere A, amp A, kelvin K, mole mol, hertz Hz, newton N
pascal Pa, joule J, watt W, coulomb C, volt V, farad F, henry H, tesla T, weber Wb, siemens S, liter L
litre L, electronvolt eV, calorie cal, tonne t, ton t, minute min, mins min, hour h, hrs h, inches in, feet ft
percent %, radian rad, degree deg, candela cd, lumen lm, lbs lb
"""
_PAIRS = [pair.split() for pair in _WORD_TABLE.replace("\n", ",").split(",") if pair.strip()]
_WORDS: dict[str, str] = {word: symbol for word, symbol in _PAIRS}  # noqa: C416
_PREFIX = {
    "Q": 30, "R": 27, "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "µ": -6, "μ": -6, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip
_LONG_PREFIX = {
    "tera": "T", "giga": "G", "mega": "M", "kilo": "k", "hecto": "h", "deci": "d", "centi": "c", "milli": "m",
    "micro": "µ", "nano": "n", "pico": "p",
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?: (?P<op>/|\bper\b|[*·×⋅]|\\cdot\b|\\times\b|-(?=[A-Za-zΩ])) | (?P<open>[({]) | (?P<close>[)}])
        | (?P<frac>\\[dt]?frac\b)
        | (?P<name>°C|°|%|1(?=\s*/)|[A-Za-zµμΩÅ]+)\s*
          (?P<power>(?:\^|\*\*)\s*\{?\(?\s*[-+−]?\d+(?:/\d+)?\s*\)?\}?|[⁻⁺]?[⁰¹²³⁴-⁹]+|[-−]?[1-9](?![\d.]))? )""",
    re.X,
)


@cache
def _unit(text: str) -> Unit:
    """A written unit as factor and dimension: terms in a row multiply; what follows a / divides, a bracket or one term."""
    text = re.sub(r"\b(square|cubic)\s+([a-z]+)", lambda m: f"{m[2]}^{2 if m[1] == 'square' else 3}", text)
    text = re.sub(r"\b([A-Za-z]+)\s+(squared|cubed)\b", lambda m: f"{m[1]}^{2 if m[2] == 'squared' else 3}", text)
    tokens: list[re.Match[str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise NotAQuantity(f"{text!r} is not a unit")
        tokens.append(match)
        position = match.end()
        if not text[position:].strip():
            break
    factor, dimension, rest = _product(tokens, text)
    if rest:
        raise NotAQuantity(f"{text!r} is not a unit: its brackets don't match")
    return factor, dimension


def _product(tokens: list[re.Match[str]], text: str) -> tuple[Fraction, tuple[Fraction, ...], list[re.Match[str]]]:
    factor, dimension = Fraction(1), _NONE
    sign, terms = 1, 0
    while tokens:
        token, tokens = tokens[0], tokens[1:]
        if token["close"]:
            tokens = [token, *tokens]
            break
        if token["op"]:
            sign = -1 if token["op"] in ("/", "per") else 1
            continue
        if token["frac"]:
            top, tokens = _bracket(tokens, text)
            bottom, tokens = _bracket(tokens, text)
            one = (top[0] / bottom[0], tuple(a - b for a, b in zip(top[1], bottom[1], strict=True)))
        elif token["open"]:
            one, tokens = _bracket([token, *tokens], text)
        else:
            one = _term(token)
        factor *= one[0] ** sign
        dimension = tuple(a + sign * b for a, b in zip(dimension, one[1], strict=True))
        terms += 1
        sign = 1
    if not terms:
        raise NotAQuantity(f"{text!r} is not a unit")
    return factor, dimension, tokens


def _bracket(tokens: list[re.Match[str]], text: str) -> tuple[Unit, list[re.Match[str]]]:
    if not tokens or not tokens[0]["open"]:
        raise NotAQuantity(f"{text!r} is not a unit")
    factor, dimension, rest = _product(tokens[1:], text)
    if not rest:
        raise NotAQuantity(f"{text!r} is not a unit: a bracket stays open")
    return (factor, dimension), rest[1:]


def _term(token: re.Match[str]) -> Unit:
    factor, dimension = _named(token["name"])
    raw = re.sub(r"[\s^*{}()+]", "", (token["power"] or "1").translate(_SUPERSCRIPT)).replace("−", "-")
    power = Fraction(raw)
    if abs(power) > 12:
        raise NotAQuantity(f"{token['name']}^{power} is no unit")
    if power.denominator != 1:
        if factor != 1:
            raise NotAQuantity(f"{token['name']}^{power} is not exact")
        return factor, tuple(power * e for e in dimension)
    return factor ** int(power), tuple(power * e for e in dimension)


def _dimension(name: str) -> tuple[Fraction, ...]:
    return _named(name)[1]


@cache
def _named(name: str) -> Unit:
    """A unit by its symbol or its English name, prefix included."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _PREFIXED:
        return _PREFIXED[name]
    for prefix in sorted(_PREFIX, key=len, reverse=True):
        rest = name.removeprefix(prefix)
        if rest != name and rest in _PREFIXED:
            factor, dimension = _PREFIXED[rest]
            return factor * Fraction(10) ** _PREFIX[prefix], dimension
    lower = name.lower()
    for word in (lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if word in _WORDS:
            return _named(_WORDS[word])
        if word in _PLAIN and len(word) > 2:
            return _PLAIN[word]
        for long, prefix in _LONG_PREFIX.items():
            rest = word.removeprefix(long)
            if rest != word and (rest in _WORDS or rest in ("ohm",)):
                return _named(prefix + _WORDS.get(rest, rest))
    if lower == "ohms":
        return _PREFIXED["ohm"]
    raise NotAQuantity(f"{name!r} is no unit that is known here")
