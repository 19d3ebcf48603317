"""A small classifier of quality, trained from a teacher's labels (or a person's): the report filters web text with such ones.

A text is its words and pairs of words, hashed into BUCKETS weights of a logistic regression, and a few measures of form. A
part of the labelled texts is held out: on half of it the probabilities are calibrated (Platt 1999), on the other half the
classifier is measured, and the report of that stands in its manifest.

    <folder>/manifest.json      what it was trained on, and how good it is
    <folder>/weights.npy
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from phiforge.data.curate.ngrams import Hashes, Indices, Words, grams_of_texts, mixed

BUCKETS = 1 << 18
MEASURES = 6
MOST_WORDS = 2000  # of a text that are looked at
FEWEST = 40  # labelled texts to train with
VERSION = 1

Floats = NDArray[np.float32]


class Holdout(Struct, frozen=True):
    """How the classifier does on texts that it never saw. `ece` is the expected calibration error in ten bins."""

    texts: int
    accuracy: float
    majority: float  # accuracy of always saying the commoner label
    auc: float
    ece: float
    curve: list[tuple[float, float, float]]  # threshold, precision, recall


class Manifest(Struct, frozen=True):
    """What stands beside the weights. Label 1 means good; p = 1 / (1 + exp(-(slope * score + offset)))."""

    name: str
    labels: str  # who gave them
    texts: int
    good: float  # share
    seed: int
    slope: float
    offset: float
    holdout: Holdout
    version: int = VERSION
    buckets: int = BUCKETS


class Quality:
    """A trained classifier: `score(texts)` is how probably each is good. As a filter it keeps those from `least` on."""

    def __init__(self, weights: Floats, manifest: Manifest, least: float = 0.5) -> None:
        self.weights, self.manifest, self.least = weights, manifest, least

    @classmethod
    def open(cls, folder: str, least: float = 0.5) -> Quality:
        """Raises OSError if there is none, ValueError if it was made by another version."""
        manifest = msgspec.json.decode(Path(folder, "manifest.json").read_bytes(), type=Manifest)
        if (manifest.version, manifest.buckets) != (VERSION, BUCKETS):
            raise ValueError(f"{folder}: a quality classifier of version {manifest.version}; train it anew")
        return cls(np.load(Path(folder, "weights.npy")), manifest, least)

    def save(self, folder: str) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        np.save(Path(folder, "weights.npy"), self.weights)
        Path(folder, "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(self.manifest)))

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        raw = np.concatenate([np.empty(0), *(_raw(self.weights, *features(batch)) for batch in _batches(texts))])
        return _sigmoid(self.manifest.slope * raw + self.manifest.offset)

    def __call__(self, text: str) -> str | None:
        return self.many([text])[0]

    def many(self, texts: Sequence[str]) -> list[str | None]:
        """The filter: "quality: <name>" for texts whose probability of being good is under `least`."""
        reason = f"quality: {self.manifest.name}"
        return [None if p >= self.least else reason for p in self.score(texts).tolist()]


def train(
    texts: Sequence[str],
    labels: Sequence[float],
    *,
    name: str = "quality",
    labelled_by: str = "",
    good_from: float = 0.5,
    holdout: float = 0.2,
    epochs: int = 8,
    seed: int = 0,
) -> Quality:
    """Train on labelled texts; a label from `good_from` on means good (a teacher's score of 0 to 5, say, from 3 on).

    Deterministic. Raises ValueError for too few texts, or labels of one kind only.
    """
    good = np.asarray(labels, np.float64) >= good_from
    if len(texts) != len(good):
        raise ValueError(f"{len(texts)} texts have {len(good)} labels; give one each")
    if len(texts) < FEWEST or min(good.sum(), (~good).sum()) < FEWEST // 4:
        raise ValueError(
            f"{len(texts)} texts, {int(good.sum())} of them good, are too few to learn from: "
            f"{FEWEST} are the least, and {FEWEST // 4} of each kind"
        )
    chance = np.random.default_rng(seed)
    order = _stratified(good, chance)
    n_held = max(10, round(holdout * len(order)))
    held, learned = order[:n_held], order[n_held:]
    weights = _fit([str(texts[i]) for i in learned], good[learned], epochs, chance)
    raw = np.concatenate([_raw(weights, *features(batch)) for batch in _batches([str(texts[i]) for i in held])])
    half = n_held // 2  # not every other one: where labels alternate, those are all of one kind
    slope, offset = _platt(raw[:half], good[held[:half]])
    measured = _measure(_sigmoid(slope * raw[half:] + offset), good[held[half:]])
    manifest = Manifest(name, labelled_by, len(texts), float(good.mean()), seed, slope, offset, measured)
    return Quality(weights, manifest)


def features(texts: Sequence[str]) -> tuple[Indices, Indices, Floats]:
    """The buckets of each text's words and pairs of words, one text after another; how many each has; and MEASURES of form."""
    words = Words(texts)
    first = words.first
    pairs, places, _ = grams_of_texts(words.hashes, first, 2)
    single = np.arange(len(words.hashes))
    owners = np.searchsorted(first, np.concatenate([single, places]), "right") - 1
    near = np.concatenate([single, places]) - first[owners] < MOST_WORDS
    hashes: Hashes = np.concatenate([words.hashes, mixed(pairs + np.uint64(1))])[near]
    owners = owners[near]
    # A word counts once in a text, as much of what is repeated says little.
    codes = np.unique(owners << 18 | (hashes >> np.uint64(46)).astype(np.int64))
    counts = np.bincount(codes >> 18, minlength=len(texts))
    return codes & (BUCKETS - 1), counts, _form(texts, words)


def _form(texts: Sequence[str], words: Words) -> Floats:
    n = np.maximum(words.counts, 1)
    length = np.array([max(1, len(text)) for text in texts])
    ends = np.array([sum(map(text.count, ".!?")) for text in texts])
    lines = np.array([text.count("\n") + 1 for text in texts])
    capitals = np.array([sum(map(str.isupper, text[:2000])) / max(1, len(text[:2000])) for text in texts])
    columns = [np.log1p(n) / 5, length / n / 5, np.log1p(n / np.maximum(ends, 1)) / 3, np.log1p(length / lines) / 5]
    return np.stack([*columns, capitals * 5, np.minimum(1, ends / n * 5)], axis=1).astype(np.float32)


def _raw(weights: Floats, buckets: Indices, counts: Indices, form: Floats) -> NDArray[np.float64]:
    """The sum of a text's weights, over the root of their number so that long texts are no surer than short ones."""
    sums = np.concatenate([[0.0], np.cumsum(weights[buckets], dtype=np.float64)])
    edges = np.concatenate([[0], np.cumsum(counts)])
    total = (sums[edges[1:]] - sums[edges[:-1]]) / np.sqrt(np.maximum(counts, 1))
    return total + form @ weights[BUCKETS:-1] + weights[-1]


def _fit(texts: list[str], good: NDArray[np.bool_], epochs: int, chance: np.random.Generator) -> Floats:
    """Logistic regression by Adagrad, in small batches. Features of all texts are held: 8 bytes a different word."""
    weights = np.zeros(BUCKETS + MEASURES + 1, np.float32)
    speed = np.full(len(weights), 1e-2, np.float32)
    parts = [features(batch) for batch in _batches(texts)]
    buckets, counts, form = (np.concatenate(column) for column in zip(*parts, strict=True))
    edges = np.concatenate([[0], np.cumsum(counts)])
    for _ in range(epochs):
        order = chance.permutation(len(texts))
        for batch in np.array_split(order, max(1, len(order) // 32)):
            each = counts[batch]
            within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
            used = buckets[np.repeat(edges[batch], each) + within]
            error = (_sigmoid(_raw(weights, used, each, form[batch])) - good[batch]) / len(batch)
            scaled = np.repeat(error / np.sqrt(np.maximum(each, 1)), each)
            touched, inverse = np.unique(used, return_inverse=True)
            slope = np.bincount(inverse, weights=scaled) + 1e-5 * weights[touched]
            dense = np.append(error @ form[batch], error.sum())
            places = np.concatenate([touched, np.arange(BUCKETS, len(weights))])
            slope = np.concatenate([slope, dense]).astype(np.float32)
            speed[places] += slope * slope
            weights[places] -= 0.3 * slope / np.sqrt(speed[places])
    return weights


def _stratified(good: NDArray[np.bool_], chance: np.random.Generator) -> Indices:
    """All texts in an order in which both labels are spread evenly, so that any part has its share of both."""
    place = np.empty(len(good))
    for label in (True, False):
        these = np.flatnonzero(good == label)
        place[chance.permutation(these)] = (np.arange(len(these)) + chance.random()) / len(these)
    return np.argsort(place, kind="stable")


def _platt(raw: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset by Newton's method, with Platt's softened targets."""
    n_good, n_bad = good.sum(), (~good).sum()
    target = np.where(good, (n_good + 1) / (n_good + 2), 1 / (n_bad + 2))
    x = np.stack([raw, np.ones_like(raw)], axis=1)
    solution = np.array([1.0, 0.0])
    for _ in range(50):
        p = _sigmoid(x @ solution)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (p - target) + 1e-3 * (solution - [1.0, 0.0]))
        solution = solution - np.clip(step, -2, 2)
    return float(max(solution[0], 1e-3)), float(solution[1])


def _measure(p: NDArray[np.float64], good: NDArray[np.bool_]) -> Holdout:
    ranks = np.argsort(np.argsort(p, kind="stable"), kind="stable") + 1.0
    for value in np.unique(p):  # equal scores share their rank
        ranks[p == value] = ranks[p == value].mean()
    n_good, n_bad = int(good.sum()), int((~good).sum())
    auc = (ranks[good].sum() - n_good * (n_good + 1) / 2) / max(1, n_good * n_bad)
    bins = np.minimum((p * 10).astype(int), 9)
    ece = sum(abs(p[bins == b].mean() - good[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    curve = []
    for threshold in (0.1, 0.25, 0.5, 0.75, 0.9):
        kept = p >= threshold
        precision = good[kept].mean() if kept.any() else 1.0
        curve.append((threshold, round(float(precision), 4), round(float(kept[good].mean()) if n_good else 0.0, 4)))
    share = float(good.mean())
    accuracy = float(((p >= 0.5) == good).mean())
    return Holdout(
        len(p), round(accuracy, 4), round(max(share, 1 - share), 4), round(float(auc), 4), round(float(ece), 4), curve
    )


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def _batches(texts: Sequence[str], size: int = 256) -> Iterator[list[str]]:
    for i in range(0, len(texts), size):
        yield list(texts[i : i + size])
