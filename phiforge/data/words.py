"""Names and things for questions: people of many places, how to speak of one thing or several, to count days and take percent."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from phiforge.data.draw import Draw


class Person(NamedTuple):
    """A first name with its pronouns: "Amara", "she", "her" (object), "her" (possessive)."""

    name: str
    they: str
    them: str
    their: str

    @property
    def They(self) -> str:
        return self.they.capitalize()

    def __str__(self) -> str:
        return self.name


_SHE = """Amara Ana Aisha Beatriz Carmen Chloe Dalia Deepa Elena Emi Esther Fatima Freya Gabriela Grace Hana Helga Ines
Ingrid Isla Jasmin Joana Kavya Keiko Leila Lena Lucia Mai Maria Mei Mina Nadia Naomi Nia Noor Olga Paula Priya
Rania Rosa Sara Sofia Tamar Thandi Uma Valeria Wanda Yara Yuki Zainab Zoe Abena Bianca Camille Dunja Elif Fiona
Greta Hilda Irina Jelena Karina Linh Malika Nora Oksana Petra Rukmini Sigrid Teresa Vesna Xiomara Yasmin Zofia"""
_HE = """Abdul Adam Ahmed Alejandro Anton Arjun Ben Bruno Carlos Chen Daniel David Diego Emre Erik Felix Filip George
Goran Hamid Hans Hiro Ibrahim Igor Ivan Jamal Jan Javier Jonas Karl Kenji Kofi Kwame Lars Leo Liam Lukas Marco
Mateo Max Mehdi Milan Nikhil Noah Oliver Omar Oscar Pablo Pavel Peter Rafael Ravi Roman Samuel Sanjay Stefan
Tariq Tomas Umar Viktor Wei Yusuf Zoran Andrei Bogdan Cyrus Dmitri Farid Gustav Hassan Ismail Joaquin Kemal Luca
Magnus Nuno Osei Quentin Rohan Salim Tunde"""

_AS_CONSONANT = re.compile(r"(?:eu|one\b|once\b|uku|uni[^nm]|us[ae]|ut[ei])", re.I)
_SILENT = re.compile(r"(?:heir|honest|honou?r|hour)", re.I)

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

PEOPLE = tuple(Person(name, "she", "her", "her") for name in _SHE.split()) + tuple(
    Person(name, "he", "him", "his") for name in _HE.split()
)


def people(draw: Draw, n: int) -> list[Person]:
    """`n` different people."""
    return draw.sample(PEOPLE, n)


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 box", "3 boxes"."""
    return f"{n} {one if n == 1 else many or plural(one)}"


def plural(noun: str) -> str:
    """The plural of a regular noun, of which the last word is bent."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def listed(parts: list[str], last: str = "and") -> str:
    """Several in a row: "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def article(noun: str) -> str:
    """ "a" or "an", by how the noun begins: "an hour", "a ukulele"."""
    vowel = _AS_CONSONANT.match(noun) is None and (noun[0].lower() in "aeiou" or _SILENT.match(noun) is not None)
    return f"{'an' if vowel else 'a'} {noun}"


def decimal(value: Fraction | int) -> str:
    """A number that ends within four decimal places as a decimal, any other as a fraction."""
    scaled = Fraction(value) * 10**4
    return f"{float(value):.4f}".rstrip("0").rstrip(".") if scaled.denominator == 1 else str(value)


def past_weeks(days: int) -> str:
    """What is left of so many days over whole weeks: "17: 10 × 7 = 70 > 17, 1: 10, 2: 3." """
    return f"{days} is less than 7." if days < 7 else f"{counted_down(days, 7)}."


def counted_days(start: int, days: int) -> str:
    """From one weekday to another, day by day: "Monday and 2 back: Sunday, Saturday." """
    if not days:
        return f"So it is {WEEKDAYS[start]} again."
    way = range(1, days + 1) if days > 0 else range(-1, days - 1, -1)
    names = ", ".join(WEEKDAYS[(start + i) % 7] for i in way)
    return f"{WEEKDAYS[start]} and {abs(days)} {'on' if days > 0 else 'back'}: {names}."


