"""`/v1/chat/completions`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.chat.parse import Call, MalformedCall, Said, Thought
from phiforge.chat.render import Tool
from phiforge.engine.request import Sampling
from phiforge.lm.base import Delta, Options, Reply, TokenLogprob
from phiforge.lm.local import LocalModel
from phiforge.records import Message, ToolCall
from phiforge.serve import body, tools, wire
from phiforge.serve.answering import DONE, answering, event, event_stream
from phiforge.serve.errors import APIError, unsupported
from phiforge.serve.server import Server, while_connected
from phiforge.serve.voting import vote
from phiforge.serve.wire import ChatRequest

MOST_TOP = 20  # alternatives to a token that may be asked for, as OpenAI has it
VOTING_TEMPERATURE = 0.7  # where a vote names none: it needs variety


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request in the model's own terms."""

    messages: list[Message]
    sampling: Sampling
    n: int
    tools: list[Tool] | None
    options: Options

    def keywords(self) -> dict[str, Any]:
        return {"sampling": self.sampling, "n": self.n, "tools": self.tools, "options": self.options}


async def completions(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, ChatRequest)
    if request.stream:
        if request.majority_vote is not None:
            raise unsupported("stream", "a vote has its answer at the end")
        return await event_stream(http, _events(server, request))
    if request.stream_options is not None:
        raise APIError("stream_options is for streams only", param="stream_options")
    return JSONResponse(await while_connected(http, _whole(server, request)))


routes: list[BaseRoute] = [Route("/v1/chat/completions", completions, methods=["POST"])]


def understand(lm: LocalModel, adapter: str | None, request: ChatRequest, most_samples: int) -> Asked:
    """Raises APIError for what cannot be done, by the name of the field."""
    wire.within("n", request.n, 1, most_samples)
    wire.within("top_logprobs", request.top_logprobs, 0, MOST_TOP)
    wire.within("majority_vote", request.majority_vote, 2, most_samples)
    if request.top_logprobs is not None and not request.logprobs:
        raise APIError("top_logprobs needs logprobs: true", param="top_logprobs")
    functions = [tool.function for tool in request.tools or []]
    n = request.n or 1
    if request.majority_vote is not None:
        if n > 1 or functions:
            raise APIError("majority_vote is for one answer without tools", param="majority_vote")
        n = request.majority_vote
    parallel = request.parallel_tool_calls is not False
    grammar = tools.grammar_of(lm, functions, request.tool_choice, parallel, request.response_format)
    shown = [] if request.tool_choice == "none" else tools.offered(functions)  # what is not told is not called
    sampling = wire.sampling_of(
        request,
        lm.defaults,
        max_tokens=wire.max_tokens_of(request),
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        grammar=grammar,
    )
    if request.majority_vote is not None and request.temperature is None:
        sampling = replace(sampling, temperature=max(sampling.temperature, VOTING_TEMPERATURE))
    options = wire.options_of(request.reasoning_effort, adapter, lm.thinks, "reasoning_effort")
    messages = wire.messages_of(request.messages)
    return Asked(messages=messages, sampling=sampling, n=n, tools=shown or None, options=options)


async def answer(server: Server, lm: LocalModel, asked: Asked) -> list[Reply]:
    """All replies, in order, and counted."""
    began = time.perf_counter()
    replies = await lm.achat(asked.messages, **asked.keywords())
    count(server, lm.name, replies, time.perf_counter() - began)
    return replies


def count(server: Server, model: str, replies: list[Reply], seconds: float) -> None:
    server.metrics.count("prompt_tokens_total", replies[0].prompt_tokens, model=model)
    server.metrics.count("completion_tokens_total", sum(reply.tokens for reply in replies), model=model)
    server.metrics.histograms["request_seconds"].observe(seconds)


async def _whole(server: Server, request: ChatRequest) -> dict[str, Any]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits.most_samples)
        replies = await answer(server, lm, asked)
        result = _head(server, request, "chat.completion")
        told = replies
        if request.majority_vote is not None:
            winner, result["majority_vote"] = await asyncio.to_thread(vote, replies)
            told = [winner]
        result["choices"] = [
            {
                "index": i,
                "message": _message(reply),
                "finish_reason": reply.finish_reason,
                "logprobs": _logprobs(reply.logprobs),
            }
            for i, reply in enumerate(told)
        ]
        result["usage"] = usage(replies)
        return result


