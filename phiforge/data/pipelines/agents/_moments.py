"""Kinds of values for moments: times of day and dates, said in many ways and read with the day of today in mind."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._values import Kind

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip


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
