"""Dates: weekdays ahead and back, days between dates, what falls together again, how often a weekday comes.

`make` counts by months and weeks; `solve` asks the calendar of the standard library, day by day.
"""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from math import gcd, lcm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.words import WEEKDAYS, count, counted_days, past_weeks, people

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
_EVENTS = ("the concert", "the ferry to the island", "the exam", "the wedding", "the harvest fair", "the chess final", "the flight", "the dentist's appointment", "the book launch", "the marathon", "the eclipse", "the village fête", "the court hearing", "the premiere", "the launch of the satellite", "the family reunion", "the auction", "the school trip")  # fmt: skip
_CYCLES = (("waters the cactus", "feeds the python"), ("calls the grandparents", "goes swimming"), ("changes the bed linen", "cleans the windows"), ("bakes bread", "goes to the library"), ("works the night shift", "sings in the choir"), ("checks the beehives", "sharpens the knives"), ("rings the church bells", "winds the tower clock"), ("polishes the silver", "airs the cellar"), ("inspects the boiler", "tests the alarm"), ("writes a letter", "visits the market"))  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_weekday,),
        (_weekday, _between),
        (_between, _together, _later_date),
        (_together, _later_date, _date_weekday),
        (_date_weekday, _how_often, _together),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _day(when: date) -> str:
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def _weekday(draw: Draw, level: int) -> Draft:
    who, event = people(draw, 1)[0], draw.pick(_EVENTS)
    start, n, past = draw.between(0, 6), draw.between(8, 60 * level), draw.chance(0.35)
    end = (start + (-n if past else n)) % 7
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"Today is {WEEKDAYS[start]}.",
                f"{who} looks at the calendar: it is {WEEKDAYS[start]}.",
                f"It is {WEEKDAYS[start]} today.",
            )
        )
    ]
    facts.append(
        draw.pick(
            (
                f"{event[0].upper()}{event[1:]} that {who} looks forward to is in {n} days.",
                f"In {n} days {who} goes to {event}.",
            )
        )
        if not past
        else draw.pick(
            (
                f"{event[0].upper()}{event[1:]} that {who} talks about was {n} days ago.",
                f"{n} days ago {who} went to {event}.",
            )
        )
    )
    rest, weeks = n % 7, n // 7
    return Draft(
        question=told(draw, facts, f"What day of the week {'was' if past else 'is'} that?", extra),
        answer=WEEKDAYS[end],
        facts={"kind": "weekday", "start": start, "n": -n if past else n},
        template=f"weekday {event} {past}",
        verifier="choice",
        steps=[
            Step(past_weeks(n), "Whole weeks don't change the day of the week."),
            Step(counted_days(start, -rest if past else rest), "", Slip(f"Counting {WEEKDAYS[start]} as the first, it is {WEEKDAYS[(start + (1 - rest if past else rest - 1)) % 7]}.", "The day from which one counts is number nought, not one.") if rest else None),
        ],
        says=f"It {'was' if past else 'is'} a {WEEKDAYS[end]}.",
        given=known(draw, f"{n} days {'before' if past else 'after'} a {WEEKDAYS[start]}.", extra),
        check=f"{weeks * 7} days make the same day again, {WEEKDAYS[start]}, and {count(rest, 'day')} {'less' if past else 'more'} give {WEEKDAYS[end]}.",
    )  # fmt: skip


def _two_dates(draw: Draw, level: int) -> tuple[date, date]:
    year = draw.between(1995, 2040)
    start = date(year, draw.between(1, 12), draw.between(1, 28))
    return start, start + timedelta(days=draw.between(15, (40, 90, 150, 250, 330)[level - 1]))


def _count_up(start: date, end: date) -> tuple[list[str], list[int]]:
    """How one counts from a date to a later one, by the ends of months."""
    if (start.year, start.month) == (end.year, end.month):
        return [f"{end.day} − {start.day} = {end.day - start.day}"], [end.day - start.day]
    last = calendar.monthrange(start.year, start.month)[1]
    said, parts = (
        [f"to the end of {MONTHS[start.month - 1]}: {last} − {start.day} = {last - start.day}"],
        [last - start.day],
    )
    year, month = start.year, start.month
    while True:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        if (year, month) == (end.year, end.month):
            return [*said, f"in {MONTHS[month - 1]}: {end.day}"], [*parts, end.day]
        days = calendar.monthrange(year, month)[1]
        said.append(f"{MONTHS[month - 1]}: {days}")
        parts.append(days)


