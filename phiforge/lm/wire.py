"""The protocol of `/chat/completions` as texts and records, with no input or output: messages to JSON, and the bytes
of a streamed answer to deltas and replies. `remote.py` does the talking."""

from __future__ import annotations

import base64
import codecs
import io
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from phiforge.chat.parse import Call, End, Event, MalformedCall, Parser, Thought
from phiforge.chat.tool_calls import call_of
from phiforge.lm.base import Conversation, Delta, Reply, TokenLogprob, Writing
from phiforge.records import Audio, Image, Message, Part, Text

if TYPE_CHECKING:
    from phiforge.engine.grammar import Grammar

BUSY = (408, 409, 429)  # worth another try, as is every 5xx


class Failure(Exception):
    """What went wrong in one attempt, before it is known whether there will be another."""

    def __init__(
        self,
        said: str,
        *,
        transient: bool,
        status: int | None = None,
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(said)
        self.transient = transient
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


def detail_of(body: bytes) -> str:
    """The sentence in an error's body, whichever of the forms in use it has."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = body.decode(errors="replace")
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    while isinstance(found, dict):
        inner = next((found[key] for key in ("error", "message", "detail") if found.get(key)), None)
        if inner is None:
            break
        found = inner
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 500 else text[:500] + "…"


# --- the answer ----------------------------------------------------------------------------------------------------


class ServerSentEvents:
    """The data of server-sent events (HTML standard, 9.2.6), out of bytes cut anywhere. Other fields are skipped."""

    def __init__(self) -> None:
        utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._line = ""
        self._data: list[str] = []

    def feed(self, piece: bytes, *, final: bool = False) -> list[str]:
        """Take the next bytes and return the data of each event they complete."""
        *lines, self._line = (self._line + self._decoder.decode(piece, final)).split("\n")
        if final:
            lines += [self._line, ""]  # some servers leave out the blank line after the last event
        found: list[str] = []
        for line in lines:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            elif not line and self._data:
                found.append("\n".join(self._data))
                self._data = []
        return found

    def finish(self) -> list[str]:
        """The bytes have ended: the data of an event that was still open."""
        return self.feed(b"", final=True)


class _Alternative(Struct):
    token: str
    logprob: float | None = None  # None: minus infinity, which JSON cannot say


class _TokenLogprob(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(Struct):
    content: list[_TokenLogprob] | None = None


class _Choice(Struct):
    index: int | None = None
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None  # in place of `delta` where the server does not stream
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: str | None = None
    message: Any = None
    code: Any = None


class _Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _CallPiece(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Piece(Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _PartialCall(Struct):
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


class Choices:
    """The samples of one answer, out of the chunks of its stream."""

    def __init__(self, n: int, reasoning_fields: Sequence[str] = ("reasoning_content", "reasoning")) -> None:
        self.done = False
        """The endpoint has said [DONE]; what follows is ignored."""
        self._samples = [_Sample(i, reasoning_fields) for i in range(n)]
        self._usage: _Usage | None = None

    def take(self, data: str) -> list[Delta]:
        """Take the data of one event. Raises for an error the endpoint reports, and for what is no chunk."""
        if self.done or not data.strip():
            return []
        if data.strip() == "[DONE]":
            self.done = True
            return []
        try:
            chunk = msgspec.json.decode(data, type=_Chunk)
            if chunk.error or chunk.object == "error":
                raise _reported(chunk, data)
            self._usage = chunk.usage or self._usage
            return [delta for choice in chunk.choices or () for delta in self._sample(choice).take(choice)]
        except msgspec.DecodeError as error:
            shown = data if len(data) <= 200 else data[:200] + "…"
            raise Failure(f"sent what is no chat completion: {error}: {shown}", transient=False) from None

    def finish(self) -> list[Delta | Reply]:
        """The stream has ended: what was held back, and the replies. Raises where an answer is missing or cut off."""
        if silent := [s.writing.sample for s in self._samples if not s.begun]:
            if len(silent) == len(self._samples):
                raise Failure("ended without an answer", transient=True)
            n = len(self._samples)
            raise Failure(
                f"was asked for {n} samples and sent {n - len(silent)}; if it knows no `n`, ask for one sample at a "
                f"time: chat_many([messages] * {n})",
                transient=False,
            )
        if not self.done and any(s.reason is None for s in self._samples):
            raise Failure("broke off in the middle of the answer", transient=True)
        deltas = [delta for sample in self._samples for delta in sample.finish()]
        self._share_tokens()
        prompt_tokens = (self._usage and self._usage.prompt_tokens) or 0
        return [*deltas, *(s.writing.reply(finish_reason(s.reason), prompt_tokens) for s in self._samples)]

    def _sample(self, choice: _Choice) -> _Sample:
        index = choice.index or 0
        if not 0 <= index < len(self._samples):
            raise Failure(f"sent sample {index} of {len(self._samples)}", transient=False)
        return self._samples[index]

    def _share_tokens(self) -> None:
        usage, written = self._usage or _Usage(), [sample.writing for sample in self._samples]
        if usage.completion_tokens:
            for writing, share in zip(
                written, _shares(usage.completion_tokens, [w.tokens for w in written]), strict=True
            ):
                writing.tokens = share
        thought = usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens
        for writing, share in zip(written, _shares(thought or 0, [w.thought_length for w in written]), strict=True):
            writing.thought_tokens = share
        for writing in written:
            writing.cached_tokens = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` shared out by weights, 0 counting as 1."""
    weights = [weight or 1 for weight in weights]
    edges = [total * upto // sum(weights) for upto in itertools.accumulate(weights, initial=0)]
    return [end - start for start, end in itertools.pairwise(edges)]


class _Sample:
    """One sample while it arrives."""

    def __init__(self, index: int, reasoning_fields: Sequence[str]) -> None:
        self.writing = Writing(index)
        self.begun = False
        self.reason: str | None = None
        self._reasoning_fields = reasoning_fields
        self._parser = Parser()
        self._calls: list[_PartialCall] = []
        self._thinking = False  # the last text came in the reasoning field

    def take(self, choice: _Choice) -> list[Delta]:
        self.begun = True
        self.reason = choice.finish_reason or self.reason
        fields = choice.delta or choice.message or {}
        piece = msgspec.convert(fields, _Piece)
        thought = next((t for f in self._reasoning_fields if (t := fields.get(f)) and isinstance(t, str)), "")
        said = (piece.content or "") + (piece.refusal or "")
        deltas: list[Delta] = []
        if thought:
            deltas += self.writing.take([Thought(thought)], thought if self._thinking else "<think>" + thought)
            self._thinking = True
        if said:
            deltas += self.writing.take(self._parser.feed(said), self._end_thought() + said)
        for call in piece.tool_calls or ():
            self._join(call)
        tokens = (choice.logprobs and choice.logprobs.content) or []
        if tokens:
            self.writing.logprobs = [*(self.writing.logprobs or []), *map(_logprob, tokens)]
        self.writing.tokens += len(tokens) or bool(thought or said or piece.tool_calls)
        return deltas

    def finish(self) -> list[Delta]:
        """Calls are told here: a server may go back to any of them until the end."""
        *held, end = self._parser.finish()
        deltas = self.writing.take(held)
        for partial in self._calls:
            raw = {"name": partial.name, "arguments": partial.arguments, "id": partial.id}
            call = call_of({**raw, "arguments": partial.arguments.strip() or None})
            event: Event
            if isinstance(call, str):
                text = json.dumps(raw, ensure_ascii=False)
                event = MalformedCall(text, call)
            else:
                text = json.dumps({**raw, "arguments": call.arguments}, ensure_ascii=False)
                event = Call(call)
            deltas += self.writing.take([event], f"{self._end_thought()}<|tool_call|>{text}<|/tool_call|>")
        return [*deltas, *self.writing.take([End(open_thought=True) if self._thinking else end])]

    def _end_thought(self) -> str:
        ended, self._thinking = "</think>" if self._thinking else "", False
        return ended

    def _join(self, piece: _CallPiece) -> None:
        """Add a piece to its call. Servers leave `index` out, use one index for all calls, or repeat the name."""
        function = piece.function or _Function()
        same = [call for call in self._calls if piece.index is None or call.index == piece.index]
        call = same[-1] if same else None
        other_id = call and piece.id and call.id and piece.id != call.id
        other_name = call and piece.index is None and not piece.id and function.name and call.name
        if call is None or other_id or other_name:
            call = _PartialCall(piece.index)
            self._calls.append(call)
        call.id = call.id or piece.id or ""
        if function.name and function.name != call.name:
            call.name += function.name
        arguments = function.arguments or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _reported(chunk: _Chunk, data: str) -> Failure:
    """An error object in place of a chunk. Only a code that is a client's error speaks against another try."""
    code = chunk.error.get("code") if isinstance(chunk.error, dict) else chunk.code
    status = code if isinstance(code, int) else None
    detail = detail_of(data.encode())
    transient = status is None or status in BUSY or status >= 500
    return Failure(f"reported an error: {detail}", transient=transient, status=status, detail=detail)


def finish_reason(said: str | None) -> Literal["stop", "length", "tool_calls", "cancelled"]:
    match said:
        case None | "stop" | "eos" | "eos_token" | "stop_sequence":
            return "stop"
        case "length":
            return "length"
        case "tool_calls" | "function_call":
            return "tool_calls"
        case "abort":
            return "cancelled"
        case "content_filter":
            raise Failure("withheld the answer: its content filter cut it", transient=False, detail=said)
        case _:
            raise Failure(f"ended the answer for an unknown reason: {said!r}", transient=False, detail=said)


def _logprob(entry: _TokenLogprob) -> TokenLogprob:
    def value(logprob: float | None) -> float:
        return -math.inf if logprob is None else logprob

    top = [(other.token, value(other.logprob)) for other in entry.top_logprobs or ()]
    return TokenLogprob(entry.token, value(entry.logprob), top)


# --- messages ------------------------------------------------------------------------------------------------------

IMAGE_MAGIC = {"png": rb"\x89PNG\r\n", "jpeg": rb"\xff\xd8\xff", "gif": rb"GIF8[79]a", "webp": rb"RIFF....WEBP"}
AUDIO_MAGIC = {
    "wav": rb"RIFF....WAVE",
    "mp3": rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]",
    "flac": rb"fLaC",
    "ogg": rb"OggS",
    "m4a": rb"....ftyp",
}


def wire_messages(messages: Conversation, thinking_field: str | None = None) -> list[dict[str, Any]]:
    """A conversation in OpenAI's JSON. Thoughts go into `thinking_field`, or are left out.

    Calls without an id get one, and results without one answer the open calls in order, by name where they have one.
    Raises ValueError for a conversation that cannot be said.
    """
    if not messages:
        raise ValueError("the conversation is empty")
    wire: list[dict[str, Any]] = []
    open_calls: dict[str, str] = {}  # id to name
    numbers = itertools.count(1)
    for message in messages:
        item: dict[str, Any] = {"role": message.role, "content": _content(message)}
        if message.role != "assistant" and (message.tool_calls or message.thinking is not None):
            raise ValueError(f"a {message.role} message has thinking or tool calls; only the assistant's may")
        if message.tool_calls:
            item["content"] = item["content"] or None
            item["tool_calls"] = []
            for call in message.tool_calls:
                id = call.id or f"call{next(numbers):05}"  # nine letters and digits: Mistral accepts nothing else
                open_calls[id] = call.name
                function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
                item["tool_calls"].append({"id": id, "type": "function", "function": function})
        if thinking_field and message.thinking:
            item[thinking_field] = message.thinking
        if message.role == "tool":
            item["tool_call_id"] = id = message.tool_call_id or _answered(message, open_calls)
            open_calls.pop(id, None)
            if message.name:
                item["name"] = message.name
        wire.append(item)
    return wire


def _answered(message: Message, open_calls: dict[str, str]) -> str:
    if not open_calls:
        raise ValueError(f"a tool message answers no call: {message.text[:80]!r}")
    return next((id for id, name in open_calls.items() if name == message.name), next(iter(open_calls)))


def _content(message: Message) -> str | list[dict[str, Any]]:
    return message.content if isinstance(message.content, str) else [_part(part) for part in message.content]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            data, format = _media(part, IMAGE_MAGIC)
            return {"type": "image_url", "image_url": {"url": f"data:image/{format};base64,{data}"}}
        case Audio():
            data, format = _media(part, AUDIO_MAGIC)
            return {"type": "input_audio", "input_audio": {"data": data, "format": format}}


def _media(part: Image | Audio, magic: dict[str, bytes]) -> tuple[str, str]:
    """The bytes as base64, and the format that their first ones show; a file's name says nothing."""
    data = part.data if part.data is not None else Path(part.path or "").read_bytes()
    format = next((name for name, start in magic.items() if re.match(start, data, re.DOTALL)), None)
    if format is None:
        what = f"{type(part).__name__.lower()} {part.path or ''}".strip()
        raise ValueError(f"the {what} begins with {data[:8]!r}, which is none of {', '.join(magic)}")
    return base64.b64encode(data).decode(), format


def response_format(grammar: Grammar) -> dict[str, Any]:
    """A grammar as OpenAI's `response_format`. Raises ValueError for one that has none."""
    if grammar.kind == "json_object":
        return {"type": "json_object"}
    if grammar.kind == "json_schema":
        schema = {"name": "answer", "schema": json.loads(grammar.text), "strict": True}
        return {"type": "json_schema", "json_schema": schema}
    raise ValueError(
        f"the grammar is a {grammar.kind} one, but the OpenAI API knows JSON schemas only; ask a model on this machine, "
        "or describe the answer by a schema"
    )


def named_function(function: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(function.get("name"), str):
        raise ValueError(f"a tool without a name: {function!r}")
    return function
