"""The interface that every language model offers, and what it answers."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal, Self

from msgspec import Struct

from phiforge.chat.parse import Call, End, Event, MalformedCall, Said, Thought
from phiforge.chat.render import Tool
from phiforge.engine.request import Sampling
from phiforge.records import Message, ToolCall


class TokenLogprob(Struct, frozen=True):
    """One token of a reply, its log-probability, and the likeliest ones in its place."""

    token: str
    logprob: float
    top: list[tuple[str, float]]


class Reply(Struct, frozen=True, kw_only=True):
    """One whole answer.

    `text` is the answer as the model wrote it, thought and tool calls included; `message` is the same, parsed.
    `malformed` holds tool calls that could not be read, raw. `thought_closed` is False where the thought never ended.
    """

    sample: int
    message: Message
    text: str
    finish_reason: Literal["stop", "length", "tool_calls", "cancelled"]
    prompt_tokens: int
    tokens: int
    malformed: list[str] = []
    thought_closed: bool = True
    logprobs: list[TokenLogprob] | None = None


class Delta(Struct, frozen=True):
    """A piece of one sample as it arrives: of its thought, its visible text, or a whole tool call."""

    sample: int
    event: Event


Conversation = Sequence[Message]


class LanguageModel(ABC):
    """`stream` and `astream` are the model; the rest follows from them."""

    name: str
    defaults: Sampling
    """The sampling used where a call gives none: the checkpoint's own recommendation."""

    @abstractmethod
    def stream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> Iterator[Delta | Reply]:
        """Answer a conversation `n` times, piece by piece; each sample ends with its `Reply`. Leaving early cancels."""

    @abstractmethod
    def astream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> AsyncIterator[Delta | Reply]:
        """`stream` for asyncio."""

    @abstractmethod
    def chat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> list[list[Reply]]:
        """Answer many conversations `n` times each, side by side; replies in the order of the questions."""

    @abstractmethod
    def close(self) -> None:
        """Let go of threads, memory and connections. The model cannot be used afterwards."""

    def chat(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> list[Reply]:
        """Answer a conversation `n` times."""
        return self.chat_many([messages], sampling=sampling, n=n, tools=tools)[0]

    async def achat(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> list[Reply]:
        """`chat` for asyncio."""
        stream = self.astream(messages, sampling=sampling, n=n, tools=tools)
        replies = [item async for item in stream if isinstance(item, Reply)]
        return sorted(replies, key=lambda reply: reply.sample)

    async def achat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> list[list[Reply]]:
        """`chat_many` for asyncio. The first failure ends the others too."""
        tasks = [asyncio.ensure_future(self.achat(c, sampling=sampling, n=n, tools=tools)) for c in conversations]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Writing:
    """One sample while it is being written: events in, deltas out, and the reply at the end."""

    def __init__(self, sample: int) -> None:
        self.sample = sample
        self.tokens = 0
        self.logprobs: list[TokenLogprob] | None = None
        self._text: list[str] = []
        self._said: list[str] = []
        self._thought: list[str] = []
        self._calls: list[ToolCall] = []
        self._malformed: list[str] = []
        self._thought_closed = True

    def take(self, events: Sequence[Event], text: str = "") -> list[Delta]:
        """Keep what `events` say; `text` is what the model wrote to bring them about."""
        self._text.append(text)
        deltas: list[Delta] = []
        for event in events:
            match event:
                case Said():
                    self._said.append(event.text)
                case Thought():
                    self._thought.append(event.text)
                case Call():
                    self._calls.append(event.call)
                case MalformedCall():
                    self._malformed.append(event.raw)
                case End():
                    self._thought_closed = not event.open_thought
                    continue
            deltas.append(Delta(self.sample, event))
        return deltas

    def reply(self, reason: Literal["stop", "length", "tool_calls", "cancelled"], prompt_tokens: int) -> Reply:
        """The whole answer. A turn that stopped by itself and holds calls has ended for them."""
        return Reply(
            sample=self.sample,
            message=Message(
                "assistant",
                "".join(self._said),
                thinking="".join(self._thought) if self._thought else None,
                tool_calls=self._calls,
            ),
            text="".join(self._text),
            finish_reason="tool_calls" if self._calls and reason == "stop" else reason,
            prompt_tokens=prompt_tokens,
            tokens=self.tokens,
            malformed=self._malformed,
            thought_closed=self._thought_closed,
            logprobs=self.logprobs,
        )
