"""What a server has to bear: nonsense, strangers, crowds, and people who leave."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import running, server_of_file

from phiforge.cli.main import main
from phiforge.serve.server import Limits

ASK = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
ROUTES = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/tokenize", "/detokenize"]
ROUTES += ["/api/render", "/api/conversations"]
FIELDS = (  # noqa: SIM905
    "model messages prompt input text tokens n max_tokens max_completion_tokens max_output_tokens temperature top_p top_k "
    "min_p stop seed logprobs top_logprobs logit_bias stream stream_options tools tool_choice response_format echo best_of "
    "reasoning reasoning_effort majority_vote role content title encoding_format dimensions frequency_penalty"
).split()
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12), st.sampled_from(["user", "assistant", "tool", "system", "auto", "required", "json_object"]),
)  # fmt: skip
names = st.one_of(
    st.sampled_from(FIELDS), st.sampled_from(["role", "content", "type", "function", "name"]), st.text(max_size=6)
)
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(names, v, max_size=4), max_leaves=8)
conversations = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": values}),
    max_size=3,
)
bodies = st.one_of(
    st.binary(max_size=40),
    values.map(lambda v: json.dumps(v).encode()),
    st.fixed_dictionaries(
        {"max_tokens": st.integers(0, 3)},
        optional={"messages": conversations, "prompt": values, "input": values, "text": st.text(max_size=30)}
        | {name: values for name in FIELDS if name not in ("messages", "prompt", "input", "text", "max_tokens")},
    ).map(lambda v: json.dumps(v).encode()),
)


def bear(url: str, route: str, body: bytes) -> None:
    answer = httpx.post(url + route, content=body, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.status_code < 500, (route, body, answer.text)
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"], (route, body)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(route=st.sampled_from(ROUTES), body=bodies)
def test_nonsense_is_refused_politely(served: Any, route: str, body: bytes) -> None:
    bear(served.url, route, body)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=list(HealthCheck))
@given(route=st.sampled_from(ROUTES), body=bodies)
def test_much_nonsense_is_refused_politely(served: Any, route: str, body: bytes) -> None:
    bear(served.url, route, body)


def memory() -> float:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def leave_often(served: Any, count: int) -> None:
    """`count` requests from 16 clients at a time, of which most leave before their answer is complete."""

    async def one(client: httpx.AsyncClient, chance: random.Random) -> None:
        text = " ".join(chance.choices(["red", "blue", "seven", "why", "tree"], k=chance.randint(1, 60)))
        asked = {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": chance.randint(1, 60),
            "n": chance.randint(1, 3),
        }
        stays = chance.random() < 0.3
        try:
            if chance.random() < 0.5:
                async with client.stream("POST", "/v1/chat/completions", json={**asked, "stream": True}) as answer:
                    assert answer.status_code == 200
                    pieces = chance.randint(1, 20)
                    async for _ in answer.aiter_bytes():
                        pieces -= not stays
                        if not pieces:
                            break
            else:
                timeout = 60 if stays else chance.uniform(0.001, 0.5)
                assert (await client.post("/v1/chat/completions", json=asked, timeout=timeout)).status_code == 200
        except httpx.TimeoutException:
            assert not stays

    async def everyone() -> None:
        chance, turns = random.Random(count), asyncio.Semaphore(16)
        async with httpx.AsyncClient(
            base_url=served.url, timeout=60, limits=httpx.Limits(max_connections=64)
        ) as client:

            async def next_one(seed: int) -> None:
                async with turns:
                    await one(client, random.Random(seed))

            await asyncio.gather(*(next_one(chance.randint(0, 1 << 30)) for _ in range(count)))

    asyncio.run(everyone())


def idle(served: Any) -> bool:
    entries = served.server.models.entries.values()
    return not served.server.admission.running and not any(e.lm and e.lm._driver.engine.busy for e in entries)


def all_idle(served: Any) -> None:
    end = time.monotonic() + 20
    while not idle(served):
        assert time.monotonic() < end, "something goes on for nobody"
        time.sleep(0.05)
    assert all(entry.users == 0 for entry in served.server.models.entries.values())


def test_clients_that_leave_leave_nothing_behind(served: Any) -> None:
    leave_often(served, 40)
    all_idle(served)


@pytest.mark.slow
def test_a_thousand_requests_and_no_leak(default_gguf: Path, tmp_path: Path) -> None:
    """Keys and values of past texts stay until their room is needed: a small room is soon full."""
    server = server_of_file(default_gguf, tmp_path, kv_memory=100 << 20)
    with running(server) as there:
        leave_often(there, 500)
        all_idle(there)
        before = memory()
        leave_often(there, 500)
        all_idle(there)
        assert memory() < 1.03 * before


@pytest.fixture(scope="module")
def guarded(default_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    limits = Limits(running=1, waiting=1, most_bytes=20_000)
    server = server_of_file(default_gguf, tmp_path_factory.mktemp("guarded"), limits)
    with running(server, keys=["alpha", "beta"], origins=["http://friend.example"]) as there:
        yield there


def post(guarded: Any, token: str = "beta", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return httpx.post(f"{guarded.url}/v1/chat/completions", headers=headers, timeout=60, **{"json": ASK, **more})


def test_who_may_ask(guarded: Any) -> None:
    assert httpx.get(f"{guarded.url}/health").status_code == 200
    assert httpx.get(guarded.url).status_code == 200
    for headers in ({}, {"Authorization": "Bearer gamma"}, {"Authorization": "Basic beta"}, {"Authorization": "beta"}):
        answer = httpx.post(f"{guarded.url}/v1/chat/completions", json=ASK, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert httpx.get(f"{guarded.url}/api/conversations", headers=headers).status_code == 401
    assert post(guarded).status_code == post(guarded, "alpha").status_code == 200
    assert post(guarded, headers={"Host": "attacker.example"}).status_code == 403
    assert post(guarded, headers={"Origin": "http://attacker.example"}).status_code == 403
    friend = post(guarded, headers={"Origin": "http://friend.example"})
    assert friend.headers["access-control-allow-origin"] == "http://friend.example"
    asked = {"Origin": "http://friend.example", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{guarded.url}/v1/chat/completions", headers=asked).status_code == 204


def test_what_may_be_sent(guarded: Any) -> None:
    assert post(guarded, json=None, content=json.dumps(ASK), headers={"Content-Type": "text/plain"}).status_code == 415
    long = {"messages": [{"role": "user", "content": "a" * 30_000}]}
    assert post(guarded, json=long).status_code == 413
    pieces = (json.dumps(long).encode()[i : i + 1000] for i in range(0, 31_000, 1000))
    chunked = post(guarded, json=None, content=pieces, headers={"Content-Type": "application/json"})
    assert chunked.status_code == 413
    assert post(guarded, json=None, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_a_line_that_is_full(guarded: Any) -> None:
    post(guarded)  # the model is loaded
    (entry,) = guarded.server.models.entries.values()
    no_end = {str(id): -100 for id in entry.lm.format.stop_ids}
    long = {**ASK, "max_tokens": 4000, "logit_bias": no_end, "stream": True}
    headers = {"Authorization": "Bearer beta"}
    with httpx.stream("POST", f"{guarded.url}/v1/chat/completions", json=long, headers=headers, timeout=60) as first:
        pieces = first.iter_bytes()  # kept: httpx closes the answer with it
        next(pieces)
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: answers.append(post(guarded)))
        waiting.start()
        end = time.monotonic() + 20
        while not guarded.server.admission.waiting:
            assert time.monotonic() < end
            time.sleep(0.01)
        refused = post(guarded)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["error"]["code"] == "queue_full"
    waiting.join()
    assert answers[0].status_code == 200  # the first one left, and its turn came


def test_a_server_that_ends_lets_answers_end(default_gguf: Path, tmp_path: Path) -> None:
    server = server_of_file(default_gguf, tmp_path)
    got: list[httpx.Response] = []
    with running(server) as there:
        httpx.post(f"{there.url}/v1/chat/completions", json=ASK, timeout=60)
        long = {**ASK, "max_tokens": 60, "temperature": 1.5}
        asking = threading.Thread(
            target=lambda: got.append(httpx.post(f"{there.url}/v1/chat/completions", json=long, timeout=60))
        )
        asking.start()
        while not server.admission.running:
            time.sleep(0.001)
    asking.join()
    assert got[0].status_code == 200
    assert all(entry.lm is None for entry in server.models.entries.values())


def test_the_words_of_serve(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHIFORGE_API_KEYS", raising=False)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "bearer tokens" in capsys.readouterr().err
    assert main(["serve", "--max-running", "0"]) == 2
    assert main(["serve", "-m", "no-such-model"]) == 1
    assert "no model" in capsys.readouterr().err
