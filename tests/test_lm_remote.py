"""RemoteModel against a stand-in endpoint: what it asks, what it makes of answers, many at once, and leaving early."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from endpoint import DONE, HANG, KEY, Handler, Server, answers, delta, event, hangs, raw, says, sends, usage

from phiforge.chat.parse import Call, MalformedCall, Said, Thought, parse_turn
from phiforge.engine.grammar import Grammar
from phiforge.engine.request import Sampling
from phiforge.engine.thinking import Thinking
from phiforge.lm import Delta, Options, Reply, TokenLogprob, open_model
from phiforge.lm.remote import EndpointError, RemoteModel
from phiforge.lm.wire import wire_messages
from phiforge.records import Audio, Image, Message, Text, ToolCall

HI = [Message("user", "Hi")]
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def split(items: Any) -> tuple[list[Delta], list[Reply]]:
    items = list(items)
    return [i for i in items if isinstance(i, Delta)], [i for i in items if isinstance(i, Reply)]


# --- answers -------------------------------------------------------------------------------------------------------


def test_streams_an_answer(server: Server, remote: RemoteModel) -> None:
    server.script = [
        raw(
            b": keep-alive\r\n\r\n",
            event(delta(role="assistant", content="")),
            event(delta(content="Hel")) + event(delta(content="lo, ")),
            event(delta(content="wörld", finish="stop")),
            event(usage(7, 5)),
            DONE,
        )
    ]
    deltas, (reply,) = split(remote.stream(HI))
    assert deltas == [Delta(0, Said("Hel")), Delta(0, Said("lo, ")), Delta(0, Said("wörld"))]
    assert reply == Reply(
        sample=0,
        message=Message("assistant", "Hello, wörld"),
        text="Hello, wörld",
        finish_reason="stop",
        prompt_tokens=7,
        tokens=5,
    )
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert server.asked == [
        {
            "model": "phi-4",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_deltas_come_as_they_are_written(server: Server, remote: RemoteModel) -> None:
    server.script = [sends(delta(content="now"), HANG)]
    stream = remote.stream(HI)
    assert next(stream) == Delta(0, Said("now"))


def test_one_connection_serves_many_requests(server: Server, remote: RemoteModel) -> None:
    for _ in range(4):
        assert remote.chat(HI)[0].text == "Hello"
    assert server.connections == 1


def test_a_server_that_keeps_the_line_open_after_its_last_word(server: Server, remote: RemoteModel) -> None:
    server.script = [raw(event(delta(content="x", finish="stop")), DONE, HANG)]
    begun = time.monotonic()
    assert remote.chat(HI)[0].text == "x"
    assert time.monotonic() - begun < 2
    assert server.left.acquire(timeout=5)


def test_asyncio_with_a_loop_of_its_own_each_time(server: Server, remote: RemoteModel) -> None:
    async def ask() -> list[str]:
        replies = await remote.achat_many([HI, HI])
        return [r.text for (r,) in replies]

    assert asyncio.run(ask()) == ["Hello", "Hello"]
    assert asyncio.run(ask()) == ["Hello", "Hello"]


def test_calls_are_put_together_by_index(server: Server, remote: RemoteModel) -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "function": function}

    server.script = [
        sends(
            delta(content="Let me see. "),
            delta(tool_calls=[{"id": "a", "type": "function", **piece(0, name="weather", arguments="")}]),
            delta(tool_calls=[piece(0, arguments='{"ci'), {"id": "b", **piece(1, name="broken", arguments='{"x": ')}]),
            delta(tool_calls=[piece(0, arguments='ty": "Åre"}')]),
            delta(tool_calls=[{"id": "c", **piece(2, name="now", arguments="")}]),
            delta(tool_calls=[piece(1, arguments="oops")]),
            delta(finish="tool_calls"),
            usage(9, 20),
        )
    ]
    deltas, (reply,) = split(remote.stream(HI, tools=[WEATHER]))
    weather, now = ToolCall("weather", {"city": "Åre"}, "a"), ToolCall("now", {}, "c")
    assert [type(d.event) for d in deltas] == [Said, Call, MalformedCall, Call]
    assert reply.message == Message("assistant", "Let me see. ", tool_calls=[weather, now])
    assert reply.finish_reason == "tool_calls"
    (malformed,) = reply.malformed
    assert json.loads(malformed) == {"name": "broken", "arguments": '{"x": oops', "id": "b"}
    assert server.asked[0]["tools"] == [{"type": "function", "function": WEATHER}]
    turn = parse_turn(reply.text)
    assert turn.message == reply.message
    assert len(turn.malformed) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                [{"id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
                [{"function": {"arguments": ": 1}"}}],
                [{"id": "b", "function": {"name": "g", "arguments": {"y": 2}}}],
            ],
            id="no index",
        ),
        pytest.param(
            [
                [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}}],
                [{"index": 0, "id": "b", "function": {"name": "g", "arguments": '{"y": 2}'}}],
            ],
            id="one index for all",
        ),
        pytest.param(
            [
                [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
                [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ": 1}"}}],
                [{"index": 1, "id": "b", "function": {"name": "g", "arguments": None}}],
                [{"index": 1, "id": "", "function": {"name": "", "arguments": '{"y": 2}'}}],
            ],
            id="id and name repeated",
        ),
    ],
)
def test_calls_in_the_forms_other_servers_send(server: Server, remote: RemoteModel, pieces: list[Any]) -> None:
    server.script = [sends(*(delta(tool_calls=piece) for piece in pieces), delta(finish="stop"))]
    (reply,) = remote.chat(HI)
    assert reply.message.tool_calls == [ToolCall("f", {"x": 1}, "a"), ToolCall("g", {"y": 2}, "b")]
    assert reply.finish_reason == "tool_calls"
    assert reply.tokens == len(pieces)  # no usage: pieces are counted
    assert reply.prompt_tokens == 0


def test_calls_without_ids_and_indices(server: Server, remote: RemoteModel) -> None:
    functions = [{"name": "f", "arguments": "{}"}, {"name": "f", "arguments": '{"x"'}, {"arguments": ": 1}"}]
    server.script = [sends(*(delta(tool_calls=[{"function": f}]) for f in functions), delta(finish="tool_calls"))]
    (reply,) = remote.chat(HI)
    assert reply.message.tool_calls == [ToolCall("f"), ToolCall("f", {"x": 1})]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "both", "thoughts"])
def test_thoughts_in_a_field_of_their_own(server: Server, opened: Callable[..., RemoteModel], field: str) -> None:
    def thought(text: str) -> dict[str, Any]:
        return delta(**dict.fromkeys(("reasoning", "reasoning_content") if field == "both" else (field,), text))

    server.script = [sends(thought("2 + 2"), thought(" is 4"), delta(content="4"), delta(finish="stop"))]
    remote = opened(reasoning_field="thoughts" if field == "thoughts" else None)
    deltas, (reply,) = split(remote.stream(HI))
    assert deltas == [Delta(0, Thought("2 + 2")), Delta(0, Thought(" is 4")), Delta(0, Said("4"))]
    assert reply.message == Message("assistant", "4", thinking="2 + 2 is 4")
    assert reply.text == "<think>2 + 2 is 4</think>4"
    assert reply.thought_closed


def test_thoughts_in_tags(server: Server, remote: RemoteModel) -> None:
    server.script = [sends(delta(content="<thi"), delta(content="nk>hm</th"), delta(content="ink>4", finish="stop"))]
    deltas, (reply,) = split(remote.stream(HI))
    assert deltas == [Delta(0, Thought("hm")), Delta(0, Said("4"))]
    assert reply.message == Message("assistant", "4", thinking="hm")
    assert reply.text == "<think>hm</think>4"


@pytest.mark.parametrize("chunk", [delta(content="<think>and so"), delta(reasoning="and so")])
def test_a_thought_without_an_end(server: Server, remote: RemoteModel, chunk: Any) -> None:
    server.script = [sends(chunk, delta(finish="length"))]
    (reply,) = remote.chat(HI)
    assert not reply.thought_closed
    assert (reply.message.thinking, reply.message.text, reply.finish_reason) == ("and so", "", "length")
    assert reply.text == "<think>and so"


def test_many_samples_of_one_question(server: Server, remote: RemoteModel) -> None:
    server.script = [
        sends(
            delta(1, content="b"),
            delta(0, content="a"),
            delta(1, content="b"),
            delta(2, content="c", finish="length"),
            delta(1, content="b"),
            delta(0, finish="stop"),
            delta(1, finish="stop"),
            usage(5, 11),
        )
    ]
    replies = remote.chat(HI, n=3)
    assert [(r.sample, r.text, r.finish_reason) for r in replies] == [
        (0, "a", "stop"),
        (1, "bbb", "stop"),
        (2, "c", "length"),
    ]
    assert [r.tokens for r in replies] == [2, 6, 3]  # 11, shared out as 1 : 3 : 1
    assert server.asked[0]["n"] == 3


def test_usage_in_detail(server: Server, remote: RemoteModel) -> None:
    details: dict[str, Any] = usage(40, 30)
    details["usage"]["completion_tokens_details"] = {"reasoning_tokens": 20, "audio_tokens": None}
    details["usage"]["prompt_tokens_details"] = {"cached_tokens": 32}
    chunks = [delta(0, reasoning_content="h"), delta(1, reasoning_content="hmm"), delta(0, content="a", finish="stop")]
    bare = usage(40, 30)
    bare["usage"]["completion_tokens_details"] = None
    server.script = [sends(*chunks, delta(1, content="b", finish="stop"), what) for what in (details, bare)]
    replies = remote.chat(HI, n=2)
    assert [(r.thought_tokens, r.cached_tokens, r.tokens) for r in replies] == [
        (5, 32, 15),
        (15, 32, 15),
    ]  # 20 as 1 : 3
    assert [(r.thought_tokens, r.cached_tokens) for r in remote.chat(HI, n=2)] == [(0, 0), (0, 0)]


def test_a_server_that_does_not_know_n(remote: RemoteModel) -> None:
    with pytest.raises(EndpointError, match=r"asked for 4 samples and sent 1.*chat_many\(\[messages\] \* 4\)"):
        remote.chat(HI, n=4)


def test_logprobs(server: Server, remote: RemoteModel) -> None:
    top = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": None}]
    content = [{"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": top}]
    more = [{"token": "!", "logprob": -2.0, "top_logprobs": []}]
    server.script = [
        sends(
            delta(content="4", logprobs={"content": content}),
            delta(content="!", finish="stop", logprobs={"content": more}),
        )
    ]
    (reply,) = remote.chat(HI, sampling=Sampling(logprobs=2))
    assert reply.logprobs == [
        TokenLogprob("4", -0.1, [("4", -0.1), ("5", float("-inf"))]),
        TokenLogprob("!", -2.0, []),
    ]
    assert (server.asked[0]["logprobs"], server.asked[0]["top_logprobs"]) == (True, 2)


@pytest.mark.parametrize(
    ("said", "meant"), [("stop", "stop"), ("eos", "stop"), ("length", "length"), ("abort", "cancelled")]
)
def test_finish_reasons(server: Server, remote: RemoteModel, said: str, meant: str) -> None:
    server.script = [sends(delta(content="x"), delta(finish=said))]
    assert remote.chat(HI)[0].finish_reason == meant


@pytest.mark.parametrize(
    ("said", "told"), [("content_filter", "content filter"), ("error", "unknown reason: 'error'")]
)
def test_an_answer_cut_by_the_endpoint_is_no_answer(server: Server, remote: RemoteModel, said: str, told: str) -> None:
    server.otherwise = sends(delta(finish=said))
    with pytest.raises(EndpointError, match=told):
        remote.chat(HI)
    assert len(server.asked) == 1


def test_a_server_that_does_not_stream(server: Server, remote: RemoteModel) -> None:
    message = {"role": "assistant", "content": "whole", "reasoning_content": "hm"}
    body = {**usage(3, 9), "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    server.script = [answers(200, body)]
    (reply,) = remote.chat(HI)
    assert reply.message == Message("assistant", "whole", thinking="hm")
    assert reply.tokens == 9


# --- many at once --------------------------------------------------------------------------------------------------


def test_many_conversations_side_by_side(server: Server, opened: Callable[..., RemoteModel]) -> None:
    server.otherwise = says("x", after=0.1)
    remote = opened(concurrency=4)
    assert len(remote.chat_many([HI] * 12)) == 12
    assert server.busiest == 4
    assert remote.chat_many([]) == []


def test_replies_keep_the_order_of_the_questions(server: Server, remote: RemoteModel) -> None:
    def late_first(handler: Handler) -> None:
        number = int(handler.headers["Content-Length"])  # a longer question is answered sooner
        says(str(number), after=max(0.0, 0.3 - number / 1000))(handler)

    server.otherwise = late_first
    replies = remote.chat_many([[Message("user", "x" * i)] for i in (1, 50, 100, 150)])
    sizes = [int(r.text) for (r,) in replies]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4


def test_threads_and_tasks_share_one_limit(server: Server, opened: Callable[..., RemoteModel]) -> None:
    server.otherwise = says("x", after=0.1)
    remote = opened(concurrency=3)

    def in_tasks() -> int:
        async def ask() -> int:
            return len(await remote.achat_many([HI] * 6))

        return asyncio.run(ask())

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(in_tasks) for _ in range(2)] + [
            pool.submit(lambda: len(remote.chat(HI))) for _ in range(6)
        ]
        assert sum(task.result() for task in tasks) == 18
    assert server.busiest == 3


def test_asking_while_listening_needs_no_second_slot(server: Server, opened: Callable[..., RemoteModel]) -> None:
    remote = opened(concurrency=1)
    stream = remote.stream(HI)
    next(stream)
    assert remote.chat(HI)[0].text == "Hello"
    stream.close()


def test_the_first_failure_cancels_the_rest(server: Server, remote: RemoteModel) -> None:
    server.script = [sends(delta(content="x"), HANG)]
    server.otherwise = lambda handler: (time.sleep(0.1), answers(400)(handler))[1]
    with pytest.raises(EndpointError, match="400"):
        remote.chat_many([HI, HI])
    assert server.left.acquire(timeout=5)


# --- leaving -------------------------------------------------------------------------------------------------------


def test_leaving_early_closes_the_connection(server: Server, remote: RemoteModel) -> None:
    server.script = [sends(delta(content="x"), HANG), sends(delta(content="x"), HANG), hangs]
    for _ in remote.stream(HI):
        break
    assert server.left.acquire(timeout=5)

    async def leave() -> None:
        async for _ in remote.astream(HI):
            break
        task = asyncio.create_task(remote.achat(HI))
        while len(server.asked) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert server.left.acquire(timeout=5)
    assert server.left.acquire(timeout=5)
    assert remote.chat(HI)[0].text == "Hello"


def test_a_loop_that_ends_under_an_open_stream(
    server: Server, remote: RemoteModel, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [sends(delta(content="x"), HANG)]
    streams: list[Any] = []

    async def abandon() -> None:
        streams.append(remote.astream(HI))
        await anext(streams[0])

    asyncio.run(abandon())
    assert server.left.acquire(timeout=5)
    assert remote.chat(HI)[0].text == "Hello"
    assert caplog.text == ""


def test_close_ends_what_is_open(server: Server, remote: RemoteModel) -> None:
    server.script = [sends(delta(content="x"), HANG), hangs]
    stream = remote.stream(HI)
    next(stream)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(remote.chat_many, [HI])
        while len(server.asked) < 2:
            time.sleep(0.01)
        remote.close()
        with pytest.raises(RuntimeError, match="closed while it was answering"):
            next(stream)
        with pytest.raises(RuntimeError, match="closed while it was answering"):
            waiting.result()
    remote.close()
    with pytest.raises(RuntimeError, match="has been closed"):
        remote.chat(HI)


INTERRUPTED = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
from phiforge.lm import open_model
from phiforge.records import Message
with open_model(sys.argv[1] + "#phi-4") as remote:
    assert "torch" not in sys.modules
    try:
        for item in remote.stream([Message("user", "Hi")]):
            print("began", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    try:
        print("again", flush=True)
        remote.chat([Message("user", "Hi")])
    except KeyboardInterrupt:
        print("interrupted again", flush=True)
"""