async def _events(server: Server, request: ChatRequest) -> AsyncGenerator[str, None]:
    """The chunks of a streamed answer. A chunk with the role comes before a sample's first, and one with the reason ends it.
    Log-probabilities come with the text of their tokens; those that no text followed, with the end."""
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits.most_samples)
        head, began = _head(server, request, "chat.completion.chunk"), time.perf_counter()
        replies: list[Reply] = []
        calls: Counter[int] = Counter()
        weighed: Counter[int] = Counter()
        begun: set[int] = set()

        def chunk(sample: int, delta: dict[str, Any], **more: Any) -> str:
            choice = {"index": sample, "delta": delta, "finish_reason": None, "logprobs": None, **more}
            return event({**head, "choices": [choice]})

        async with aclosing(lm.astream(asked.messages, **asked.keywords())) as stream:  # type: ignore[type-var]
            async for item in stream:
                if not begun:
                    server.metrics.histograms["time_to_first_token_seconds"].observe(time.perf_counter() - began)
                if item.sample not in begun:
                    begun.add(item.sample)
                    yield chunk(item.sample, {"role": "assistant", "content": ""})
                if isinstance(item, Reply):
                    replies.append(item)
                    logprobs = _logprobs(item.logprobs and item.logprobs[weighed[item.sample] :])
                    yield chunk(item.sample, {}, finish_reason=item.finish_reason, logprobs=logprobs)
                    continue
                weighed[item.sample] += len(item.logprobs or ())
                for i, delta in enumerate(_deltas(item, calls)):
                    yield chunk(item.sample, delta, logprobs=None if i else _logprobs(item.logprobs))
        count(server, lm.name, replies, time.perf_counter() - began)
        if request.stream_options is not None and request.stream_options.include_usage:
            yield event({**head, "choices": [], "usage": usage(replies)})
        yield DONE


def _deltas(item: Delta, calls: Counter[int]) -> list[dict[str, Any]]:
    match item.event:
        case Thought():
            return [{"reasoning_content": item.event.text}]
        case Said():
            return [{"content": item.event.text}]
        case MalformedCall():  # nothing that the model wrote is lost
            return [{"content": item.event.raw}]
        case Call():
            call, index = item.event.call, calls[item.sample]
            calls[item.sample] += 1
            begun = {**call_json(call), "index": index}
            begun["function"] = {"name": call.name, "arguments": ""}
            rest = {"index": index, "function": {"arguments": wire.arguments_text(call)}}
            return [{"tool_calls": [begun]}, {"tool_calls": [rest]}]
        case _:
            return []


def _message(reply: Reply) -> dict[str, Any]:
    calls = [call_json(call) for call in reply.message.tool_calls]
    text = content_of(reply)
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    if reply.message.thinking is not None:
        message["reasoning_content"] = reply.message.thinking
    if calls:
        message["tool_calls"] = calls
    return message


def content_of(reply: Reply) -> str:
    """What was said, and what was meant as a call and is none."""
    return reply.message.text + "".join(reply.malformed)


def call_json(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": wire.arguments_text(call)}
    return {"id": call.id or f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


def _logprobs(tokens: list[TokenLogprob] | None) -> dict[str, Any] | None:
    if tokens is None:
        return None

    def one(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    content = [{**one(t.token, t.logprob), "top_logprobs": [one(*top) for top in t.top]} for t in tokens]
    return {"content": content, "refusal": None}


def usage(replies: list[Reply]) -> dict[str, Any]:
    prompt, completion = replies[0].prompt_tokens, sum(reply.tokens for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(reply.cached_tokens for reply in replies)},
        "completion_tokens_details": {"reasoning_tokens": sum(reply.thought_tokens for reply in replies)},
    }


def _head(server: Server, request: ChatRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model or server.models.default,
    }
