"""A model behind an OpenAI-compatible endpoint: `/chat/completions`, streamed, with retries and a limit on concurrency.

Tested against a stand-in for another company's server. It speaks chat completions only: no text completions, no
embeddings, no responses API, no HTTP redirects. It imports no torch.

One asyncio loop in a thread of its own does all the talking, so that threads and tasks share connections and the limit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import math
import os
import queue
import random
import ssl
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal, TypeVar

import httpx
import msgspec

from phiforge import __version__
from phiforge.chat.render import Tool, function_of
from phiforge.engine.request import Sampling, Scored
from phiforge.lm.base import Conversation, Delta, LanguageModel, Options, Reply
from phiforge.lm.wire import (
    BUSY,
    Choices,
    Failure,
    ServerSentEvents,
    detail_of,
    named_function,
    response_format,
    wire_messages,
)

T = TypeVar("T")
Put = Callable[[Delta | Reply | Exception | None], object]

FIRST_WAIT_S = 0.5  # before the first retry; doubles with each
LONGEST_BACKOFF_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0  # a server that asks for more has a quota that is used up: an error, not a wait
DRAIN_S = 0.5  # for the end of the body after [DONE], without which the connection cannot be used again


class EndpointError(ValueError):
    """The endpoint refused, failed or broke off. `url` and the sentence hold no credentials.

    `status` is the HTTP status, None where there was none; `detail` is the endpoint's own message.
    """

    def __init__(self, sentence: str, *, status: int | None = None, url: str = "", detail: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.url = url
        self.detail = detail


class RemoteModel(LanguageModel):
    """A model that an OpenAI-compatible endpoint serves, `url` as in `http://localhost:8000/v1`.

    - `api_key`: by default from PHIFORGE_API_KEY, or at openai.com OPENAI_API_KEY; "" sends none. Credentials in
      the URL (`https://user:password@host/v1`) go as basic authentication instead.
    - `timeout`: seconds of silence that end a read; `connect_timeout`: seconds to connect.
    - `retries`: how often a request is sent again after a connection error, a timeout or 408, 409, 429 and 5xx. Waits
      double, with jitter, and are never shorter than Retry-After asks. Once output has been yielded nothing is retried.
    - `concurrency`: requests under way at once, over all threads and tasks; one that waits to retry counts.
    - `defaults`: the sampling of calls that give none. Without it such calls leave sampling to the endpoint.
    - `extra`: JSON fields sent as they are, last: they win over what a call says. None takes a field out, as in
      `extra={"stream_options": None}` for a server that does not know it.
    - `reasoning_field`: where the endpoint puts thoughts; by default `reasoning_content` or `reasoning`. `<think>` tags
      in the content are understood as well.
    - `send_thinking`: send the thoughts of earlier turns back in that field. Most endpoints want them left out.
    - `max_tokens_field`: "max_tokens", which nearly all servers know, except at OpenAI and Azure, whose newer models
      accept "max_completion_tokens" only.

    What the OpenAI API has no field for (top_k, min_p, repetition_penalty, stop_ids) is a ValueError, unless `extra`
    says the same. So are regex and Lark grammars, limits of a thought, adapters and scores. Failures of the endpoint
    are an EndpointError. An answer that its content filter cut is one too: a `Reply` has no name for it, and it must
    not pass for an answer.

    A reply's `text` is put together in the notation of `phiforge.chat.parse`, because endpoints send thoughts and calls
    apart. Its `tokens` are the endpoint's usage; with n > 1 that is one sum, shared out by how many pieces (with
    `logprobs`, tokens) came for each sample. Without usage, `tokens` counts pieces and `prompt_tokens` is 0.
    `thought_tokens` and `cached_tokens` are the usage's too, and 0 where it does not say.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        retries: int = 5,
        concurrency: int = 16,
        defaults: Sampling | None = None,
        extra: Mapping[str, Any] | None = None,
        reasoning_field: str | None = None,
        send_thinking: bool = False,
        max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None,
    ) -> None:
        self.name = model
        self.defaults = defaults or Sampling()
        self._sampling = defaults
        self._extra = dict(extra or {})
        if fixed := sorted({"model", "messages", "tools", "n"} & self._extra.keys()):
            raise ValueError(f"extra holds {fixed[0]!r}, which the model and its calls set")
        if concurrency < 1 or retries < 0:
            raise ValueError(f"concurrency must be 1 or more and retries 0 or more, not {concurrency} and {retries}")
        self._url, auth = _address(url)
        self.url = _shown(self._url)
        self._reasoning_fields = (reasoning_field,) if reasoning_field else ("reasoning_content", "reasoning")
        self._thinking_field = self._reasoning_fields[0] if send_thinking else None
        openai = self._url.host.endswith(("api.openai.com", ".openai.azure.com"))
        self._max_tokens_field = max_tokens_field or ("max_completion_tokens" if openai else "max_tokens")
        self._retries = retries
        headers = {"User-Agent": f"phiforge/{__version__}", "Content-Type": "application/json"}
        key = "" if auth else _key(api_key, self._url.host)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._secrets = [secret for secret in (key, auth and auth[1]) if secret]
        self._client = httpx.AsyncClient(
            headers=headers,
            auth=auth,
            verify=_tls(),
            timeout=httpx.Timeout(timeout, connect=connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
        )
        self._slots = asyncio.Semaphore(concurrency)
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="phiforge-remote", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"RemoteModel({self.url!r}, {self.name!r})"

    def stream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> Iterator[Delta | Reply]:
        """See `LanguageModel.stream`. Leaving early closes the connection."""
        items: queue.SimpleQueue[Delta | Reply | Exception | None] = queue.SimpleQueue()
        task = self._start(self._pump(self._body(messages, sampling, n, tools, options), n, items.put))
        try:
            while (item := items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            task.cancel()

    async def astream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> AsyncIterator[Delta | Reply]:
        """See `LanguageModel.astream`. Leaving early closes the connection."""
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Delta | Reply | Exception | None] = asyncio.Queue()

        def put(item: Delta | Reply | Exception | None) -> None:
            with suppress(RuntimeError):  # the reader's loop was closed with the stream still open
                loop.call_soon_threadsafe(items.put_nowait, item)

        task = self._start(self._pump(self._body(messages, sampling, n, tools, options), n, put))
        try:
            while (item := await items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            task.cancel()

    def chat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> list[list[Reply]]:
        """See `LanguageModel.chat_many`. The first that fails cancels the rest."""
        bodies = [self._body(messages, sampling, n, tools, options) for messages in conversations]
        tasks = [self._start(self._replies(body, n)) for body in bodies]
        try:
            done, _ = concurrent.futures.wait(tasks, return_when=concurrent.futures.FIRST_EXCEPTION)
            for task in done:
                task.result()
            return [task.result() for task in tasks]
        except concurrent.futures.CancelledError:
            raise RuntimeError("the model was closed while it was answering") from None
        finally:
            for task in tasks:
                task.cancel()

    def score(self, pairs: Sequence[tuple[str, str]], *, adapter: str | None = None) -> list[Scored]:
        """Raises ValueError: chat completions weigh only what the endpoint itself has written."""
        raise ValueError(
            f"{self.url} cannot score given texts: the chat completions API has no request for it; use a model on this "
            "machine"
        )

    def score_chat(
        self, messages: Conversation, continuations: Sequence[str], *, adapter: str | None = None
    ) -> list[Scored]:
        """Raises ValueError, as `score` does."""
        return self.score(())

    def check(self, sampling: Sampling | None = None, options: Options | None = None) -> None:
        """See `LanguageModel.check`; it asks the endpoint nothing."""
        self._fields(sampling, options)

    def close(self) -> None:
        """Close the connections and end the thread; streams that are still open raise RuntimeError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- in the loop's thread --------------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._lock:
            if self._closed:
                work.close()
                raise RuntimeError("the model has been closed")
            if not self._thread.is_alive():  # threads do not survive a fork; waiting for this one would never end
                work.close()
                raise RuntimeError("the model was opened in another process: open it in this one")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _pump(self, body: bytes, n: int, put: Put) -> None:
        """Hand an answer over item by item, then None, or the error that ended it."""
        try:
            async with aclosing(self._answer(body, n)) as items:
                async for item in items:
                    put(item)
        except asyncio.CancelledError:
            put(RuntimeError("the model was closed while it was answering"))
            raise
        except Exception as error:
            put(error)
        else:
            put(None)

    async def _replies(self, body: bytes, n: int) -> list[Reply]:
        async with aclosing(self._answer(body, n)) as items:
            return [item async for item in items if isinstance(item, Reply)]

    async def _answer(self, body: bytes, n: int) -> AsyncGenerator[Delta | Reply, None]:
        """One request, sent again while that may help and nothing has been yielded."""
        async with self._slots:
            for tried in itertools.count(1):
                begun = False
                try:
                    async with aclosing(self._attempt(body, n)) as items:
                        async for item in items:
                            begun = True
                            yield item
                    return
                except Failure as failure:
                    asked = failure.retry_after or 0.0
                    if begun or not failure.transient or tried > self._retries or asked > LONGEST_RETRY_AFTER_S:
                        raise self._error(failure, tried) from None
                    backoff = min(FIRST_WAIT_S * 2 ** (tried - 1), LONGEST_BACKOFF_S)
                await asyncio.sleep(asked + backoff * random.uniform(0.5, 1))

    async def _attempt(self, body: bytes, n: int) -> AsyncGenerator[Delta | Reply, None]:
        choices, events = Choices(n, self._reasoning_fields), ServerSentEvents()
        try:
            async with self._client.stream("POST", self._url, content=body) as response:
                if not response.is_success:
                    raise _refusal(response, await response.aread())
                content_type = response.headers.get("content-type", "")
                if "html" in content_type:
                    raise Failure("answered with a web page: such URLs mostly end in /v1", transient=False)
                if "json" in content_type:  # a server that does not stream
                    for item in [*choices.take((await response.aread()).decode(errors="replace")), *choices.finish()]:
                        yield item
                    return
                pieces = response.aiter_bytes()
                while not choices.done and (piece := await anext(pieces, None)) is not None:
                    for item in [item for data in events.feed(piece) for item in choices.take(data)]:
                        yield item
                for item in [item for data in events.finish() for item in choices.take(data)]:
                    yield item
                for item in choices.finish():
                    yield item
                with suppress(TimeoutError, httpx.TransportError):
                    async with asyncio.timeout(DRAIN_S):
                        async for _ in pieces:
                            pass
        except (httpx.TransportError, httpx.DecodingError) as error:
            what = {
                httpx.ConnectTimeout: "no connection in time",
                httpx.ReadTimeout: "it was silent for too long",
            }.get(type(error), str(error) or type(error).__name__)
            raise Failure(f"failed: {what}", transient=not isinstance(error, httpx.UnsupportedProtocol)) from None

    async def _shut(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._client.aclose()

    def _error(self, failure: Failure, tried: int) -> EndpointError:
        said, detail = str(failure), failure.detail
        if failure.status in (401, 403):
            said += " (the key is `api_key`, else PHIFORGE_API_KEY or OPENAI_API_KEY)"
        if (asked := failure.retry_after or 0.0) > LONGEST_RETRY_AFTER_S:
            said += f" (it asks to wait {asked:.0f} s)"
        if tried > 1:
            said += f" (tried {tried} times)"
        for secret in self._secrets:  # some servers repeat the key they refuse
            said, detail = said.replace(secret, "[key]"), detail.replace(secret, "[key]")
        return EndpointError(f"{self.url} {said}", status=failure.status, url=self.url, detail=detail)

    # --- the request -----------------------------------------------------------------------------------------------

    def _body(
        self,
        messages: Conversation,
        sampling: Sampling | None,
        n: int,
        tools: Sequence[Tool] | None,
        options: Options | None = None,
    ) -> bytes:
        """The request as JSON. Raises ValueError for what the API cannot say."""
        if n < 1:
            raise ValueError(f"n must be 1 or more, not {n}")
        body: dict[str, Any] = {"model": self.name, "messages": wire_messages(messages, self._thinking_field)}
        if n > 1:
            body["n"] = n
        if tools:
            body["tools"] = [{"type": "function", "function": named_function(function_of(tool))} for tool in tools]
        body |= self._fields(sampling, options)
        body |= {"stream": True, "stream_options": {"include_usage": True}, **self._extra}
        for name, value in self._extra.items():
            if value is None:
                del body[name]
        return msgspec.json.encode(body)

    def _fields(self, sampling: Sampling | None, options: Options | None) -> dict[str, Any]:
        """What the sampling and the options say in the API's words. Raises ValueError for what it has none for."""
        if options is not None and options.adapter is not None:
            raise ValueError(
                f"adapter is {options.adapter!r}, but the OpenAI API has no such field; servers that have adapters list "
                "them as models: open the one you mean"
            )
        for name in ("think_limit", "think_soft_limit"):
            if (limit := getattr(options, name, None)) is not None:
                raise ValueError(
                    f"{name} is {limit}, but the OpenAI API has no such field; limit a thought of a model on this machine"
                )
        sampling = sampling or self._sampling
        return self._sampling_fields(sampling) if sampling else {}

    def _sampling_fields(self, sampling: Sampling) -> dict[str, Any]:
        if sampling.thinking is not None:
            raise ValueError("the OpenAI API has no field for the sampling's `thinking`; leave it out")
        for name, field, off in (
            ("top_k", "top_k", 0),
            ("min_p", "min_p", 0),
            ("repetition_penalty", "repetition_penalty", 1),
            ("stop_ids", "stop_token_ids", ()),
        ):
            value = getattr(sampling, name)
            plain = list(value) if isinstance(value, tuple) else value
            if value != off and self._extra.get(field) != plain:
                also = f", not {self._extra[field]!r}" if field in self._extra else ""
                raise ValueError(
                    f"{name} is {plain!r}, but the OpenAI API has no such field; if {self.url} knows it, open the model "
                    f"with extra={{{field!r}: {plain!r}}}{also}"
                )
        # These two go out even at 1.0: servers have defaults of their own (vLLM takes the checkpoint's).
        fields: dict[str, Any] = {"temperature": sampling.temperature, "top_p": sampling.top_p}
        for name in ("frequency_penalty", "presence_penalty"):
            if value := getattr(sampling, name):
                fields[name] = value
        if sampling.logit_bias:
            for id, bias in sampling.logit_bias.items():
                if not math.isfinite(bias):
                    raise ValueError(
                        f"logit_bias of token {id} is {bias}, which JSON cannot say; -100 forbids a token"
                    )
            fields["logit_bias"] = {str(id): bias for id, bias in sampling.logit_bias.items()}
        if sampling.grammar is not None:
            fields["response_format"] = response_format(sampling.grammar)
        if sampling.seed is not None:
            fields["seed"] = sampling.seed
        if sampling.max_tokens is not None:
            fields[self._max_tokens_field] = sampling.max_tokens
        if sampling.stop:
            fields["stop"] = sampling.stop
        if sampling.logprobs is not None:
            fields["logprobs"] = True
            if sampling.logprobs:
                fields["top_logprobs"] = sampling.logprobs
        return fields


# --- addresses and failures ----------------------------------------------------------------------------------------


@cache
def _tls() -> ssl.SSLContext:
    """One for all models: reading the certificates takes 50 ms."""
    return httpx.create_ssl_context()


def _address(url: str) -> tuple[httpx.URL, tuple[str, str] | None]:
    """Where to post to, and the user and password that the URL holds."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("the endpoint's URL cannot be read; it looks like http://localhost:8000/v1") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"{_shown(parsed)!r} is not an endpoint's URL; it looks like http://localhost:8000/v1")
    auth = (parsed.username, parsed.password) if parsed.userinfo else None
    path = parsed.path.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
    return parsed.copy_with(path=path, userinfo=b"", fragment=None), auth


def _shown(url: httpx.URL) -> str:
    """A URL as it may be told: without credentials, and without the query, which may hold some."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _key(given: str | None, host: str) -> str:
    """The key to send: the one given, or PHIFORGE_API_KEY, or at OpenAI's own hosts (and at no other) OPENAI_API_KEY."""
    key = given
    if key is None:
        key = os.environ.get("PHIFORGE_API_KEY", "")
        if not key and (host == "openai.com" or host.endswith(".openai.com")):
            key = os.environ.get("OPENAI_API_KEY", "")
    key = key.strip()
    if not (key.isascii() and (key.isprintable() and " " not in key)):
        raise ValueError("the API key holds spaces or characters that no HTTP header can carry")  # and is not told
    return key


def _refusal(response: httpx.Response, body: bytes) -> Failure:
    status = response.status_code
    detail = detail_of(body) or response.reason_phrase
    if response.has_redirect_location:
        detail = f"it redirects to {_shown(response.url.join(response.headers['location']))}; give that address"
    return Failure(
        f"answered {status}: {detail}",
        transient=status in BUSY or status >= 500,
        status=status,
        detail=detail,
        retry_after=_retry_after(response.headers),
    )


def _retry_after(headers: httpx.Headers) -> float | None:
    """The seconds a server asks to wait; its header gives seconds, milliseconds or a date (RFC 9110, 10.2.3)."""
    with suppress(ValueError):
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
    asked = headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
