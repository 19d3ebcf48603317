"""Tool calls as a grammar, where their tags are tokens and where they are plain text."""

from __future__ import annotations

import pytest

from phiforge.chat import ChatFormat, Tokenizer
from phiforge.engine.grammar import Grammar, Grammars
from phiforge.lm import calls
from phiforge.lm.tools import CALCULATOR

CALL = '<|tool_call|>[{"name": "calculator", "arguments": {"expression": "1+2"}}]<|/tool_call|>'
TWO = CALL.replace("}}]", '}}, {"name": "calculator", "arguments": {"expression": "3"}}]')
OTHER = CALL.replace("calculator", "weather")
WRONG = CALL.replace('"1+2"', "12")


@pytest.fixture(scope="module", params=["phi-4-mini-instruct", "phiforge"])
def format(request: pytest.FixtureRequest) -> ChatFormat:
    """With tags that are tokens, and with tags that are text."""
    tokenizer = Tokenizer.for_preset("phi-4" if request.param == "phiforge" else request.param)
    bare = Tokenizer(tokenizer._core, eos_ids=tokenizer.eos_ids, bos_id=tokenizer.bos_id)
    return ChatFormat.for_tokenizer(bare, request.param)


def read(format: ChatFormat, grammar: Grammar | None, text: str) -> tuple[bool, bool]:
    """Whether all of a text may be written, and whether it may end there."""
    assert grammar is not None
    tokenizer = format.tokenizer
    grammars = Grammars(
        tokenizer.token_bytes,
        specials=tokenizer.specials.values(),
        end=format.stop_ids[0],
        vocab_size=tokenizer.vocab_size,
    )
    matcher = grammars.compile(grammar).deep_copy()
    ids = tokenizer.encode(text, specials=True)
    return matcher.try_consume_tokens(ids) == len(ids), matcher.is_accepting()


@pytest.mark.parametrize(
    ("text", "may", "whole"),
    [
        ("Hello there.", True, True), (CALL, True, True), (f"Let me see. {CALL}", True, True), (TWO, True, True),
        (CALL[:50], True, False), (OTHER, False, False), (WRONG, False, False), ("<|tool_call|>no", False, False),
        ("a < b | c", True, True),
    ],
)  # fmt: skip
def test_calls_are_allowed(format: ChatFormat, text: str, may: bool, whole: bool) -> None:
    assert read(format, calls.allowed(format, [CALCULATOR]), text) == (may, may and whole)


def test_calls_are_required(format: ChatFormat) -> None:
    grammar = calls.required(format, [CALCULATOR])
    assert read(format, grammar, CALL) == (True, True)
    assert read(format, grammar, TWO) == (True, True)
    assert not read(format, calls.required(format, [CALCULATOR], parallel=False), TWO)[0]
    assert not read(format, grammar, "Hello")[0]
    assert not read(format, grammar, WRONG)[0]


def test_an_answer_may_have_a_schema(format: ChatFormat) -> None:
    grammar = calls.allowed(format, [CALCULATOR], answer={"type": "object", "properties": {"a": {"type": "integer"}}})
    assert read(format, grammar, '{"a": 3}') == (True, True)
    assert read(format, grammar, CALL) == (True, True)
    assert not read(format, grammar, "Hello")[0]


def test_a_format_without_tools() -> None:
    format = ChatFormat.for_tokenizer(Tokenizer.for_preset("phi-4"), "phi-4")
    assert calls.allowed(format, [CALCULATOR]) is None
    plain = 'functools[{"name": "calculator", "arguments": {"expression": "1"}}]'
    assert read(format, calls.required(format, [CALCULATOR]), plain) == (True, True)
