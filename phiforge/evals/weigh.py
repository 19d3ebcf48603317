"""Weighing given texts: choices by their log-likelihood, and perplexity. Models on this machine only.

Items are taken in the order of what they share: the engine then has the intro and the worked examples of a subset computed
once, and a question once for all of its choices. Some items are always under way while others are read out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from phiforge.engine.request import Score, Scored
from phiforge.evals.ask import Work
from phiforge.evals.log import Item, Weighed
from phiforge.evals.protocol import Choice, Perplexity, right
from phiforge.lm.scoring import cut, start

if TYPE_CHECKING:
    from phiforge.engine.driver import Stream
    from phiforge.lm.local import LocalModel

AT_ONCE = 48  # items under way: their choices are some 200 sequences, and the engine runs 256
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Asked(NamedTuple):
    """An item whose texts are being weighed; streams[i] answers ids[i]."""

    work: Work
    prompt: str
    texts: list[str]
    ids: list[tuple[list[int], list[int]]]
    streams: list[Stream]
    start: float


def weigh_all(
    lm: LocalModel,
    protocol: Choice | Perplexity,
    work: Sequence[Work],
    *,
    keep: Callable[[Item], None],
    go_on: Callable[[], bool],
    adapter: str | None = None,
) -> None:
    """Weigh all of `work`; `keep` gets each item. Once `go_on` says no, nothing new is begun."""
    if isinstance(protocol, Choice):
        shared = {each: protocol.prefix(w.problem, w.examples) for each, w in enumerate(work)}
        work = [work[each] for each in sorted(range(len(work)), key=lambda each: shared[each])]
    under_way: deque[_Asked] = deque()
    asked = (_ask(lm, protocol, each, adapter) for each in work)
    try:
        for each in _while(go_on, asked):
            under_way.append(each)
            if len(under_way) >= (AT_ONCE if isinstance(protocol, Choice) else 2):
                keep(_item(protocol, under_way.popleft()))
        while under_way:
            keep(_item(protocol, under_way.popleft()))
    finally:
        for each in under_way:
            for stream in each.streams:
                stream.cancel()


def _while(go_on: Callable[[], bool], asked: Iterator[_Asked]) -> Iterator[_Asked]:
    while go_on() and (each := next(asked, None)) is not None:
        yield each


def _ask(lm: LocalModel, protocol: Choice | Perplexity, work: Work, adapter: str | None) -> _Asked:
    if isinstance(protocol, Perplexity):
        prompt = protocol.prompt(work.problem)
        texts, ids = [prompt], _windows(lm, prompt, protocol.window)
    else:
        prompt = protocol.text(work.problem, work.examples)
        texts = protocol.choices(work.problem)
        ids = cut([(prompt, text) for text in texts], lm.tokenizer)
    streams = [lm.submit(Score(prompt=before, continuation=after, adapter=adapter)) for before, after in ids]
    return _Asked(work, prompt, texts, ids, streams, time.perf_counter())


def _windows(lm: LocalModel, text: str, window: int) -> list[tuple[list[int], list[int]]]:
    """The text's tokens in windows, each with what stands before it: one token, or as many as fill a last, shorter window."""
    ids = [start(lm.tokenizer), *lm.tokenizer.encode(text)]
    found: list[tuple[list[int], list[int]]] = []
    for at in range(1, len(ids), window):
        after = ids[at : at + window]
        found.append((ids[max(0, at + len(after) - window - 1) : at], after))
    return found


def _item(protocol: Choice | Perplexity, asked: _Asked) -> Item:
    problem = asked.work.problem
    common = {
        "id": problem.id,
        "repeat": asked.work.repeat,
        "subset": str(problem.metadata.get("subset", "")),
        "cluster": str(problem.metadata.get("cluster", "")),
    }
    try:
        scored = [event for stream in asked.streams for event in stream if isinstance(event, Scored)]
    except ValueError as error:  # longer than the context
        return Item(**common, prompt=asked.prompt, gold=problem.answer, outcome="error", score=0.0, reason=str(error))
    seconds = round(time.perf_counter() - asked.start, 3)
    tokens = sum(len(after) for _, after in asked.ids)
    if isinstance(protocol, Perplexity):
        text = asked.texts[0]
        return Item(
            **common,
            prompt=text,
            outcome="right",
            score=1.0,
            reason="weighed",
            measures={
                "logprob": sum(each.total for each in scored),
                "tokens": tokens,
                "bytes": len(text.encode()),
                "words": len(text.split()),
            },
            tokens_in=tokens,
            seconds=seconds,
        )
    weighed = [
        Weighed(text, each.total, len(after), len(text.removeprefix(" ").encode()), all(each.greedy))
        for text, each, (_, after) in zip(asked.texts, scored, asked.ids, strict=True)
    ]
    values = [each.logprob / _length(protocol, each) for each in weighed]
    chosen, gold = values.index(max(values)), right(problem)
    correct = weighed[gold].greedy if protocol.greedy else chosen == gold
    said = f"{LETTERS[chosen]} is the likeliest" + ("" if chosen == gold else f", {problem.answer} is right")
    if protocol.greedy:
        said = "greedy decoding would" + ("" if correct else " not") + " write it"
    return Item(
        **common,
        prompt=asked.prompt,
        response=asked.texts[chosen],
        extracted=LETTERS[chosen],
        gold=problem.answer,
        outcome="right" if correct else "wrong",
        score=float(correct),
        reason=said,
        choices=weighed,
        tokens_in=len(asked.ids[0][0]) + tokens,
        seconds=seconds,
    )


def _length(protocol: Choice, weighed: Weighed) -> int:
    lengths = {"sum": 1, "byte": weighed.bytes, "char": len(weighed.text.removeprefix(" ")), "token": weighed.tokens}
    return max(lengths[protocol.per], 1)
