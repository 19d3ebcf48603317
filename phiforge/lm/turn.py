"""A request under way in the engine, and how its samples think."""

from __future__ import annotations

from functools import cached_property

from phiforge.chat import dialects
from phiforge.chat.format import ChatFormat
from phiforge.chat.parse import Parser
from phiforge.chat.render import Rendered
from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine.driver import Stream
from phiforge.engine.request import Event, Finished, Token
from phiforge.engine.thinking import Thinking, Thought
from phiforge.lm.base import Delta, Options, Reply, TokenLogprob, Writing

OPEN, CLOSE = "<think>", "</think>"  # as `chat/parse.py` reads them, whatever the model


class Thoughts:
    """A tokenizer's tags of a thought, and whether its model is one that thinks."""

    def __init__(self, format: ChatFormat, name: str) -> None:
        self._tokenizer = format.tokenizer
        dialect = dialects.find(name)
        # A template written for a family of models mentions thoughts whether or not the one at hand has any. "phiforge" thinks
        # where it sees fit: small as its models are, they have a thought before a grammar only if it is limited.
        self.expected = "reasoning" in dialect.name if dialect else OPEN in (self._tokenizer.chat_template or "")
        self._tags = self._ids(OPEN), self._ids(CLOSE)

    def _ids(self, tag: str) -> tuple[int, ...]:
        # After an empty piece, so that no tokenizer puts the space of a text's beginning before it.
        return tuple(i for ids in self._tokenizer.encode_pieces(["", *self._tokenizer.split(tag)]) for i in ids)

    @cached_property
    def _breaks(self) -> frozenset[int]:
        return frozenset(i for i, token in enumerate(self._tokenizer.token_bytes()) if token.endswith(b"\n"))

    def begun(self, prompt: Rendered) -> bool:
        """Whether the prompt has opened the thought; `ChatFormat.parser` sees it so too."""
        return prompt.text.rstrip().endswith(OPEN)

    def thinking(self, options: Options, *, before_grammar: bool, begun: bool) -> Thinking | None:
        """What the engine must know of the thought: its limits, and that it comes before the grammar."""
        soft, hard = options.think_soft_limit, options.think_limit
        if soft is None and hard is None and not (before_grammar and (begun or self.expected)):
            return None
        opening, closing = self._tags
        breaks = frozenset() if soft is None else self._breaks
        return Thinking(open=opening, close=closing, begun=begun, soft=soft, hard=hard, breaks=breaks)

    def counter(self, *, begun: bool) -> Thought:
        """Follows one sample and counts the tokens of its thought."""
        opening, closing = self._tags
        return Thought(Thinking(open=opening, close=closing, begun=begun), self._text_of, once=False)

    def _text_of(self, id: int) -> str:
        return self._tokenizer.decode([id], skip_special=False).encode().decode("latin-1")


class Turn:
    """A request and what its samples have written so far."""

    def __init__(
        self,
        stream: Stream,
        parsers: list[Parser],
        counters: list[Thought],
        stop_ids: tuple[int, ...],
        tokenizer: Tokenizer,
    ) -> None:
        self.stream = stream
        self._stop_ids = stop_ids
        self._parsers = parsers
        self._counters = counters
        self._tokenizer = tokenizer
        self._samples = [Writing(i) for i in range(len(parsers))]

    def take(self, event: Event) -> list[Delta | Reply]:
        sample, parser, counter = (
            self._samples[event.sample],
            self._parsers[event.sample],
            self._counters[event.sample],
        )
        if isinstance(event, Token):
            sample.tokens += 1
            if event.logprob is not None:
                sample.logprobs = sample.logprobs or []
                sample.logprobs.append(self._logprob(event, event.logprob))
            if counter.phase != "answer" and event.id not in self._stop_ids:
                counter.feed(event.id)
            return [*sample.take(parser.feed(event.text), event.text)] if event.text else []
        assert isinstance(event, Finished)
        sample.thought_tokens, sample.cached_tokens = counter.tokens, event.cached_tokens
        deltas = sample.take([*parser.feed(event.text), *parser.finish()], event.text)
        return [*deltas, sample.reply(event.reason, len(self.stream.request.prompt))]

    def _logprob(self, event: Token, logprob: float) -> TokenLogprob:
        def text(id: int) -> str:
            return self._tokenizer.decode([id], skip_special=False)

        return TokenLogprob(text(event.id), logprob, [(text(id), value) for id, value in event.top_logprobs])
