"""Where a teacher's questions go: from the cache, or to the model, so many at a time, again where that may help."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from phiforge.data.answers import Answer, Answers, Question

if TYPE_CHECKING:
    from phiforge.engine.request import Sampling
    from phiforge.lm.base import LanguageModel, Reply

TRIES = 4  # of one request, beyond those that the model itself makes: an answer may break off in the middle
FIRST_WAIT_S = 1.0  # before the second try; doubles with each


class BadAnswer(ValueError):
    """The teacher's answer is not what was asked for, or this one question cannot be answered. Others can."""


class Desk:
    """What all recordings of a teacher share: the model, the cache, the bounds and the counts."""

    def __init__(
        self,
        model: LanguageModel | Callable[[], LanguageModel],
        identity: str,
        answers: Answers,
        concurrency: int,
        price_in: float,
        price_out: float,
    ) -> None:
        self.answers = answers
        self._model, self._open = (None, model) if callable(model) else (model, None)
        self._identity = identity
        self._concurrency = concurrency
        self._prices = (price_in, price_out)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._grammars = True  # until the model says that it knows none
        self._counts = dict.fromkeys(("calls", "cached", "prompt_tokens", "tokens"), 0)
        self._seconds, self._busy, self._since = 0.0, 0, 0.0

    async def answer(self, question: Question, n: int, start: int) -> list[Answer]:
        """`n` answers from number `start` on, those that are not kept yet asked for in one request."""
        if n < 1:
            raise ValueError(f"n must be 1 or more, not {n}")
        slots, locks, opening = self._of_this_loop()
        key = question.key
        lock = locks.setdefault(key, asyncio.Lock())
        async with lock:  # who asks the same at the same time waits, and finds it kept
            found = self.answers.get(key, start + n)
            self._counts["cached"] += max(0, len(found) - start)
            while len(found) < start + n:
                async with slots:
                    if self._model is None:
                        async with opening:
                            await self._opened()
                    new = await self._request(question, len(found), start + n - len(found))
                self.answers.put(question, len(found), new)
                found += new
            return found[start:]

    def used(self) -> dict[str, float]:
        price_in, price_out = self._prices
        cost = (self._counts["prompt_tokens"] * price_in + self._counts["tokens"] * price_out) / 1e6
        running = time.monotonic() - self._since if self._busy else 0.0
        return {**self._counts, "seconds": self._seconds + running, "cost": cost}

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
        self.answers.close()

    def _of_this_loop(self) -> tuple[asyncio.Semaphore, WeakValueDictionary[str, asyncio.Lock], asyncio.Lock]:
        """Semaphore and locks belong to one event loop, and a teacher may outlive several."""
        if self._loop is not (loop := asyncio.get_running_loop()):
            self._loop = loop
            self._bounds = asyncio.Semaphore(self._concurrency), WeakValueDictionary(), asyncio.Lock()
        return self._bounds

    async def _opened(self) -> LanguageModel:
        if self._model is None:
            assert self._open is not None
            self._model = await asyncio.to_thread(self._open)
        return self._model

    async def _request(self, question: Question, first: int, n: int) -> list[Answer]:
        """Answers number `first` to `first + n`, or fewer where the model sends fewer."""
        model = await self._opened()
        sampling = self._sampling(model, question, first)
        self._busy += 1
        if self._busy == 1:
            self._since = time.monotonic()
        try:
            replies = await self._persistent(model, question, sampling, n)
        finally:
            self._busy -= 1
            if not self._busy:
                self._seconds += time.monotonic() - self._since
        answers = [_kept(reply, first=i == 0) for i, reply in enumerate(replies)]
        self._counts["prompt_tokens"] += sum(each.prompt_tokens for each in answers)
        self._counts["tokens"] += sum(each.tokens for each in answers)
        return answers

    async def _persistent(self, model: LanguageModel, question: Question, sampling: Sampling, n: int) -> list[Reply]:
        """Ask, again where that may help. Raises BadAnswer for what is this question's own fault."""
        for tried in range(1, TRIES + 1):
            self._counts["calls"] += 1
            try:
                replies = await model.achat(question.messages, sampling=sampling, n=n)
                if not replies:
                    raise BadAnswer(f"{self._identity} sent no answer")
                return replies
            except ValueError as error:
                kind = _kind_of(error)
                if kind == "transient" and tried < TRIES:
                    pass
                elif sampling.grammar is not None and self._grammars and kind == "refused":
                    self._grammars = False  # an endpoint without response_format: the form in the prompt must do
                    sampling = replace(sampling, grammar=None)
                    continue
                elif kind in ("own", "refused") and self.answers.knows(self._identity):
                    raise BadAnswer(f"{self._identity} cannot answer this: {error}") from None
                else:
                    raise
            await asyncio.sleep(FIRST_WAIT_S * 2 ** (tried - 1) * random.uniform(0.5, 1))
        raise AssertionError("unreachable")

    def _sampling(self, model: LanguageModel, question: Question, first: int) -> Sampling:
        from phiforge.engine.grammar import Grammar

        asked = question.sampling
        # Later answers to the same question come from another seed; within a request the model counts its samples.
        seed = (int(question.key[:12], 16) + first) & 0x7FFFFFFF
        sampling = replace(model.defaults, max_tokens=asked["max_tokens"], seed=seed)
        if "temperature" in asked:
            sampling = replace(sampling, temperature=asked["temperature"])
        if "schema" not in asked or not self._grammars:
            return sampling
        guided = replace(sampling, grammar=Grammar.json_schema(asked["schema"]))
        try:
            model.check(guided)
        except ValueError:
            return sampling  # this model, or its grammar's compiler, cannot: the form in the prompt must do
        return guided


def _kept(reply: Reply, *, first: bool) -> Answer:
    return Answer(
        text=reply.message.text.strip(),
        thinking=(reply.message.thinking or "").strip(),
        whole=reply.finish_reason != "length" and reply.thought_closed,
        prompt_tokens=reply.prompt_tokens if first else 0,
        tokens=reply.tokens,
    )


def _kind_of(error: ValueError) -> str:
    """transient, refused (a request that the endpoint does not take), own (this question's own fault), or fatal."""
    from phiforge.lm.wire import BUSY

    if isinstance(error, BadAnswer):
        return "own"
    if not hasattr(error, "status"):  # a model on this machine: a prompt that is too long, a grammar that gives up
        return "own"
    status: int | None = error.status  # type: ignore[attr-defined]
    if status is None:
        if "content filter" in str(error):
            return "own"
        return "transient" if any(sign in str(error) for sign in _BROKEN) else "fatal"
    if status in BUSY or status >= 500:
        return "transient"
    return "refused" if status in (400, 413, 422) else "fatal"


_BROKEN = ("failed:", "broke off", "ended without an answer", "reported an error")  # as lm.wire and lm.remote say it
