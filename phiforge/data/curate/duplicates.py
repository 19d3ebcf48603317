"""Duplicates among texts: exact ones by a hash, near ones by sketches of their word n-grams and locality-sensitive hashing.

    index = NearDuplicates()
    for texts in batches(source): index.add(texts)
    kept = index.first() == np.arange(len(index))        # and a second reading of the source keeps those

An index holds 280 bytes a text (120 of a sketch, 160 of bands) and nothing of the text itself. Of alike texts the
first is kept, where alike goes from one to the next: they are clusters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from phiforge.data.curate import sketch
from phiforge.data.curate.ngrams import Hashes, Indices, Words, batches, grams_of_texts, mixed

NGRAM = 5
SIMILARITY = 0.75  # of their n-grams, from which on two texts count as near-duplicates


def exact(text: str) -> bytes:
    """A hash of a text that case, spaces and line ends don't change. Symbols count: 3 + 4 isn't 3 - 4."""
    return blake2b(" ".join(text.casefold().split()).encode("utf-8", "replace"), digest_size=16).digest()


class ExactDuplicates:
    """Remembers 16 bytes of each text."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __call__(self, text: str) -> str | None:
        """ "exact duplicate" if this text came before."""
        mark = exact(text)
        if mark in self._seen:
            return "exact duplicate"
        self._seen.add(mark)
        return None


class NearDuplicates:
    """An index of texts. Two are near-duplicates if they share `similarity` of all their word n-grams, by estimate."""

    def __init__(self, similarity: float = SIMILARITY, ngram: int = NGRAM) -> None:
        if not 0.5 <= similarity <= 1:
            raise ValueError(f"similarity {similarity} is out of reach: the index finds pairs from 0.5 to 1")
        if ngram < 1:
            raise ValueError(f"ngram {ngram} is not a number of words")
        self.similarity, self.ngram = similarity, ngram
        self._short: list[NDArray[np.uint8]] = []
        self._bands: list[Hashes] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, texts: Sequence[str]) -> None:
        """Add texts; each is known by its number from then on. Give at least some hundred at a time: it is much faster."""
        for batch in batches(texts):
            words = Words(batch)
            table = sketch.sketches(*shingles(words, self.ngram))
            self._short.append(sketch.short(table))
            self._bands.append(sketch.bands(table))
            self._n += len(batch)

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in (*self._short, *self._bands))

    def pairs(self) -> NDArray[np.int64]:
        """Pairs of near-duplicates [P, 2], the earlier first: enough of them to join every cluster, not all."""
        short = self._joined_short()
        found = [np.empty((0, 2), np.int64)]
        for number in range(sketch.BANDS):
            column = (
                np.concatenate([part[:, number] for part in self._bands]) if self._bands else np.empty(0, np.uint64)
            )
            order = np.argsort(column, kind="stable")
            ordered = column[order]
            same = np.flatnonzero(ordered[1:] == ordered[:-1])
            if not len(same):
                continue
            heads = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
            head = order[heads[np.searchsorted(heads, same + 1, "right") - 1]]
            found.append(np.stack([order[same], order[same + 1]], axis=1))
            found.append(np.stack([head, order[same + 1]], axis=1))
        candidates = np.concatenate(found)
        codes = np.unique(candidates[:, 0] * max(1, self._n) + candidates[:, 1])
        candidates = np.stack(np.divmod(codes, max(1, self._n)), axis=1)
        good = np.concatenate(
            [np.empty(0, bool)]
            + [
                sketch.alike(short[part[:, 0]], short[part[:, 1]]) >= self.similarity
                for part in np.array_split(candidates, 1 + len(candidates) // 65536)
            ]
        )
        return candidates[good]

    def first(self) -> Indices:
        """The number of the first text of each text's cluster; its own for one that stands alone or comes first."""
        parent = np.arange(self._n)

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for one, other in self.pairs().tolist():
            a, b = root(one), root(other)
            if a != b:
                parent[max(a, b)] = min(a, b)  # the first leads
        while (parent[parent] != parent).any():
            parent = parent[parent]
        return parent

    def clusters(self) -> list[list[int]]:
        """The clusters of two and more texts."""
        members: dict[int, list[int]] = defaultdict(list)
        for number, first in enumerate(self.first().tolist()):
            members[first].append(number)
        return [cluster for cluster in members.values() if len(cluster) > 1]

    def _joined_short(self) -> NDArray[np.uint8]:
        self._short = [np.concatenate(self._short)] if self._short else [np.empty((0, sketch.PLACES), np.uint8)]
        return self._short[0]


def shingles(words: Words, ngram: int) -> tuple[Hashes, Indices]:
    """The n-grams of each text and how many it has. A text of fewer words has one, of all its words; an empty one none."""
    hashes, _, counts = grams_of_texts(words.hashes, words.first, ngram)
    few = np.flatnonzero((words.counts > 0) & (words.counts < ngram))
    if len(few):
        whole = np.empty(len(few), np.uint64)
        for n in range(1, ngram):
            these = np.flatnonzero(words.counts[few] == n)
            places = words.first[few[these]]
            value = np.zeros(len(these), np.uint64)
            for k in range(n):
                value = mixed(value + words.hashes[places + k])
            whole[these] = value
        at = np.concatenate([[0], np.cumsum(counts)])[few]
        hashes = np.insert(hashes, at, whole)
        counts = counts.copy()
        counts[few] = 1
    return hashes, counts


def near_share(texts: Iterable[str], ngram: int = NGRAM, similarity: float = 0.8) -> float:
    """The share of texts that are near-duplicates of an earlier one, by the exact similarity of their n-grams."""
    held = list(texts)
    if not held:
        return 0.0
    index = NearDuplicates(max(0.5, similarity - 0.12), ngram)  # wider, as it estimates
    index.add(held)
    pairs = index.pairs()
    sets = {number: _set(held[number], ngram) for number in np.unique(pairs).tolist()}
    late = {
        later
        for earlier, later in pairs.tolist()
        if len(sets[earlier] & sets[later]) >= similarity * len(sets[earlier] | sets[later])
    }
    return len(late) / len(held)


def _set(text: str, ngram: int) -> set[int]:
    return set(shingles(Words([text]), ngram)[0].tolist())
