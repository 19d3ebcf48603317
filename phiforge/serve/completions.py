"""`/v1/completions`, `/tokenize` and `/detokenize`: plain text, without a chat format."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.engine.driver import Stream
from phiforge.engine.request import Finished, Sampling, Score, Scored, Token
from phiforge.engine.request import Request as Continue
from phiforge.lm.local import LocalModel
from phiforge.lm.scoring import start
from phiforge.serve import body, tools, wire
from phiforge.serve.answering import DONE, answering, event, event_stream
from phiforge.serve.errors import APIError, unsupported
from phiforge.serve.server import Server, while_connected

MAX_TOKENS = 16  # where a request names none, as OpenAI has it
MOST_TOP = 20


# A text, or its token ids; or several of either.
Texts = str | list[str | int | list[int]]


class CompletionRequest(wire.SamplingFields, kw_only=True):
    prompt: Texts
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    logprobs: int | None = None
    stream_options: wire.StreamOptions | None = None


@dataclass
class Choice:
    """One sample of one prompt while it is written: token ids with their log-probabilities, where asked for."""

    text: str = ""
    tokens: list[str] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)
    top: list[dict[str, float] | None] = field(default_factory=list)
    reason: str = "length"
    generated: int = 0

    def logprobs_json(self, since: int = 0, offset: int = 0) -> dict[str, Any]:
        """The legacy shape, of the tokens from number `since` on; `offset` is where the first one's text begins."""
        offsets = []
        for token in self.tokens[since:]:
            offsets.append(offset)
            offset += len(token)
        return {
            "tokens": self.tokens[since:],
            "token_logprobs": self.logprobs[since:],
            "top_logprobs": self.top[since:],
            "text_offset": offsets,
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    prompts: list[list[int]]
    sampling: Sampling
    n: int
    echo: bool
    generates: bool
    adapter: str | None


def understand(lm: LocalModel, adapter: str | None, request: CompletionRequest, most_samples: int) -> Asked:
    """Raises APIError for what cannot be done, by the name of the field."""
    wire.within("n", request.n, 1, most_samples)
    wire.within("logprobs", request.logprobs, 0, MOST_TOP)
    n = request.n or 1
    if request.best_of is not None and request.best_of != n:
        raise unsupported("best_of", "ask for n, and choose")
    most = MAX_TOKENS if request.max_tokens is None else request.max_tokens
    wire.within("max_tokens", most, 0 if request.echo else 1, 1 << 30)
    sampling = wire.sampling_of(
        request, lm.defaults, max_tokens=max(most, 1), logprobs=request.logprobs, stop_ids=lm.format.stop_ids
    )
    return Asked(
        prompts=prompts_of(lm, request.prompt),
        sampling=sampling,
        n=n,
        echo=bool(request.echo),
        generates=most > 0,
        adapter=adapter,
    )


def prompts_of(lm: LocalModel, prompt: Texts, param: str = "prompt") -> list[list[int]]:
    """Token ids of each prompt. An empty one begins with the token that stands before texts."""
    parts = [prompt] if isinstance(prompt, str) else prompt
    if not parts:
        raise APIError(f"{param} is empty", param=param)
    single = [part for part in parts if isinstance(part, int)]
    if single and len(single) < len(parts):
        raise APIError(f"{param} mixes token ids with whole texts", param=param)
    several = [single] if single else [part for part in parts if not isinstance(part, int)]
    found = [lm.tokenizer.encode(part) if isinstance(part, str) else list(part) for part in several]
    vocabulary = lm.network.config.vocab_size
    for ids in found:
        if any(not 0 <= id < vocabulary for id in ids):
            raise APIError(f"{param} has a token id outside the vocabulary of {vocabulary}", param=param)
        if not ids:
            ids.append(start(lm.tokenizer))
    return found


async def completions(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, CompletionRequest)
    if request.stream:
        return await event_stream(http, _events(server, request))
    if request.stream_options is not None:
        raise APIError("stream_options is for streams only", param="stream_options")
    return JSONResponse(await while_connected(http, _whole(server, request)))


async def _whole(server: Server, request: CompletionRequest) -> dict[str, Any]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits.most_samples)
        began = time.perf_counter()
        # All at once, so that prompts share the engine; what one of them raises ends the others.
        tasks = [asyncio.create_task(_choices(lm, asked, ids)) for ids in asked.prompts]
        try:
            choices = [choice for several in await asyncio.gather(*tasks) for choice in several]
        finally:
            for task in tasks:
                task.cancel()
        _count(server, lm, asked, choices, time.perf_counter() - began)
        told = [
            {
                "index": i,
                "text": choice.text,
                "finish_reason": choice.reason,
                "logprobs": None if request.logprobs is None else choice.logprobs_json(),
            }
            for i, choice in enumerate(choices)
        ]
        return {**_head(server, request), "choices": told, "usage": _usage(asked, choices)}


async def _choices(lm: LocalModel, asked: Asked, ids: list[int]) -> list[Choice]:
    choices = [Choice() for _ in range(asked.n)]
    if asked.echo:
        echoed = await _echo(lm, asked, ids)
        for choice in choices:
            choice.text, choice.tokens = echoed.text, list(echoed.tokens)
            choice.logprobs, choice.top = list(echoed.logprobs), list(echoed.top)
    if asked.generates:
        async for sample, _ in _written(lm, asked, ids, choices):
            assert 0 <= sample < asked.n
    return choices