def _leap(year: int) -> str:
    if year % 4:
        return f"{year} is not divisible by 4, so February has 28 days."
    return f"{year} is a leap year, so February has 29 days."


def _february(start: date, end: date) -> int | None:
    """The year of a February whose length matters between two dates."""
    for year in range(start.year, end.year + 1):
        if start <= date(year, 2, 28) and end >= date(year, 3, 1):
            return year
    return None


def _between(draw: Draw, level: int) -> Draft:
    who, event = people(draw, 1)[0], draw.pick(_EVENTS)
    start, end = _two_dates(draw, level)
    n = (end - start).days
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"It is {_day(start)}, and {event} is on {_day(end)}.",
                f"On {_day(start)}, {who} learns that {event} will be on {_day(end)}.",
                f"{who} marks two days in the calendar: {_day(start)}, today, and {_day(end)}, {event}.",
            )
        )
    ]
    said, parts = _count_up(start, end)
    leap = _february(start, end)
    steps = [
        Step(
            f"{'; '.join(said)}.".capitalize()
            if not said[0].startswith("to")
            else f"{said[0][0].upper()}{said[0][1:]}{''.join('; ' + s for s in said[1:])}.",
            f"Count month by month.{' ' + _leap(leap) if leap else ''}",
            Slip(
                f"About {len(parts)} months of 30 days: {30 * len(parts)}.",
                "Months differ, so go through them one by one.",
            ),
        )
    ]
    if len(parts) > 1:
        steps.append(Step(f"{' + '.join(map(str, parts))} = {n}."))
    return Draft(
        question=told(draw, facts, draw.pick(("How many days are there from the first date to the second?", "In how many days is that?", "How many nights lie between the two dates?")), extra),
        answer=str(n),
        facts={"kind": "between", "start": start.isoformat(), "end": end.isoformat()},
        template=f"between {event}",
        steps=steps,
        says=f"It is {n} days.",
        given=known(draw, f"From {_day(start)} to {_day(end)}.", extra),
        check=f"{n} days are {n // 7} weeks and {count(n % 7, 'day')}, about {max(1, round(n / 30.4))} {'month' if round(n / 30.4) < 2 else 'months'}.",
    )  # fmt: skip


def _together(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    one, two = draw.pick(_CYCLES)
    while True:
        a, b = draw.between(2, 9 + 2 * level), draw.between(2, 9 + 2 * level)
        n = lcm(a, b)
        if a != b and n not in (a, b):
            break
    start = draw.between(0, 6)
    day = level > 3 and draw.chance(0.5)
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"{who} {one} every {a} days and {two} every {b} days.",
                f"Every {a} days {who} {one}; every {b} days {who} {two}.",
            )
        ),
        draw.pick((f"On a {WEEKDAYS[start]} both come together.", f"Both fall on the same day, a {WEEKDAYS[start]}.")),
    ]
    question = (
        "On what day of the week do they come together the next time?"
        if day
        else draw.pick(
            (
                "After how many days do they come together again?",
                "How many days later does that happen for the next time?",
            )
        )
    )
    steps = [
        Step(
            f"The least common multiple of {a} and {b} is {a} × {b} / {gcd(a, b)} = {n}.",
            "The number of days must be a multiple of both.",
            Slip(
                f"{a} × {b} = {a * b}.",
                f"That fits, but {a} and {b} share the factor {gcd(a, b)}, so it happens earlier.",
            )
            if gcd(a, b) > 1
            else Slip(f"{a} + {b} = {a + b}.", "That is no multiple of either."),
        ),
    ]
    if day:
        steps.append(
            Step(
                f"{past_weeks(n)} {counted_days(start, n % 7)}",
                f"Whole weeks after {WEEKDAYS[start]} it is {WEEKDAYS[start]} again.",
            )
        )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=WEEKDAYS[(start + n) % 7] if day else str(n),
        facts={"kind": "together", "a": a, "b": b, "start": start, "day": day},
        template=f"together {one} {day}",
        verifier="choice" if day else "math",
        steps=steps,
        says=f"It is {f'a {WEEKDAYS[(start + n) % 7]}' if day else f'{n} days later'}.",
        given=known(draw, f"One comes every {a} days, the other every {b}.", extra),
        check=f"{n} ÷ {a} = {n // a} and {n} ÷ {b} = {n // b}, both whole.",
    )  # fmt: skip


