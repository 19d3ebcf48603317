"""Whether a response makes the right tool calls: names that exist, arguments that obey their JSON Schema, values as expected.

`Problem.answer` is a JSON array of the expected calls, `[]` for none. A call is {"name", "arguments"}, or {"name", "accept"}
with a list of right values for each parameter, in which "" means that it may be left out. Where the answer is an object
instead, nothing may be called: {"ask": [words]} wants a question with one of the words, {"ask": [[words], …]} with one of
each list, and {"say": [texts]} wants all of the texts.
`verifier_args`:
    tools     the definitions, OpenAI's or flat ones; with them arguments are validated first
    ordered   True where the calls have to come in this order
    loose     True where texts are compared without case, spaces and punctuation
Calls are read as a JSON array or object of calls, bare, in a fence, in <|tool_call|> marks or as functools[...].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, cast

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, visible

MAX_CALLS = 128
MAX_STARTS = 2_000  # places in a response from which JSON is tried

_MARKED = re.compile(r"<\|tool_calls?\|>(.*?)(?:<\|/tool_calls?\|>|\Z)|<tool_call>(.*?)(?:</tool_call>|\Z)", re.S)
_QUESTION = re.compile(r"[^.?!\n]*\?")
_FUNCTOOLS = re.compile(r"functools\s*(?=\[)")
_TYPES = {  # BFCL's names of types
    "dict": "object", "float": "number", "tuple": "array", "list": "array", "str": "string", "int": "integer", "bool": "boolean",
    "any": "",
}  # fmt: skip

Call = dict[str, Any]


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the calls of a response with the expected ones. Raises ValueError for an answer or tools that can't be read."""
    args = problem.verifier_args
    expected, words = _expected(problem.answer)
    calls = read_calls(response)
    if calls is None:
        return Verdict(False, 0.0, "the response ends within a thought, or is too long")
    if not expected:
        if not calls and (missing := _unsaid(visible(response) or "", words)):
            return Verdict(False, 0.0, missing)
        return Verdict(
            not calls,
            float(not calls),
            "nothing is called" if not calls else f"{calls[0]['name']} is called, but nothing should be",
        )
    if not calls:
        return Verdict(False, 0.0, "nothing is called")
    tools = {tool["name"]: tool for tool in map(_flat, args.get("tools") or [])}
    if tools:
        for call in calls:
            if reason := _invalid(call, tools):
                return Verdict(False, 0.0, reason)
    if len(calls) != len(expected):
        return Verdict(False, 0.0, f"{len(calls)} calls instead of {len(expected)}")
    loose = bool(args.get("loose"))
    paired = sum(not _differs(call, wanted, loose) for call, wanted in zip(calls, expected, strict=True))
    if paired < len(expected) and not args.get("ordered"):
        paired = _most_pairs([[not _differs(call, wanted, loose) for wanted in expected] for call in calls])
    if paired == len(expected):
        return Verdict(True, 1.0, "every call is as expected")
    reasons = [_differs(call, wanted, loose) for call, wanted in zip(calls, expected, strict=True)]
    return Verdict(
        False, paired / len(expected) * 0.99, next(reason for reason in [*reasons, "the order differs"] if reason)
    )


# --- reading calls -----------------------------------------------------------------------------------------------------


def read_calls(response: str) -> list[Call] | None:
    """The calls of a response, in order; None where its thought isn't closed or it is too long to read."""
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    if shown is None:
        return None
    marked = [a or b for a, b in _MARKED.findall(shown)]
    if marked:
        return [call for text in marked for call in _calls_in(text)][:MAX_CALLS]
    start = _FUNCTOOLS.search(shown)
    return _calls_in(shown[start.end() :] if start else shown)[:MAX_CALLS]


def _calls_in(text: str) -> list[Call]:
    """Every call that stands in a text as JSON, alone or in an array."""
    decoder = json.JSONDecoder()
    found: list[Call] = []
    position, tried = 0, 0
    while (match := re.compile(r"[\[{]").search(text, position)) and tried < MAX_STARTS:
        tried += 1
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.start() + 1
            continue
        for item in cast(list[Any], value) if isinstance(value, list) else [value]:
            if (call := _call(item)) is not None:
                found.append(call)
    return found


