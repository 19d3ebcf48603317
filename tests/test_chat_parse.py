"""The streaming parser: whatever the chunks, the same events; nothing the model wrote is lost."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiforge.chat.parse import Call, End, Event, MalformedCall, Parser, Said, Thought, parse, parse_turn
from phiforge.records import Message, ToolCall


def events(*chunks: str, in_thought: bool = False, trim: bool = False) -> list[Event]:
    """All events of a turn that comes in `chunks`, neighbouring texts of one kind joined."""
    parser = Parser(in_thought=in_thought, trim=trim)
    joined: list[Event] = []
    for event in [e for chunk in chunks for e in parser.feed(chunk)] + parser.finish():
        last = joined[-1] if joined else None
        if isinstance(event, Said | Thought) and type(last) is type(event):
            joined[-1] = type(event)(last.text + event.text)
        else:
            joined.append(event)
    return joined


END = End(open_thought=False)
CALL = '{"name": "f", "arguments": {"x": [1, {"y": "a]}\\"b"}], "z": []}}'
F = Call(ToolCall("f", {"x": [1, {"y": 'a]}"b'}], "z": []}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [END]),
        ("Hello", [Said("Hello"), END]),
        ("<think>a</think>b", [Thought("a"), Said("b"), END]),
        ("\n<think>a</think>\n\nb", [Said("\n"), Thought("a"), Said("\n\nb"), END]),
        ("<think></think>b", [Thought(""), Said("b"), END]),
        ("<think>never closed", [Thought("never closed"), End(open_thought=True)]),
        ("<think>a <think>b</think> c</think>d", [Thought("a <think>b</think> c"), Said("d"), END]),
        ("<think>I write `</think>` last</think>d", [Thought("I write `</think>` last"), Said("d"), END]),
        ('<think>he said "x"</think>d', [Thought('he said "x"'), Said("d"), END]),
        ("<think>a</think> <think>b</think>c", [Thought("a"), Said(" "), Thought("b"), Said("c"), END]),
        ("Tags are <think> and </think>.", [Said("Tags are <think> and </think>."), END]),
        ("1 < 2 <thin", [Said("1 < 2 <thin"), END]),
        ("<think>call <|tool_call|>[]</think>", [Thought("call <|tool_call|>[]"), END]),
        (f"<|tool_call|>[{CALL}]<|/tool_call|>", [F, END]),
        (f"<|tool_call|>[{CALL}, {CALL}]<|/tool_call|>", [F, F, END]),
        (f"<|tool_call|>{CALL}<|/tool_call|><|tool_call|>\n{CALL}\n<|/tool_call|>", [F, F, END]),
        (f"<|tool_call|>{CALL}\n{CALL}<|/tool_call|>", [F, F, END]),
        (f"functools[{CALL}, {CALL}]", [F, F, END]),
        (f"So: functools[{CALL}] ok", [Said("So: "), F, Said(" ok"), END]),
        (f"<|tool_call|>[{CALL}]", [F, END]),  # the model stopped before the closing tag
        (f"<|tool_call|>[{CALL}] Done.", [F, Said(" Done."), END]),
        (f"<think>a</think>b<|tool_call|>[{CALL}]<|/tool_call|>", [Thought("a"), Said("b"), F, END]),
        ('<|tool_call|>[{"name": "f"}]<|/tool_call|>', [Call(ToolCall("f")), END]),
        ('<|tool_call|>[{"name": "f", "parameters": {"a": 1}}]<|/tool_call|>', [Call(ToolCall("f", {"a": 1})), END]),
        (
            '<|tool_call|>[{"name": "f", "arguments": "{\\"a\\": 1}"}]<|/tool_call|>',
            [Call(ToolCall("f", {"a": 1})), END],
        ),
        (
            '<|tool_call|>{"type": "function", "function": {"name": "f", "arguments": {}}, "id": "c1"}<|/tool_call|>',
            [Call(ToolCall("f", {}, "c1")), END],
        ),
        (
            '<|tool_call|>[{"name": "f", "arguments": {"a": "<|/tool_call|> \n"}}]<|/tool_call|>!',
            [Call(ToolCall("f", {"a": "<|/tool_call|> \n"})), Said("!"), END],
        ),
    ],
)
def test_events(text: str, expected: list[Event]) -> None:
    assert events(text) == expected
    assert events(*text) == expected


@pytest.mark.parametrize(
    "text", ["<think>a</think>\n\n 12 3\n", "<think>a</think>12 3\n", "<think>a</think> \n12 3\n"]
)
def test_trimmed_of_white_space_between_thought_and_answer(text: str) -> None:
    assert events(text, trim=True) == events(*text, trim=True) == [Thought("a"), Said("12 3\n"), END]
    assert events("  12", trim=True) == [Said("  12"), END]


@pytest.mark.parametrize(
    ("text", "raw", "reason", "after"),
    [
        ("<|tool_call|>f(x)<|/tool_call|>ok", "<|tool_call|>f(x)<|/tool_call|>", "not JSON", "ok"),
        ("<|tool_call|><|/tool_call|>", "<|tool_call|><|/tool_call|>", "no call", ""),
        ("<|tool_call|>[]<|/tool_call|>", "<|tool_call|>[]<|/tool_call|>", "no call", ""),
        ('<|tool_call|>[{"name": <|/tool_call|>ok', '<|tool_call|>[{"name": <|/tool_call|>', "cut off", "ok"),
        ('<|tool_call|>[{"name": "f", "argum', '<|tool_call|>[{"name": "f", "argum', "cut off", ""),
        ('<|tool_call|>[{"name": "f<|/tool_call|>ok', '<|tool_call|>[{"name": "f<|/tool_call|>', "cut off", "ok"),
        (
            "<|tool_call|>[{'name': 1}]<|/tool_call|>ok",
            "<|tool_call|>[{'name': 1}]<|/tool_call|>",
            "JSON is wrong",
            "ok",
        ),
        (
            '<|tool_call|>{"arguments": {}}<|/tool_call|>',
            '<|tool_call|>{"arguments": {}}<|/tool_call|>',
            "no name",
            "",
        ),
        (
            '<|tool_call|>[{"name": "f", "arguments": [1]}]',
            '<|tool_call|>[{"name": "f", "arguments": [1]}]',
            "object",
            "",
        ),
        ("functools[{name: 1}] ok", "functools[{name: 1}]", "JSON is wrong", " ok"),
        ("functools[NaN]", "functools[NaN]", "NaN", ""),
        ('functools[{"name"', 'functools[{"name"', "cut off", ""),
        ("functools[" + "[" * 20_000 + "]" * 20_000 + "]", None, "JSON is wrong", ""),
    ],
)
def test_malformed_calls_come_out_with_their_text(text: str, raw: str | None, reason: str, after: str) -> None:
    found = events(text)
    assert isinstance(found[0], MalformedCall)
    assert found[0].raw == (text if raw is None else raw)
    assert reason in found[0].reason
    assert "".join(e.text for e in found if isinstance(e, Said)) == after


def test_a_bad_call_does_not_take_the_good_ones_with_it() -> None:
    text = f'<|tool_call|>[{CALL}, {{"nom": "g"}}, {CALL}]<|/tool_call|>'
    assert events(text) == [F, MalformedCall(text, "it has no name"), F, END]


def test_a_prompt_may_have_opened_the_thought() -> None:
    assert events("a</think>b", in_thought=True) == [Thought("a"), Said("b"), END]
    assert events("</think>b", in_thought=True) == [Thought(""), Said("b"), END]
    assert events("a", in_thought=True) == [Thought("a"), End(open_thought=True)]


FRAGMENTS = [
    *("<think>", "</think>", "<|tool_call|>", "<|/tool_call|>", "functools[", "]", "[", "{", "}", '"', "\\", "`", ","),
    *('{"name": "f", "arguments": {"a": [1]}}', '"name"', ":", "1", " ", "\n", "text", "<", "<|", "é漢🙂", "</thi"),
]
TURNS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=12).map("".join)


@settings(max_examples=250, deadline=None)
@given(TURNS, st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_chunks_do_not_matter(text: str, cuts: list[int], in_thought: bool) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    chunks = [text[a:b] for a, b in pairwise(edges)]
    whole = events(text, in_thought=in_thought)
    assert events(*chunks, in_thought=in_thought) == whole
    assert events(*text, in_thought=in_thought) == whole


@settings(max_examples=120, deadline=None)
@given(TURNS)
def test_nothing_is_lost(text: str) -> None:
    """Without calls, what is told is the turn but for think tags and blanks; with them, it is told in the turn's order."""
    told = events(text)
    pieces = "".join(getattr(event, "text", "") for event in told)

    def bare(text: str) -> str:
        return "".join(text.replace("<think>", "").replace("</think>", "").split())

    if not any(isinstance(event, Call | MalformedCall) for event in told):
        assert bare(pieces) == bare(text)
    rest = iter(text)
    assert all(character in rest for character in pieces)  # `in` moves the iterator on: a subsequence
    for event in told:
        if isinstance(event, MalformedCall):
            assert event.raw in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CALLS = st.builds(ToolCall, st.text(min_size=1, max_size=6), st.dictionaries(st.text(max_size=4), JSON, max_size=3))


