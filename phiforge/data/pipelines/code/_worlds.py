"""What a composed function is about, and arguments for it: lists, texts, dictionaries and records from a world of its own."""

from __future__ import annotations

import builtins
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._on_numbers import WORLDS
from phiforge.data.pipelines.code._on_tables import ROW_WORLDS, TABLE_WORLDS
from phiforge.data.pipelines.code._on_words import TEXT_WORLDS, TEXTS, WORD_WORLDS
from phiforge.data.pipelines.code._small import Stage


class World:
    """What a function is about: its parameter and where values for it come from."""

    def __init__(self, draw: Draw, kind: str) -> None:
        self.kind, self.fields, self.low, self.high, self.plain = kind, {}, 0, 9, False
        if kind == "numbers":
            world = draw.pick(WORLDS)
            self.parameter, self.about, self.low, self.high, self.plain = world.parameter, f"a list of {world.many}", world.low, world.high, world.plain  # fmt: skip
            one = world.one.split()[0]
            self.element = "value" if one in dir(builtins) or one == world.parameter else one
        elif kind == "words":
            self.parameter, self.element, many, pool = draw.pick(WORD_WORLDS)
            self.element, self.about, self.pool = self.element.split()[0], f"a list of {many}", pool.split()
        elif kind == "text":
            self.parameter, one = draw.pick(TEXT_WORLDS)
            self.element, self.about = "word", f"a {one}"
        elif kind == "table":
            self.parameter, self.element, self.about, pool, self.low, self.high = draw.pick(TABLE_WORLDS)
            self.pool = pool.split()
        else:
            self.parameter, self.element, name, group, number, names, groups, self.low, self.high = draw.pick(
                ROW_WORLDS
            )
            self.names, self.groups = names.split(), groups.split()
            self.fields = {"name": name, "group": group, "number": number, "group_value": draw.pick(self.groups)}
            self.about = f'a list of {self.parameter}, dictionaries with the keys "{name}", "{group}" and "{number}"'

    def value(self, draw: Draw, stages: list[Stage], n: int) -> Any:
        """An argument of about `n` parts, near the limits that the operations have."""
        limits = [
            stage.values[key]
            for stage in stages[:2]
            for key in ("k", "a", "b", "m")
            if isinstance(stage.values.get(key), int)
        ]
        limits = [limit for limit in limits if self.low <= limit <= self.high]

        def number() -> int:
            if limits and draw.chance(0.35):
                return min(max(draw.pick(limits) + draw.between(-1, 1), self.low), self.high)
            return draw.between(self.low, self.high)

        if self.kind == "numbers":
            numbers = [number() for _ in range(n)]
            if n > 4:
                numbers[draw.between(1, n - 1)] = numbers[0]
                at = draw.between(0, n - 2)
                numbers[at + 1] = numbers[at]
            return numbers
        if self.kind == "words":
            words = [draw.pick(self.pool) for _ in range(n)]
            if n > 4 and draw.chance(0.5):
                words[-1] = words[0]
            return words
        if self.kind == "text":
            if n < 2:
                return "a" * n
            return (
                draw.pick(TEXTS)
                if draw.chance(0.6)
                else " ".join(draw.pick(TEXTS).split()[-1] for _ in range(max(n // 3, 1)))
            )
        if self.kind == "table":
            keys = draw.sample(self.pool, min(n, len(self.pool)))
            values = {key: number() for key in keys}
            if n > 3:
                values[keys[2]] = values[keys[0]]
            return values
        name, group, amount = self.fields["name"], self.fields["group"], self.fields["number"]
        return [
            {name: draw.pick(self.names), group: draw.pick(self.groups), amount: number()} for _ in range(min(n, 6))
        ]