async def _written(
    lm: LocalModel, asked: Asked, ids: list[int], choices: list[Choice]
) -> AsyncGenerator[tuple[int, str], None]:
    """Fills the choices, and tells whose text has grown by what."""
    stream = lm.submit(Continue(prompt=ids, n=asked.n, sampling=asked.sampling, adapter=asked.adapter))
    try:
        async for item in stream:
            assert isinstance(item, Token | Finished)
            choice = choices[item.sample]
            choice.text += item.text
            if isinstance(item, Token):
                choice.generated += 1
                if item.logprob is not None:
                    choice.tokens.append(_text(lm, item.id))
                    choice.logprobs.append(item.logprob)
                    choice.top.append({_text(lm, id): value for id, value in item.top_logprobs})
            else:
                choice.reason = item.reason
            yield item.sample, item.text
    finally:
        stream.cancel()


async def _echo(lm: LocalModel, asked: Asked, ids: list[int]) -> Choice:
    """The prompt itself, its tokens weighed where log-probabilities are asked for. The first follows nothing."""
    choice = Choice(text=lm.tokenizer.decode(ids, skip_special=False))
    if asked.sampling.logprobs is None:
        return choice
    choice.tokens, choice.logprobs, choice.top = [_text(lm, id) for id in ids], [None], [None]
    if len(ids) == 1:
        return choice
    stream: Stream = lm.submit(Score(prompt=ids[:1], continuation=ids[1:], adapter=asked.adapter))
    try:
        async for item in stream:
            assert isinstance(item, Scored)
            choice.logprobs += item.logprobs
            for id, logprob, (best, value) in zip(ids[1:], item.logprobs, item.likeliest, strict=True):
                choice.top.append({_text(lm, best): value, _text(lm, id): logprob})
    finally:
        stream.cancel()
    return choice


async def _events(server: Server, request: CompletionRequest) -> AsyncGenerator[str, None]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits.most_samples)
        head, began = _head(server, request), time.perf_counter()
        everyone: list[Choice] = []

        def chunk(index: int, text: str, logprobs: dict[str, Any] | None = None, reason: str | None = None) -> str:
            choice = {"index": index, "text": text, "finish_reason": reason, "logprobs": logprobs}
            return event({**head, "choices": [choice]})

        for ids in asked.prompts:
            first = len(everyone)
            choices = [Choice() for _ in range(asked.n)]
            everyone += choices
            if asked.echo:
                echoed = await _echo(lm, asked, ids)
                weighed = None if request.logprobs is None else echoed.logprobs_json()
                for i in range(asked.n):
                    yield chunk(first + i, echoed.text, weighed)
            if asked.generates:
                told = [0] * asked.n
                async for sample, text in _written(lm, asked, ids, choices):
                    choice, logprobs = choices[sample], None
                    if request.logprobs is not None and len(choice.tokens) > told[sample]:
                        logprobs = choice.logprobs_json(told[sample], len(choice.text) - len(text))
                        told[sample] = len(choice.tokens)
                    if text or logprobs:
                        yield chunk(first + sample, text, logprobs)
            for i, choice in enumerate(choices):
                yield chunk(first + i, "", None, choice.reason)
        _count(server, lm, asked, everyone, time.perf_counter() - began)
        if request.stream_options is not None and request.stream_options.include_usage:
            yield event({**head, "choices": [], "usage": _usage(asked, everyone)})
        yield DONE


def _text(lm: LocalModel, id: int) -> str:
    return lm.tokenizer.decode([id], skip_special=False)


def _count(server: Server, lm: LocalModel, asked: Asked, choices: list[Choice], seconds: float) -> None:
    server.metrics.count("prompt_tokens_total", sum(map(len, asked.prompts)), model=lm.name)
    server.metrics.count("completion_tokens_total", sum(choice.generated for choice in choices), model=lm.name)
    server.metrics.histograms["request_seconds"].observe(seconds)


def _usage(asked: Asked, choices: list[Choice]) -> dict[str, int]:
    prompt, completion = sum(map(len, asked.prompts)), sum(choice.generated for choice in choices)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _head(server: Server, request: CompletionRequest) -> dict[str, Any]:
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": request.model or server.models.default,
    }


# --- tokens ----------------------------------------------------------------------------------------------------------


class TokenizeRequest(wire.Record, kw_only=True):
    """Either `text`, or `messages` and `tools` as the chat format writes them for an answer."""

    model: str | None = None
    text: str | None = None
    messages: list[wire.ChatMessage] | None = None
    tools: list[wire.Tool] | None = None
    special: Literal["text", "tokens"] = "text"  # what the special tokens in `text` are


class DetokenizeRequest(wire.Record, kw_only=True):
    tokens: list[int]
    model: str | None = None


async def tokenize(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, TokenizeRequest)
    if (request.text is None) == (request.messages is None):
        raise APIError("give either text or messages", param="text")
    async with answering(server, request.model) as (lm, _):
        if request.messages is not None:
            shown = tools.offered([tool.function for tool in request.tools or []]) or None
            messages = wire.messages_of(request.messages)
            ids = (await asyncio.to_thread(lm.format.render, messages, tools=shown)).ids
        else:
            special = request.special == "tokens"
            ids = await asyncio.to_thread(lm.tokenizer.encode, request.text or "", specials=special)
    return JSONResponse({"tokens": list(ids), "count": len(ids)})


async def detokenize(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, DetokenizeRequest)
    async with answering(server, request.model) as (lm, _):
        ids = prompts_of(lm, [request.tokens], "tokens")[0] if request.tokens else []
        return JSONResponse({"text": lm.tokenizer.decode(ids, skip_special=False)})


routes: list[BaseRoute] = [
    Route("/v1/completions", completions, methods=["POST"]),
    Route("/tokenize", tokenize, methods=["POST"]),
    Route("/detokenize", detokenize, methods=["POST"]),
]
