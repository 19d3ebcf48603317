"""A judge that weighs two answers by a rubric: faults of each, then accuracy, style and detail from 1 to 5, as the report's.

Every two answers are shown in both orders, as judges favour a place (Zheng et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from phiforge.engine.grammar import Grammar
from phiforge.engine.request import Sampling
from phiforge.lm.base import LanguageModel, Reply
from phiforge.records import Message, Problem

Grade = Annotated[int, Meta(ge=1, le=5)]


class Grades(Struct, frozen=True):
    """Of one answer; 5 is best."""

    accuracy: Grade
    style: Grade
    detail: Grade

    @property
    def overall(self) -> float:
        return (self.accuracy + self.style + self.detail) / 3

    def brief(self) -> list[int]:
        return [self.accuracy, self.style, self.detail]


class Weighed(Struct, frozen=True):
    """What the judge writes, in this order: it looks for faults before it grades."""

    faults_of_a: Annotated[str, Meta(max_length=400)]
    faults_of_b: Annotated[str, Meta(max_length=400)]
    discussion: Annotated[str, Meta(max_length=400)]
    a: Grades
    b: Grades


class Compared(Struct, frozen=True):
    """The grades of two answers, in both orders of showing them; None where a judgement cannot be read."""

    grades: list[tuple[Grades, Grades]] | None
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
    """Each problem's two answers, weighed twice. The judge writes under a grammar where it can."""
    if not asked:
        return []
    prompts = [
        [Message("user", _shown(problem, texts if turn == 0 else (texts[1], texts[0])))]
        for problem, texts in asked for turn in (0, 1)
    ]  # fmt: skip
    replies = [each[0] for each in judge.chat_many(prompts, sampling=_guided(judge, sampling))]
    found: list[Compared] = []
    for first, second in zip(replies[0::2], replies[1::2], strict=True):
        one, other = _read(first.message.text), _read(second.message.text)
        grades = None if one is None or other is None else [(one.a, one.b), (other.b, other.a)]
        found.append(Compared(grades, [first, second]))
    return found


def _guided(judge: LanguageModel, sampling: Sampling) -> Sampling:
    guided = replace(sampling, grammar=Grammar.json_schema(_schema()))
    try:
        judge.check(guided)
    except ValueError:  # a model without grammars: the form in the prompt must do
        return sampling
    return guided


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


def _read(text: str) -> Weighed | None:
    start, end = text.find("{"), text.rfind("}")
    try:
        return msgspec.json.decode(text[start : end + 1].encode(), type=Weighed)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