@settings(max_examples=120, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3), st.sampled_from(["native", "pairs", "functools"]), st.booleans())
def test_any_arguments_survive_any_dialect(calls: list[ToolCall], dialect: str, ascii_only: bool) -> None:
    items = [json.dumps({"name": c.name, "arguments": c.arguments}, ensure_ascii=ascii_only) for c in calls]
    text = {
        "native": f"<|tool_call|>[{', '.join(items)}]<|/tool_call|>",
        "pairs": "".join(f"<|tool_call|>{item}<|/tool_call|>" for item in items),
        "functools": f"functools[{', '.join(items)}]",
    }[dialect]
    assert events(*text) == [*(Call(c) for c in calls), END]


def test_text_flows_at_once_but_for_what_may_begin_a_tag() -> None:
    parser = Parser()
    assert parser.feed("Hello <") == [Said("Hello ")]
    assert parser.feed("b> x <thi") == [Said("<b> x ")]
    assert parser.feed("s") == [Said("<this")]
    assert parser.feed(" fun") == [Said(" ")]
    assert parser.finish() == [Said("fun"), END]


def test_parse_gives_a_message() -> None:
    assert parse(f"<think>a</think>b<|tool_call|>[{CALL}]<|/tool_call|>") == Message(
        "assistant", "b", "a", tool_calls=[F.call]
    )
    assert parse("plain").thinking is None
    assert parse("a</think>b") == Message("assistant", "b", "a")
    assert parse("<think></think>b").thinking == ""
    with pytest.raises(ValueError, match=r"malformed tool call .*functools\[1\]"):
        parse("functools[1]")


def test_a_whole_turn_finds_the_end_of_a_thought_that_streaming_cannot() -> None:
    text = "<think>I should open with <think> first.</think>42"
    assert events(text)[-1] == End(open_thought=True)
    turn = parse_turn(text)
    assert turn.message == Message("assistant", "42", "I should open with <think> first.")
    assert not turn.open_thought
    assert parse_turn("<think>ends with `</think>`").open_thought


def test_importing_the_parser_loads_nothing_heavy() -> None:
    code = "import sys, phiforge.chat.parse; print([m for m in ('torch', 'tokenizers', 'jinja2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