def _later_date(draw: Draw, level: int) -> Draft:
    who, event = people(draw, 1)[0], draw.pick(_EVENTS)
    start, end = _two_dates(draw, min(level, 4))
    n = (end - start).days
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"On {_day(start)}, {who} hears that {event} is exactly {n} days later.",
                f"Between {_day(start)} and {event} that {who} waits for there are {n} days, so it is {n} days after that date.",
            )
        )
    ]
    _, parts = _count_up(start, end)
    steps: list[Step] = []
    left = n
    year, month = start.year, start.month
    for part in parts[:-1]:
        left -= part
        steps.append(
            Step(
                f"{left + part} − {part} = {left} days are left at the end of {MONTHS[month - 1]}.",
                f"{MONTHS[month - 1]} has {part} days."
                if (year, month) != (start.year, start.month)
                else f"{MONTHS[month - 1]} has {calendar.monthrange(year, month)[1]} days, {part} of them after the {start.day}{_th(start.day)}.",
                Slip(
                    f"{MONTHS[month - 1]} has {part + 1} days left, with the {start.day}{_th(start.day)}.",
                    "The day from which one counts is not counted.",
                )
                if (year, month) == (start.year, start.month)
                else None,
            )
        )
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    steps.append(
        Step(
            f"So it is {_day(end)}." if len(parts) > 1 else f"{start.day} + {n} = {end.day}, so it is {_day(end)}.",
            _leap(leap) if (leap := _february(start, end)) and leap % 4 == 0 else "",
        )
    )
    return Draft(
        question=told(draw, facts, draw.pick(("What date is that? Answer like 5 March 2021.", "Which date is it? Give day, month and year, like 5 March 2021.")), extra),
        answer=_day(end),
        facts={"kind": "date", "start": start.isoformat(), "n": n},
        template=f"date {event}",
        verifier="choice",
        verifier_args={"aliases": [f"{MONTHS[end.month - 1]} {end.day}, {end.year}", end.isoformat()]},
        steps=steps,
        says=f"It is {_day(end)}.",
        given=known(draw, f"{n} days after {_day(start)}.", extra),
        check=f"Counted back, {' + '.join(map(str, parts))} = {n}.",
    )  # fmt: skip


def _th(n: int) -> str:
    return "th" if 10 < n < 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def _date_weekday(draw: Draw, level: int) -> Draft:
    """A date's weekday from another date's."""
    who, event = people(draw, 1)[0], draw.pick(_EVENTS)
    start, end = _two_dates(draw, level)
    n = (end - start).days
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"{_day(start)} is a {WEEKDAYS[start.weekday()]}.",
                f"{who} knows that {_day(start)} falls on a {WEEKDAYS[start.weekday()]}.",
            )
        ),
        draw.pick((f"{event[0].upper()}{event[1:]} is on {_day(end)}.", f"On {_day(end)}, {who} goes to {event}.")),
    ]
    said, parts = _count_up(start, end)
    leap = _february(start, end)
    return Draft(
        question=told(draw, facts, draw.pick(("What day of the week is that?", "On which day of the week does it fall?")), extra),
        answer=WEEKDAYS[end.weekday()],
        facts={"kind": "weekday of", "start": start.isoformat(), "day": start.weekday(), "end": end.isoformat()},
        template=f"weekday of {event}",
        verifier="choice",
        steps=[
            Step(f"{' + '.join(map(str, parts))} = {n}." if len(parts) > 1 else f"{said[0]}.", f"How many days lie between, month by month?{' ' + _leap(leap) if leap else ''}", Slip(f"{n} + 1 = {n + 1}, with both ends.", "Counting both ends would be one too many.")),
            Step(past_weeks(n), "Only the remainder by 7 matters."),
            Step(counted_days(start.weekday(), n % 7)),
        ],
        says=f"It is a {WEEKDAYS[end.weekday()]}.",
        given=known(draw, f"{_day(start)} is a {WEEKDAYS[start.weekday()]}; wanted is {_day(end)}.", extra),
        check=f"{n - n % 7} days after the first date it is {WEEKDAYS[start.weekday()]} again.",
    )  # fmt: skip


