"""Grammars that an answer must follow, and what llguidance makes of them for one vocabulary."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

Kind = Literal["json_schema", "json_object", "regex", "lark"]

# Compiling takes time in the square of the text's length; these are below a second. A regex costs most, wherever it is.
LONGEST: dict[Kind, int] = {"json_schema": 131_072, "json_object": 0, "regex": 16_384, "lark": 32_768}
LONGEST_STRING = LONGEST["regex"]  # of one string in a schema: it may be a pattern
DEEPEST = 100  # levels of a schema; llguidance's own parser has about as many
CACHED = 64  # compiled grammars kept

# Between the parts of a JSON text: at most two line ends, and some indentation. Without a bound small models, who are
# kept from stopping, write line ends for ever.
JSON_BLANKS = r"[ \t]{1,64}|(\r?\n){1,2}[ \t]{0,64}"
BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What a sample's answer must be, whole: text of a JSON schema, a regular expression (Rust's syntax: no lookaround,
    `.` is no line end, `\\d` is 0 to 9) or a Lark grammar (llguidance's dialect; the start rule is `start`).

    Raises ValueError for what can be seen without a tokenizer: a text that is no JSON, or longer than `LONGEST`.
    `Grammars.compile` finds the rest.
    """

    kind: Kind
    text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"a grammar's kind must be one of {', '.join(get_args(Kind))}, not {self.kind!r}")
        if len(self.text) > LONGEST[self.kind]:
            most = LONGEST[self.kind]
            raise ValueError(f"a {self.kind} grammar has at most {most:,} characters, not {len(self.text):,}")
        if self.kind == "json_schema":
            _check_schema(_parse(self.text))
        elif self.kind != "json_object" and not self.text.strip():
            raise ValueError(f"the {self.kind} grammar is empty")
        if self.kind == "regex" and len(self.text) - len(self.text.rstrip("\\")) & 1:
            raise ValueError(f"the regex grammar ends in a lone backslash: {self.text[-40:]!r}")

    @classmethod
    def json_schema(cls, schema: str | bool | dict[str, Any]) -> Self:
        """JSON that a schema describes (JSON text, or what it parses to). Properties come in the schema's order."""
        return cls(kind="json_schema", text=schema if isinstance(schema, str) else json.dumps(schema))

    @classmethod
    def json_object(cls) -> Self:
        """Any JSON object."""
        return cls(kind="json_object")

    @classmethod
    def regex(cls, pattern: str) -> Self:
        """Text that the pattern matches from beginning to end."""
        return cls(kind="regex", text=pattern)

    @classmethod
    def lark(cls, text: str) -> Self:
        """Text that the rule `start` of a Lark grammar derives. Special tokens are written as `<|name|>`."""
        return cls(kind="lark", text=text)

    def source(self) -> str:
        """The grammar in llguidance's Lark. Whatever the kind, the model chooses how the text is cut into tokens."""
        if self.kind == "lark":
            rules = self.text
        elif self.kind == "regex":
            from llguidance import regex_to_lark

            rules = f"start: /{regex_to_lark(self.text, 'd')}/"  # d: \\d is 0 to 9, not every script's digits
        else:
            parsed = {"type": "object"} if self.kind == "json_object" else _parse(self.text)
            schema: dict[str, Any] = {} if parsed is True else parsed
            options: dict[str, Any] = schema.get("x-guidance", {})
            if not options.keys() & {"whitespace_pattern", "whitespace_flexible"}:
                options = {"whitespace_pattern": JSON_BLANKS, **options}
            rules = f"start: %json {json.dumps({**schema, 'x-guidance': options})}"
        return f'{rules}\n%llguidance {{"no_forcing": true}}\n'  # last, so that lines keep their numbers in messages


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"the json_schema grammar is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"a JSON schema is nested at most {DEEPEST} levels deep") from None


