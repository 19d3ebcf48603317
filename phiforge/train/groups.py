"""Groups of answers to one prompt: how they are sampled and judged, which of them are learnt from, and what they teach.

Two of mini-reasoning's stabilisers are here (§ on RL): rewards are rebalanced, so that a group has as many wrong answers as
right ones and no easy prompt takes part; and prompts are chosen whose answers are of fairly uniform length.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import NamedTuple

import msgspec
from msgspec import Struct

from phiforge.files import mended
from phiforge.records import Problem
from phiforge.train.limits import Count, NotNegative, Share
from phiforge.train.rewards import Judge, Reward, Rollout, judged
from phiforge.train.rollouts import Answer, Sampler, Wanted, seed_of


class Prompt(NamedTuple):
    """A problem, its token ids up to where an answer begins, and what the template has already said of it ("<think>")."""

    ids: Sequence[int]
    problem: Problem
    opened: str = ""


class Rebalance(Struct, frozen=True, forbid_unknown_fields=True):
    """Prompts whose answers are right more often than `easiest` are dropped; those without a right answer are sampled again,
    up to `most` answers; then all right answers count, and as many wrong ones, drawn at random."""

    easiest: Share = 0.5
    most: Count = 32


class Selection(Struct, frozen=True, forbid_unknown_fields=True):
    """Prompts are kept whose answers, of `rounds` rounds, have lengths that vary by `spread` of their mean at most (standard
    deviation over mean)."""

    rounds: Count = 2
    spread: NotNegative = 0.5


class Group(Struct, frozen=True):
    """Answers to one prompt, by its number among the prompts; which of them are learnt from, and how much better than the
    group each of those was. `lesson` says what it teaches, or why nothing."""

    prompt: int
    answers: list[Answer]
    rollouts: list[Rollout]
    rewards: list[float]
    kept: list[int]
    advantages: list[float]  # of those kept
    lesson: str
    old: list[list[float]] = []  # an answer's log-probabilities before the policy moved, where they are needed


def advantages(rewards: Sequence[float], eps: float = 1e-4) -> list[float]:
    """How much better each answer of a group is than the group, in its standard deviations; all 0 where all are alike."""
    mean, spread = fmean(rewards), stdev(rewards) if len(rewards) > 1 else 0.0
    if spread == 0:
        return [0.0] * len(rewards)
    return [(reward - mean) / (spread + eps) for reward in rewards]


def lesson(rollouts: Sequence[Rollout], rewards: Sequence[float]) -> str:
    """What a group teaches, for the log: "taught", or why nothing."""
    if len(set(rewards)) > 1:
        return "taught"
    if all(each.correct for each in rollouts):
        return "all right"
    if not any(each.ended for each in rollouts):
        return "all truncated"
    if not any(each.parsed for each in rollouts if each.ended):
        return "unparsable"
    return "paid alike" if any(each.correct for each in rollouts) else "all wrong"


def balanced(rollouts: Sequence[Rollout], how: Rebalance, chance: Random) -> list[int] | str:
    """Which answers are learnt from: all right ones and equally many wrong ones. Or why none is."""
    right = [i for i, each in enumerate(rollouts) if each.correct]
    wrong = [i for i, each in enumerate(rollouts) if not each.correct]
    if len(right) > how.easiest * len(rollouts):
        return "too easy"
    if not right:
        return lesson(rollouts, [0.0] * len(rollouts))
    return sorted([*right, *chance.sample(wrong, min(len(wrong), len(right)))])


class Sampling(Struct, frozen=True):
    """How groups are sampled: `group` answers each of at most `longest` tokens."""

    group: int
    longest: int
    temperature: float = 1.0
    seed: int = 0
    logprobs: bool = False
    rebalance: Rebalance | None = None


def sample(
    sampler: Sampler,
    prompts: Sequence[Prompt],
    chosen: Sequence[int],
    decode: Callable[[Sequence[int]], str],
    reward: Reward,
    judge: Judge,
    how: Sampling,
) -> list[Group]:
    """A group for each chosen prompt; the same for the same weights and seed."""
    answers: dict[int, list[Answer]] = {i: [] for i in chosen}
    rollouts: dict[int, list[Rollout]] = {i: [] for i in chosen}
    asking = list(answers)
    while asking:
        wanted = [
            Wanted(
                prompts[i].ids, how.group, how.longest, seed_of(how.seed, i, len(answers[i])), how.temperature,
                logprobs=how.logprobs,
            )
            for i in asking
        ]  # fmt: skip
        for i, found in zip(asking, sampler.answers(wanted), strict=True):
            answers[i] += found
            rollouts[i] += [_judged(prompts[i], each, decode, judge) for each in found]
        most = how.rebalance.most if how.rebalance else 0
        asking = [
            i for i in asking
            if len(answers[i]) + how.group <= most and not any(each.correct for each in rollouts[i])
        ]  # fmt: skip
    return [_group(i, answers[i], rollouts[i], prompts[i].problem, reward, how) for i in chosen]


def _group(
    i: int, answers: list[Answer], rollouts: list[Rollout], problem: Problem, reward: Reward, how: Sampling
) -> Group:
    paid = [reward(each, problem) for each in rollouts]
    kept, why = list(range(len(answers))), ""
    if how.rebalance:
        found = balanced(rollouts, how.rebalance, Random(seed_of(how.seed, i, "kept")))
        kept, why = ([], found) if isinstance(found, str) else (found, "")
    worth = advantages([paid[k] for k in kept]) if kept else []
    return Group(i, answers, rollouts, paid, kept, worth, why or lesson(rollouts, [paid[k] for k in kept]))


def _judged(prompt: Prompt, answer: Answer, decode: Callable[[Sequence[int]], str], judge: Judge) -> Rollout:
    ids = answer.ids[:-1] if answer.ended else answer.ids
    return judged(prompt.opened + decode(ids), len(answer.ids), answer.ended, prompt.problem, judge)


def row(group: Group, problem: Problem) -> dict[str, object]:
    """A group for the log. `reasons` counts what the verifier said; `text` is the beginning of its first answer."""
    reasons = Counter(each.reason for each in group.rollouts if not each.correct)
    return {
        "problem": problem.id, "lesson": group.lesson, "right": sum(each.correct for each in group.rollouts),
        "truncated": sum(not each.ended for each in group.rollouts),
        "unparsable": sum(each.ended and not each.parsed for each in group.rollouts),
        "kept": len(group.kept), "rewards": group.rewards, "tokens": [each.tokens for each in group.rollouts],
        "reasons": dict(reasons.most_common(3)), "text": group.rollouts[0].text[:400],
    }  # fmt: skip


# --- which prompts to learn from --------------------------------------------------------------------------------------


def select(
    sampler: Sampler,
    prompts: Sequence[Prompt],
    folder: str | os.PathLike[str],
    how: Selection,
    *,
    group: int,
    longest: int,
    seed: int = 0,
    at_once: int = 32,
) -> list[Prompt]:
    """The prompts whose answers have fairly uniform lengths, over some rounds by the network as it is.

    `folder/selection.jsonl` says of every prompt how its answers' lengths spread, and whether it is kept; what is there
    already is not sampled again. Raises ValueError where none is left.
    """
    file = Path(folder) / "selection.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    known = [msgspec.json.decode(line) for line in mended(file)]
    with file.open("ab") as out:
        for first in range(len(known), len(prompts), at_once):
            some = prompts[first : first + at_once]
            wanted = [
                Wanted(prompt.ids, group, longest, seed_of(seed, "select", first + i, r))
                for i, prompt in enumerate(some) for r in range(how.rounds)
            ]  # fmt: skip
            found = sampler.answers(wanted)
            for i, prompt in enumerate(some):
                answers = [each for part in found[i * how.rounds : (i + 1) * how.rounds] for each in part]
                lengths = [len(each.ids) for each in answers]
                spread = stdev(lengths) / fmean(lengths) if len(lengths) > 1 else 0.0
                known.append(
                    {"problem": prompt.problem.id, "spread": round(spread, 4), "length": round(fmean(lengths), 1),
                     "kept": spread <= how.spread}
                )  # fmt: skip
                out.write(msgspec.json.encode(known[-1]) + b"\n")
            out.flush()
    kept = [prompt for prompt, each in zip(prompts, known, strict=True) if each["kept"]]
    if not kept:
        raise ValueError(f"no prompt's answers have lengths within a spread of {how.spread}; see {file}")
    return kept
