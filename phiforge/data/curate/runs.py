"""Runs of words that tell a benchmark item from other text: which runs have weight, which are common, which items have one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from phiforge.data.curate.ngrams import (
    DIGIT,
    LETTER,
    Hashes,
    HashSet,
    Indices,
    Words,
    batches,
    grams_of_texts,
    mixed,
    word,
)

NUMBER = np.uint64(word("0"))  # what stands for every number
COMMON = 3  # surroundings, or reference texts, that make a run a common one
_NUMBERS = (  # noqa: SIM905
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
).split()


class Masked:
    """The words of texts with every number made the same; 1,000 and 2.5 are one. `places` are those of the words."""

    def __init__(self, words: Words) -> None:
        number = words.kind == DIGIT
        inside = np.zeros(len(number), bool)  # what stands after a number and one point or comma
        close = np.flatnonzero(number[1:] & number[:-1] & (words.start[1:] == words.end[:-1] + 1)) + 1
        inside[close] = np.isin(words.low[words.end[close - 1]], (ord("."), ord(",")))
        number[_number_words().find(words.hashes)] = True
        self.places = np.flatnonzero(~inside)
        self.number = number[self.places]
        self.hashes = np.where(self.number, NUMBER, words.hashes[self.places])
        self.first = np.searchsorted(self.places, words.first)

    @property
    def counts(self) -> Indices:
        return np.diff(self.first)


class Postings:
    """Which items have a run: pairs of a hash and an item, found by the hash."""

    def __init__(self, hashes: Hashes, owners: Indices) -> None:
        order = np.lexsort((owners, hashes))
        hashes, owners = hashes[order], owners[order]
        new = np.ones(len(hashes), bool)
        new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        self.owners = owners[new].astype(np.int64)
        self._set = HashSet(hashes[new])
        self._from = np.searchsorted(hashes[new], self._set.hashes)
        self._from = np.append(self._from, len(self.owners))

    def __len__(self) -> int:
        return len(self._set)

    def find(self, hashes: Hashes) -> tuple[Indices, Indices]:
        """For each pair of a place in `hashes` and an item that has the run there: the place, and the item."""
        places = self._set.find(hashes)
        which = np.searchsorted(self._set.hashes, hashes[places])
        begin, counts = self._from[which], self._from[which + 1] - self._from[which]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(places, counts), self.owners[np.repeat(begin, counts) + within]


def solid(words: Words) -> NDArray[np.bool_]:
    """Words that say something by themselves: of two letters, or numbers of three digits."""
    length = words.end - words.start
    return np.where(words.kind == LETTER, length >= 2, (words.kind != DIGIT) | (length >= 3))


def informative(words: Words, n: int) -> tuple[Hashes, Indices]:
    """The runs of n of which 5 in 13 are solid words: their hashes, and places."""
    hashes, places, _ = grams_of_texts(words.hashes, words.first, n)
    good = 13 * _sums(solid(words), places, n) >= 5 * n
    return hashes[good], places[good]


def informative_masked(words: Words, masked: Masked, n: int) -> tuple[Hashes, Indices]:
    """The runs of n in which at least 3 are words of three letters and no number."""
    hashes, places, _ = grams_of_texts(masked.hashes, masked.first, n)
    length = (words.end - words.start)[masked.places]
    good = _sums(~masked.number & (length >= 3), places, n) >= 3
    return hashes[good], places[good]


def _sums(values: NDArray[np.bool_], places: Indices, n: int) -> Indices:
    """How many of the n values from each place on are true."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return sums[places + n] - sums[places]


def without_common(
    hashes: Hashes, places: Indices, words: Hashes, first: Indices, n: int, common: HashSet
) -> tuple[Hashes, Indices]:
    """Hashes and owners of the runs that are not common, neither in reference texts nor among the items themselves.

    Among items, surroundings are counted and not items: copies of one, or questions to one passage, have the same.
    """
    owners = np.searchsorted(first, places, "right") - 1
    around = np.zeros(len(places), np.uint64)
    for step in (-3, -2, -1, n, n + 1, n + 2):
        at = places + step
        inside = (at >= first[owners]) & (at < first[owners + 1])
        around = mixed(around + np.where(inside, words[np.where(inside, at, 0)], np.uint64(7)))
    order = np.lexsort((around, hashes))
    ordered, beside = hashes[order], around[order]
    different = np.ones(len(order), bool)
    different[1:] = (ordered[1:] != ordered[:-1]) | (beside[1:] != beside[:-1])
    unique, counts = np.unique(ordered[different], return_counts=True)
    good = ~common.holds(hashes) & ~HashSet(unique[counts >= COMMON]).holds(hashes)
    return hashes[good], owners[good]


def common_in(reference: Iterable[str], wanted: list[tuple[int, bool, HashSet]]) -> list[HashSet]:
    """Of each set of runs (their length, whether numbers are masked, the hashes) those that COMMON of the texts have."""
    held = [[np.empty(0, np.uint64)] for _ in wanted]
    for texts in batches(reference):
        words = Words(texts)
        masked = Masked(words)
        for (n, is_masked, runs), parts in zip(wanted, held, strict=True):
            view = masked if is_masked else words
            hashes, places, _ = grams_of_texts(view.hashes, view.first, n)
            at = runs.find(hashes)
            owners = np.searchsorted(view.first, places[at], "right")
            order = np.lexsort((hashes[at], owners))
            hashes, owners = hashes[at][order], owners[order]
            new = np.ones(len(order), bool)
            new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
            parts.append(hashes[new])
    counted = [np.unique(np.concatenate(parts), return_counts=True) for parts in held]
    return [HashSet(hashes[counts >= COMMON]) for hashes, counts in counted]


@cache
def _number_words() -> HashSet:
    return HashSet(np.array([word(each) for each in _NUMBERS], np.uint64))
