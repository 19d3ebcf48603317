"""Kinds of values that arguments have: a JSON Schema, a way to draw one, ways to say it, and a way to read it out of a text.

`say` and `read` go opposite ways and share nothing but `pattern`, the regular expression of what can be said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.words import PEOPLE, listed

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


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


class Clock(Kind):
    """A time of day, "18:30"."""

    asked = ("time", "when", "what hour")
    pattern = r"\d{1,2}:\d\d(?: [ap]m)?|\d{1,2} [ap]m"

    def __init__(self, first: int = 7, last: int = 21) -> None:
        self.first, self.last = first, last

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}

    def draw(self, draw: Draw, today: date) -> str:
        return f"{draw.between(self.first, self.last):02}:{draw.pick((0, 0, 15, 30, 30, 45, 10, 20, 40, 50)):02}"

    def say(self, value: Any, draw: Draw, today: date) -> str:
        hour, minute = map(int, value.split(":"))
        if hour and draw.chance(0.4):
            half = "am" if hour < 12 else "pm"
            shown = (hour - 1) % 12 + 1
            return f"{shown}:{minute:02} {half}" if minute or draw.chance(0.3) else f"{shown} {half}"
        return value

    def read(self, text: str, today: date) -> str:
        clock, _, half = text.partition(" ")
        hour, _, minute = clock.partition(":")
        late = 12 * (half == "pm") - 12 * (hour == "12" and bool(half))
        return f"{int(hour) + late:02}:{int(minute or 0):02}"


class Day(Kind):
    """A date within the coming months. `on` where it is said with its preposition: "on 3 May", "tomorrow"."""

    asked = ("date", "day", "when")
    _months = "|".join(MONTHS)

    def __init__(self, on: bool = False, past: bool = False, within: int = 150) -> None:
        self.on, self.past, self.within = on, past, within
        months = "|".join(MONTHS)
        written = rf"\d{{4}}-\d\d-\d\d|\d{{1,2}} (?:{months})(?: \d{{4}})?|(?:{months}) \d{{1,2}}(?:, \d{{4}})?"
        near = "yesterday" if past else "today|tomorrow|the day after tomorrow"
        self.pattern = f"{near}|on (?:{written})" if on else f"{near}|{written}"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def draw(self, draw: Draw, today: date) -> str:
        if self.past:
            return str(today - timedelta(draw.between(1, self.within)))
        return str(today + timedelta(draw.between(0, 2) if draw.chance(0.25) else draw.between(3, self.within)))

    def say(self, value: Any, draw: Draw, today: date) -> str:
        day = date.fromisoformat(value)
        ahead = (day - today).days
        if ahead in _NEAR and draw.chance(0.8):
            return _NEAR[ahead]
        month, form = MONTHS[day.month - 1], draw.between(0, 5)
        said = (f"{day.day} {month}", f"{month} {day.day}", f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", value, f"{day.day} {month}")[form]  # fmt: skip
        return f"on {said}" if self.on else said

    def read(self, text: str, today: date) -> str:
        if text in _NEAR.values():
            return str(today + timedelta(next(n for n, said in _NEAR.items() if said == text)))
        text = text.removeprefix("on ")
        if text[:4].isdigit():
            return text
        words = text.replace(",", "").split()
        month = next(n for n, name in enumerate(MONTHS, 1) if name in words)
        numbers = [int(word) for word in words if word.isdigit()]
        years = numbers[1:] or [today.year - 1, today.year, today.year + 1]
        days = [date(year, month, numbers[0]) for year in years if numbers[0] < 29 or _exists(year, month, numbers[0])]
        if self.past:
            return str(max(day for day in days if day <= today or len(days) == 1))
        return str(min(day for day in days if day >= today or len(days) == 1))


_NEAR = {-1: "yesterday", 0: "today", 1: "tomorrow", 2: "the day after tomorrow"}


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


class Several(Kind):
    """A list of different values, said "a, b and c"."""

    def __init__(self, kind: Kind, least: int = 1, most: int = 3) -> None:
        self.kind, self.least, self.most, self.asked = kind, least, most, kind.asked
        one = f"(?:{kind.pattern})"
        self.pattern = f"{one}(?:, {one})*(?: and {one})?"

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.kind.schema(), "minItems": 1}

    def draw(self, draw: Draw, today: date) -> list[Any]:
        values: list[Any] = []
        for _ in range(draw.between(self.least, self.most)):
            value = self.kind.draw(draw, today)
            if value not in values:
                values.append(value)
        return values

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return listed([self.kind.say(each, draw, today) for each in value])

    def read(self, text: str, today: date) -> list[Any]:
        return [self.kind.read(each, today) for each in re.split(r", | and (?=[^ ])", text)]


class Record(Kind):
    """An object of named values, said in forms like "{number} {street}"."""

    def __init__(self, fields: Mapping[str, Kind], forms: Sequence[str], *asked: str) -> None:
        self.fields, self.forms, self.asked = dict(fields), tuple(forms), asked
        self.pattern = "|".join(re.sub(r"\{(\w+)\}", lambda m: f"(?:{self.fields[m[1]].pattern})", _escaped(f)) for f in forms)  # fmt: skip

    @cached_property
    def _readers(self) -> list[re.Pattern[str]]:
        return [
            re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{self.fields[m[1]].pattern})", _escaped(form)))
            for form in self.forms
        ]

    def schema(self) -> dict[str, Any]:
        properties = {name: kind.schema() for name, kind in self.fields.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}

    def draw(self, draw: Draw, today: date) -> dict[str, Any]:
        return apart({name: kind.draw(draw, today) for name, kind in self.fields.items()}, self.fields, draw, today)

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return draw.pick(self.forms).format(**{name: kind.say(value[name], draw, today) for name, kind in self.fields.items()})  # fmt: skip

    def read(self, text: str, today: date) -> dict[str, Any]:
        match = next(m for reader in self._readers if (m := reader.fullmatch(text)))
        return {name: kind.read(match[name], today) for name, kind in self.fields.items()}


def apart(values: dict[str, Any], kinds: Mapping[str, Kind], draw: Draw, today: date) -> dict[str, Any]:
    """The values with "from" and "to", where they are of one kind, made different, and days and times in order."""
    if "from" not in values or "to" not in values or kinds["from"] is not kinds["to"]:
        return values
    while values["from"] == values["to"]:
        values["to"] = kinds["to"].draw(draw, today)
    if isinstance(kinds["from"], Day | Clock):
        values["from"], values["to"] = sorted((values["from"], values["to"]))
    return values


def _escaped(form: str) -> str:
    return re.escape(form).replace(r"\{", "{").replace(r"\}", "}").replace(r"\_", "_").replace(r"\ ", " ")


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
