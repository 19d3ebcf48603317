"""A teacher: a language model that pipelines ask, with every answer kept, so that nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self, TypeVar

from msgspec import Struct

from phiforge.records import Message

if TYPE_CHECKING:
    from phiforge.data.run import TeacherChoice

S = TypeVar("S", bound=Struct)


class Teacher:
    """Asks a `LanguageModel`, so many questions at a time, through a cache by content."""

    name: str  # of the model, for provenance
    asked: list[str]  # of a recording: the cache keys of what was asked through it, in order

    @classmethod
    def open(cls, choice: TeacherChoice, cache: str) -> Self:
        """The teacher that a run's config chooses (model "" is the default model), with its cache's file.

        `lm.open_model` opens it when the first answer is not in the cache.
        """
        raise NotImplementedError

    def recording(self) -> Teacher:
        """This teacher (same model, cache, bounds and counts), with a list `asked` of its own."""
        raise NotImplementedError

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
        """`n` answers to a prompt, visible text only. The same arguments have the same answers, from the cache."""
        raise NotImplementedError

    async def fill(
        self, kind: type[S], prompt: str | Sequence[Message], *, system: str = "", max_tokens: int = 512, seed: int = 0
    ) -> S:
        """An answer in the shape of a msgspec Struct, under its JSON Schema as a grammar where the model can.

        Raises BadAnswer where it cannot be read as one.
        """
        raise NotImplementedError

    def used(self) -> dict[str, float]:
        """Numbers so far, to subtract: calls, cached, prompt_tokens, tokens, seconds, cost (by the choice's prices)."""
        raise NotImplementedError


class BadAnswer(ValueError):
    """The teacher's answer is not what was asked for."""