def test_control_c(server: Server) -> None:
    server.script = [sends(delta(content="x"), HANG), hangs]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert server.left.acquire(timeout=5)
    assert process.stdout.readline() == "again\n"
    while len(server.asked) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert out == "interrupted again\n"
    assert (process.returncode, err) == (0, "")
    assert server.left.acquire(timeout=5)


# --- requests ------------------------------------------------------------------------------------------------------


def test_sampling_fields(server: Server, opened: Callable[..., RemoteModel]) -> None:
    sampling = Sampling(temperature=0, top_p=0.9, seed=7, max_tokens=5, stop=("\n",), logprobs=0)
    opened(defaults=sampling).chat(HI)
    opened(max_tokens_field="max_completion_tokens").chat(HI, sampling=Sampling(max_tokens=5))
    wanted = {"temperature": 0, "top_p": 0.9, "seed": 7, "max_tokens": 5, "stop": ["\n"], "logprobs": True}
    always = {"model", "messages", "stream", "stream_options"}
    assert {k: v for k, v in server.asked[0].items() if k not in always} == wanted
    assert {k: v for k, v in server.asked[1].items() if k not in always} == {
        "temperature": 1.0,
        "top_p": 1.0,
        "max_completion_tokens": 5,
    }


def test_penalties_biases_and_schemas_go_out_as_openai_s(server: Server, opened: Callable[..., RemoteModel]) -> None:
    remote = opened()
    schema = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}}}
    penalised = Sampling(frequency_penalty=0.5, presence_penalty=-1, logit_bias={7: -100, 8: 2.5})
    for sampling in (
        penalised,
        Sampling(grammar=Grammar.json_schema(schema)),
        Sampling(grammar=Grammar.json_object()),
        Sampling(),
    ):
        remote.check(sampling)
        remote.chat(HI, sampling=sampling)
    first, second, third, plain = server.asked
    assert (first["frequency_penalty"], first["presence_penalty"]) == (0.5, -1)
    assert first["logit_bias"] == {"7": -100, "8": 2.5}
    wanted = {"name": "answer", "schema": schema, "strict": True}
    assert second["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert list(second["response_format"]["json_schema"]["schema"]["properties"]) == ["b", "a"]
    assert third["response_format"] == {"type": "json_object"}
    assert plain.keys() == {"model", "messages", "stream", "stream_options", "temperature", "top_p"}


@pytest.mark.parametrize(
    ("sampling", "options", "told"),
    [
        (Sampling(grammar=Grammar.regex("a+")), None, "grammar is a regex one"),
        (Sampling(grammar=Grammar.lark('start: "a"')), None, "grammar is a lark one"),
        (Sampling(logit_bias={3: float("-inf")}), None, "logit_bias of token 3 is -inf"),
        (Sampling(thinking=Thinking(close=(1,), begun=True)), None, "`thinking`"),
        (None, Options(think_limit=0), "think_limit is 0"),
        (None, Options(think_soft_limit=9), "think_soft_limit is 9"),
        (None, Options(adapter="sql"), "adapter is 'sql'"),
    ],
)
def test_what_only_our_own_models_do_is_refused_by_name(
    server: Server, remote: RemoteModel, sampling: Sampling | None, options: Options | None, told: str
) -> None:
    for ask in (remote.check, lambda *given: remote.chat(HI, sampling=given[0], options=given[1])):
        with pytest.raises(ValueError, match=told):
            ask(sampling, options)
    assert server.asked == []


def test_scores_are_refused(remote: RemoteModel) -> None:
    for ask in (lambda: remote.score([("a", "b")]), lambda: remote.score_chat(HI, ["b"])):
        with pytest.raises(ValueError, match="cannot score given texts"):
            ask()


def test_openai_itself_wants_max_completion_tokens(opened: Callable[..., RemoteModel]) -> None:
    remote = opened("https://api.openai.com/v1")
    assert json.loads(remote._body(HI, Sampling(max_tokens=5), 1, None))["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    ("sampling", "field", "value"),
    [
        (Sampling(top_k=50), "top_k", 50),
        (Sampling(min_p=0.1), "min_p", 0.1),
        (Sampling(repetition_penalty=1.1), "repetition_penalty", 1.1),
        (Sampling(stop_ids=(1, 2)), "stop_token_ids", [1, 2]),
    ],
)
def test_what_the_api_cannot_say_is_refused_unless_extra_says_it(
    server: Server, opened: Callable[..., RemoteModel], sampling: Sampling, field: str, value: Any
) -> None:
    name = "stop_ids" if field == "stop_token_ids" else field
    for remote in (opened(), opened(extra={field: "another"})):
        with pytest.raises(ValueError, match=f"{name} is .*extra={{'{field}': "):
            remote.chat(HI, sampling=sampling)
    assert server.asked == []
    opened(extra={field: value}).chat(HI, sampling=sampling)
    assert server.asked[0][field] == value


def test_extra_wins_and_none_takes_a_field_out(server: Server, opened: Callable[..., RemoteModel]) -> None:
    opened(extra={"stream_options": None, "top_p": None, "temperature": 0.5, "deep": {"x": [1]}}).chat(
        HI, sampling=Sampling()
    )
    asked = server.asked[0]
    assert "stream_options" not in asked
    assert "top_p" not in asked
    assert (asked["temperature"], asked["deep"]) == (0.5, {"x": [1]})
    with pytest.raises(ValueError, match="'n'"):
        opened(extra={"n": 2})


def test_open_model_and_bad_addresses(server: Server) -> None:
    with open_model(f"{server.url}/#org/phi-4", api_key="k") as remote:
        assert remote.name == "org/phi-4"
        assert repr(remote) == f"RemoteModel('{server.url}/chat/completions', 'org/phi-4')"
        assert remote.chat(HI)[0].text == "Hello"
    for url in ("localhost:8000/v1", "ftp://x/v1", "http://", "http://host:port/"):
        with pytest.raises(ValueError, match="looks like http://localhost:8000/v1"):
            RemoteModel(url, "m")
    with pytest.raises(ValueError, match="concurrency"):
        RemoteModel(server.url, "m", concurrency=0)


def test_media_and_text_parts(tmp_path: Path) -> None:
    png, wav = b"\x89PNG\r\n\x1a\nrest", b"RIFF\x00\x00\x00\x0aWAVEfmt "
    (tmp_path / "misnamed.jpg").write_bytes(b"\xff\xd8\xff\xe0jpeg")
    parts = [Text("Look"), Image(data=png), Image(path=str(tmp_path / "misnamed.jpg")), Audio(data=wav)]
    (wire,) = wire_messages([Message("user", parts)])
    assert wire["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(png).decode()}"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4GpwZWc="}},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(wav).decode(), "format": "wav"}},
    ]
    with pytest.raises(ValueError, match=r"the audio begins with .*none of wav, mp3"):
        wire_messages([Message("user", [Audio(data=png)])])
    with pytest.raises(FileNotFoundError):
        wire_messages([Message("user", [Image(path=str(tmp_path / "none.png"))])])


def test_calls_results_and_thoughts_in_a_conversation(server: Server, opened: Callable[..., RemoteModel]) -> None:
    calls = [ToolCall("f", {"x": "å"}), ToolCall("g"), ToolCall("h", id="own")]
    messages = [
        Message("system", "Be brief."),
        Message("user", "?"),
        Message("assistant", "", thinking="hm", tool_calls=calls),
        Message("tool", "2", name="g"),
        Message("tool", "1"),
        Message("tool", "3", tool_call_id="own"),
    ]
    opened().chat(messages)
    opened(send_thinking=True).chat(messages)
    assistant, *results = server.asked[0]["messages"][2:]
    assert assistant["content"] is None
    assert "reasoning_content" not in assistant
    assert server.asked[1]["messages"][2]["reasoning_content"] == "hm"
    assert [(c["id"], c["function"]) for c in assistant["tool_calls"]] == [
        ("call00001", {"name": "f", "arguments": '{"x": "å"}'}),
        ("call00002", {"name": "g", "arguments": "{}"}),
        ("own", {"name": "h", "arguments": "{}"}),
    ]
    assert [(r["content"], r["tool_call_id"]) for r in results] == [
        ("2", "call00002"),
        ("1", "call00001"),
        ("3", "own"),
    ]


@pytest.mark.parametrize(
    ("messages", "options", "told"),
    [
        ([], {}, "empty"),
        ([Message("tool", "4")], {}, "answers no call"),
        ([Message("user", "x", thinking="y")], {}, "only the assistant's"),
        (HI, {"n": 0}, "n must be 1 or more"),
        (HI, {"tools": [{"parameters": {}}]}, "without a name"),
    ],
)
def test_what_cannot_be_asked(server: Server, remote: RemoteModel, messages: Any, options: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        remote.chat(messages, **options)
    assert server.asked == []
