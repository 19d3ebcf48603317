"""Words and word n-grams of many texts at once, as 64-bit hashes in numpy arrays.

A word is a run of letters or of digits; case, accents and punctuation do not count, and an ideograph is a word of its own.
Hashes are the same on every machine and in every version of Python, so an index can be kept in a file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

BATCH = 256  # texts: about half a megabyte, which a core's cache holds
SEPARATOR, LETTER, DIGIT, IDEOGRAPH = range(4)
_U64 = np.uint64
_STEP = 0xD6E8FEB86659FD93
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)  # of the first n of eight bytes


class Words:
    """The words of texts: `hashes` of all, one after another; text i has those from `first[i]` to `first[i + 1]`.

    `start` and `end` are places in `joined`, in which text i begins at `offset[i]`; `kind` is LETTER, DIGIT or IDEOGRAPH.
    `low` is the low byte of each character.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        texts = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
        self.joined = "\0".join(texts) + "\0"
        low, high, kinds = _folded(self.joined)
        changes = kinds[1:] != kinds[:-1]
        if high is not None:
            changes |= kinds[1:] == IDEOGRAPH
        runs = np.flatnonzero(changes) + 1  # a word is a run that is not of separators
        if len(kinds) and kinds[0] != SEPARATOR:
            runs = np.concatenate([[0], runs])
        kinds = kinds[runs]
        words = np.flatnonzero(kinds)
        self.kind = kinds[words]
        self.low = np.frombuffer(low, np.uint8)
        self.start, self.end = runs[words], runs[words + 1]  # the last run is of the separator at the end
        self.offset = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) + 1 for text in texts], out=self.offset[1:])
        self.first = np.searchsorted(self.start, self.offset)
        hashes = _hashes(low, self.start, self.end)
        if high is not None:  # nothing is added for a word without high bytes: it hashes as it does among ASCII
            above = _hashes(high, self.start, self.end)
            hashes += mixed(above) * (above != 0)
        self.hashes = mixed(hashes + _U64(_STEP))

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def counts(self) -> Indices:
        """How many words each text has."""
        return np.diff(self.first)


def grams(words: Hashes, n: int) -> Hashes:
    """The hash of the n words from each place on; the last n - 1 places have none, and the result is so much shorter."""
    if len(words) < n:
        return np.empty(0, _U64)
    hashes, width = words, 1
    while width < n:  # two halves make a whole, overlapping at the end
        step = min(width, n - width)
        hashes = hashes[: len(hashes) - step] * _U64(_STEP + 2 * width) + hashes[step:]
        hashes = hashes ^ (hashes >> _U64(29))
        width += step
    return mixed(hashes)


def grams_of_texts(words: Hashes, first: Indices, n: int) -> tuple[Hashes, Indices, Indices]:
    """The n-grams inside each text: their hashes, the place of each one's first word, and how many each text has."""
    hashes = grams(words, n)
    inside = np.ones(len(hashes), bool)
    across = (first[1:-1, None] - np.arange(1, n)).ravel()  # they begin in one text and end in another
    inside[across[(across >= 0) & (across < len(hashes))]] = False
    places = np.flatnonzero(inside)
    return hashes[places], places, np.maximum(np.diff(first) - n + 1, 0)


def mixed(hashes: Hashes) -> Hashes:
    """Hashes with every bit made to depend on all others (the finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> _U64(27))) * _U64(0x94D049BB133111EB)
    return hashes ^ (hashes >> _U64(31))


def word(text: str) -> int:
    """The hash of one word."""
    return int(Words([text]).hashes[0])


class HashSet:
    """A set of hashes that arrays are looked up in. Most of what isn't in it is told by one look at a small table."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = np.unique(hashes)
        bits = min(26, max(12, (32 * len(self.hashes)).bit_length()))
        self._shift = _U64(64 - bits)
        self._table = np.zeros(1 << bits, bool)
        self._table[self.hashes >> self._shift] = True

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, hashes: Hashes) -> Indices:
        """The places at which `hashes` holds something that is in the set."""
        places = np.flatnonzero(self._table[hashes >> self._shift])
        return places[self._exactly(hashes[places])]

    def holds(self, hashes: Hashes) -> NDArray[np.bool_]:
        found = np.zeros(len(hashes), bool)
        found[self.find(hashes)] = True
        return found

    def _exactly(self, hashes: Hashes) -> NDArray[np.bool_]:
        if not len(self.hashes):
            return np.zeros(len(hashes), bool)
        places = np.searchsorted(self.hashes, hashes)
        return self.hashes[np.minimum(places, len(self.hashes) - 1)] == hashes


def batches(texts: Iterable[str], size: int = BATCH) -> Iterator[list[str]]:
    """Lists of at most so many texts; fewer where they are long, so that memory does not follow their length."""
    rest = iter(texts)
    while batch := list(islice(rest, size)):
        part: list[str] = []
        room = 0
        for text in batch:
            part.append(text)
            room += len(text)
            if room > 1 << 20:
                yield part
                part, room = [], 0
        if part:
            yield part


def _folded(joined: str) -> tuple[bytes, bytes | None, NDArray[np.uint8]]:
    """The low and high byte of each character, case and accents taken off, and its kind. No high bytes where all are 0."""
    kinds, folded = _tables()
    if joined.isascii():
        plain = joined.encode()
        low = plain.translate(folded[:256].astype(np.uint8).tobytes())
        return low, None, np.frombuffer(plain.translate(kinds[:256].tobytes()), np.uint8)
    codes = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    codes = np.minimum(codes, 0xFFFF).astype(np.uint16)  # what lies beyond counts as one letter
    parts = folded.take(codes)
    return parts.astype(np.uint8).tobytes(), (parts >> 8).astype(np.uint8).tobytes(), kinds.take(codes)


def _hashes(content: bytes, start: Indices, end: Indices) -> Hashes:
    """The hash of each piece from `start` to `end`, read eight bytes at a time."""
    eights = np.ndarray((len(content) + 1,), "<u8", content + bytes(8), strides=(1,))
    left = end - start
    hashes = eights[start] & _MASKS[np.minimum(left, 8)]
    rest = np.flatnonzero(left > 8)
    done = 8
    while len(rest):
        more = eights[start[rest] + done] & _MASKS[np.minimum(left[rest] - done, 8)]
        hashes[rest] = mixed(hashes[rest]) + more
        done += 8
        rest = rest[left[rest] > done]
    return hashes


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Of each code point below 65,536: what kind of character it is, and its letter without case and accent."""
    kinds, folded = np.zeros(1 << 16, np.uint8), np.arange(1 << 16, dtype=np.uint16)
    for code in range(1 << 16):
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Nd":
            kinds[code] = DIGIT
            folded[code] = ord("0") + unicodedata.decimal(character)
        elif 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF:
            kinds[code] = IDEOGRAPH  # kana too: Japanese has no spaces either
        elif category[0] in "LM":
            kinds[code] = LETTER
            folded[code] = ord(unicodedata.normalize("NFKD", character)[0].lower()[0])
    kinds[0xFFFF] = LETTER
    return kinds, folded
