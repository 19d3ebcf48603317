"""A teacher: a language model that pipelines ask, with every answer kept, so that nothing is paid for twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from phiforge.data import forms
from phiforge.data.answers import Answer, Answers, Question
from phiforge.records import Message

if TYPE_CHECKING:
    from phiforge.data.run import TeacherChoice
    from phiforge.engine.request import Sampling
    from phiforge.lm.base import LanguageModel, Reply

S = TypeVar("S", bound=Struct)

TRIES = 4  # of one request, beyond those that the model itself makes: an answer may break off in the middle
FIRST_WAIT_S = 1.0  # before the second try; doubles with each


class BadAnswer(ValueError):
    """The teacher's answer is not what was asked for, or this one question cannot be answered. Others can."""


class Teacher:
    """Asks a `LanguageModel`, so many questions at a time, through a cache by content.

    `model` may be what opens one: it is called when the first answer is not in the cache. `identity` stands for the model
    in the cache: two that may answer differently must differ in it. Prices are of a million tokens. Requests under way at
    once are in the local engine's batch together; `n` answers to one prompt share its computation.
    """

    def __init__(
        self,
        model: LanguageModel | Callable[[], LanguageModel],
        cache: str | os.PathLike[str] | Answers = ":memory:",
        *,
        name: str = "",
        identity: str = "",
        concurrency: int = 8,
        price_in: float = 0.0,
        price_out: float = 0.0,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"a teacher's concurrency is 1 or more, not {concurrency}")
        own_name = "" if callable(model) else model.name
        if not (name or own_name):
            raise ValueError("a teacher that opens its model later needs its `name` now")
        self.name = name or own_name
        self.identity = identity or self.name
        self.answers = cache if isinstance(cache, Answers) else Answers(cache)
        self._recorded: set[str] = set()
        self._desk = _Desk(model, self.identity, self.answers, concurrency, price_in, price_out)

    @classmethod
    def open(cls, choice: TeacherChoice, cache: str) -> Self:
        """The teacher that a run's config chooses (model "" is the default model), with its cache's file.

        Raises ValueError, before anything is asked, for a model that is not here.
        """
        from phiforge.lm import open_model
        from phiforge.store.catalogue import DEFAULT_MODEL

        model = choice.model or DEFAULT_MODEL
        name, identity = _known_as(model)
        options: dict[str, Any] = {"concurrency": choice.concurrency} if model.startswith("http") else {}
        return cls(
            lambda: open_model(model, **options),
            cache,
            name=name,
            identity=identity,
            concurrency=choice.concurrency,
            price_in=choice.price_in,
            price_out=choice.price_out,
        )

    @property
    def asked(self) -> list[str]:
        """The cache keys of all that was asked through this recording. Sorted: the order of asking is a matter of time."""
        return sorted(self._recorded)

    def recording(self) -> Self:
        """This teacher (same model, cache, bounds and counts), with a list `asked` of its own."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        other._recorded = set()
        return other

    async def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        system: str = "",
        n: int = 1,
        temperature: float | None = None,
        max_tokens: int = 512,
        seed: int = 0,
    ) -> list[str]:
        """`n` answers to a prompt, visible text only. The same arguments have the same answers, from the cache.

        `temperature` None is what the model's makers recommend. Raises BadAnswer for a prompt that is too long.
        """
        found = await self.answer(
            prompt, system=system, n=n, temperature=temperature, max_tokens=max_tokens, seed=seed
        )
        return [each.text for each in found]

    async def answer(
        self,
        prompt: str | Sequence[Message],
        *,
        system: str = "",
        n: int = 1,
        temperature: float | None = None,
        max_tokens: int = 512,
        seed: int = 0,
        schema: str = "",
        first: int = 0,
    ) -> list[Answer]:
        """`ask`, with each answer's thought and whether it is whole. `schema` is JSON Schema that it must follow.

        Answers number `first` to `first + n`, for one who has asked for those before already.
        """
        messages = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
        if system:
            messages = [Message("system", system), *messages]
        sampling: dict[str, Any] = {"max_tokens": max_tokens, "seed": seed}
        if temperature is not None:
            sampling["temperature"] = float(temperature)
        if schema:
            sampling["schema"] = schema
        question = Question(model=self.identity, messages=messages, sampling=sampling)
        self._recorded.add(question.key)
        return await self._desk.answer(question, n, first)

    async def fill(
        self,
        kind: type[S],
        prompt: str | Sequence[Message],
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int = 512,
        seed: int = 0,
    ) -> S:
        """An answer in the shape of a msgspec Struct, under its JSON Schema as a grammar where the model can.

        An answer that cannot be read as one is asked for once more, with the reason. Raises BadAnswer if that fails too.
        """
        messages = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
        last = messages[-1]
        asked = f"{last.text}\n\nAnswer with one JSON object of this form and nothing else:\n{forms.form(kind)}"
        messages[-1] = msgspec.structs.replace(last, content=asked)
        options: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        schema = forms.schema_text(kind)
        said = (await self.answer(messages, system=system, schema=schema, **options))[0]
        try:
            return forms.read(kind, said.text)
        except ValueError as error:
            reason = str(error) if said.whole else f"it was cut off after {max_tokens} tokens; be brief"
        again = f"That cannot be used: {reason}. Answer again, with the JSON object only."
        messages += [Message("assistant", said.text), Message("user", again)]
        said = (await self.answer(messages, system=system, schema=schema, **options))[0]
        try:
            return forms.read(kind, said.text)
        except ValueError as error:
            cut = "" if said.whole else f" (it was cut off after {max_tokens} tokens)"
            raise BadAnswer(f"{self.name} did not fill in a {kind.__name__}: {error}{cut}") from None

    def used(self) -> dict[str, float]:
        """Numbers so far, to subtract: calls, cached, prompt_tokens, tokens, seconds, cost (by the choice's prices).

        `calls` are requests to the model, `cached` answers that needed none; `seconds` are those in which it was at work.
        """
        return self._desk.used()

    def close(self) -> None:
        """Close the model, if it was opened, and the cache."""
        self._desk.close()


class _Desk:
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


def _known_as(model: str) -> tuple[str, str]:
    """A model's name and its identity in the cache, neither with credentials. Raises ValueError if it is not here."""
    if model.startswith(("http://", "https://")):
        import httpx

        address, _, name = model.partition("#")
        url = httpx.URL(address)
        return name or address, f"{url.copy_with(userinfo=b'', query=None, fragment=None)}#{name}"
    from phiforge.store import models

    found = models.find(model)
    parts = [found.name, found.source, found.revision, found.format, str(found.bytes)]
    if os.path.exists(found.source):  # files of one's own may change where they lie
        parts += sorted(f"{file.name} {os.stat(file).st_mtime_ns}" for file in _files(found.path))
    return found.name, " ".join(part for part in parts if part)


def _files(path: str) -> list[Path]:
    return [file for file in Path(path).iterdir() if file.is_file()] if os.path.isdir(path) else [Path(path)]