def _check_schema(schema: Any) -> None:
    if schema is not True and not isinstance(schema, dict):
        raise ValueError(f"a JSON schema is an object or true, not {json.dumps(schema)[:40]}")
    if schema is not True and not isinstance(schema.get("x-guidance", {}), dict):
        raise ValueError(f"x-guidance of a JSON schema is an object, not {json.dumps(schema['x-guidance'])[:40]}")
    stack = [(schema, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > DEEPEST:
            raise ValueError(f"a JSON schema is nested at most {DEEPEST} levels deep")
        if isinstance(value, str) and len(value) > LONGEST_STRING:
            raise ValueError(
                f"a string in a JSON schema has at most {LONGEST_STRING:,} characters, not {len(value):,}: {value[:40]!r}"
            )
        inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
        stack += [(item, depth + 1) for item in inner]


class Grammars:
    """Compiled grammars over one vocabulary. Costs nothing until the first is asked for. Safe to use from any thread.

    `tokens` makes the bytes of every id (UTF-8; a part of a character is fine, nothing for an id without a token; a
    special token has its name). `specials` are ids that no text may contain, `end` the one among them that ends a
    text. `vocab_size` is the number of logits, which may be more than there are tokens.
    """

    def __init__(
        self, tokens: Callable[[], Sequence[bytes]], *, specials: Iterable[int], end: int, vocab_size: int
    ) -> None:
        if not 0 <= end < vocab_size:
            raise ValueError(f"the end token {end} is outside the vocabulary of {vocab_size}")
        self.vocab_size = vocab_size
        self.end = end
        self.specials = frozenset(specials) | {end}
        self._make_tokens = tokens
        self._compiled: OrderedDict[Grammar, LLMatcher] = OrderedDict()
        self._rows: dict[tuple[str, str], np.ndarray] = {}
        self._lock = threading.Lock()

    @cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of every id."""
        tokens = list(self._make_tokens())[: self.vocab_size]
        return tokens + [b""] * (self.vocab_size - len(tokens))

    def text_of(self, id: int) -> str:
        """A token as a string with a character a byte."""
        return self.tokens[id].decode("latin-1")

    def compile(self, grammar: Grammar) -> LLMatcher:
        """A matcher at the grammar's beginning, to be copied and not fed.

        Raises ValueError naming the kind and the reason for a grammar that does not compile, allows no text, or is
        too complex. Takes up to a second for the largest, without the interpreter's lock; compile where a request
        comes from, not where the engine steps.
        """
        with self._lock:
            if found := self._compiled.get(grammar):
                self._compiled.move_to_end(grammar)
                return found
        from llguidance import LLMatcher

        matcher = LLMatcher(self._tokenizer, grammar.source(), limits=_limits(), log_level=0)
        # The first mask finds what building does not: a lexer that explodes, a language without a text.
        mask = np.frombuffer(matcher.compute_bitmask(), np.uint8).copy()
        if matcher.is_error() and "NoExtension" not in matcher.get_error():
            raise ValueError(f"the {grammar.kind} grammar does not compile: {_reason(matcher.get_error(), grammar)}")
        mask[self.end >> 3] &= ~np.uint8(1 << (self.end & 7))
        if not mask.any():
            raise ValueError(f"the {grammar.kind} grammar allows no text: {grammar.text[:80]!r}")
        with self._lock:
            self._compiled[grammar] = matcher
            while len(self._compiled) > CACHED:
                self._compiled.popitem(last=False)
        return matcher

    def forget(self, grammar: Grammar) -> None:
        """Drop a compiled grammar whose lexer, which all its copies share, has reached a limit."""
        with self._lock:
            self._compiled.pop(grammar, None)

    @cached_property
    def _tokenizer(self) -> LLTokenizer:
        from llguidance import LLTokenizer, TokenizerWrapper

        return LLTokenizer(TokenizerWrapper(_Vocabulary(self.tokens, self.end, sorted(self.specials))))

    # --- sets of tokens, as rows of bits ---------------------------------------------------------------------------

    def row(self, ids: Iterable[int]) -> np.ndarray:
        """Bits of `ids`: uint32 [ceil(vocab_size / 32)]; bit i of word w is id 32w + i."""
        bits = np.zeros((self.vocab_size + 31) // 32 * 32, np.uint8)
        bits[list(ids)] = 1
        return np.packbits(bits, bitorder="little").view("<u4")

    def blanks(self, most: int) -> np.ndarray:
        """Tokens of up to `most` blanks (spaces, tabs, line ends)."""
        return self._among("blanks", str(most), lambda t: 0 < len(t) <= most and not t.strip(BLANK))

    def towards(self, text: str) -> np.ndarray:
        """Tokens that `text` begins with, or that begin with it."""
        return self._among("towards", text, lambda t: bool(t) and (text.startswith(t) or t.startswith(text)))

    def beyond(self, text: str) -> np.ndarray:
        """Tokens that begin with `text` and go on with more than blanks."""
        return self._among("beyond", text, lambda t: t.startswith(text) and bool(t[len(text) :].strip(BLANK)))

    def past(self, text: str) -> np.ndarray:
        """Tokens that hold `text` and go on with more than blanks."""
        return self._among("past", text, lambda t: bool(t.partition(text)[2].strip(BLANK)))

    def _among(self, name: str, text: str, wanted: Callable[[str], bool]) -> np.ndarray:
        found = self._rows.get((name, text))
        if found is None:
            found = self.row(i for i, token in enumerate(self._texts) if wanted(token))
            self._rows[name, text] = found
        return found

    @cached_property
    def _texts(self) -> list[str]:
        return [token.decode("latin-1") for token in self.tokens]


class _Vocabulary:
    """What llguidance reads a vocabulary from. It asks for tokens of a text only to force them, which is off."""

    bos_token_id = None

    def __init__(self, tokens: list[bytes], end: int, specials: list[int]) -> None:
        self.tokens, self.eos_token_id, self.special_token_ids = tokens, end, specials

    def __call__(self, text: bytes) -> list[int]:
        return []


def _limits() -> LLParserLimits:
    """llguidance's own, but for three: more alternatives at one place (2,000 are 500 optional properties); fewer symbols,
    for building takes time in their square (a property is 8 to 20; 15,000 take half a second); and a bound on the
    lexer's memory (1 to 2 kB a state) that fits many grammars at once."""
    from llguidance import LLParserLimits

    return LLParserLimits(
        max_items_in_row=10_000, max_grammar_size=15_000, max_lexer_states=50_000, verbose_errors=False
    )


def _reason(message: str, grammar: Grammar) -> str:
    """llguidance's message as a clause: without the quoted source, and with a place only where we did not write it."""
    place = re.match(r"(?:at )?(\d+)\((\d+)\): ", message)
    inner = re.search(r"^error: (.*)", message, re.MULTILINE)
    clause = (inner.group(1) if inner else message[place.end() if place else 0 :].partition("\n")[0]).strip()
    clause = clause.removeprefix("failed to compile JSON schema: ")
    if place and grammar.kind == "lark":
        clause = f"line {place.group(1)}, column {place.group(2)}: {clause}"
    return clause if len(clause) <= 200 else f"{clause[:200]}…"
