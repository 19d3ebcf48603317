"""Rewards of reinforcement learning: what an answer is worth, given whether it is right. One function each.

A reward of one's own is a file with one function, loaded by its path:

    # my_reward.py
    def reward(rollout, problem):  # a Rollout and its Problem; `problem` may be left out
        return 1.0 if rollout.correct else -rollout.tokens / 1000

Constants of `reasoning_plus`: Phi-4-reasoning's report, §4.2.
"""

from __future__ import annotations

import inspect
import math
import re
import runpy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from phiforge import verify
from phiforge.records import Problem, Verdict


class Rollout(Struct, frozen=True):
    """A sampled answer: its text, how many tokens it has, whether the verifier accepts it, whether it ended by itself; and
    the verifier's reason, whether an answer could be read from it at all, and its score from 0 to 1."""

    text: str
    tokens: int
    correct: bool
    ended: bool
    parsed: bool = True
    reason: str = ""
    score: float = 0.0


Reward = Callable[[Rollout, Problem], float]
Judge = Callable[[str, Problem], Verdict]


def by_verifier(text: str, problem: Problem) -> Verdict:
    """The verdict of the verifier that the problem names."""
    return verify.get(problem.verifier)(text, problem)


def judged(text: str, tokens: int, ended: bool, problem: Problem, judge: Judge = by_verifier) -> Rollout:
    """What the judge makes of an answer. One that did not end is not right."""
    verdict = judge(text, problem)
    return Rollout(
        text, tokens, ended and verdict.correct, ended, verdict.correct or not unparsed(verdict.reason), verdict.reason,
        verdict.score if ended else 0.0,
    )  # fmt: skip


_UNPARSED = re.compile(
    r"no answer found|cannot be read|too large|gives no final answer|has no (code|query)|doesn't parse|"
    r"response is empty|ends within a thought|nothing is called|does not begin with a number"
)


def unparsed(reason: str) -> bool:
    """Whether a verifier's reason says that there was nothing to judge, rather than that it was wrong."""
    return bool(_UNPARSED.search(reason))


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


def score(rollout: Rollout) -> float:
    """The verifier's score, from 0 to 1; 0 for an answer that did not end."""
    return rollout.score


NAMED: dict[str, Callable[[Rollout], float]] = {"plain": plain, "reasoning_plus": reasoning_plus, "score": score}


def load(name: str, *, scale: float = 1.0) -> Reward:
    """A reward by its name here, or by the path of a file that defines `reward`. The file is run as it is: it is the user's.

    Raises ValueError for an unknown name, a missing file, one without the function, and, when it is called, for a reward that
    is no finite number.
    """
    if name == "reasoning_plus":
        return lambda rollout, _: reasoning_plus(rollout, scale=scale)
    if name in NAMED:
        return lambda rollout, _: NAMED[name](rollout)
    path = Path(name).expanduser()
    if path.suffix != ".py":
        raise ValueError(f"no reward is called {name!r}: expected {', '.join(NAMED)} or the path of a .py file")
    if not path.is_file():
        raise ValueError(f"{name}: there is no such file with a reward")
    found = runpy.run_path(str(path)).get("reward")
    if not callable(found):
        raise ValueError(f"{name} defines no function `reward(rollout, problem)`")
    takes = len(inspect.signature(found).parameters)
    if takes not in (1, 2):
        raise ValueError(
            f"{name}: `reward` takes {takes} arguments; it is given a rollout and, if it wants, its problem"
        )
    return lambda rollout, problem: _number(name, found(rollout, problem) if takes == 2 else found(rollout))


def _number(name: str, worth: Any) -> float:
    if not isinstance(worth, int | float) or not math.isfinite(worth):
        raise ValueError(f"{name}: `reward` gave {worth!r}, not a finite number")
    return float(worth)
