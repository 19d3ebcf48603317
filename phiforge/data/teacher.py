"""A teacher: a language model that pipelines ask, with every answer kept, so that nothing is paid for twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec
from msgspec import Struct

from phiforge.data import forms
from phiforge.data.answers import Answer, Answers, Question
from phiforge.data.desk import BadAnswer, Desk
from phiforge.lm import is_endpoint
from phiforge.records import Message

if TYPE_CHECKING:
    from phiforge.data.run import TeacherChoice
    from phiforge.lm.base import LanguageModel

__all__ = ["BadAnswer", "Teacher"]

S = TypeVar("S", bound=Struct)


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
        self._desk = Desk(model, self.identity, self.answers, concurrency, price_in, price_out)

    @classmethod
    def open(cls, choice: TeacherChoice, cache: str) -> Self:
        """The teacher that a run's config chooses (model "" is smollm2-135m-instruct), with its cache's file.

        Raises ValueError, before anything is asked, for a model that is not here.
        """
        from phiforge.lm import open_model
        from phiforge.store.catalogue import BASE_MODEL

        model = choice.model or BASE_MODEL
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


def _known_as(model: str) -> tuple[str, str]:
    """A model's name and its identity in the cache, neither with credentials. Raises ValueError if it is not here."""
    if is_endpoint(model):
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
