"""Questions that need no tool: sums, letters, days and the like, each with how it is worked out; and their answers found again."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date
from itertools import groupby
from typing import NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._kinds import CITY, LIST_ITEM, PERSON, WORD
from phiforge.data.pipelines.agents._moments import MONTHS
from phiforge.data.words import WEEKDAYS, listed


class Direct(NamedTuple):
    """A question that needs no tool: its text, its answer, a sentence that gives it, and how it is found."""

    text: str
    answer: str
    says: str
    how: str


def _product(draw: Draw) -> Direct:
    a, b = draw.between(12, 99), draw.between(3, 29)
    text = draw.pick(("What is {} times {}?", "Multiply {} by {}.", "How much is {} × {}?")).format(a, b)
    return Direct(text, str(a * b), f"{a} × {b} = {a * b}.", f"{a} × {b} = {a} × {b // 10 * 10} + {a} × {b % 10} = {a * (b // 10 * 10)} + {a * (b % 10)} = {a * b}.")  # fmt: skip


def _sum(draw: Draw) -> Direct:
    numbers = [draw.between(11, 480) for _ in range(draw.between(2, 4))]
    text = draw.pick(("Add up {}.", "What do {} make together?", "What is the sum of {}?")).format(
        listed([str(n) for n in numbers])
    )
    return Direct(text, str(sum(numbers)), f"Together that is {sum(numbers)}.", f"{' + '.join(map(str, numbers))} = {sum(numbers)}.")  # fmt: skip


def _letters(draw: Draw) -> Direct:
    word = draw.pick((*WORD.words, *(city.lower() for city in CITY.words if " " not in city)))
    text = draw.pick(
        (
            'How many letters does the word "{}" have?',
            'Count the letters of "{}".',
            'Of how many letters is "{}" made?',
        )
    ).format(word)
    return Direct(text, str(len(word)), f'"{word}" has {len(word)} letters.', f"{'-'.join(word)}: {len(word)} letters.")  # fmt: skip


def _backwards(draw: Draw) -> Direct:
    word = draw.pick((*WORD.words, *(city.lower() for city in CITY.words if " " not in city)))
    text = draw.pick(
        ('Write "{}" backwards.', 'What is "{}" read from the end?', 'Turn the letters of "{}" round.')
    ).format(word)
    return Direct(text, word[::-1], f'That is "{word[::-1]}".', f"{'-'.join(word)}, from the end: {'-'.join(word[::-1])}.")  # fmt: skip


def _days(draw: Draw) -> Direct:
    month, year = draw.between(1, 12), draw.between(1980, 2060)
    days = monthrange(year, month)[1]
    text = draw.pick(("How many days are in {} {}?", "Of how many days is {} {}?", "Count the days of {} {}.")).format(MONTHS[month - 1], year)  # fmt: skip
    how = f"{year} is {'a leap year' if monthrange(year, 2)[1] == 29 else 'no leap year'}." if month == 2 else ""
    return Direct(text, str(days), f"{MONTHS[month - 1]} {year}: {days} days.", f"{how} {MONTHS[month - 1]} has {days} days.".strip())  # fmt: skip


def _weekday(draw: Draw) -> Direct:
    start, n = draw.between(0, 6), draw.between(2, 60)
    found = WEEKDAYS[(start + n) % 7]
    text = draw.pick(("Which weekday is {1} days after a {0}?", "If it is {0}, what weekday is it in {1} days?", "Count {1} days on from a {0}: which weekday is that?")).format(WEEKDAYS[start], n)  # fmt: skip
    return Direct(text, found, f"It is a {found}.", f"{n} = 7 × {n // 7} + {n % 7}, so go {n % 7} on from {WEEKDAYS[start]}: {found}.")  # fmt: skip


def _sorted(draw: Draw) -> Direct:
    words = draw.sample((*LIST_ITEM.words, *WORD.words), draw.between(3, 6))
    done = ", ".join(sorted(words))
    text = draw.pick(("Put these in alphabetical order: {}.", "Sort from A to Z: {}.", "Order these alphabetically: {}.")).format(", ".join(words))  # fmt: skip
    return Direct(text, done, f"{done}", f"By first letters, then by the next: {done}.")


def _largest(draw: Draw) -> Direct:
    numbers = draw.sample(range(100, 9999), draw.between(3, 7))
    most = draw.chance(0.5)
    found = max(numbers) if most else min(numbers)
    text = f"Which is the {'largest' if most else 'smallest'} of {listed([str(n) for n in numbers])}?"
    return Direct(text, str(found), f"It is {found}.", f"Going through them, {found} is the {'largest' if most else 'smallest'}.")  # fmt: skip


def _share(draw: Draw) -> Direct:
    people, each = draw.between(3, 12), draw.between(4, 60)
    thing, who = draw.pick(("euros", "marbles", "stickers", "tickets", "apples")), draw.pick(PERSON.words)
    text = (
        f"{who} shares {people * each} {thing} equally among {people} people. How many {thing} does each of them get?"
    )
    return Direct(text, str(each), f"Each gets {each} {thing}.", f"{people * each} / {people} = {each}.")


def _later(draw: Draw) -> Direct:
    hour, minute, wait = draw.between(6, 14), draw.pick((0, 10, 15, 20, 30, 45, 50)), draw.between(15, 340)
    end = hour * 60 + minute + wait
    text = draw.pick(("A film begins at {} and takes {} minutes. When does it end?", "I leave at {} and walk for {} minutes. When do I arrive?", "The cake goes in at {} and bakes for {} minutes. When is it done?")).format(f"{hour}:{minute:02}", wait)  # fmt: skip
    return Direct(text, f"{end // 60}:{end % 60:02}", f"At {end // 60}:{end % 60:02}.", f"{wait} minutes are {wait // 60} h {wait % 60} min; from {hour}:{minute:02} that leads to {end // 60}:{end % 60:02}.")  # fmt: skip


def _vowels(draw: Draw) -> Direct:
    word = draw.pick((*WORD.words, *(city.lower() for city in CITY.words if " " not in city)))
    letter = draw.pick(sorted(set(word)))
    text = draw.pick(('How often does the letter "{}" occur in "{}"?', 'Count the letter "{}" in "{}".')).format(letter, word)  # fmt: skip
    count = word.count(letter)
    return Direct(text, str(count), f'In "{word}", "{letter}" occurs {count} time{"s" if count > 1 else ""}.', f"{'-'.join(word)}: {count}.")  # fmt: skip


DIRECT: tuple[Callable[[Draw], Direct], ...] = (_product, _sum, _letters, _backwards, _days, _weekday, _sorted, _largest, _share, _later, _vowels)  # fmt: skip


def answered(text: str) -> str | None:
    """The answer to one of the questions that need no tool, found by slow and simple ways."""
    if match := re.search(r"(?:What is|Multiply|How much is) (\d+) (?:times|by|×) (\d+)[?.]", text):
        return str(sum(int(match[1]) for _ in range(int(match[2]))))
    if match := re.search(
        r"(?:Add up|What do|What is the sum of) ((?:\d+, )*\d+ and \d+)(?: make together)?[.?]", text
    ):
        return str(sum(map(int, re.findall(r"\d+", match[1]))))
    if match := re.search(
        r'(?:How many letters does the word|Count the letters of|Of how many letters is) "(\w+)"', text
    ):
        return str(sum(1 for _ in match[1]))
    if match := re.search(r'(?:Write "(\w+)" backwards|What is "(\w+)" read|Turn the letters of "(\w+)" round)', text):
        return "".join(reversed(next(filter(None, match.groups()))))
    if match := re.search(rf"days (?:are in|is|of) ({'|'.join(MONTHS)}) (\d{{4}})", text):
        month, year = MONTHS.index(match[1]) + 1, int(match[2])
        return str((date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days)
    if "weekday" in text and (match := re.search(r"(\d+) days", text)):
        start = next(re.finditer(rf"(?:a|is) ({'|'.join(WEEKDAYS)})", text))
        days = iter(WEEKDAYS * 20)
        next(day for day in days if day == start[1])
        return [next(days) for _ in range(int(match[1]))][-1]
    if match := re.search(r"(?:alphabetical order|from A to Z|alphabetically): ([^.]+)\.", text):
        rest, done = match[1].split(", "), list[str]()
        while rest:
            done.append(rest.pop(rest.index(min(rest))))
        return ", ".join(done)
    if match := re.search(r"Which is the (largest|smallest) of ([\d, and]+)\?", text):
        numbers = sorted(map(int, re.findall(r"\d+", match[2])))
        return str(numbers[-1] if match[1] == "largest" else numbers[0])
    if match := re.search(r"shares (\d+) \w+ equally among (\d+) people", text):
        return str(next(n for n in range(1000) if n * int(match[2]) == int(match[1])))
    if match := re.search(r"at (\d+):(\d\d) and \w+ (?:for )?(\d+) minutes", text):
        hour, minute, left = (int(part) for part in match.groups())
        while left:
            minute, left = minute + 1, left - 1
            hour, minute = (hour + 1, 0) if minute == 60 else (hour, minute)
        return f"{hour}:{minute:02}"
    if match := re.search(r'letter "(\w)" (?:occur )?in "(\w+)"', text):
        return str(sum(len(list(run)) for letter, run in groupby(sorted(match[2])) if letter == match[1]))
    return None
