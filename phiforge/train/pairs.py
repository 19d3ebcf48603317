"""Pairs for DPO: answers that are preferred to others, because a judge says so or a verifier does.

- `judged`: any two answers, of several models or temperatures, weighed by a judge (Phi-4's report, §4.2.2 and Table 8).
- `rolled`: right against wrong answers of one model (mini-reasoning, stage 3).
- `refusals`: for questions that a model sometimes knows, in the manner of the report's Appendix A.1; of these DPO sees the
  first five tokens only.

Each writes `folder/pairs.jsonl`, with where every pair comes from; `asking.py` keeps what is done, and what it cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Literal

from msgspec import Meta, Struct

from phiforge.chat.format import ChatFormat
from phiforge.engine.request import Sampling
from phiforge.lm.base import LanguageModel, Reply
from phiforge.records import Message, Problem, Provenance, read_jsonl, write_jsonl
from phiforge.train.asking import Account, Asked, Notes, account, answers, go_through
from phiforge.train.dpo import Pair
from phiforge.train.judging import Compared, compare
from phiforge.train.limits import Count, NotNegative, Positive
from phiforge.train.rewards import Judge, by_verifier, repetition
from phiforge.train.rewards import judged as verified
from phiforge.train.rollouts import seed_of

FIRST = 5  # tokens that DPO sees of refusals (report, Appendix A.1)


class Preferred(Struct, frozen=True, omit_defaults=True):
    """An answer that is preferred to another. `first` is how many tokens of them DPO sees; 0 for all."""

    problem: Problem
    chosen: Message
    rejected: Message
    provenance: Provenance
    first: int = 0


Progress = Callable[[Account], None]


def read(folder: str | os.PathLike[str]) -> list[Preferred]:
    """The pairs that a finished run left."""
    return list(read_jsonl(Path(folder) / "pairs.jsonl", Preferred))


def tokens(format: ChatFormat, preferred: Preferred) -> Pair:
    """A pair as its model reads it: the prompt, and of each answer what the renderer's mask says the model writes.

    Raises ValueError where the two answers do not follow the same prompt.
    """
    found: list[tuple[list[int], list[int]]] = []
    for message in (preferred.chosen, preferred.rejected):
        rendered = format.render([*preferred.problem.messages, message], generate=False)
        start = max(
            (i + 1 for i, taught in enumerate(rendered.mask) if not taught and any(rendered.mask[i + 1 :])), default=0
        )
        end = max(i + 1 for i, taught in enumerate(rendered.mask) if taught)
        found.append((list(rendered.ids[:start]), list(rendered.ids[start:end])))
    (prompt, chosen), (other, rejected) = found
    if prompt != other:
        raise ValueError(f"{preferred.problem.id}: the two answers follow different prompts")
    pair = Pair(prompt, chosen, rejected)
    return pair.begun(preferred.first) if preferred.first else pair


class Rolled(Struct, frozen=True, forbid_unknown_fields=True):
    """`n` answers to a problem, of which at most `pairs` are made. A right answer is paired with the wrong one of the likeliest
    length, which is at most `ratio` times as long or as short; answers that repeat themselves or did not end are left out."""

    n: Annotated[int, Meta(ge=2)] = 8
    pairs: Count = 2
    longest: Count = 2048
    temperature: Positive = 0.8
    ratio: Annotated[float, Meta(ge=1)] = 3.0
    at_once: Count = 16
    seed: int = 0


def rolled(
    lm: LanguageModel,
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    how: Rolled | None = None,
    *,
    judge: Judge = by_verifier,
    progress: Progress = lambda _: None,
) -> Account:
    """Right against wrong answers to the same problem."""
    how = how or Rolled()
    sampling = Sampling(temperature=how.temperature, max_tokens=how.longest, seed=seed_of(how.seed, "rolled"))

    def work(some: Sequence[Problem]) -> list[Asked[Preferred]]:
        notes = [Notes() for _ in some]
        found = answers(lm, some, how.n, sampling, notes)
        return [
            note.asked(problem, _rolled(lm.name, problem, replies, judge, how, note))
            for problem, replies, note in zip(some, found, notes, strict=True)
        ]

    return _written(problems, folder, work, how.at_once, progress)


def _rolled(
    name: str, problem: Problem, replies: Sequence[Reply], judge: Judge, how: Rolled, notes: Notes
) -> list[Preferred]:
    right: list[Reply] = []
    wrong: list[Reply] = []
    for reply in replies:
        ended = reply.finish_reason == "stop"
        if not ended or not reply.thought_closed:
            notes.why["not ended"] += 1
        elif repetition(reply.text) < 0:
            notes.why["repeats itself"] += 1
        else:
            correct = verified(reply.text, reply.tokens, ended, problem, judge).correct
            (right if correct else wrong).append(reply)
    if not right or not wrong:
        notes.why["all right" if right else "all wrong" if wrong else "nothing left"] += 1
        return []
    kept: list[Preferred] = []
    for chosen in right:
        near = min(wrong, key=lambda each: abs(each.tokens - chosen.tokens), default=None)
        if near is None or len(kept) == how.pairs:
            break
        if max(near.tokens, chosen.tokens) > how.ratio * min(near.tokens, chosen.tokens):
            notes.why["lengths too unlike"] += 1
            continue
        wrong.remove(near)
        about = {"right": len(right), "of": len(replies), "tokens": [chosen.tokens, near.tokens]}
        kept.append(Preferred(problem, chosen.message, near.message, _from("rolled", problem, name, about)))
    return kept


class Refusals(Struct, frozen=True, forbid_unknown_fields=True):
    """`n` answers to a question say how often a model knows it. `said` are the refusals, one of which is drawn."""

    n: Count = 8
    longest: Count = 128
    temperature: Positive = 0.8
    said: tuple[str, ...] = (
        "I don't know the answer to that.",
        "I'm not sure, so I'd rather not guess.",
        "That is something I don't know.",
    )
    at_once: Count = 32
    seed: int = 0


def refusals(
    lm: LanguageModel,
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    how: Refusals | None = None,
    *,
    judge: Judge = by_verifier,
    progress: Progress = lambda _: None,
) -> Account:
    """A right answer over a refusal where the model is sometimes right, a refusal over a wrong one where sometimes wrong."""
    how = how or Refusals()
    if not how.said:
        raise ValueError("`said` names no refusal")
    sampling = Sampling(temperature=how.temperature, max_tokens=how.longest, seed=seed_of(how.seed, "refusals"))

    def work(some: Sequence[Problem]) -> list[Asked[Preferred]]:
        notes = [Notes() for _ in some]
        done: list[Asked[Preferred]] = []
        for problem, replies, note in zip(some, answers(lm, some, how.n, sampling, notes), notes, strict=True):
            chance = Random(seed_of(how.seed, problem.id))
            refusal = Message("assistant", chance.choice(how.said))
            ended = [reply for reply in replies if reply.finish_reason == "stop"]
            note.why["not ended"] += len(replies) - len(ended)
            correct = [verified(each.text, each.tokens, True, problem, judge).correct for each in ended]
            right = [each for each, is_right in zip(ended, correct, strict=True) if is_right]
            wrong = [each for each, is_right in zip(ended, correct, strict=True) if not is_right]
            about = {"right": len(right), "of": len(replies)}
            origin = _from("refusals", problem, lm.name, about)
            kept: list[Preferred] = []
            if right:
                kept.append(Preferred(problem, chance.choice(right).message, refusal, origin, FIRST))
            if wrong:
                kept.append(Preferred(problem, refusal, chance.choice(wrong).message, origin, FIRST))
            done.append(note.asked(problem, kept))
        return done

    return _written(problems, folder, work, how.at_once, progress)


class Candidates(Struct, frozen=True):
    """Where answers come from: `n` of a model at a temperature."""

    lm: LanguageModel
    temperature: float = 0.8
    n: int = 1


class Judged(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a problem's answers at most `comparisons` pairs are weighed. Preferred is the answer with the higher accuracy, or the
    higher overall grade (the mean of accuracy, style and detail), by `least` at least and in both orders of showing them."""

    by: Literal["overall", "accuracy"] = "overall"
    comparisons: Count = 2
    least: NotNegative = 0.5
    longest: Count = 1024
    judge_longest: Count = 768
    at_once: Count = 8
    seed: int = 0


