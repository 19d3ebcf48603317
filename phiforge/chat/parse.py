"""What the model writes, as it comes: thoughts, visible text and tool calls.

Tool calls are read in the three dialects that circulate for phi-4-mini:

    <|tool_call|>[{"name": …, "arguments": {…}}, …]<|/tool_call|>    the model's own
    <|tool_call|>{"name": …, "arguments": {…}}<|/tool_call|>         one call a pair (llama.cpp's template)
    functools[{"name": …, "arguments": {…}}, …]                      vLLM's template

Rules where the tags are ambiguous:

- `<think>` opens a thought where nothing but white space has been said: at the start, or after a thought or a call.
  Later in an answer it is text. A `</think>` without a thought is text.
- In a thought, a tag between matching quotation marks or backticks is a quotation. A bare `<think>` nests: it takes
  one `</think>` more to end the thought. Calls inside a thought are not calls.
- The closing tag inside a JSON string belongs to the string. A call whose JSON is complete counts even if its closing
  tag never comes.

Nothing the model wrote is lost: what claims to be a call and is not comes out as `MalformedCall` with its raw text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from phiforge.chat.tool_calls import CallReader, call_of
from phiforge.records import Message, ToolCall


class Thought(Struct, frozen=True):
    """More of the model's thinking."""

    text: str


class Said(Struct, frozen=True):
    """More of the visible answer."""

    text: str


class Call(Struct, frozen=True):
    """A complete tool call."""

    call: ToolCall


class MalformedCall(Struct, frozen=True):
    """Something that claims to be a tool call and cannot be read as one: its text with its tags, and why."""

    raw: str
    reason: str


class End(Struct, frozen=True):
    """The turn is over. `open_thought`: the thought was never closed, so there may be no answer."""

    open_thought: bool


Event = Thought | Said | Call | MalformedCall | End

_THINK, _THINK_END = "<think>", "</think>"
_CALL, _CALL_END, _FUNCTOOLS = "<|tool_call|>", "<|/tool_call|>", "functools["
_SAID_TAGS = re.compile("|".join(map(re.escape, (_THINK, _CALL, _FUNCTOOLS))))
_THOUGHT_TAGS = re.compile(f"{_THINK}|{_THINK_END}")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}


class Parser:
    """A streaming parser for one turn: text chunks into `feed`, events out, `finish` at the end.

    However the text is cut into chunks, the events are the same but for where text is cut. Text comes out at once,
    except the shortest end that might begin a tag. `in_thought`: the prompt has already opened `<think>`. `trim` drops the
    white space after a thought, as an answer under a grammar begins where the grammar does.
    """

    def __init__(self, *, in_thought: bool = False, trim: bool = False) -> None:
        self._trim = trim
        self._buffer = ""
        self._events: list[Event] = []
        self._depth = int(in_thought)  # of open <think> tags
        self._thought_told = False  # this thought has had an event
        self._before = ""  # the character of the thought before the buffer
        self._answering = False  # something visible has been said since the start, the last thought or the last call
        self._trimming = False
        self._call: CallReader | None = None

    def feed(self, text: str) -> list[Event]:
        """Take the next piece of the model's text and return what it completes."""
        self._buffer += text
        return self._run(final=False)

    def finish(self) -> list[Event]:
        """End the turn. The last event is `End`; the parser is used up."""
        events = self._run(final=True)
        return [*events, End(open_thought=self._depth > 0)]

    def _run(self, *, final: bool) -> list[Event]:
        while self._buffer and self._step(final):
            pass
        events, self._events = self._events, []
        return events

    def _step(self, final: bool) -> bool:
        """Read up to the next tag or value. False when more text is needed."""
        if self._call is not None:
            return self._read_call(self._call, final)
        return self._read_thought(final) if self._depth else self._read_said(final)

    # --- text ------------------------------------------------------------------------------------------------------

    def _read_said(self, final: bool) -> bool:
        tag = _SAID_TAGS.search(self._buffer)
        if tag is None:
            self._say(len(self._buffer) - (0 if final else _tag_begun(self._buffer, (_THINK, _CALL, _FUNCTOOLS))))
            return False
        self._say(tag.start())
        if tag.group() == _THINK:
            if self._answering:
                self._say(len(_THINK))
            else:
                self._buffer = self._buffer.removeprefix(_THINK)
                self._depth, self._thought_told, self._before = 1, False, ""
        elif tag.group() == _CALL:
            self._call = CallReader(len(_CALL), closing=_CALL_END)
        else:
            self._call = CallReader(len(_FUNCTOOLS) - 1, closing="")
        return True

    def _say(self, length: int) -> None:
        text, self._buffer = self._buffer[:length], self._buffer[length:]
        if self._trimming:
            text = text.lstrip()
        if text:
            self._answering, self._trimming = self._answering or not text.isspace(), False
            self._events.append(Said(text))

    # --- thoughts --------------------------------------------------------------------------------------------------

    def _read_thought(self, final: bool) -> bool:
        tag = _THOUGHT_TAGS.search(self._buffer)
        if tag is None:
            self._think(len(self._buffer) - (0 if final else _tag_begun(self._buffer, (_THINK, _THINK_END))))
            return False
        self._think(tag.start())
        length = len(tag.group())
        closing_quote = _QUOTES.get(self._before)
        if closing_quote and len(self._buffer) == length and not final:
            return False  # the next character decides whether the tag is quoted
        if closing_quote and self._buffer[length : length + 1] == closing_quote:
            self._think(length)
        elif tag.group() == _THINK:
            self._depth += 1
            self._think(length)
        elif self._depth > 1:
            self._depth -= 1
            self._think(length)
        else:
            if not self._thought_told:
                self._events.append(Thought(""))
            self._buffer = self._buffer[length:]
            self._depth, self._answering, self._trimming = 0, False, self._trim
        return True

    def _think(self, length: int) -> None:
        text, self._buffer = self._buffer[:length], self._buffer[length:]
        if text:
            self._before, self._thought_told = text[-1], True
            self._events.append(Thought(text))

    # --- calls -----------------------------------------------------------------------------------------------------

    def _read_call(self, reader: CallReader, final: bool) -> bool:
        end = reader.read(self._buffer, final)
        if end is None:
            if not final:
                return False
            end = self._unfinished(reader)
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        self._call, self._answering = None, False
        if reader.problem:
            self._events.append(MalformedCall(raw, reader.problem))
            return True
        found = [call_of(item) for item in reader.items]
        for call in found:
            self._events.append(Call(call) if isinstance(call, ToolCall) else MalformedCall(raw, call))
        if not found:
            self._events.append(MalformedCall(raw, "it holds no call"))
        return True

    def _unfinished(self, reader: CallReader) -> int:
        """Where a call ends that the end of the text cut off."""
        if reader.items and not reader.depth and not reader.problem:
            return reader.value_end  # only the closing tag is missing
        reader.problem = reader.problem or "it is cut off"
        # A string that was never closed has swallowed the closing tag: give back what comes after.
        at = self._buffer.find(reader.closing) if reader.closing else -1
        return len(self._buffer) if at < 0 else at + len(reader.closing)


