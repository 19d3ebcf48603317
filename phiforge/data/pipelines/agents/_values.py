"""Kinds of values that arguments have: a JSON Schema, a way to draw one, ways to say it, and a way to read it out of a text.

`say` and `read` go opposite ways and share nothing but `pattern`, the regular expression of what can be said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.words import NUMBERS, PEOPLE, WEEKDAYS


class Kind:
    """Texts that are said as they are. `asked` are words by which a question for such a value is known."""

    asked: tuple[str, ...] = ()
    pattern: str

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def draw(self, draw: Draw, today: date) -> Any:
        raise NotImplementedError

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return str(value)

    def read(self, text: str, today: date) -> Any:
        return text


class Words(Kind):
    """One of many texts."""

    def __init__(self, words: Sequence[str], *asked: str) -> None:
        self.words, self.asked = tuple(words), asked
        self.pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))

    def draw(self, draw: Draw, today: date) -> str:
        return draw.pick(self.words)


class Pair(Kind):
    """Two words that make one name, like a first name and a surname."""

    def __init__(self, first: Sequence[str], second: Sequence[str], *asked: str, between: str = " ") -> None:
        self.first, self.second, self.between, self.asked = tuple(first), tuple(second), between, asked
        self.pattern = f"(?:{'|'.join(self.first)}){between}(?:{'|'.join(map(re.escape, self.second))})"

    def draw(self, draw: Draw, today: date) -> str:
        return f"{draw.pick(self.first)}{self.between}{draw.pick(self.second)}"


class Email(Kind):
    """An address made of a first name, a surname and a domain that is nobody's."""

    asked = ("address", "email", "e-mail", "whom", "who")
    pattern = r"[a-z]+\.[a-z]+@[a-z]+(?:\.[a-z]+)+"

    def draw(self, draw: Draw, today: date) -> str:
        return f"{draw.pick(PEOPLE).name}.{draw.pick(SURNAMES)}@{draw.pick(_DOMAINS)}".lower()


class Code(Kind):
    """An identifier such as "ORD-48213": in a form, # is a digit and @ a capital letter."""

    def __init__(self, form: str, *asked: str) -> None:
        self.form, self.asked = form, asked
        self.pattern = re.escape(form).replace(r"\#", r"\d").replace("@", "[A-Z]")

    def draw(self, draw: Draw, today: date) -> str:
        made = (
            draw.pick("123456789") if c == "#" else draw.pick("ABCDEFGHKLMNPRSTVWXYZ") if c == "@" else c
            for c in self.form
        )
        return "".join(made)  # fmt: skip


class Phrase(Kind):
    """A free text made of a form with gaps; `quoted` where it is said between quotes, else it ends its sentence."""

    def __init__(self, forms: Sequence[str], *asked: str, quoted: bool = True) -> None:
        self.forms, self.quoted, self.asked = tuple(forms), quoted, asked
        self.pattern = '"[^"]+"' if quoted else r'[^.?!,"\n]+'

    def draw(self, draw: Draw, today: date) -> str:
        return filled(draw, draw.pick(self.forms))

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return f'"{value}"' if self.quoted else value

    def read(self, text: str, today: date) -> str:
        return text.strip('"')


def filled(draw: Draw, form: str) -> str:
    """A form with its gaps {who}, {other}, {thing}, {weekday}, {n} and {time} filled."""
    who, other = draw.sample(PEOPLE, 2)
    time = f"{draw.between(8, 20)}:{draw.pick(('00', '15', '30', '45'))}"
    return form.format(
        who=who, other=other, thing=draw.pick(_THINGS), weekday=draw.pick(WEEKDAYS), n=draw.between(2, 40), time=time
    )