def _call(item: Any) -> Call | None:
    if not isinstance(item, dict):
        return None
    item = cast(dict[str, Any], item)
    if isinstance(item.get("function"), dict):  # OpenAI's form
        item = cast(dict[str, Any], item["function"])
    arguments = item.get("arguments", item.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    if not isinstance(item.get("name"), str) or not isinstance(arguments, dict):
        return None
    return {"name": item["name"], "arguments": arguments}


def _expected(answer: str) -> tuple[list[Call], dict[str, list[str]]]:
    """The expected calls, and the words expected where there are none."""
    try:
        calls = json.loads(answer)
    except ValueError as error:
        raise ValueError(f"the expected calls are no JSON: {error}") from None
    if isinstance(calls, dict):
        words = cast(dict[str, Any], calls)
        if not words or not all(key in ("ask", "say") and isinstance(words[key], list) for key in words):
            raise ValueError(f"expected calls are an array, expected words lists under `ask` or `say`: {answer[:80]}")
        return [], words
    if not isinstance(calls, list):
        raise ValueError("the expected calls are no array")
    for call in cast(list[Any], calls):
        if not isinstance(call, dict) or "name" not in call or not ("arguments" in call or "accept" in call):
            raise ValueError(f"an expected call needs a name and arguments, or accept: {call}")
    return cast(list[Call], calls), {}


def _unsaid(shown: str, words: dict[str, list[str]]) -> str:
    """Which expected words a response lacks; empty if it has them."""
    asked: list[Any] = words.get("ask", [])
    questions = " ".join(_QUESTION.findall(shown))
    for group in cast(list[list[Any]], asked if asked and isinstance(asked[0], list) else [asked] * bool(asked)):
        if not any(_holds(questions, word) for word in group):
            return f"nothing is asked about {' or '.join(map(str, group))}"[:120]
    return next((f"{text} is not said" for text in words.get("say", ()) if not _holds(shown, text)), "")


def _holds(text: str, word: Any) -> bool:
    """Whether a word, or a text, stands in a text as a whole."""
    return bool(re.search(rf"(?<!\w){re.escape(str(word))}(?!\w)", text, re.I))


# --- tools ---------------------------------------------------------------------------------------------------------------


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(tool.get("function", tool))
    if not isinstance(flat.get("name"), str):
        raise ValueError(f"a tool without a name: {json.dumps(tool)[:80]}")
    return flat


def _invalid(call: Call, tools: Mapping[str, dict[str, Any]]) -> str:
    """Why a call isn't one of these tools' calls; empty if it is."""
    tool = tools.get(call["name"])
    if tool is None:
        return f"there is no tool {call['name']!r}"
    schema = tool.get("parameters") or {"type": "object"}
    error = _validator(json.dumps(schema))(call["arguments"])
    return f"{call['name']}: {error}" if error else ""


@cache
def _validator(schema: str) -> Any:
    """A function that says what is wrong with arguments under a schema, which is closed: what it doesn't name is wrong."""
    jsonschema: Any = import_module("jsonschema")  # it has types for half of what it offers
    best_match: Any = import_module("jsonschema.exceptions").best_match
    registry: Any = import_module("referencing").Registry()  # empty, and nothing is fetched
    closed = _closed(json.loads(schema))
    try:
        jsonschema.Draft202012Validator.check_schema(closed)
    except jsonschema.SchemaError as error:
        raise ValueError(f"a tool's parameters are no JSON Schema: {error.message}") from None
    validator: Any = jsonschema.Draft202012Validator(closed, registry=registry)

    def check(arguments: dict[str, Any]) -> str:
        error: Any = best_match(validator.iter_errors(arguments))
        if error is None:
            return ""
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
        return f"{place}: {error.message}" if place else str(error.message)

    return check


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in cast(dict[str, Any], schema).items():
        if key == "type" and isinstance(value, str) and value in _TYPES:
            if _TYPES[value]:
                made[key] = _TYPES[value]
        elif key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            made[key] = {name: _closed(each) for name, each in cast(dict[str, Any], value).items()}
        elif key in ("items", "anyOf", "oneOf", "allOf", "additionalProperties", "prefixItems", "not"):
            made[key] = _closed(value)
        else:
            made[key] = value
    joined = {"anyOf", "oneOf", "allOf", "$ref", "additionalProperties", "patternProperties"}
    if "properties" in made and not joined & made.keys():
        made["additionalProperties"] = False
    return made


# --- comparing -----------------------------------------------------------------------------------------------------------


def _differs(call: Call, wanted: Call, loose: bool) -> str:
    """What is wrong with a call; empty if it is the wanted one."""
    if call["name"] != wanted["name"]:
        return f"{call['name']} is called instead of {wanted['name']}"
    given: dict[str, Any] = call["arguments"]
    accept: dict[str, list[Any]] = wanted.get("accept") or {
        name: [value] for name, value in wanted["arguments"].items()
    }
    for name, values in accept.items():
        if name not in given:
            if "" not in values or "accept" not in wanted:
                return f"{call['name']}: {name} is missing"
        elif not any(_same(given[name], value, loose) for value in values):
            return f"{call['name']}: {name} is {json.dumps(given[name])[:60]}, not {json.dumps(values[0])[:60]}"
    extra = [name for name in given if name not in accept]
    return f"{call['name']}: {extra[0]} should not be given" if extra else ""


def _same(a: Any, b: Any, loose: bool) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    if isinstance(a, str) and isinstance(b, str):
        return _plain(a) == _plain(b) if loose else a == b
    if isinstance(a, list) and isinstance(b, list):
        left, right = cast(list[Any], a), cast(list[Any], b)
        return len(left) == len(right) and all(_same(x, y, loose) for x, y in zip(left, right, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        one, other = cast(dict[str, Any], a), cast(dict[str, Any], b)
        return one.keys() == other.keys() and all(_same(one[key], other[key], loose) for key in one)
    return a is None and b is None


def _plain(text: str) -> str:
    return re.sub(r"[\s,./\-_*^'\"()]", "", text).casefold()


def _most_pairs(fits: Sequence[Sequence[bool]]) -> int:
    """How many calls can be paired with expected ones that they fit (augmenting paths)."""
    taken: dict[int, int] = {}

    def place(call: int, seen: set[int]) -> bool:
        for wanted, fit in enumerate(fits[call]):
            if fit and wanted not in seen:
                seen.add(wanted)
                if wanted not in taken or place(taken[wanted], seen):
                    taken[wanted] = call
                    return True
        return False

    return sum(place(call, set()) for call in range(len(fits)))
