"""Kinds of values made of others: lists and objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._moments import Clock, Day
from phiforge.data.pipelines.agents._values import Kind
from phiforge.data.words import listed


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
