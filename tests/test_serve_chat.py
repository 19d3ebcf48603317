"""`/v1/chat/completions` as OpenAI's own client uses it, and as no client should."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

openai = pytest.importorskip("openai")

ASK = [{"role": "user", "content": "What is gravity?"}]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 120}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(served: Any) -> Any:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def ask(client: Any, **fields: Any) -> Any:
    fields = {"model": "smollm2-135m-instruct", "messages": ASK, "temperature": 0, "max_tokens": 24, **fields}
    return client.chat.completions.create(**fields)


def test_an_answer_and_its_usage(client: Any) -> None:
    answer = ask(client)
    (choice,) = answer.choices
    assert answer.object == "chat.completion"
    assert choice.message.role == "assistant"
    assert "ravity" in choice.message.content
    assert choice.finish_reason in ("stop", "length")
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens <= 24
    again = ask(client)
    assert again.usage.prompt_tokens_details.cached_tokens >= 16  # the prompt's whole blocks
    assert again.choices[0].message.content == choice.message.content


def test_a_stream_says_the_same_piece_by_piece(client: Any) -> None:
    whole = ask(client, logprobs=True, top_logprobs=2)
    chunks = list(ask(client, logprobs=True, top_logprobs=2, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    pieces = [chunk.choices[0] for chunk in chunks[:-1]]
    assert pieces[0].delta.role == "assistant"
    assert len([p for p in pieces if p.delta.content]) > 3
    assert "".join(p.delta.content or "" for p in pieces) == whole.choices[0].message.content
    assert pieces[-1].finish_reason == whole.choices[0].finish_reason
    told = [token for p in pieces if p.logprobs for token in p.logprobs.content]
    assert [t.token for t in told] == [t.token for t in whole.choices[0].logprobs.content]
    assert len(told) == whole.usage.completion_tokens
    assert len([p for p in pieces if p.logprobs]) > 3  # they come with their text
    for token in told:
        assert len(token.top_logprobs) == 2
        assert token.top_logprobs[0].logprob == token.logprob <= 0
        assert bytes(token.bytes).decode() == token.token


def test_samples_seeds_and_stops(client: Any) -> None:
    several = ask(client, n=4, temperature=1.0, seed=7, stop=["."])
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    texts = [choice.message.content for choice in several.choices]
    assert len(set(texts)) > 1
    assert not any("." in text for text in texts)
    assert [c.message.content for c in ask(client, n=4, temperature=1.0, seed=7, stop=".").choices] == texts


def test_a_bias_forbids_and_forces(client: Any, served: Any) -> None:
    ids = httpx.post(f"{served.url}/tokenize", json={"text": "yes"}).json()["tokens"]
    answer = ask(client, logit_bias={str(ids[0]): 100}, max_tokens=3)
    assert answer.choices[0].message.content == "yes" * 3


def test_asking_from_asyncio(served: Any) -> None:
    async def several() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as client:
            answers = await asyncio.gather(*(ask(client, seed=i, temperature=1, n=2) for i in range(6)))
            stream = await ask(client, stream=True)
            text = [chunk.choices[0].delta.content or "" async for chunk in stream]
        return ["".join(text), *(answer.choices[0].message.content for answer in answers)]

    texts = asyncio.run(several())
    assert "ravity" in texts[0]
    assert len(set(texts)) > 3


def test_json_as_it_was_asked_for(client: Any) -> None:
    schema = {"name": "person", "schema": PERSON, "strict": True}
    format = {"type": "json_schema", "json_schema": schema}
    ask_for = [{"role": "user", "content": "Invent a person."}]
    answer = ask(client, messages=ask_for, response_format=format, max_tokens=200, temperature=0.7, seed=1)
    assert answer.choices[0].finish_reason == "stop"
    person = json.loads(answer.choices[0].message.content)
    assert person.keys() == {"name", "age"}
    assert isinstance(person["age"], int)
    free = ask(client, response_format={"type": "json_object"}, max_tokens=60)
    assert free.choices[0].message.content.lstrip().startswith("{")


def test_the_clients_own_parsing_of_records(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    Person = pydantic.create_model("Person", name=(str, ...), age=(int, ...))
    answer = client.chat.completions.parse(
        model="smollm2-135m-instruct",
        messages=[{"role": "user", "content": "Invent a person."}],
        response_format=Person,
        max_tokens=400,
        temperature=0.5,
        seed=2,
    )
    assert isinstance(answer.choices[0].message.parsed.age, int)


def test_samples_vote(client: Any) -> None:
    question = [{"role": "user", "content": "What is 2 + 2? Answer with a number."}]
    # A low temperature: at the model's own, which answer wins depends on the machine's last digits.
    fields = {"temperature": 0.3, "seed": 1, "max_tokens": 60, "extra_body": {"majority_vote": 8}}
    answer = ask(client, messages=question, **fields)
    tally = answer.model_extra["majority_vote"]
    assert tally["k"] == 8
    assert sum(group["votes"] for group in tally["tally"]) + tally["without_answer"] == 8
    assert tally["answer"] == tally["tally"][0]["answer"] == "4"
    assert tally["tally"][0]["votes"] == max(group["votes"] for group in tally["tally"])
    assert len(answer.choices) == 1
    assert "4" in answer.choices[0].message.content


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"audio": {"voice": "x"}}, "audio", "not supported"),
        ({"functions": []}, "functions", "not supported"),
        ({"service_tier": "flex"}, "service_tier", "not supported"),
        ({"store": True}, "store", "not supported"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "does not think"),
        ({"temperature": 3}, "temperature", "0 to 2"),
        ({"temperature": "hot"}, "temperature", "float"),
        ({"top_p": 0}, "top_p", "above 0"),
        ({"n": 0}, "n", "1 to"),
        ({"n": 1000}, "n", "1 to 128"),
        ({"n": 10**400}, "n", "1 to 128"),
        ({"seed": 10**400}, "seed", "not 1000000000"),
        ({"top_k": 2**63}, "top_k", "0 to"),
        ({"repetition_penalty": 1e-300}, "repetition_penalty", "0.01 to"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", "differ"),
        ({"max_completion_tokens": 100_000}, None, "8192"),
        ({"top_logprobs": 3}, "top_logprobs", "needs logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "0 to 20"),
        ({"logit_bias": {"the": 1}}, "logit_bias", "token ids"),
        ({"logit_bias": {"99999999": 1}}, None, "outside the vocabulary"),
        ({"stop": [""]}, "stop", "empty"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "streams only"),
        ({"messages": []}, "messages", "empty"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "robot"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages[0].content[0]", "image_url"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, None, "does not support tools"),
        ({"tool_choice": "required"}, "tool_choice", "no tools"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "no schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}},
         None, "nonsense"),
        ({"majority_vote": 1}, "majority_vote", "2 to"),
        ({"majority_vote": 4, "stream": True}, "stream", "at the end"),
        ({"majority_vote": 4, "n": 2}, "majority_vote", "one answer"),
        ({"messages": [{"role": "user", "content": "word " * 9000}]}, None, "8192"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_its_name(
    served: Any, fields: dict[str, Any], param: str, words: str
) -> None:
    for stream in (False, True):
        if stream and fields.keys() & {"stream_options", "majority_vote"}:
            continue
        asked = {"messages": ASK, "max_tokens": 4, "stream": stream, **fields}
        if "max_completion_tokens" in fields and "max_tokens" not in fields:
            del asked["max_tokens"]
        answer = httpx.post(f"{served.url}/v1/chat/completions", json=asked, timeout=60)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert words in error["message"], error
        assert error["param"] == param


def test_an_unknown_model_and_an_unknown_path(client: Any, served: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="smollm2-135m-instruct"):
        ask(client, model="gpt-9")
    assert httpx.get(f"{served.url}/v1/nothing").json()["error"]["type"] == "not_found_error"
    assert [model.id for model in client.models.list()] == ["smollm2-135m-instruct"]
    assert client.models.retrieve("smollm2-135m-instruct").owned_by == "phiforge"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_lines_of_the_readme(served: Any) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    lines = re.findall(r"^\$ (curl .*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert len(lines) >= 2
    for line in lines:
        command = line.replace("http://127.0.0.1:8017", served.url)
        done = subprocess.run(["bash", "-c", f"{command} --silent"], capture_output=True, text=True, timeout=240)
        assert json.loads(done.stdout)["choices"][0]["message"]["content"], command


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_work(served: Any, stream: bool) -> None:
    asked = {"messages": ASK, "stream": stream, "n": 8, "max_tokens": 3000, "temperature": 1.5}
    if stream:
        with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=asked) as answer:
            next(answer.iter_bytes())
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.url}/v1/chat/completions", json=asked, timeout=1.0)
    (entry,) = served.server.models.entries.values()
    end = time.monotonic() + 10
    while served.server.admission.running or entry.lm._driver.engine.busy:
        assert time.monotonic() < end, "the engine goes on for nobody"
        time.sleep(0.02)
    assert entry.users == 0
