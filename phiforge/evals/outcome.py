"""The headline of a run: one figure, and how items ended. Intervals and comparisons are in `stats`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from phiforge.evals.log import OUTCOMES, Item, Run


class Headline(Struct, frozen=True):
    """`value` is the share of right items or the mean score, 0 to 1; of perplexity, bits per byte. `text` says it."""

    value: float
    unit: str
    text: str
    outcomes: dict[str, int]
    measures: dict[str, float] = {}


def headline(run: Run, items: Sequence[Item]) -> Headline:
    """What a run's items come to. Every repeat counts alike; an item that failed counts as wrong."""
    if not items:
        return Headline(0.0, run.metric, "no items yet", {})
    if run.kind == "perplexity":
        return _perplexity(items)
    value = sum(i.right if run.metric == "right" else i.score for i in items) / len(items)
    counted = Counter(item.outcome for item in items)
    outcomes = {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}
    what = "right" if run.metric == "right" else "mean score"
    means = {
        name: sum(item.measures.get(name, 0.0) for item in items) / len(items)
        for name in sorted({name for item in items for name in item.measures})
    }
    return Headline(value, run.metric, f"{value:.1%} {what} of {len(items):,}", outcomes, means)


def _perplexity(items: Sequence[Item]) -> Headline:
    total = {
        name: math.fsum(item.measures.get(name, 0.0) for item in items)
        for name in ("logprob", "tokens", "bytes", "words")
    }
    if not total["bytes"]:
        return Headline(0.0, "bits per byte", "no text was weighed", {})
    bits = -total["logprob"] / math.log(2) / total["bytes"]
    per = {
        f"perplexity_per_{name.removesuffix('s')}": math.exp(-total["logprob"] / total[name])
        for name in ("tokens", "words", "bytes")
        if total[name]
    }
    text = f"{bits:.4f} bits per byte; perplexity {per['perplexity_per_token']:.2f} a token"
    return Headline(bits, "bits per byte", text, {}, {**total, **per})
