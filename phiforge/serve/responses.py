"""`/v1/responses`, OpenAI's newer form of the same: items instead of messages, named events instead of chunks.

Nothing is kept, so `previous_response_id` and `store: true` are refused: send the whole conversation.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.chat.parse import Call, MalformedCall, Said, Thought
from phiforge.lm.base import Delta, Reply
from phiforge.lm.local import LocalModel
from phiforge.records import Message, ToolCall
from phiforge.serve import body, chat, tools, wire
from phiforge.serve.answering import answering, event, event_stream
from phiforge.serve.chat import Asked
from phiforge.serve.errors import APIError, unsupported
from phiforge.serve.server import Server, while_connected
from phiforge.serve.wire import Effort, Record


class FunctionTool(Record):
    name: str
    type: Literal["function"] = "function"
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Record):
    name: str
    type: Literal["function"] = "function"


class TextFormat(Record):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class TextOptions(Record):
    format: TextFormat | None = None


class Reasoning(Record):
    effort: Effort | None = None


class ResponseRequest(wire.SamplingFields, kw_only=True):
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None


async def responses(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, ResponseRequest)
    if request.stream:
        return await event_stream(http, _events(server, request))
    return JSONResponse(await while_connected(http, _whole(server, request)))


routes: list[BaseRoute] = [Route("/v1/responses", responses, methods=["POST"])]


def understand(lm: LocalModel, adapter: str | None, request: ResponseRequest) -> Asked:
    """Raises APIError for what cannot be done, by the name of the field."""
    functions = [wire.Function(t.name, t.description, t.parameters, t.strict) for t in request.tools or []]
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        choice = wire.NamedTool(wire.NamedFunction(choice.name))
    given = request.text.format if request.text else None
    schema = None
    if given is not None and given.type == "json_schema":
        schema = wire.JSONSchema(given.name or "", given.schema, given.description, given.strict)
    format = wire.ResponseFormat(given.type, schema) if given else None
    grammar = tools.grammar_of(lm, functions, choice, request.parallel_tool_calls is not False, format)
    wire.within("max_output_tokens", request.max_output_tokens, 1, 1 << 30)
    effort = request.reasoning.effort if request.reasoning else None
    return Asked(
        messages=messages_of(request),
        sampling=wire.sampling_of(request, lm.defaults, max_tokens=request.max_output_tokens, grammar=grammar),
        n=1,
        tools=(tools.offered(functions) if choice != "none" else []) or None,
        options=wire.options_of(effort, adapter, lm.thinks, "reasoning.effort"),
    )


def messages_of(request: ResponseRequest) -> list[Message]:
    """Items as messages: a turn's reasoning, text and calls are one. Raises APIError naming an item that we cannot read."""
    found = [Message("system", request.instructions)] if request.instructions else []
    if isinstance(request.input, str):
        return [*found, Message("user", request.input)]
    if not request.input:
        raise APIError("input is empty", param="input")
    for i, item in enumerate(request.input):
        where, kind = f"input[{i}]", item.get("type", "message")
        if kind == "message":
            role = item.get("role")
            if role not in ("system", "developer", "user", "assistant"):
                raise APIError(f"{where}.role is {role!r}", param=f"{where}.role")
            text = wire.text_of(_content(item.get("content"), f"{where}.content"), f"{where}.content")
            if role == "assistant":
                _turn(found, content=text)
            else:
                found.append(Message("user" if role == "user" else "system", text))
        elif kind == "reasoning":
            parts = item.get("content") or item.get("summary") or []
            text = "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
            _turn(found, thinking=text)
        elif kind == "function_call":
            call = wire.call_of(
                _text(item, "call_id", where), _text(item, "name", where), _text(item, "arguments", where), where
            )
            _turn(found, call=call)
        elif kind == "function_call_output":
            output = wire.text_of(_content(item.get("output"), f"{where}.output"), f"{where}.output")
            found.append(Message("tool", output, tool_call_id=_text(item, "call_id", where)))
        else:
            raise unsupported(where, f"an item of type {kind!r}")
    return found


def _turn(found: list[Message], content: str = "", thinking: str | None = None, call: ToolCall | None = None) -> None:
    """Add to the assistant's turn that is being told, or begin one."""
    last = found[-1] if found and found[-1].role == "assistant" else None
    if last is None or (thinking is not None and (last.text or last.tool_calls)):
        found.append(last := Message("assistant"))
    found[-1] = msgspec.structs.replace(
        last,
        content=last.text + content,
        thinking=last.thinking if thinking is None else (last.thinking or "") + thinking,
        tool_calls=[*last.tool_calls, *([call] if call else [])],
    )


def _content(value: Any, where: str) -> str | list[dict[str, Any]]:
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, dict) for part in value)):
        return value
    raise APIError(f"{where} is a text or a list of parts", param=where)


def _text(item: dict[str, Any], key: str, where: str) -> str:
    if not isinstance(item.get(key), str):
        raise APIError(f"{where}.{key} is missing, or no text", param=f"{where}.{key}")
    return item[key]


async def _whole(server: Server, request: ResponseRequest) -> dict[str, Any]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request)
        (reply,) = await chat.answer(server, lm, asked)
        writing = Writing(server, request)
        for delta in _parts(reply):
            list(writing.take(delta))
        list(writing.end_item())
        return writing.finish(reply)


def _parts(reply: Reply) -> list[Delta]:
    """A whole reply as if it had come in three pieces."""
    parts: list[Delta] = []
    if reply.message.thinking:
        parts.append(Delta(0, Thought(reply.message.thinking)))
    if text := chat.content_of(reply):
        parts.append(Delta(0, Said(text)))
    return parts + [Delta(0, Call(call)) for call in reply.message.tool_calls]