def judged(
    candidates: Sequence[Candidates],
    judge: LanguageModel,
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    how: Judged | None = None,
    *,
    progress: Progress = lambda _: None,
) -> Account:
    """Answers of several models or temperatures, any against any, by a judge that sees each two of them in both orders.

    What the two orders do not agree on is a tie, and is dropped, as is what the judge said that cannot be read.
    """
    how = how or Judged()
    if sum(each.n for each in candidates) < 2:
        raise ValueError("two candidates or more are needed to prefer one of them")

    def work(some: Sequence[Problem]) -> list[Asked[Preferred]]:
        notes = [Notes() for _ in some]
        said: list[list[tuple[str, Reply]]] = [[] for _ in some]
        for number, each in enumerate(candidates):
            sampling = Sampling(temperature=each.temperature, max_tokens=how.longest, seed=seed_of(how.seed, number))
            for i, replies in enumerate(answers(each.lm, some, each.n, sampling, notes)):
                said[i] += [(f"{each.lm.name} at {each.temperature:g}", reply) for reply in replies]
        chosen = [_to_compare(problem, each, how, note) for problem, each, note in zip(some, said, notes, strict=True)]
        asked = [
            (i, a, b, (a[1].message.text, b[1].message.text))
            for i, both in enumerate(chosen) for a, b in both
        ]  # fmt: skip
        sampling = Sampling(temperature=0.0, max_tokens=how.judge_longest, seed=how.seed)
        found = compare(judge, [(some[i], texts) for i, _, _, texts in asked], sampling)
        kept: list[list[Preferred]] = [[] for _ in some]
        for (i, a, b, _), result in zip(asked, found, strict=True):
            notes[i].count(result.replies[:1])
            notes[i].count(result.replies[1:])
            made = _preferred(some[i], a, b, result, judge.name, how)
            if isinstance(made, str):
                notes[i].why[made] += 1
            else:
                kept[i].append(made)
        return [note.asked(problem, each) for problem, each, note in zip(some, kept, notes, strict=True)]

    return _written(problems, folder, work, how.at_once, progress)