def _tag_begun(text: str, tags: tuple[str, ...]) -> int:
    """Length of the longest end of `text` that might begin one of `tags`."""
    longest = max(map(len, tags)) - 1
    return next((n for n in range(min(longest, len(text)), 0, -1) if any(t.startswith(text[-n:]) for t in tags)), 0)


# --- whole turns -----------------------------------------------------------------------------------------------------


class Turn(NamedTuple):
    """A whole turn: the message, the calls that could not be read, and whether its thought was left open."""

    message: Message
    malformed: list[MalformedCall]
    open_thought: bool


def parse_turn(text: str, *, in_thought: bool | None = None) -> Turn:
    """Parse a complete turn. `in_thought` as in `Parser`; None takes it from the text: a `</think>` before any
    `<think>` ends a thought that the prompt opened.

    With the whole text at hand, a thought that a stray `<think>` has left open ends at its last `</think>`.
    """
    if in_thought is None:
        close = text.find(_THINK_END)
        in_thought = close >= 0 and _THINK not in text[:close]
    *events, end = _events(text, in_thought)
    open_thought = isinstance(end, End) and end.open_thought
    if open_thought:
        left_open = ""
        while events and isinstance(last := events[-1], Thought):
            left_open = last.text + left_open
            events.pop()
        at = _last_bare_close(left_open)
        events.append(Thought(left_open[:at]))
        if at is not None:
            *rest, _ = _events(left_open[at + len(_THINK_END) :], False)
            events += rest
            open_thought = False
    thoughts = [e.text for e in events if isinstance(e, Thought)]
    said = [e.text for e in events if isinstance(e, Said)]
    calls = [e.call for e in events if isinstance(e, Call)]
    malformed = [e for e in events if isinstance(e, MalformedCall)]
    thinking = "".join(thoughts) if thoughts else None
    message = Message("assistant", "".join(said), thinking, tool_calls=calls)
    return Turn(message, malformed, open_thought)


def _events(text: str, in_thought: bool) -> list[Event]:
    parser = Parser(in_thought=in_thought)
    return [*parser.feed(text), *parser.finish()]


def parse(text: str, *, in_thought: bool | None = None) -> Message:
    """The message of a complete turn, as `parse_turn` reads it.

    Raises ValueError when there is a malformed call, for which a message has no place.
    """
    turn = parse_turn(text, in_thought=in_thought)
    if turn.malformed:
        bad = turn.malformed[0]
        raise ValueError(f"malformed tool call ({bad.reason}): {bad.raw}")
    return turn.message


def _last_bare_close(thinking: str) -> int | None:
    """Where the last `</think>` is that is not a quotation."""
    for match in reversed(list(re.finditer(_THINK_END, thinking))):
        quote = _QUOTES.get(thinking[match.start() - 1 : match.start()])
        if quote is None or thinking[match.end() : match.end() + 1] != quote:
            return match.start()
    return None