async def _events(server: Server, request: ResponseRequest) -> AsyncGenerator[str, None]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request)
        writing, began, begun = Writing(server, request), time.perf_counter(), False
        async with aclosing(lm.astream(asked.messages, **asked.keywords())) as stream:  # type: ignore[type-var]
            async for item in stream:
                if not begun:
                    begun = True
                    server.metrics.histograms["time_to_first_token_seconds"].observe(time.perf_counter() - began)
                    for name in ("created", "in_progress"):
                        yield writing.told(f"response.{name}", response=writing.response)
                if isinstance(item, Delta):
                    for each in writing.take(item):
                        yield each
                    continue
                for each in writing.end_item():
                    yield each
                chat.count(server, lm.name, [item], time.perf_counter() - began)
                done = writing.finish(item)
                yield writing.told(f"response.{done['status']}", response=done)


class Writing:
    """A response while it is written: items open and close as thoughts, text and calls take turns."""

    def __init__(self, server: Server, request: ResponseRequest) -> None:
        self.response: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "model": request.model or server.models.default,
            "output": [],
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "tool_choice": msgspec.to_builtins(request.tool_choice) if request.tool_choice else "auto",
            "tools": msgspec.to_builtins(request.tools or []),
            "text": msgspec.to_builtins(request.text) if request.text else {"format": {"type": "text"}},
            "reasoning": {"effort": request.reasoning.effort if request.reasoning else None, "summary": None},
            "metadata": request.metadata or {},
            "store": False,
            "truncation": "disabled",
            "error": None,
            "incomplete_details": None,
            "usage": None,
        }
        self._item: dict[str, Any] | None = None
        self._sequence = 0

    def told(self, type: str, **fields: Any) -> str:
        """One event, in its place in the order."""
        self._sequence += 1
        return event({"type": type, "sequence_number": self._sequence - 1, **fields}, type)

    def take(self, delta: Delta) -> list[str]:
        match delta.event:
            case Thought():
                return self._grow("reasoning", delta.event.text)
            case Said():
                return self._grow("message", delta.event.text)
            case MalformedCall():
                return self._grow("message", delta.event.raw)
            case Call():
                return [*self.end_item(), *self._call(delta.event.call)]
            case _:
                return []

    def _where(self) -> dict[str, Any]:
        assert self._item is not None
        return {"item_id": self._item["id"], "output_index": len(self.response["output"])}

    def _grow(self, kind: str, text: str) -> list[str]:
        events = []
        if self._item is None or self._item["type"] != kind:
            events = [*self.end_item(), *self._open(kind)]
        assert self._item is not None
        self._item["content"][0]["text"] += text
        name = "response.reasoning_text.delta" if kind == "reasoning" else "response.output_text.delta"
        more = {} if kind == "reasoning" else {"logprobs": []}
        return [*events, self.told(name, **self._where(), content_index=0, delta=text, **more)]

    def _open(self, kind: str) -> list[str]:
        if kind == "reasoning":
            part: dict[str, Any] = {"type": "reasoning_text", "text": ""}
            self._item = {"id": f"rs_{uuid.uuid4().hex}", "type": "reasoning", "summary": [], "status": "in_progress"}
        else:
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            self._item = {
                "id": f"msg_{uuid.uuid4().hex}",
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
            }
        events = [
            self.told(
                "response.output_item.added",
                output_index=len(self.response["output"]),
                item={**self._item, "content": []},
            ),
            self.told("response.content_part.added", **self._where(), content_index=0, part=dict(part)),
        ]
        self._item["content"] = [part]
        return events

    def end_item(self) -> list[str]:
        """Close what is open."""
        item = self._item
        if item is None:
            return []
        part = item["content"][0]
        name = "response.reasoning_text.done" if item["type"] == "reasoning" else "response.output_text.done"
        more = {} if item["type"] == "reasoning" else {"logprobs": []}
        events = [
            self.told(name, **self._where(), content_index=0, text=part["text"], **more),
            self.told("response.content_part.done", **self._where(), content_index=0, part=part),
        ]
        return [*events, *self._done(item)]

    def _done(self, item: dict[str, Any]) -> list[str]:
        item["status"] = "completed"
        events = [self.told("response.output_item.done", output_index=len(self.response["output"]), item=item)]
        self.response["output"].append(item)
        self._item = None
        return events

    def _call(self, call: ToolCall) -> list[str]:
        told = chat.call_json(call)
        text = told["function"]["arguments"]
        self._item = {
            "id": f"fc_{uuid.uuid4().hex}",
            "type": "function_call",
            "call_id": told["id"],
            "name": call.name,
            "arguments": "",
            "status": "in_progress",
        }
        index = len(self.response["output"])
        added = self.told("response.output_item.added", output_index=index, item=dict(self._item))
        grown = self.told("response.function_call_arguments.delta", **self._where(), delta=text)
        done = self.told("response.function_call_arguments.done", **self._where(), name=call.name, arguments=text)
        return [added, grown, done, *self._done({**self._item, "arguments": text})]

    def finish(self, reply: Reply) -> dict[str, Any]:
        """The whole response."""
        cut = reply.finish_reason == "length"
        self.response["status"] = "incomplete" if cut else "completed"
        if cut:
            self.response["incomplete_details"] = {"reason": "max_output_tokens"}
        self.response["usage"] = {
            "input_tokens": reply.prompt_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens},
            "output_tokens": reply.tokens,
            "output_tokens_details": {"reasoning_tokens": reply.thought_tokens},
            "total_tokens": reply.prompt_tokens + reply.tokens,
        }
        return self.response
