"""The interface that every language model offers, and what it answers."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal, Self

from msgspec import Struct

from phiforge.chat.parse import Call, End, Event, MalformedCall, Said, Thought
from phiforge.chat.render import Tool
from phiforge.engine.request import Sampling, Scored
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
    Of the `tokens`, `thought_tokens` are the thought's, without its tags; `cached_tokens` of the prompt's had been
    computed before.
    """

    sample: int
    message: Message
    text: str
    finish_reason: Literal["stop", "length", "tool_calls", "cancelled"]
    prompt_tokens: int
    tokens: int
    malformed: list[str] = []
    thought_closed: bool = True
    thought_tokens: int = 0
    cached_tokens: int = 0
    logprobs: list[TokenLogprob] | None = None


class Delta(Struct, frozen=True):
    """A piece of one sample as it arrives: of its thought, its visible text, or a whole tool call.

    `logprobs` are those of the tokens since the piece before; what comes after the last piece is in the `Reply` only.
    """

    sample: int
    event: Event
    logprobs: list[TokenLogprob] | None = None


class Options(Struct, frozen=True, kw_only=True):
    """What a call asks for besides its sampling.

    `adapter` names a LoRA adapter that the model has been given. `think_limit` and `think_soft_limit` are tokens of the
    thought: at the first it is closed at once, from the second on after the next line end.
    """

    adapter: str | None = None
    think_limit: int | None = None
    think_soft_limit: int | None = None


Conversation = Sequence[Message]


class LanguageModel(ABC):
    """`stream`, `astream` and the scores are the model; the rest follows from them."""

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
        options: Options | None = None,
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
        options: Options | None = None,
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
        options: Options | None = None,
    ) -> list[list[Reply]]:
        """Answer many conversations `n` times each, side by side; replies in the order of the questions."""

    @abstractmethod
    def score(self, pairs: Sequence[tuple[str, str]], *, adapter: str | None = None) -> list[Scored]:
        """How likely each second text is after the first, token by token. The texts are taken as they are, without a
        chat template."""

    @abstractmethod
    def score_chat(
        self, messages: Conversation, continuations: Sequence[str], *, adapter: str | None = None
    ) -> list[Scored]:
        """How likely each text is as the beginning of the answer to a conversation; the end of the turn is not weighed."""

    @abstractmethod
    def check(self, sampling: Sampling | None = None, options: Options | None = None) -> None:
        """Raises ValueError, naming the reason, for what this model cannot do: a grammar that does not compile, say.
        Every call checks the same; this is for telling before one asks."""

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
        options: Options | None = None,
    ) -> list[Reply]:
        """Answer a conversation `n` times."""
        return self.chat_many([messages], sampling=sampling, n=n, tools=tools, options=options)[0]

    async def achat(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> list[Reply]:
        """`chat` for asyncio."""
        stream = self.astream(messages, sampling=sampling, n=n, tools=tools, options=options)
        replies = [item async for item in stream if isinstance(item, Reply)]
        return sorted(replies, key=lambda reply: reply.sample)

    async def achat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> list[list[Reply]]:
        """`chat_many` for asyncio. The first failure ends the others too."""
        chats = (self.achat(c, sampling=sampling, n=n, tools=tools, options=options) for c in conversations)
        tasks = [asyncio.ensure_future(chat) for chat in chats]
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
        self.thought_tokens = 0
        self.cached_tokens = 0
        self.logprobs: list[TokenLogprob] | None = None
        self._told = 0  # logprobs that a delta has had
        self._text: list[str] = []
        self._said: list[str] = []
        self._thought: list[str] = []
        self._calls: list[ToolCall] = []
        self._malformed: list[str] = []
        self._thought_closed = True

    @property
    def thought_length(self) -> int:
        """Characters of the thought so far."""
        return sum(map(len, self._thought))

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
            deltas.append(Delta(self.sample, event, self._untold()))
        return deltas

    def _untold(self) -> list[TokenLogprob] | None:
        told, self._told = self._told, len(self.logprobs or ())
        return self.logprobs[told:] if self.logprobs else None

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
            thought_tokens=self.thought_tokens,
            cached_tokens=self.cached_tokens,
            logprobs=self.logprobs,
        )
