"""Benchmark items in training texts, found by the Phi-4 report's algorithm (arXiv 2412.08905, appendix B, Algorithm 1).

    1. a run of 13 words that is also in an item, and is not a common one: contaminated
    2. else, of each item, the share of its runs of 7 words that the text has: ratio = overlap / min(the text's, the item's)
    3. the greatest ratio from CONTAMINATED on: contaminated; from PARTIAL on: told, and kept

The report gives no thresholds and no normalisation; ours come from GSM8K, MATH-500, MBPP, HumanEval, MMLU and others, edited,
against unrelated text. Case, accents and punctuation don't count. In step 2 every number, in digits or words, is the same
word, so that an item with other numbers is found. Common runs, without weight, are those in several reference texts or in
several surroundings among the items (`runs.py`). A long text is held against items window by window. Two steps are our own: of
items under BRIEF_ITEM words, of which one changed word breaks most runs of 7, a run of 5 leads to the place where the text is
compared with the item word by word; and an item too short for all this is looked for whole, word for word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from phiforge.data.curate import runs
from phiforge.data.curate.benchmark import Item
from phiforge.data.curate.ngrams import Hashes, HashSet, Indices, Words, batches, grams, grams_of_texts
from phiforge.data.curate.runs import Masked, Postings

LONG, SHORT, BRIEF = 13, 7, 5  # words of a run
BRIEF_ITEM = 26
LEAST = 4  # words of the shortest item that can be told
CONTAMINATED, PARTIAL = 0.12, 0.06
FEWEST = 2  # runs of 7 that must agree, whatever the ratio
ALIKE, SLACK = 0.75, 3  # share of a brief item's different words, and how far from their places they may be
FEWEST_WORDS = 7  # different ones
HALF_WINDOW = 512  # words
EXCERPT = 240  # characters


class Leak(Struct, frozen=True):
    """An item found in a text: `how` is "13-gram", "7-grams", "words" or "whole"; `start` and `end` are characters of the
    text (in composed form, NFC)."""

    benchmark: str
    item: str
    how: str
    ratio: float
    contaminated: bool
    start: int
    end: int
    excerpt: str


class BenchmarkReport(Struct):
    """What was found of one benchmark. `untold` items are too short or too common to be told from other text; `leaked` are the
    ids of all that contaminate a text, `matches` the first places; `by` counts pairs of a text and an item by how they were
    found."""

    items: int = 0
    untold: int = 0
    leaked_items: int = 0
    texts: int = 0
    partial_texts: int = 0
    by: dict[str, int] = {}
    leaked: list[str] = []
    matches: list[Leak] = []


class Decontaminator:
    """An index of benchmark items, as hashes, and in `report` what was found of each benchmark so far.

    `reference` are texts that are no training data and hold no benchmark: what several of them say is common. `matches` are
    kept of each benchmark for its report.
    """

    def __init__(
        self,
        items: Iterable[Item],
        reference: Iterable[str] = (),
        *,
        contaminated: float = CONTAMINATED,
        partial: float = PARTIAL,
        matches: int = 20,
    ) -> None:
        if not 0 < partial <= contaminated <= 1:
            raise ValueError(f"the thresholds {partial} and {contaminated} are not 0 < partial <= contaminated <= 1")
        held = list(items)
        if not held:
            raise ValueError("there is no benchmark item to look for; give at least one file of them")
        self.items = [Item(item.benchmark, item.id, "") for item in held]
        self.contaminated, self.partial, self.matches = contaminated, partial, matches
        self._index([item.text for item in held], reference)
        self._leaked: set[int] = set()
        self.report = {item.benchmark: BenchmarkReport() for item in held}
        for item, told in zip(held, self._told.tolist(), strict=True):
            self.report[item.benchmark].items += 1
            self.report[item.benchmark].untold += not told

    def _index(self, texts: Sequence[str], reference: Iterable[str]) -> None:
        words = Words(texts)
        masked = Masked(words)
        long = runs.informative(words, LONG)
        short = runs.informative_masked(words, masked, SHORT)
        brief = runs.informative_masked(words, masked, BRIEF)
        kinds = [(LONG, False, HashSet(long[0])), (SHORT, True, HashSet(short[0])), (BRIEF, True, HashSet(brief[0]))]
        common = runs.common_in(reference, kinds)
        self._long = Postings(*runs.without_common(*long, words.hashes, words.first, LONG, common[0]))
        self._short = Postings(*runs.without_common(*short, masked.hashes, masked.first, SHORT, common[1]))
        self._weight = np.bincount(self._short.owners, minlength=len(texts))  # runs of step 2
        hashes, owners = runs.without_common(*brief, masked.hashes, masked.first, BRIEF, common[2])
        these = masked.counts[owners] < BRIEF_ITEM
        self._brief = Postings(hashes[these], owners[these])
        self._brief_words = {
            i: masked.hashes[masked.first[i] : masked.first[i + 1]] for i in np.unique(owners[these]).tolist()
        }
        # What neither step can find, for having no run of weight, is looked for as a whole.
        self._told = np.bincount(self._long.owners, minlength=len(texts)) + self._weight > 0
        solid = np.diff(np.concatenate([[0], np.cumsum(runs.solid(words))])[words.first])
        whole = np.flatnonzero(~self._told & (words.counts >= LEAST) & (solid >= 2))
        starts = grams(words.hashes, LEAST)
        self._whole = Postings(starts[words.first[whole]] if len(whole) else starts[:0], whole)
        self._whole_words = {i: words.hashes[words.first[i] : words.first[i + 1]] for i in whole.tolist()}
        self._told[whole] = True

    def __call__(self, text: str) -> str | None:
        return self.many([text])[0]

    def many(self, texts: Sequence[str]) -> list[str | None]:
        """The filter: for each text "contaminated: <benchmark>", or None. What it finds goes into `report`."""
        return [
            next((f"contaminated: {leak.benchmark}" for leak in leaks if leak.contaminated), None)
            for leaks in self.find(texts)
        ]

    def find(self, texts: Sequence[str]) -> list[list[Leak]]:
        """For each text the items in it, those that contaminate it first. They are counted in `report`, too."""
        return [leaks for batch in batches(texts) for leaks in self._find(batch)]

    def _find(self, texts: Sequence[str]) -> list[list[Leak]]:
        words = Words(texts)
        found: list[dict[int, Leak]] = [{} for _ in texts]
        hashes, places, _ = grams_of_texts(words.hashes, words.first, LONG)
        hit, owners = self._long.find(hashes)
        self._note(found, words, places[hit], owners, LONG, "13-gram")
        if len(self._whole):
            hashes, places, _ = grams_of_texts(words.hashes, words.first, LEAST)
            hit, owners = self._whole.find(hashes)
            for place, owner in zip(places[hit].tolist(), owners.tolist(), strict=True):
                wanted = self._whole_words[owner]
                if np.array_equal(words.hashes[place : place + len(wanted)], wanted):
                    self._note(found, words, np.array([place]), np.array([owner]), len(wanted), "whole")
        masked = Masked(words)
        hashes, places, _ = grams_of_texts(masked.hashes, masked.first, SHORT)
        hit, owners = self._short.find(hashes)
        if len(hit):
            self._ratios(found, words, masked, hashes[hit], places[hit], owners)
        hashes, places, _ = grams_of_texts(masked.hashes, masked.first, BRIEF)
        hit, owners = self._brief.find(hashes)
        if len(hit):
            self._word_by_word(found, words, masked, hashes[hit], places[hit], owners)
        leaks = [sorted(each.values(), key=lambda leak: (not leak.contaminated, -leak.ratio)) for each in found]
        self._count(found)
        return leaks

    def _note(
        self, found: list[dict[int, Leak]], words: Words, places: Indices, owners: Indices, n: int, how: str
    ) -> None:
        """Record runs of n that contaminate by themselves. The span is that of most such runs one after another."""
        texts = np.searchsorted(words.first, places, "right") - 1
        order = np.lexsort((places, owners, texts))
        texts, owners, places = texts[order], owners[order], places[order]
        edges = np.flatnonzero((np.diff(texts) != 0) | (np.diff(owners) != 0)) + 1
        for part in np.split(np.arange(len(places)), edges) if len(places) else ():
            text, owner = int(texts[part[0]]), int(owners[part[0]])
            if owner not in found[text]:
                row = max(np.split(places[part], np.flatnonzero(np.diff(places[part]) > n) + 1), key=len)
                found[text][owner] = self._leak(words, text, owner, how, 1.0, True, int(row[0]), int(row[-1]) + n - 1)

    def _ratios(
        self,
        found: list[dict[int, Leak]],
        words: Words,
        masked: Masked,
        hashes: Hashes,
        places: Indices,
        owners: Indices,
    ) -> None:
        """Steps 2 and 3, for runs of 7 that items have; `places` are of the masked words."""
        texts = np.searchsorted(masked.first, places, "right") - 1
        half = (places - masked.first[texts]) // HALF_WINDOW
        # Windows overlap by half: each place is in the one that begins with its half and in the one before.
        again = np.flatnonzero(half > 0)
        rows = np.concatenate([np.arange(len(places)), again])
        window = np.concatenate([half, half[again] - 1])
        order = np.lexsort((hashes[rows], window, owners[rows], texts[rows]))
        rows, window = rows[order], window[order]
        text, owner, run = texts[rows], owners[rows], hashes[rows]
        new = np.ones(len(rows), bool)
        new[1:] = (text[1:] != text[:-1]) | (owner[1:] != owner[:-1]) | (window[1:] != window[:-1])
        different = new.copy()
        different[1:] |= run[1:] != run[:-1]
        groups = np.cumsum(new) - 1
        overlap = np.bincount(groups, weights=different)
        head = np.flatnonzero(new)
        weight = self._weight[owner[head]]
        left = masked.counts[text[head]] - SHORT + 1 - window[head] * HALF_WINDOW
        ratio = overlap / np.maximum(np.minimum(np.minimum(left, 2 * HALF_WINDOW), weight), 1)
        told = (ratio >= self.partial) & (overlap >= np.minimum(FEWEST, weight))
        # The greatest ratio decides: of a text's items only the best is told, but all that contaminate it.
        for group in sorted(np.flatnonzero(told).tolist(), key=lambda g: -ratio[g]):
            at, item = int(text[head[group]]), int(owner[head[group]])
            contaminated = bool(ratio[group] >= self.contaminated)
            if item in found[at] or (found[at] and not contaminated):
                continue
            these = np.sort(places[rows[groups == group]])
            first, last = int(masked.places[these[0]]), int(masked.places[these[-1] + SHORT - 1])
            found[at][item] = self._leak(words, at, item, "7-grams", float(ratio[group]), contaminated, first, last)

    def _word_by_word(
        self,
        found: list[dict[int, Leak]],
        words: Words,
        masked: Masked,
        hashes: Hashes,
        places: Indices,
        owners: Indices,
    ) -> None:
        """Compare brief items with the text where a run of 5 of theirs is. Numbers don't count, for or against."""
        texts = np.searchsorted(masked.first, places, "right") - 1
        seen = set[tuple[int, int, int]]()
        for text, owner, place, run in zip(
            texts.tolist(), owners.tolist(), places.tolist(), hashes.tolist(), strict=True
        ):
            item = self._brief_words[owner]
            begin = place - int(np.flatnonzero(grams(item, BRIEF) == run)[0])
            if (text, owner, begin) in seen or (owner in found[text] and found[text][owner].contaminated):
                continue
            seen.add((text, owner, begin))
            first = max(begin - SLACK, int(masked.first[text]))
            last = min(begin + len(item) + SLACK, int(masked.first[text + 1]))
            wanted = np.unique(item[item != runs.NUMBER])
            there = np.isin(wanted, masked.hashes[first:last])
            share = float(there.mean())
            if share >= ALIKE and np.count_nonzero(there) >= FEWEST_WORDS:
                same = first + np.flatnonzero(np.isin(masked.hashes[first:last], wanted))
                span = int(masked.places[same[0]]), int(masked.places[same[-1]])
                found[text][owner] = self._leak(words, text, owner, "words", share, True, *span)

    def _leak(
        self, words: Words, text: int, owner: int, how: str, ratio: float, contaminated: bool, first: int, last: int
    ) -> Leak:
        start, end = int(words.start[first]), int(words.end[last])
        at, item = int(words.offset[text]), self.items[owner]
        excerpt = words.joined[start : min(end, start + EXCERPT)]
        return Leak(item.benchmark, item.id, how, round(ratio, 4), contaminated, start - at, end - at, excerpt)

    def _count(self, found: list[dict[int, Leak]]) -> None:
        for by_item in found:
            full = {leak.benchmark for leak in by_item.values() if leak.contaminated}
            for benchmark in {leak.benchmark for leak in by_item.values()}:
                self.report[benchmark].texts += benchmark in full
                self.report[benchmark].partial_texts += benchmark not in full
            for owner, leak in by_item.items():
                report = self.report[leak.benchmark]
                if leak.contaminated:
                    report.by = dict(Counter(report.by) + Counter([leak.how]))
                    if owner not in self._leaked:
                        report.leaked_items += 1
                        report.leaked.append(self.items[owner].id)
                        self._leaked.add(owner)
                if len(report.matches) < self.matches:
                    report.matches.append(leak)