class Choice(Kind):
    """One of a few values, each with ways to say it: {"c": ("Celsius", "degrees Celsius")}. Booleans make a boolean."""

    def __init__(self, ways: Mapping[Any, Sequence[str]], *asked: str) -> None:
        self.ways, self.asked = dict(ways), asked
        self.values = {way: value for value, said in ways.items() for way in said}
        self.pattern = "|".join(re.escape(way) for way in sorted(self.values, key=len, reverse=True))

    def schema(self) -> dict[str, Any]:
        if all(isinstance(value, bool) for value in self.ways):
            return {"type": "boolean"}
        return {"type": "string", "enum": list(self.ways)}

    def draw(self, draw: Draw, today: date) -> Any:
        return draw.pick(list(self.ways))

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return draw.pick(self.ways[value])

    def read(self, text: str, today: date) -> Any:
        return self.values[text]


class Int(Kind):
    """A whole number drawn from `least` to `most`; the schema may allow more. Small ones are said in words at times."""

    asked = ("how many", "how much", "how long", "what number")

    def __init__(self, least: int, most: int, minimum: int | None = None, maximum: int | None = None) -> None:
        self.least, self.most = least, most
        self.minimum, self.maximum = least if minimum is None else minimum, maximum
        small = "|".join(NUMBERS[2:])
        self.pattern = rf"\d+|{small}" if 0 <= least <= 12 else r"-?\d+"

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.minimum} | ({} if self.maximum is None else {"maximum": self.maximum})
        return {"type": "integer", **bounds}

    def draw(self, draw: Draw, today: date) -> int:
        return draw.between(self.least, self.most)

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return NUMBERS[value] if 2 <= value <= 12 and self.least >= 0 and draw.chance(0.3) else str(value)

    def read(self, text: str, today: date) -> int:
        return NUMBERS.index(text) if text.isalpha() else int(text)


class Decimal(Kind):
    """A number with up to `places` decimals."""

    asked = ("how much", "what amount", "how many", "what number")
    pattern = r"\d+(?:\.\d+)?"

    def __init__(self, least: float, most: float, places: int = 2) -> None:
        self.least, self.most, self.places = least, most, places

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "exclusiveMinimum": 0}

    def draw(self, draw: Draw, today: date) -> float | int:
        if draw.chance(0.5):
            return draw.between(max(1, round(self.least)), round(self.most))
        scale = 10**self.places
        value = draw.between(round(self.least * scale), round(self.most * scale)) / scale
        return int(value) if value == int(value) else value

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return str(value) if isinstance(value, int) or self.places == 1 else f"{value:.2f}"

    def read(self, text: str, today: date) -> float | int:
        value = float(text)
        return int(value) if value == int(value) else value


SURNAMES = (
    "Abara",
    "Aldana",
    "Bakker",
    "Berg",
    "Castillo",
    "Chowdhury",
    "Costa",
    "Dahl",
    "Diallo",
    "Duarte",
    "Eriksen",
    "Fischer",
    "Fontaine",
    "Ganesan",
    "Gruber",
    "Haddad",
    "Hansen",
    "Horvat",
    "Ibanez",
    "Ito",
    "Janssen",
    "Kaplan",
    "Keller",
    "Kimura",
    "Kovacs",
    "Lindqvist",
    "Lopez",
    "Mancini",
    "Marek",
    "Mendes",
    "Moreau",
    "Nakamura",
    "Novak",
    "Okafor",
    "Olsen",
    "Osman",
    "Petrov",
    "Popescu",
    "Quispe",
    "Rahman",
    "Rossi",
    "Santos",
    "Sato",
    "Silva",
    "Sorensen",
    "Tanaka",
    "Torres",
    "Varga",
    "Vogel",
    "Weber",
    "Yilmaz",
    "Zielinski",
)
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "team.example.org", "post.example.net")
_THINGS = ("the blue folder", "the spare keys", "the projector", "the ladder", "the tent", "the guest list", "the charger", "the contract", "the soup pot",
           "the camera", "the map", "the tickets", "the drill", "the raincoats", "the first aid kit", "the atlas", "the microphone", "the seed trays",
           "the signed forms", "the bicycle pump", "the cake tin", "the sheet music", "the measuring tape", "the old photographs")  # fmt: skip
