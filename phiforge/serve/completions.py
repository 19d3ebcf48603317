"""`/v1/completions`, `/tokenize` and `/detokenize`: plain text, without a chat format.

Log-probabilities have the legacy shape. A token that is no whole character is named by its bytes, as in `bytes:\\xe2\\x80`,
so that tokens stay apart; an echoed prompt's tokens are weighed beside the likeliest one only, however many are asked for.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.chat.detokenizer import Detokenizer
from phiforge.engine.driver import Stream
from phiforge.engine.request import Finished, Sampling, Score, Scored, Token
from phiforge.engine.request import Request as Continue
from phiforge.lm.local import LocalModel
from phiforge.lm.scoring import start
from phiforge.serve import body, tools, wire
from phiforge.serve.answering import DONE, answering, event, event_stream
from phiforge.serve.errors import APIError, unsupported
from phiforge.serve.server import Limits, Server, while_connected

MAX_TOKENS = 16  # where a request names none, as OpenAI has it
MOST_TOP = 20


# A text, or its token ids; or several of either.
Texts = str | list[str | int | list[int]]
Ranked = Sequence[tuple[int, float]]  # token ids with their log-probabilities


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
    offsets: list[int] = field(default_factory=list)  # where in the text each token begins
    end: int = 0  # where the next one will
    reason: str = "length"
    generated: int = 0

    def weigh(self, lm: LocalModel, decoder: Detokenizer, id: int, logprob: float | None, top: Ranked) -> None:
        """Take in a token and its log-probability, None where it follows nothing. `decoder` has read those before it."""
        self.tokens.append(_name(lm, id))
        self.logprobs.append(logprob)
        self.offsets.append(self.end)
        self.end += len(decoder.feed(id))
        if logprob is None:
            self.top.append(None)
            return
        named: dict[str, float] = {}
        for other, value in sorted([*top, (id, logprob)], key=lambda pair: -pair[1]):
            named.setdefault(_name(lm, other), value)  # of two that are written alike, the likelier
        self.top.append(named)

    def logprobs_json(self, since: int = 0) -> dict[str, Any]:
        """The legacy shape, of the tokens from number `since` on."""
        return {
            "tokens": self.tokens[since:],
            "token_logprobs": self.logprobs[since:],
            "top_logprobs": self.top[since:],
            "text_offset": self.offsets[since:],
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    prompts: list[list[int]]
    sampling: Sampling
    n: int
    echo: bool
    generates: bool
    adapter: str | None


def understand(lm: LocalModel, adapter: str | None, request: CompletionRequest, limits: Limits) -> Asked:
    """Raises APIError for what cannot be done, by the name of the field."""
    wire.within("n", request.n, 1, limits.most_samples)
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
        prompts=prompts_of(lm, request.prompt, limits.most_texts // n),
        sampling=sampling,
        n=n,
        echo=bool(request.echo),
        generates=most > 0,
        adapter=adapter,
    )


def prompts_of(lm: LocalModel, prompt: Texts, most: int, param: str = "prompt") -> list[list[int]]:
    """Token ids of each prompt, of which there may be `most`. An empty one begins with the token that stands before texts."""
    parts = [prompt] if isinstance(prompt, str) else prompt
    if not parts:
        raise APIError(f"{param} is empty", param=param)
    single = [part for part in parts if isinstance(part, int)]
    if single and len(single) < len(parts):
        raise APIError(f"{param} mixes token ids with whole texts", param=param)
    several = [single] if single else [part for part in parts if not isinstance(part, int)]
    if len(several) > most:
        raise APIError(f"{param} has {len(several)} texts, and at most {most} are taken at once", param=param)
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
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits)
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
            choice.text, choice.tokens, choice.offsets = echoed.text, list(echoed.tokens), list(echoed.offsets)
            choice.logprobs, choice.top = list(echoed.logprobs), list(echoed.top)
    if asked.generates:
        async for sample, _ in _written(lm, asked, ids, choices):
            assert 0 <= sample < asked.n
    return choices


async def _written(
    lm: LocalModel, asked: Asked, ids: list[int], choices: list[Choice]
) -> AsyncGenerator[tuple[int, str], None]:
    """Fills the choices, and tells whose text has grown by what."""
    decoders = [lm.tokenizer.detokenizer(skip_special=False) for _ in choices]
    for choice in choices:
        choice.end = len(choice.text)
    stream = lm.submit(Continue(prompt=ids, n=asked.n, sampling=asked.sampling, adapter=asked.adapter))
    try:
        async for item in stream:
            assert isinstance(item, Token | Finished)
            choice = choices[item.sample]
            choice.text += item.text
            if isinstance(item, Token):
                choice.generated += 1
                if item.logprob is not None:
                    choice.weigh(lm, decoders[item.sample], item.id, item.logprob, item.top_logprobs)
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
    decoder = lm.tokenizer.detokenizer(skip_special=False)
    choice.weigh(lm, decoder, ids[0], None, ())
    if len(ids) == 1:
        return choice
    stream: Stream = lm.submit(Score(prompt=ids[:1], continuation=ids[1:], adapter=asked.adapter))
    try:
        async for item in stream:
            assert isinstance(item, Scored)
            for id, logprob, best in zip(ids[1:], item.logprobs, item.likeliest, strict=True):
                choice.weigh(lm, decoder, id, logprob, [best] if asked.sampling.logprobs else [])
    finally:
        stream.cancel()
    return choice


async def _events(server: Server, request: CompletionRequest) -> AsyncGenerator[str, None]:
    async with answering(server, request.model) as (lm, adapter):
        asked = await asyncio.to_thread(understand, lm, adapter, request, server.limits)
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
                for i, choice in enumerate(choices):
                    choice.text = echoed.text
                    yield chunk(first + i, echoed.text, weighed)
            if asked.generates:
                told = [0] * asked.n
                async for sample, text in _written(lm, asked, ids, choices):
                    choice, logprobs = choices[sample], None
                    if request.logprobs is not None and len(choice.tokens) > told[sample]:
                        logprobs = choice.logprobs_json(told[sample])
                        told[sample] = len(choice.tokens)
                    if text or logprobs:
                        yield chunk(first + sample, text, logprobs)
            for i, choice in enumerate(choices):
                yield chunk(first + i, "", None, choice.reason)
        _count(server, lm, asked, everyone, time.perf_counter() - began)
        if request.stream_options is not None and request.stream_options.include_usage:
            yield event({**head, "choices": [], "usage": _usage(asked, everyone)})
        yield DONE


def _name(lm: LocalModel, id: int) -> str:
    """A token's text, or where its bytes are no text by themselves, those."""
    data = lm.token_bytes[id] if id < len(lm.token_bytes) else b""  # the embedding may have rows that no token uses
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


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
        ids = prompts_of(lm, [request.tokens], 1, "tokens")[0] if request.tokens else []
        return JSONResponse({"text": lm.tokenizer.decode(ids, skip_special=False)})


routes: list[BaseRoute] = [
    Route("/v1/completions", completions, methods=["POST"]),
    Route("/tokenize", tokenize, methods=["POST"]),
    Route("/detokenize", detokenize, methods=["POST"]),
]