def clock(minutes: int) -> str:
    """A time of day: 545 is "9:05"."""
    return f"{minutes // 60 % 24}:{minutes % 60:02d}"


def on_the_clock(start: int, minutes: int) -> str:
    """So many minutes later or earlier, hours first: "14:15 less 1 hour is 13:15. 60 + 15 − 25 = 50 minutes, so it is 12:50." """
    hours, rest = divmod(abs(minutes), 60)
    sign, word, gives = (1, "and", "make") if minutes > 0 else (-1, "less", "is")
    after = start + sign * 60 * hours
    moved = f"{clock(start)} {word} {count(hours, 'hour')} {gives} {clock(after)}. " if hours else ""
    if hours and not rest:
        return moved.rstrip()
    shown, end = after % 60, after + sign * rest
    if minutes > 0:
        both = shown + rest
        over = f", {both} − 60 = {both - 60}" if both >= 60 else ""
        return f"{moved}{shown} + {rest} = {both}{over} minutes, so it is {clock(end)}."
    lent = "60 + " if rest > shown else ""
    return f"{moved}{lent}{shown} − {rest} = {end % 60} minutes, so it is {clock(end)}."


def percent_of(percent: int, whole: int, shown: Callable[[Fraction | int], str] = decimal) -> str:
    """A share of a number as one takes it in one's head: "10 % of 80 is 8, so 30 % is 3 × 8 = 24." """

    def part(percent: int) -> str:
        value = Fraction(whole * percent, 100)
        return shown(value.numerator if value.denominator == 1 else value)

    half = f"50 % of {shown(whole)} is {shown(whole)} ÷ 2 = {part(50)}"
    quarter = f"25 % is {part(50)} ÷ 2 = {part(25)}"
    tenth, twentieth = f"10 % of {shown(whole)} is {part(10)}", f"5 % is {part(10)} ÷ 2 = {part(5)}"
    if percent == 50:
        return f"{half}."
    if percent == 25:
        return f"{half}, so {quarter}."
    if percent == 75:
        return f"{half}, {quarter}, so 75 % is {part(50)} + {part(25)} = {part(75)}."
    if percent == 5:
        return f"{tenth}, so {twentieth}."
    if percent % 10 == 5:
        tens = part(10) if percent == 15 else f"{percent // 10} × {part(10)}"
        return f"{tenth}, {twentieth}, so {percent} % is {tens} + {part(5)} = {part(percent)}."
    first = 10 if percent % 10 == 0 else 1
    more = "" if percent == first else f", so {percent} % is {percent // first} × {part(first)} = {part(percent)}"
    return f"{first} % of {shown(whole)} is {part(first)}{more}."


def counted_down(total: Fraction | int, each: int) -> str:
    """What is left each time that a number is taken away, tens first: "33: 10 × 6 = 60 > 33, 1: 27, 2: 21, 3: 15, 4: 9, 5: 3" or
    "149: 10 × 12 = 120 < 149, 149 − 120 = 29, 11: 29 − 12 = 17, 12: 17 − 12 = 5"."""
    times = int(total // each)
    tens = times // 10 * 10
    tried = tens or 10
    sign = "<" if tried * each < total else ">" if tried * each > total else "="
    said = [f"{decimal(total)}: {tried} × {each} = {tried * each}{f' {sign} {decimal(total)}' if sign != '=' else ''}"]
    if sign == "<":
        said.append(f"{decimal(total)} − {tens * each} = {decimal(total - tens * each)}")
    for i in range(tens + 1, times + 1):
        before = f"{decimal(total - (i - 1) * each)} − {each} = " if each > 9 else ""
        said.append(f"{i}: {before}{decimal(total - i * each)}")
    return ", ".join(said)


def times_into(total: Fraction | int, each: int) -> str:
    """How often one needs so much to get as far as that: "14: 10 × 6 = 60 > 14, 1: 8, 2: 2, 3 is enough"."""
    return counted_down(total, each) + (f", {total // each + 1} is enough" if total % each else "")
