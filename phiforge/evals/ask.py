"""Asking a model to write, item by item, and having it graded. Many are asked at once; each is kept when it is done."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from phiforge.engine.request import Finished, Request, Sampling, Token
from phiforge.evals.grade import Graders
from phiforge.evals.log import Grade, Item
from phiforge.evals.protocol import Generate
from phiforge.lm import LanguageModel, Options, Reply, calls, tools
from phiforge.records import Message, Problem
from phiforge.verify.math_extract import visible

if TYPE_CHECKING:
    from phiforge.lm.local import LocalModel

OPEN = "<think>"
CALLS = 8  # of a calculator, in one answer


class Work(NamedTuple):
    """One item still to be answered, with its worked examples."""

    problem: Problem
    repeat: int
    examples: Sequence[Problem]


class Answer(NamedTuple):
    """What a model wrote, over all turns."""

    prompt: str
    texts: list[str]  # shown, thought stripped; a text a turn
    thought: str | None
    closed: bool
    finish: str
    tokens_in: int
    tokens_out: int
    thought_tokens: int


async def ask_all(
    lm: LanguageModel,
    protocol: Generate,
    work: Sequence[Work],
    *,
    sampling: Sampling,
    seed: int,
    graders: Graders,
    keep: Callable[[Item], None],
    go_on: Callable[[], bool],
    at_once: int,
    seconds: float | None = None,
    adapter: str | None = None,
    judge: LanguageModel | None = None,
) -> None:
    """Answer and grade all of `work`, `at_once` at a time, in its order as far as that goes; `keep` gets each item.

    Once `go_on` says no, nothing new is begun; what is under way is let finish, or after `seconds` from now given up. The
    first failure that is not the item's own ends everything.
    """
    queue = iter(work)

    async def one_after_another() -> None:
        for each in queue:
            if not go_on():
                return
            keep(await _item(lm, protocol, each, sampling, seed, graders, adapter, judge))

    tasks = [asyncio.ensure_future(one_after_another()) for _ in range(min(at_once, len(work)))]
    try:
        done, _ = (
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION) if tasks else ((), ())
        )
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def seed_of(seed: int, problem: str, repeat: int) -> int:
    """The seed of one sample: 31 bits of the run's seed, the item and the repeat, whatever else is asked."""
    digest = hashlib.sha256(f"{seed}/{problem}/{repeat}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


async def _item(
    lm: LanguageModel,
    protocol: Generate,
    work: Work,
    sampling: Sampling,
    seed: int,
    graders: Graders,
    adapter: str | None,
    judge: LanguageModel | None,
) -> Item:
    start = time.perf_counter()
    problem = work.problem
    own = replace(sampling, seed=seed_of(seed, problem.id, work.repeat))
    try:
        if protocol.chat:
            answer = await _chat(lm, protocol, work, own, adapter)
        else:
            answer = await _continue(lm, protocol, work, own, adapter)
    except ValueError as error:
        _only_this_item(error)
        prompt = protocol.text(problem, work.examples) if not protocol.chat else problem.messages[-1].text
        answer = Answer(prompt, [], None, True, "", 0, 0, 0)
        grade = Grade("error", 0.0, str(error))
    else:
        grade = await _graded(protocol, problem, answer, graders, judge)
    return Item(
        id=problem.id,
        repeat=work.repeat,
        subset=str(problem.metadata.get("subset", "")),
        cluster=str(problem.metadata.get("cluster", "")),
        prompt=answer.prompt,
        thought=answer.thought,
        response="\n\n".join(answer.texts),
        extracted=grade.extracted,
        gold=problem.answer,
        outcome=grade.outcome,
        score=grade.score,
        reason=grade.reason,
        finish=answer.finish,
        measures=grade.measures,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        thought_tokens=answer.thought_tokens,
        seconds=round(time.perf_counter() - start, 3),
    )


def _only_this_item(error: ValueError) -> None:
    """Raise again what is no item's fault: an endpoint that is gone or wants a key."""
    if getattr(error, "status", 400) not in (400, 413, 422):
        raise error


async def _graded(
    protocol: Generate, problem: Problem, answer: Answer, graders: Graders, judge: LanguageModel | None
) -> Grade:
    """The grade of an answer. A thought that never ended leaves no answer; a cut answer that is right is right."""
    if not answer.closed:
        return Grade("unclosed thought", 0.0, "the thought never ended, so there is no answer")
    if protocol.judge is not None:
        if judge is None:
            raise ValueError("a language model grades this task: name one with --judge")
        try:
            grade = await asyncio.to_thread(protocol.judge, judge, problem, answer.texts)
        except ValueError as error:
            _only_this_item(error)
            grade = Grade("error", 0.0, f"the judge: {error}")
    else:
        verifier = protocol.verifier or problem.verifier
        grade = await asyncio.wrap_future(graders.submit(verifier, answer.texts[-1], problem))
    if answer.finish == "length" and grade.outcome in ("wrong", "unparsable", "refused"):
        reason = f"cut off after {answer.tokens_out} tokens; {grade.reason}"
        return Grade("truncated", grade.score, reason, grade.extracted, grade.measures)
    return grade


async def _chat(lm: LanguageModel, protocol: Generate, work: Work, sampling: Sampling, adapter: str | None) -> Answer:
    messages = protocol.messages(work.problem, work.examples)
    offered, options = protocol.offered(work.problem), Options(adapter=adapter, think_limit=protocol.think_limit)
    if protocol.grammar and offered:
        format = _local(lm).format
        one = protocol.grammar == "required"
        held = calls.required(format, offered, parallel=False) if one else calls.allowed(format, offered)
        sampling = replace(sampling, grammar=held)
    replies: list[Reply] = []
    texts: list[str] = []
    for follow_up in [None, *work.problem.metadata.get("follow_ups", ())]:
        if follow_up is not None:
            messages = [*messages, Message("assistant", replies[-1].message.text), Message("user", follow_up)]
        for _ in range(CALLS + 1):
            (reply,) = await lm.achat(messages, sampling=sampling, tools=offered, options=options)
            replies.append(reply)
            if not protocol.calculator or not reply.message.tool_calls:
                break
            messages = [*messages, reply.message, *map(tools.answer, reply.message.tool_calls)]
        texts.append(_shown(replies[-1]))
        if not replies[-1].thought_closed:
            break
    thoughts = [reply.message.thinking for reply in replies if reply.message.thinking]
    return Answer(
        prompt="\n".join(f"<|{message.role}|>\n{_written(message)}" for message in messages),
        texts=texts,
        thought="\n\n".join(thoughts) if thoughts else None,
        closed=all(reply.thought_closed for reply in replies),
        finish="length" if any(r.finish_reason == "length" for r in replies) else replies[-1].finish_reason,
        tokens_in=sum(reply.prompt_tokens for reply in replies),
        tokens_out=sum(reply.tokens for reply in replies),
        thought_tokens=sum(reply.thought_tokens for reply in replies),
    )


def _shown(reply: Reply) -> str:
    return "\n".join(part for part in (_written(reply.message), *reply.malformed) if part)


def _written(message: Message) -> str:
    """The visible text, with tool calls behind it as JSON, however the model's dialect writes them."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return "\n".join(part for part in (message.text, json.dumps(calls, ensure_ascii=False) if calls else "") if part)


async def _continue(
    lm: LanguageModel, protocol: Generate, work: Work, sampling: Sampling, adapter: str | None
) -> Answer:
    """Continue a text as it is."""
    local = _local(lm)
    prompt = protocol.text(work.problem, work.examples)
    ids = local.tokenizer.encode(prompt)
    sampling = replace(sampling, stop_ids=tuple(dict.fromkeys((*sampling.stop_ids, *local.format.stop_ids))))
    stream = local.submit(Request(prompt=ids, sampling=sampling, adapter=adapter))
    text, tokens, finish = "", 0, ""
    try:
        async for event in stream:
            if isinstance(event, Token):
                tokens += 1
            if isinstance(event, Token | Finished):
                text += event.text
            if isinstance(event, Finished):
                finish = event.reason
    finally:
        stream.cancel()
    shown = visible(text)
    thought = text.partition(OPEN)[2].partition("</think>")[0] if OPEN in text else None
    return Answer(prompt, [shown or ""], thought, shown is not None, finish, len(ids), tokens, 0)


def _local(lm: LanguageModel) -> LocalModel:
    """`plan` has made sure of it."""
    return cast("LocalModel", lm)
