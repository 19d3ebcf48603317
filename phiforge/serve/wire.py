"""OpenAI's records of a chat request, and what they mean to us: messages, tools, sampling, limits on thoughts.

Fields that only serve a client's own bookkeeping are accepted and have no effect: `user`, `metadata`,
`safety_identifier`, `prompt_cache_key` (every prefix is cached), and `store: false`. Every other field that is not here
is refused.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import msgspec
from msgspec import Struct

from phiforge.engine.request import Sampling
from phiforge.lm.base import Options
from phiforge.records import Message, ToolCall
from phiforge.serve.errors import APIError, unsupported

Effort = Literal["none", "minimal", "low", "medium", "high"]
# Tokens of thought: after the first number it is closed at the next line end, at the second at once.
BUDGETS: dict[Effort, tuple[int, int]] = {
    "none": (0, 0),
    "minimal": (64, 128),
    "low": (384, 512),
    "medium": (1536, 2048),
    "high": (6144, 8192),
}


class Record(Struct, forbid_unknown_fields=True):
    """A part of a request."""


class Function(Record):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None  # arguments always obey their schema


class Tool(Record):
    function: Function
    type: Literal["function"] = "function"


class NamedFunction(Record):
    name: str


class NamedTool(Record):
    function: NamedFunction
    type: Literal["function"] = "function"


class CallFunction(Record):
    name: str
    arguments: str


class Call(Record):
    function: CallFunction
    id: str = ""
    type: Literal["function"] = "function"


class ChatMessage(Record):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None  # ours: the thought, as this server answers it
    refusal: str | None = None


class JSONSchema(Record):
    name: str
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Record):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class StreamOptions(Record):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class SamplingFields(Record, kw_only=True):
    """What chat, completions and responses have in common; absent fields are the model's own recommendation."""

    model: str | None = None
    stream: bool | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    stop: str | list[str] | None = None
    top_k: int | None = None  # these three are ours
    min_p: float | None = None
    repetition_penalty: float | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None


class ChatRequest(SamplingFields, kw_only=True):
    messages: list[ChatMessage]
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    majority_vote: int | None = None  # ours: samples that vote


def within(name: str, value: float | None, least: float, most: float) -> None:
    """Raises APIError naming the field unless the value is absent or in between."""
    if value is not None and not least <= value <= most:
        raise APIError(f"{name} is {least:g} to {most:g}, not {str(value)[:20]}", param=name)


def sampling_of(fields: SamplingFields, defaults: Sampling, **more: Any) -> Sampling:
    """The sampling of a request, on top of the model's own. Raises APIError naming a field that is out of range."""
    if fields.store:
        raise unsupported("store", "nothing is kept here")
    within("temperature", fields.temperature, 0, 2)
    within("frequency_penalty", fields.frequency_penalty, -2, 2)
    within("presence_penalty", fields.presence_penalty, -2, 2)
    within("top_k", fields.top_k, 0, 2**31 - 1)
    within("repetition_penalty", fields.repetition_penalty, 0.01, 100)
    within("seed", fields.seed, -(2**63), 2**63 - 1)
    stop = [fields.stop] if isinstance(fields.stop, str) else fields.stop or []
    if len(stop) > 16 or not all(stop):
        raise APIError("stop is a text, or up to 16 of them, none of them empty", param="stop")
    bias: dict[int, float] = {}
    for id, value in (fields.logit_bias or {}).items():
        if not id.isdecimal() or len(id) > 9:
            raise APIError(f"logit_bias is by token ids, not {id!r}", param="logit_bias")
        within("logit_bias", value, -100, 100)
        bias[int(id)] = value
    given = {
        name: value
        for name in ("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty")
        if (value := getattr(fields, name)) is not None
    }  # fmt: skip
    try:
        return replace(defaults, **given, seed=fields.seed, stop=tuple(stop), logit_bias=bias, **more)
    except ValueError as error:
        name = str(error).partition(" ")[0]
        raise APIError(str(error), param=name) from None


def max_tokens_of(request: ChatRequest) -> int | None:
    old, new = request.max_tokens, request.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise APIError("max_tokens and max_completion_tokens differ: give the latter", param="max_tokens")
    name = "max_tokens" if new is None else "max_completion_tokens"
    within(name, new if new is not None else old, 1, 1 << 30)
    return new if new is not None else old


def options_of(effort: Effort | None, adapter: str | None, thinks: bool, param: str) -> Options:
    """Limits on the thought. Raises APIError where there is none to limit."""
    if effort is None:
        return Options(adapter=adapter)
    if not thinks:
        raise unsupported(param, "this model does not think before it answers")
    soft, hard = BUDGETS[effort]
    return Options(adapter=adapter, think_soft_limit=soft, think_limit=hard)


def messages_of(messages: list[ChatMessage]) -> list[Message]:
    """Our records. Raises APIError naming the message and the field."""
    if not messages:
        raise APIError("messages is empty", param="messages")
    return [_message(message, f"messages[{i}]") for i, message in enumerate(messages)]


def _message(message: ChatMessage, where: str) -> Message:
    role = "system" if message.role == "developer" else message.role
    if role != "assistant" and (message.tool_calls or message.reasoning_content or message.refusal):
        raise APIError(f"{where} is a {role}'s: only the assistant calls, thinks or refuses", param=where)
    if role != "tool" and message.tool_call_id is not None:
        raise APIError(f"{where}.tool_call_id belongs to a tool's message", param=f"{where}.tool_call_id")
    if message.content is None and role != "assistant":
        raise APIError(f"{where}.content is missing", param=f"{where}.content")
    text = text_of(message.content, f"{where}.content") or message.refusal or ""
    calls = [call_of(call.id, call.function.name, call.function.arguments, where) for call in message.tool_calls or []]
    return Message(
        role,
        text,
        thinking=message.reasoning_content,
        tool_calls=calls,
        tool_call_id=message.tool_call_id or "",
        name=(message.name or "") if role == "tool" else "",
    )


def text_of(content: str | list[dict[str, Any]] | None, where: str) -> str:
    """The text of a content, whole or in parts. Raises APIError for a part that is no text."""
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for i, part in enumerate(content):
        kind = part.get("type")
        text = part.get("refusal" if kind == "refusal" else "text")
        if kind not in ("text", "refusal", "input_text", "output_text"):
            raise unsupported(f"{where}[{i}]", f"a part of type {kind!r}; this model reads text")
        if not isinstance(text, str):
            raise APIError(f"{where}[{i}] has no text", param=f"{where}[{i}]")
        texts.append(text)
    return "".join(texts)


def call_of(id: str, name: str, arguments: str, where: str) -> ToolCall:
    try:
        return ToolCall(name, msgspec.json.decode(arguments or "{}", type=dict[str, Any]), id)
    except (msgspec.DecodeError, RecursionError):
        raise APIError(f"{where}: the arguments of {name!r} are no JSON object", param=where) from None


def arguments_text(call: ToolCall) -> str:
    return json.dumps(call.arguments, ensure_ascii=False)
