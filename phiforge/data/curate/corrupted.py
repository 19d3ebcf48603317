"""Texts that are no text: binary data, wrong encodings, encoded blobs, keyboard noise, the same line over and over.

Told by statistics of characters, letter pairs and words, and by how well the text compresses. The limits are wide on purpose:
prose, formulas, code, tables and other scripts than Latin pass (tests/test_data_curate.py holds some of each).
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

MOST = 50_000  # characters that are looked at
ENOUGH = 200  # characters, for what needs many to be measured

# What UTF-8 looks like after being read as Latin-1 or Windows-1252, once or twice.
_MOJIBAKE = re.compile(
    "[ÃÂÐÑ][\u0080-\u00bf\u20ac\u0152\u0153\u0160\u0161\u02c6\u2018-\u2022\u2122]|â(?:€|\u0080)[\u0080-\u00bf˜™œ“”¦¢]|ï»¿"
)
_CONTROL = re.compile("[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]")
_BLOB = re.compile(r"[A-Za-z0-9+/=_%\\-]{80,}")
_OTHER = 27
_CODES = np.zeros(
    256, np.int64
)  # of a byte: 1 to 26 for a Latin letter, _OTHER for one of other letters, 0 between words
_CODES[97:123] = range(1, 27)
_CODES[128:] = _OTHER
_ALPHANUMERIC = re.compile(r"[^\W_]+")
_ROW = re.compile(r"([^\w\s])\1+")
_DECORATION = re.compile(r"[-=_*#~.|+\s]+")


class Measures(Struct, frozen=True):
    """Of a text: shares of its characters, and so on. `compression` is the compressed size over the size; `pairs` the mean
    log-probability of its letter pairs, by those of English words; `repeated` the share of its characters in lines that come
    again and in runs of 10 words that come again, the greater; `word` the mean length of what stands between spaces."""

    characters: int
    broken: float
    control: float
    mojibake: int
    symbols: float
    blobs: float
    compression: float
    pairs: float
    repeated: float
    word: float


def measure(text: str) -> Measures:
    text = text[:MOST]
    n = max(1, len(text))
    plain = _ROW.sub(r"\1", text)  # rules and the frames of tables are no symbols of a broken text
    spaceless = len("".join(plain.split())) or 1
    words = text.split()
    content = text.encode("utf-8", "replace")
    return Measures(
        characters=len(text),
        broken=text.count("\ufffd") / n,
        control=len(_CONTROL.findall(text)) / n,
        mojibake=0 if text.isascii() else len(_MOJIBAKE.findall(text)),
        symbols=1 - sum(map(len, _ALPHANUMERIC.findall(plain))) / spaceless,
        blobs=_blobs(words) / n,
        compression=len(zlib.compress(content, 6)) / max(1, len(content)),
        pairs=_pair_score(text),
        repeated=_repeated(text, words),
        word=spaceless / max(1, len(words)),
    )


def corrupted(text: str) -> str | None:
    """The filter: why this is no text, or None."""
    if not text.strip():
        return "corrupted: empty"
    m = measure(text)
    if m.control > 0.01 or (m.control and m.characters < 100 and m.control > 0.03):
        return "corrupted: binary"
    if m.broken > 0.005:
        return "corrupted: replacement characters"
    if m.mojibake >= 2 and m.mojibake > m.characters / 1000:
        return "corrupted: mojibake"
    if m.characters < ENOUGH:
        return None
    if m.blobs > 0.5:
        return "corrupted: encoded data"
    if m.compression < 0.08 or m.repeated > 0.7:
        return "corrupted: repetition"
    if m.symbols > 0.65:
        return "corrupted: symbols"
    if m.pairs < -3.8:
        return "corrupted: letters at random"
    if m.compression > 0.8 and m.word < 20 and text[:MOST].isascii() and m.characters > 1000:
        return "corrupted: noise"
    return None


def _blobs(words: list[str]) -> int:
    """How many characters are in long runs that no one wrote by hand: base64, hexadecimal, percent codes."""
    runs = (run for word in words if len(word) >= 80 for run in _BLOB.findall(word))
    return sum(len(run) for run in runs if not _DECORATION.fullmatch(run))


def _repeated(text: str, words: list[str]) -> float:
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 10]
    again = sum(len(line) * (count - 1) for line, count in Counter(lines).items())
    by_line = again / max(1, sum(map(len, lines))) if len(lines) >= 8 else 0.0
    if len(words) < 60:
        return by_line
    runs = Counter(zip(*(words[i:] for i in range(10)), strict=False))
    covered = sum(count - 1 for count in runs.values())
    return max(by_line, covered / max(1, len(words) - 9))


def _pair_score(text: str) -> float:
    """The mean log-probability of a Latin letter after the one before, in words of two letters and more; 0 if these are few."""
    codes = _CODES[np.frombuffer(text.lower().encode("utf-8", "replace"), np.uint8)]
    codes = np.concatenate([[0], codes, [0]])
    alone = np.flatnonzero((codes[1:-1] > 0) & (codes[:-2] == 0) & (codes[2:] == 0)) + 1
    codes[alone] = _OTHER
    here, after = codes[:-1], codes[1:]
    latin = (here != _OTHER) & (after != _OTHER) & (here + after > 0)
    if np.count_nonzero(latin) < max(100, np.count_nonzero(codes) / 2):
        return 0.0
    return float(_pairs()[here[latin], after[latin]].mean())


@cache
def _pairs() -> NDArray[np.float64]:
    """Log-probabilities of letters after letters, [27, 27], from the English texts that come with Phiforge."""
    counts = np.full((27, 27), 0.5)
    for file in sorted((Path(__file__).parents[1] / "seed_texts").glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            text = " ".join(str(value) for value in msgspec.json.decode(line).values())
            codes = _CODES[np.frombuffer(f" {text.lower()} ".encode(), np.uint8)]
            codes = codes[codes != _OTHER]
            np.add.at(counts, (codes[:-1], codes[1:]), 1)
    return np.log(counts / counts.sum(axis=1, keepdims=True))
