"""What stages measure of texts, without a model: what is copied, which numbers are new, what a text quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case; a number with its points and commas is one."""
    return [word.casefold() for word in _WORD.findall(text)]


def copied(text: str, source: str, n: int = 8) -> float:
    """The share of a text's runs of `n` words that its source has too; 0 for a shorter text."""
    runs, there = _runs(words(text), n), set(_runs(words(source), n))
    return sum(run in there for run in runs) / len(runs) if runs else 0.0


def new_numbers(text: str, source: str) -> list[str]:
    """The numbers of a text that its source has not, numbers up to twelve left out: they may be counted or listed."""
    there = {number.replace(",", "") for number in _NUMBER.findall(source)}
    found = dict.fromkeys(number.replace(",", "") for number in _NUMBER.findall(text))
    return [number for number in found if number not in there and not (number.isdigit() and int(number) <= 12)]


def lost_numbers(text: str, source: str) -> list[str]:
    """The numbers of a source that a text has not."""
    return new_numbers(source, text)


def quoted(quote: str, source: str, least: float = 0.8) -> bool:
    """Whether a source holds a quotation, give or take a word: so many of its words come in one stretch, in their order."""
    wanted, there = words(quote), words(source)
    if not wanted:
        return False
    if f" {' '.join(wanted)} " in f" {' '.join(there)} ":
        return True
    places = [place for place, word in enumerate(there) if word in wanted]
    longest = 0
    for start in places:
        longest = max(longest, _common(wanted, there[start : start + len(wanted) + 3]))
    return longest >= least * len(wanted) and len(wanted) >= 4


def tells(text: str, answer: str) -> bool:
    """Whether a text gives an answer away: all of its words stand in it, one after another."""
    wanted = words(answer)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(text))} "


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, with the spaces after them left out."""
    parts = re.split(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9])|\n\s*\n", text)
    return [part.strip() for part in parts if part.strip()]


def _runs(found: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], before + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]
