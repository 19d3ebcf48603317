"""A judge that weighs two answers by a rubric: faults of each, then accuracy, style and detail from 1 to 5, as the report's.

Every two answers are shown in both orders, as judges favour a place (Zheng et al. 2023). A grade is its expectation over the
probabilities of 1 to 5 where the judge tells them (G-Eval, Liu et al. 2023): a small one writes the same number for nearly all.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from phiforge.engine.grammar import Grammar
from phiforge.engine.request import Sampling
from phiforge.lm.base import LanguageModel, Reply, TokenLogprob
from phiforge.records import Message, Problem

Grade = Annotated[int, Meta(ge=1, le=5)]

TOLD = 20  # of the likeliest tokens the judge tells the probabilities, as many as OpenAI's API gives
_DIGITS = ("1", "2", "3", "4", "5")
_GRADE = re.compile(r'"(?:accuracy|style|detail)"\s*:\s*([1-5])')


class Grades(Struct, frozen=True):
    """Of one answer, as the judge writes them; 5 is best."""

    accuracy: Grade
    style: Grade
    detail: Grade


class Expected(Struct, frozen=True):
    """The grades of one answer, each from 1 to 5."""

    accuracy: float
    style: float
    detail: float

    @property
    def overall(self) -> float:
        return (self.accuracy + self.style + self.detail) / 3

    def brief(self) -> list[float]:
        return [round(each, 3) for each in (self.accuracy, self.style, self.detail)]


class Weighed(Struct, frozen=True):
    """What the judge writes, in this order: it looks for faults before it grades."""

    faults_of_a: Annotated[str, Meta(max_length=400)]
    faults_of_b: Annotated[str, Meta(max_length=400)]
    discussion: Annotated[str, Meta(max_length=400)]
    a: Grades
    b: Grades


class Compared(Struct, frozen=True):
    """The grades of two answers, in both orders of showing them; None where a judgement cannot be read."""

    grades: list[tuple[Expected, Expected]] | None
    replies: list[Reply]


RUBRIC = """Two assistants, A and B, answered the same request. Weigh their answers.
First name the faults of each: false statements, wrong steps, what is missing, what was asked otherwise. Then discuss which
faults matter. Then grade each answer from 1 (poor) to 5 (excellent):
accuracy: is it true, are its steps valid, does it answer what was asked?
style: is it clear, well ordered, fitting in tone, no longer than needed?
detail: does it say all that helps, as precisely as is useful?
Length is no merit of its own, nor is the order in which the answers are shown."""

FORM = (
    'Answer with one JSON object of this form and nothing else: {"faults_of_a": "...", "faults_of_b": "...", "discussion": '
    '"...", "a": {"accuracy": 1-5, "style": 1-5, "detail": 1-5}, "b": {"accuracy": 1-5, "style": 1-5, "detail": 1-5}}'
)


def compare(
    judge: LanguageModel, asked: Sequence[tuple[Problem, tuple[str, str]]], sampling: Sampling
) -> list[Compared]:
    """Each problem's two answers, weighed twice. The judge writes under a grammar, and tells probabilities, where it can."""
    if not asked:
        return []
    prompts = [
        [Message("user", _shown(problem, texts if turn == 0 else (texts[1], texts[0])))]
        for problem, texts in asked for turn in (0, 1)
    ]  # fmt: skip
    replies = [each[0] for each in judge.chat_many(prompts, sampling=_guided(judge, sampling))]
    found: list[Compared] = []
    for first, second in zip(replies[0::2], replies[1::2], strict=True):
        one, other = graded(first), graded(second)
        grades = None if one is None or other is None else [one, (other[1], other[0])]
        found.append(Compared(grades, [first, second]))
    return found


def _guided(judge: LanguageModel, sampling: Sampling) -> Sampling:
    for wish in ({"grammar": Grammar.json_schema(_schema())}, {"logprobs": TOLD}):
        wished = replace(sampling, **wish)
        try:
            judge.check(wished)
        except ValueError:  # without grammars the form in the prompt must do, without probabilities what is written
            continue
        sampling = wished
    return sampling


def _schema() -> str:
    """The schema, with its parts in place: some endpoints know no references."""
    (whole,), parts = msgspec.json.schema_components([Weighed], ref_template="{name}")

    def placed(schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return placed(parts[schema["$ref"]])
        schema = {key: placed(value) for key, value in schema.items() if key not in ("title", "description")}
        return schema | {"additionalProperties": False} if "properties" in schema else schema

    return msgspec.json.encode(placed(whole)).decode()


def _shown(problem: Problem, texts: tuple[str, str]) -> str:
    request = "\n\n".join(f"[{message.role}]\n{message.text}" for message in problem.messages)
    known = f"\n\nThe right answer is known to be: {problem.answer}" if problem.answer else ""
    return (
        f"{RUBRIC}\n\n=== The request ===\n{request}{known}\n\n=== Answer of A ===\n{texts[0]}\n\n"
        f"=== Answer of B ===\n{texts[1]}\n\n=== Your judgement ===\n{FORM}"
    )


def graded(reply: Reply) -> tuple[Expected, Expected] | None:
    """The grades of A and B in what the judge wrote, None where it can't be read."""
    text = reply.message.text
    start, end = text.find("{"), text.rfind("}")
    try:
        weighed = msgspec.json.decode(text[start : end + 1].encode(), type=Weighed)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
    written = [getattr(each, name) for each in (weighed.a, weighed.b) for name in Grades.__struct_fields__]
    grades = _expected(reply.logprobs or [], written)
    return Expected(*grades[:3]), Expected(*grades[3:])


def _expected(tokens: Sequence[TokenLogprob], written: list[int]) -> list[float]:
    """The grades, by the probabilities that the judge gave to 1 to 5 in their places; as written where it told none."""
    places = list(_GRADE.finditer("".join(token.token for token in tokens)))[-len(written) :]
    if [int(place.group(1)) for place in places] != written:
        return [float(grade) for grade in written]
    starts = list(itertools.accumulate((len(token.token) for token in tokens), initial=0))
    grades: list[float] = []
    for place, grade in zip(places, written, strict=True):
        token = tokens[bisect_right(starts, place.start(1)) - 1]
        chances = {grade: math.exp(token.logprob)}
        for text, logprob in token.top:
            if text.strip() in _DIGITS:
                chances[int(text)] = math.exp(logprob)
        grades.append(sum(each * chance for each, chance in chances.items()) / sum(chances.values()))
    return grades