Said = tuple[str, Reply]  # who answered, and what


def _to_compare(problem: Problem, said: list[Said], how: Judged, notes: Notes) -> list[tuple[Said, Said]]:
    whole = [each for each in said if each[1].finish_reason == "stop" and each[1].message.text.strip()]
    notes.why["not ended"] += len(said) - len(whole)
    both = [
        (a, b) for i, a in enumerate(whole) for b in whole[i + 1 :] if a[1].message.text != b[1].message.text
    ]  # fmt: skip
    chance = Random(seed_of(how.seed, problem.id))
    chosen = chance.sample(both, min(how.comparisons, len(both)))
    return [(b, a) if chance.random() < 0.5 else (a, b) for a, b in chosen]


def _preferred(problem: Problem, a: Said, b: Said, found: Compared, judge: str, how: Judged) -> Preferred | str:
    if found.grades is None:
        return "the judge cannot be read"
    margins = [getattr(one, how.by) - getattr(other, how.by) for one, other in found.grades]
    if min(margins) <= 0 <= max(margins):
        return "a tie" if margins[0] == margins[1] == 0 else "the order decides"
    if abs(sum(margins) / 2) < how.least:
        return "nearly a tie"
    (who, chosen), (whom, rejected) = (a, b) if margins[0] > 0 else (b, a)
    about = {
        "judge": judge, "by": how.by, "margin": abs(sum(margins) / 2), "chosen": who, "rejected": whom,
        "grades": [[one.brief(), other.brief()] for one, other in found.grades],
    }  # fmt: skip
    return Preferred(problem, chosen.message, rejected.message, _from("judged", problem, judge, about))


def _from(source: str, problem: Problem, model: str, about: Mapping[str, object]) -> Provenance:
    return Provenance(
        f"pairs/{source}", [problem.id], model=model, created=f"{datetime.now(UTC):%Y-%m-%d}", metadata=dict(about)
    )


def _written(
    problems: Sequence[Problem],
    folder: str | os.PathLike[str],
    work: Callable[[Sequence[Problem]], list[Asked[Preferred]]],
    at_once: int,
    progress: Progress,
) -> Account:
    done = go_through(problems, folder, Preferred, work, at_once=at_once, progress=progress)
    write_jsonl(Path(folder) / "pairs.jsonl", [pair for each in done for pair in each.kept])
    return account(done)


__all__ = [
    "Candidates", "Judged", "Preferred", "Refusals", "Rolled", "judged", "read", "refusals", "rolled", "tokens",
]  # fmt: skip
