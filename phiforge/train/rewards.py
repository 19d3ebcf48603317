"""Rewards of reinforcement learning: what an answer is worth, given whether it is right. One function each.

Constants of `reasoning_plus`: Phi-4-reasoning's report, §4.2.
"""

from __future__ import annotations

import math
from collections import Counter

from msgspec import Struct


class Rollout(Struct, frozen=True):
    """A sampled answer: its text, how many tokens it has, whether the verifier accepts it, whether it ended by itself."""

    text: str
    tokens: int
    correct: bool
    ended: bool


LONGEST = 31_744  # tokens of an answer
RIGHT_UNTIL = 25_600  # a right answer is worth most up to here
WRONG_UNTIL = 3_702  # a wrong one is worth least when short: more thought was due


def plain(rollout: Rollout) -> float:
    """1 for a right answer, -1 for a wrong one (mini-reasoning)."""
    return 1.0 if rollout.correct else -1.0


def reasoning_plus(rollout: Rollout, *, scale: float = 1.0) -> float:
    """8/13 of the length-aware accuracy and 1/13 of the repetition penalty. `scale` shrinks the three lengths for models
    with a shorter context: 1 is the report's."""
    return 8 / 13 * accuracy(rollout, scale) + repetition(rollout.text) / 13


def accuracy(rollout: Rollout, scale: float = 1.0) -> float:
    """1 down to 0.5 for right answers, the longer the less; -1 up to -0.5 for wrong ones, the shorter the less.

    An answer without a thought that is opened and closed is worth -1, one that does not end -0.5, right or wrong.
    """
    if not thought_is_whole(rollout.text):
        return -1.0
    if not rollout.ended:
        return -0.5
    if rollout.correct:
        late = min(1.0, max(rollout.tokens - RIGHT_UNTIL * scale, 0.0) / ((LONGEST - RIGHT_UNTIL) * scale))
        return 0.5 + 0.25 * (1 + math.cos(math.pi * late))
    thought = min(1.0, rollout.tokens / (WRONG_UNTIL * scale))
    return -0.5 - 0.25 * (1 + math.cos(math.pi * thought))


def thought_is_whole(text: str) -> bool:
    """Whether a text opens one thought, at its start, and closes it once."""
    opened = text.lstrip().startswith("<think>")
    return opened and text.count("<think>") == 1 == text.count("</think>")


def repetition(text: str, n: int = 5, often: int = 5) -> float:
    """0 for a text without an n-gram of words that comes more than `often` times; else down to -1: the larger of the share of
    such n-grams among all, and of the commonest one's words among all words."""
    words = text.split()
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    frequent = [count for count in grams.values() if count > often]
    if not frequent:
        return 0.0
    return -min(1.0, max(len(frequent) / grams.total(), max(frequent) / (len(words) / n)))
