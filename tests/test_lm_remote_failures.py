"""RemoteModel where things go wrong: streams cut anywhere, busy, silent and broken endpoints, and secrets that stay so."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from typing import Any

import pytest
from endpoint import CUT, DONE, HANG, KEY, Act, Handler, Server, answers, delta, drops, event, hangs, raw, sends, usage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phiforge.chat.parse import Said
from phiforge.lm import Delta, Reply
from phiforge.lm import remote as remote_module
from phiforge.lm.remote import EndpointError, RemoteModel
from phiforge.lm.wire import Choices, ServerSentEvents
from phiforge.records import Message

HI = [Message("user", "Hi")]


# --- the event stream ----------------------------------------------------------------------------------------------


def read(pieces: list[bytes]) -> list[Any]:
    events, choices = ServerSentEvents(), Choices(2)
    items = [item for piece in pieces for data in events.feed(piece) for item in choices.take(data)]
    return [*items, *(item for data in events.finish() for item in choices.take(data)), *choices.finish()]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["<think>", "</think>", "\u2028", "\x85", "data: x\n\n", "\r\n", "<|tool_call|>[", "😀"]
)
fields = st.one_of(
    st.fixed_dictionaries({"content": texts}),
    st.fixed_dictionaries({"reasoning_content": texts}),
    st.builds(
        lambda i, a: {"tool_calls": [{"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": a}}]},
        st.integers(0, 2),
        texts,
    ),
)
chunks = st.lists(st.builds(lambda i, f: delta(i, **f), st.integers(0, 1), fields), max_size=8)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """An event stream with comments, other fields, any line ending, and JSON over several data lines."""
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = draw(st.sampled_from([[], ["\ufeff: hello"], [""]]))
    for chunk in [*draw(chunks), delta(0, finish="stop"), delta(1, finish="length"), usage(1, 2)]:
        indent, ascii = draw(st.sampled_from([None, 0, 1])), draw(st.booleans())
        lines += draw(st.sampled_from([[], [": ping"], [": ping", ""], ["event: message", "id: 7"], ["retry"]]))
        colon = draw(st.sampled_from(["data: ", "data:"]))
        lines += [colon + line for line in json.dumps(chunk, indent=indent, ensure_ascii=ascii).split("\n")]
        lines += [""]
    lines += draw(st.sampled_from([["data: [DONE]", "", ""], ["data:[DONE]", ""], ["data: [DONE]"], []]))
    return newline.join(lines).encode()


@settings(max_examples=100, deadline=None)
@given(streams(), st.lists(st.integers(0, 4000), max_size=12))
@example(b"data: {\r\ndata: }\r\n\r\n" + event(delta(0, "stop")) + event(delta(1, "stop", content="é")), [])
def test_any_split_of_the_bytes_gives_the_same_deltas(stream: bytes, cuts: list[int]) -> None:
    whole = read([stream])
    assert [item.sample for item in whole if isinstance(item, Reply)] == [0, 1]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert read([stream[a:b] for a, b in pairwise(edges)]) == whole
    assert read([stream[i : i + 1] for i in range(len(stream))]) == whole


def test_events_as_the_standard_reads_them() -> None:
    stream = b"\xef\xbb\xbfdata:  two spaces\ndata:and more\ndata\n\n: comment\n\nevent: x\n\ndata: open"
    events = ServerSentEvents()
    assert events.feed(stream) == [" two spaces\nand more\n"]
    assert events.finish() == ["open"]


def test_bytes_split_anywhere_over_the_network(server: Server, remote: RemoteModel) -> None:
    stream = event(delta(content="naïve 😀")) + b": ping\r\n\r\n" + event(delta(finish="stop")) + DONE
    server.script = [raw(*(stream[i : i + 1] for i in range(len(stream))))]
    assert remote.chat(HI)[0].text == "naïve 😀"


# --- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(server: Server, remote: RemoteModel, status: int) -> None:
    server.script = [answers(status), answers(status)]
    assert remote.chat(HI)[0].text == "Hello"
    assert len(server.asked) == 3
    assert server.asked[0] == server.asked[2]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(drops, id="dropped before the answer"),
        pytest.param(raw(CUT), id="cut after the headers"),
        pytest.param(raw(), id="an empty stream"),
        pytest.param(raw(event(delta(role="assistant", content="")), CUT), id="cut before any text"),
        pytest.param(sends({"error": {"message": "overloaded", "code": 503}}), id="an error before any text"),
        pytest.param(answers(200, {"error": {"message": "overloaded"}}), id="an error with status 200"),
    ],
)
def test_an_answer_that_never_began_is_asked_for_again(server: Server, remote: RemoteModel, act: Act) -> None:
    server.script = [act]
    assert remote.chat(HI)[0].text == "Hello"
    assert len(server.asked) == 2


def test_silence_before_the_first_byte_is_asked_again(server: Server, opened: Callable[..., RemoteModel]) -> None:
    server.script = [hangs]
    assert opened(timeout=0.2).chat(HI)[0].text == "Hello"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        pytest.param([CUT], "failed: ", id="connection cut"),
        pytest.param([{"error": {"message": "out of memory", "code": 500}}], "out of memory", id="error object"),
        pytest.param([{"object": "error", "message": "CUDA error", "code": 500}], "CUDA error", id="older vLLM"),
        pytest.param([b"data: {oops\n\n"], "no chat completion", id="no JSON"),
        pytest.param([delta(content=[1])], "no chat completion.*content", id="unknown content"),
        pytest.param([HANG], "silent", id="silence"),
    ],
)
def test_what_breaks_after_output_is_not_retried(
    server: Server, opened: Callable[..., RemoteModel], ending: list[Any], told: str
) -> None:
    server.script = [sends(delta(content="Once "), *ending)]
    stream = opened(timeout=0.3).stream(HI)
    assert next(stream) == Delta(0, Said("Once "))
    with pytest.raises(EndpointError, match=told):
        list(stream)
    assert len(server.asked) == 1


def test_a_stream_that_ends_too_early_is_an_error(server: Server, remote: RemoteModel) -> None:
    server.script = [raw(event(delta(content="Once ")))]
    with pytest.raises(EndpointError, match="broke off"):
        remote.chat(HI)


def test_retries_come_to_an_end(server: Server, opened: Callable[..., RemoteModel]) -> None:
    server.otherwise = answers(503, {"detail": "loading"})
    with pytest.raises(EndpointError, match=r"answered 503: loading \(tried 3 times\)") as caught:
        opened(retries=2).chat(HI)
    assert (caught.value.status, caught.value.detail, caught.value.url) == (
        503,
        "loading",
        f"{server.url}/chat/completions",
    )
    assert len(server.asked) == 3


def test_nobody_listens(opened: Callable[..., RemoteModel]) -> None:
    remote = opened("http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(
        EndpointError, match=r"http://127.0.0.1:9/v1/chat/completions failed: .*tried 2 times"
    ) as caught:
        remote.chat(HI)
    assert caught.value.status is None
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [{"Retry_After": "0.4"}, {"retry_after_ms": "400"}, {"Retry_After": "date"}],
    ids=["seconds", "milliseconds", "date"],
)
def test_retry_after(server: Server, remote: RemoteModel, headers: dict[str, str]) -> None:
    if "date" in headers.values():
        headers = {"Retry_After": formatdate(time.time() + 1.5, usegmt=True)}  # whole seconds: 0.5 to 1.5 s from now
    server.script = [answers(429, **headers)]
    remote.chat(HI)
    waited = server.times[1] - server.times[0]
    assert 0.39 <= waited < 2


def test_a_wait_that_is_too_long_is_an_error(server: Server, remote: RemoteModel) -> None:
    server.script = [answers(429, Retry_After="7200")]
    with pytest.raises(EndpointError, match=r"asks to wait 7200 s"):
        remote.chat(HI)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body", [{"error": {"message": "no x"}}, {"error": "no x"}, {"message": "no x"}, [{"detail": "no x"}]]
)
def test_a_refusal_is_not_retried(server: Server, remote: RemoteModel, body: Any) -> None:
    server.script = [answers(404, body)]
    with pytest.raises(EndpointError, match=r"answered 404: no x$") as caught:
        remote.chat(HI)
    assert isinstance(caught.value, ValueError)
    assert len(server.asked) == 1


def test_a_web_page_is_no_answer(server: Server, remote: RemoteModel) -> None:
    def page(handler: Handler) -> None:
        handler.start(Content_Type="text/html", Content_Length="6")
        handler.wfile.write(b"<html>")

    server.script = [page]
    with pytest.raises(EndpointError, match="web page: such URLs mostly end in /v1"):
        remote.chat(HI)


def test_redirects_are_told_and_not_followed(server: Server, remote: RemoteModel) -> None:
    server.script = [answers(308, Location="https://user:pw@elsewhere.test/v1?key=x")]
    with pytest.raises(EndpointError, match=r"answered 308: it redirects to https://elsewhere.test/v1; give that"):
        remote.chat(HI)


# --- secrets -------------------------------------------------------------------------------------------------------


def test_keys_come_from_the_environment(
    server: Server, opened: Callable[..., RemoteModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened().chat(HI)
    monkeypatch.setenv("OPENAI_API_KEY", "openais\n")  # which is nobody else's business
    opened().chat(HI)
    monkeypatch.setenv("PHIFORGE_API_KEY", "ours\n")
    opened().chat(HI)
    opened(api_key="").chat(HI)
    assert [headers.get("authorization") for headers in server.headers] == [None, None, "Bearer ours", None]
    monkeypatch.delenv("PHIFORGE_API_KEY")
    assert remote_module._key(None, "api.openai.com") == "openais"
    assert remote_module._key(None, "notopenai.com") == ""


def test_secrets_are_told_to_nobody(
    server: Server, opened: Callable[..., RemoteModel], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.otherwise = answers(401, {"error": {"message": f"Incorrect API key: {KEY}"}})
    address = server.url.removeprefix("http://")
    for remote in (opened(api_key=KEY), opened(f"http://me:{KEY}@{address}")):
        with pytest.raises(
            EndpointError, match=r"answered 401: Incorrect API key: \[key\].*PHIFORGE_API_KEY"
        ) as caught:
            remote.chat(HI)
        for told in (
            str(caught.value),
            repr(caught.value),
            caught.value.detail,
            repr(remote),
            str(remote),
            remote.url,
        ):
            assert KEY not in told
        assert f"{server.url}/chat/completions" in str(caught.value)
    basic = base64.b64encode(f"me:{KEY}".encode()).decode()
    assert server.headers[1]["authorization"] == f"Basic {basic}"
    assert "chat/completions" in caplog.text  # httpx did log
    assert KEY not in caplog.text
    assert basic not in caplog.text


@pytest.mark.parametrize("key", ["sk secret", "sk-secret\nX: y", "sk-sécret"])
def test_a_key_that_no_header_can_carry(server: Server, key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        RemoteModel(server.url, "m", api_key=key)
    assert key not in str(caught.value)


def test_a_query_is_sent_and_not_told(server: Server, opened: Callable[..., RemoteModel]) -> None:
    server.otherwise = answers(400)
    with pytest.raises(EndpointError) as caught:
        opened(f"{server.url}/chat/completions/?api-version=2&sig={KEY}").chat(HI)
    assert server.paths == [f"/v1/chat/completions?api-version=2&sig={KEY}"]
    assert KEY not in str(caught.value)
