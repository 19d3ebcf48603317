"""From a solver pipeline to proven rows: draft, example, proof."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from phiforge import verify
from phiforge.data import seeds as seedbed
from phiforge.data.draft import MIXED, Length, respond
from phiforge.data.draw import Draw
from phiforge.data.pipeline import LEVELS, Reject, Solver, Taught
from phiforge.data.teacher import BadAnswer
from phiforge.records import Example, Message, Problem, Provenance, Verdict

if TYPE_CHECKING:
    from phiforge.data.seeds import Seed
    from phiforge.data.teacher import Teacher

LICENCE = "MIT"  # of what our own generators make
ATTEMPTS = 20  # draws for one row before it is given up: a pipeline may say that a draw makes no sense


class Options(Struct, frozen=True):
    """What a run asks of its pipelines. `level` 0 draws one a row, and so does `length` "mixed"."""

    seed: int = 0
    level: int = 0
    length: Length | str = "mixed"


class Unfit(Exception):
    """Raised in `make`: these draws make no sensible row, draw others."""


def make_row(
    pipeline: Solver, number: int, options: Options, seen: set[str] | None = None, seeds: Sequence[Seed] = ()
) -> Example | Reject:
    """Row `number` of a pipeline, proven; the same for the same arguments anywhere.

    A question that is in `seen` already is drawn again; the question made is added to it. A pipeline that starts from
    seeds takes one of `seeds`, or of our own where there are none.
    """
    if pipeline.seeds and not seeds:
        seeds = _own(pipeline.seeds)
    for attempt in range(ATTEMPTS):
        draw = Draw.of(options.seed, pipeline.name, number, attempt)
        level = options.level or draw.pick(LEVELS)
        length: Any = draw.pick(MIXED) if options.length == "mixed" else options.length
        try:
            seed = draw.pick(seeds) if pipeline.seeds else None
            draft = pipeline.make(draw, level, seed) if seed else pipeline.make(draw, level)
        except Unfit:
            continue
        problem = draft.problem(f"{pipeline.name}/{options.seed}/{number}", level=level, length=length)
        if seen is not None:
            if (asked := question(problem)) in seen:
                continue
            seen.add(asked)
        source = f"phiforge.data/{pipeline.name}@{pipeline.version}"
        drawn = [f"seed {options.seed}, row {number}, draw {attempt}"]
        if seed is None:
            provenance = Provenance(source, seeds=drawn, licence=LICENCE)
        else:
            about = {"seed source": seed.source}
            provenance = Provenance(source, seeds=[seed.id, *drawn], licence=seed.licence, metadata=about)
        example = Example(problem, respond(draft, length, draw), provenance)
        verdict = prove(pipeline, example)
        if verdict.correct:
            return example
        return Reject(verdict.reason, {"problem": question(problem), "answer": draft.answer, "facts": draft.facts})
    return Reject("no new row in any draw", {"number": number})


_own = cache(seedbed.own)


async def taught_rows(
    pipeline: Taught, teacher: Teacher, seeds: Sequence[Seed], options: Options
) -> tuple[list[Example], list[Reject]]:
    """What a taught pipeline makes of some seeds, side by side, in the order of the seeds.

    A row counts when the verifier accepts its response as an answer to what `solve` finds, or, where the pipeline has no
    `solve`, to the row's own answer.
    """
    made = await asyncio.gather(*(_taught(pipeline, teacher, seed, options) for seed in seeds))
    flat = [row for rows in made for row in rows]
    return [row for row in flat if isinstance(row, Example)], [row for row in flat if isinstance(row, Reject)]


async def _taught(pipeline: Taught, teacher: Teacher, seed: Seed, options: Options) -> list[Example | Reject]:
    draw = Draw.of(options.seed, pipeline.name, seed.id)
    asking = teacher.recording()
    try:
        drafts = await pipeline.make(asking, seed, draw)
    except BadAnswer as error:
        return [Reject("the teacher's answer has not the form asked for", {"seed": seed.id, "error": str(error)})]
    source = f"phiforge.data/{pipeline.name}@{pipeline.version}"
    rows: list[Example | Reject] = []
    for number, draft in enumerate(drafts):
        if isinstance(draft, Reject):
            rows.append(draft)
            continue
        length: Any = draw.pick(MIXED) if options.length == "mixed" else options.length
        problem = draft.problem(f"{pipeline.name}/{options.seed}/{seed.id}/{number}", length=length)
        provenance = Provenance(
            source,
            seeds=[seed.id],
            model=teacher.name,
            licence=seed.licence,
            metadata={"asked": asking.asked, "seed source": seed.source},
        )
        example = Example(problem, respond(draft, length, draw), provenance)
        verdict = prove(pipeline, example) if draft.verifier else Verdict(True, 1.0)
        rows.append(example if verdict.correct else Reject(verdict.reason, {"problem": question(problem)}))
    return rows


def prove(pipeline: Solver | Taught, example: Example) -> Verdict:
    """Whether the verifier accepts the response as an answer to what the independent solver finds."""
    problem = example.problem
    if pipeline.solve is not None:
        problem = replace(problem, answer=pipeline.solve(problem.metadata["facts"]))
    return verify.get(problem.verifier)(spoken(example.response), problem)


def question(problem: Problem) -> str:
    """All that is asked, in one text: by this, two rows are the same or not."""
    return "\n".join(message.text for message in problem.messages)


def spoken(message: Message) -> str:
    """What a verifier reads of an answer: its visible text, and its calls as a JSON array."""
    if not message.tool_calls:
        return message.text
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return f"{message.text}\n{msgspec.json.encode(calls).decode()}".strip()


def in_words(row: Example) -> str:
    """A row as a person reads it."""
    parts: list[str] = []
    for message in row.problem.messages:
        calls = [f"CALLS {call.name} with {call.arguments}" for call in message.tool_calls]
        parts.append(f"{message.role.upper()}: " + "\n".join(filter(None, [message.text, *calls])))
    if row.response.thinking:
        parts.append(f"<think>\n{row.response.thinking}\n</think>")
    parts.append(row.response.text)
    parts += [f"CALLS {call.name} with {call.arguments}" for call in row.response.tool_calls]
    return "\n\n".join(part for part in parts if part)


def chat_of(example: Example) -> list[dict[str, str]]:
    """A row as role and content, thought and calls written into the content."""
    turns = [*example.problem.messages, example.response]
    return [{"role": turn.role, "content": _content(turn)} for turn in turns]


def _content(turn: Message) -> str:
    thought = f"<think>\n{turn.thinking}\n</think>\n\n" if turn.thinking else ""
    calls = [{"name": call.name, "arguments": call.arguments} for call in turn.tool_calls]
    said = f"<|tool_call|>{msgspec.json.encode(calls).decode()}<|/tool_call|>" if calls else ""
    return f"{thought}{turn.text}{said}"
