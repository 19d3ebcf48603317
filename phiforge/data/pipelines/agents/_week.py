"""A calendar of some days: its events, the layouts in which it is shown, and how it is read again."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._kinds import PERSON
from phiforge.data.pipelines.agents._moments import MONTHS
from phiforge.data.words import WEEKDAYS, listed

LAYOUTS = ("json", "json", "lines", "table", "days")


class Event(NamedTuple):
    """An event of the calendar; times are minutes since midnight."""

    id: str
    day: str
    start: int
    end: int
    title: str
    people: list[str]


def event_title(draw: Draw) -> str:
    """What an event is called: no names in it, so that they stand for the people only."""
    return f"{draw.pick(_WHAT)} {draw.pick(_WORK)}"


_WHAT = ("Team", "Budget", "Site", "Project", "Garden", "Training", "Contract", "Design", "Safety", "Season", "Hiring", "Data", "Street party", "Summer fair", "Roof", "Website", "Choir", "Library")  # fmt: skip
_WORK = ("meeting", "review", "planning", "call", "workshop", "briefing", "check", "visit", "talk", "session", "walk-through", "retrospective")  # fmt: skip


def clock(minutes: int) -> str:
    """545 is "09:05"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def minutes(clock: str) -> int:
    """ "09:05" is 545."""
    return int(clock[:2]) * 60 + int(clock[3:])


def written(day: str) -> str:
    """A date as people write it, with its weekday."""
    when = date.fromisoformat(day)
    return f"{WEEKDAYS[when.weekday()]}, {when.day} {MONTHS[when.month - 1]} {when.year}"


def events(draw: Draw, first: date, days: int, each: int, step: int, overlaps: float) -> list[Event]:
    """About `each` events a day, at times that are multiples of `step`; a share `overlaps` may overlap others."""
    ids = iter(draw.sample(range(1000, 9999), days * each))
    people = draw.sample(PERSON.words, 8)
    made: list[Event] = []
    for n in range(days):
        day = str(first + timedelta(n))
        taken: list[tuple[int, int]] = []
        for _ in range(each):
            length = draw.pick((30, 45, 60, 60, 90, 120)) if step > 5 else draw.between(4, 24) * 5
            start = draw.between(8 * 60 // step, 17 * 60 // step) * step
            free = all(start + length <= a or start >= b for a, b in taken)
            if free or draw.chance(overlaps):
                taken.append((start, start + length))
                made.append(
                    Event(
                        f"EV-{next(ids)}",
                        day,
                        start,
                        start + length,
                        event_title(draw),
                        draw.sample(people, draw.between(0, 2)),
                    )
                )
    return sorted(made, key=lambda event: (event.day, event.start, event.end))  # fmt: skip


def shown(layout: str, events: list[Event]) -> str:
    """The calendar as text."""
    if layout == "json":
        return json.dumps({"events": [{"event_id": e.id, "date": e.day, "start": clock(e.start), "end": clock(e.end), "title": e.title, "with": e.people} for e in events]}, ensure_ascii=False)  # fmt: skip
    if layout == "table":
        rows = [f"| {e.id} | {e.day} | {clock(e.start)} | {clock(e.end)} | {e.title} | {', '.join(e.people) or '-'} |" for e in events]  # fmt: skip
        return "\n".join(["| id | date | start | end | title | with |", "|---|---|---|---|---|---|", *rows])
    if layout == "lines":
        return "\n".join(f"- {e.day} {clock(e.start)}-{clock(e.end)} {e.title} [{e.id}]{f' with {listed(e.people)}' if e.people else ''}" for e in events)  # fmt: skip
    lines: list[str] = []
    for day in sorted({event.day for event in events}):
        lines.append(f"{written(day)}:")
        lines += [f"- {clock(e.start)} to {clock(e.end)}: {e.title} ({', '.join([e.id, *e.people])})" for e in events if e.day == day]  # fmt: skip
    return "\n".join(lines)


_LINE = re.compile(r"^- (\S+) (\d\d:\d\d)-(\d\d:\d\d) (.+) \[(EV-\d+)\](?: with (.+))?$", re.M)
_DAY = re.compile(r"^- (\d\d:\d\d) to (\d\d:\d\d): (.+) \((EV-\d+)(?:, (.+))?\)$")


def read(layout: str, text: str) -> list[Event]:
    """The events that a text shows."""
    found: list[Event] = []
    if layout == "json":
        rows: list[dict[str, Any]] = json.loads(text)["events"]
        return [Event(r["event_id"], r["date"], minutes(r["start"]), minutes(r["end"]), r["title"], r["with"]) for r in rows]  # fmt: skip
    if layout == "table":
        for line in text.splitlines()[2:]:
            id, day, start, end, title, people = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(Event(id, day, minutes(start), minutes(end), title, [] if people == "-" else people.split(", ")))  # fmt: skip
        return found
    if layout == "lines":
        for day, start, end, title, id, people in _LINE.findall(text):
            found.append(Event(id, day, minutes(start), minutes(end), title, re.split(", | and ", people) if people else []))  # fmt: skip
        return found
    day = ""
    for line in text.splitlines():
        if match := _DAY.match(line):
            found.append(Event(match[4], day, minutes(match[1]), minutes(match[2]), match[3], (match[5] or "").split(", ") if match[5] else []))  # fmt: skip
        else:
            number, month, year = line.strip(":").split(", ")[1].split()
            day = str(date(int(year), MONTHS.index(month) + 1, int(number)))
    return found