def _how_often(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    year, month = draw.between(1995, 2040), draw.between(1, 12)
    days = calendar.monthrange(year, month)[1]
    first, wanted = date(year, month, 1).weekday(), draw.between(0, 6)
    on = (wanted - first) % 7 + 1
    dates = list(range(on, days + 1, 7))
    pay, what = (
        draw.between(3, 40),
        draw.pick(
            (
                "cleans the library",
                "teaches the trumpet",
                "delivers vegetables",
                "walks the neighbour's dogs",
                "guards the pool",
                "plays the organ",
                "leads a museum tour",
                "babysits",
                "tunes pianos",
                "drives the school bus",
            )
        ),
    )
    extra = asides(draw, level, who, "tm")
    facts = [
        f"In {MONTHS[month - 1]} {year}, the 1st is a {WEEKDAYS[first]}.",
        f"Every {WEEKDAYS[wanted]} of that month {who} {what} and earns {pay} euros each time.",
    ]
    return Draft(
        question=told(draw, facts, draw.pick(("How many euros is that in the month?", f"How much does {who} earn by it in that month, in euros?")), extra),
        answer=str(pay * len(dates)),
        facts={"kind": "often", "year": year, "month": month, "wanted": wanted, "pay": pay},
        template=f"often {what}",
        steps=[
            Step(f"The first {WEEKDAYS[wanted]} is the {on}{_th(on)}.", f"The 1st is a {WEEKDAYS[first]}.", Slip("A month has four weeks, so it is four times.", f"But {MONTHS[month - 1]} has {days} days, so some days come five times.") if days > 28 else None),
            Step(f"The {WEEKDAYS[wanted]}s are the {', '.join(map(str, dates))}: {len(dates)} of them.", f"{MONTHS[month - 1]} {year} has {days} days."),
            Step(f"{len(dates)} × {pay} = {pay * len(dates)}."),
        ],
        says=f"It is {pay * len(dates)} euros.",
        given=known(draw, f"A month that begins on a {WEEKDAYS[first]}.", extra),
        check=f"A week after the {dates[-1]}{_th(dates[-1])} would be day {dates[-1] + 7}, but there are only {days}.",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "weekday":
        day = facts["start"]
        for _ in range(abs(facts["n"])):
            day = (day + (1 if facts["n"] > 0 else 6)) % 7
        return WEEKDAYS[day]
    if kind == "between":
        return str(date.fromisoformat(facts["end"]).toordinal() - date.fromisoformat(facts["start"]).toordinal())
    if kind == "together":
        n = next(n for n in range(1, 10_000) if n % facts["a"] == 0 == n % facts["b"])
        return WEEKDAYS[(facts["start"] + n) % 7] if facts["day"] else str(n)
    if kind == "date":
        end = date.fromordinal(date.fromisoformat(facts["start"]).toordinal() + facts["n"])
        return f"{end.day} {MONTHS[end.month - 1]} {end.year}"
    if kind == "weekday of":
        return calendar.day_name[date.fromisoformat(facts["end"]).weekday()]
    weeks = calendar.monthcalendar(facts["year"], facts["month"])
    return str(facts["pay"] * sum(1 for week in weeks if week[facts["wanted"]]))


PIPELINE = Solver(
    make, solve, knobs="level: weekdays, days between dates, least common multiples, dates and weekdays over months"
)
