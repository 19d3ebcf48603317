"""What a request lets the model write, as a grammar: free text, calls of tools that obey their schemas, or JSON.

Calls are written as phi-4-mini writes them, which `chat/parse.py` reads; a vocabulary without its tags gets the form
that goes without, `functools[...]`.
"""

from __future__ import annotations

import json
from typing import Any

from phiforge.chat.render import Tool
from phiforge.engine.grammar import JSON_BLANKS, Grammar
from phiforge.lm.local import LocalModel
from phiforge.serve.errors import APIError
from phiforge.serve.wire import Function, NamedTool, ResponseFormat

CALL_BLANKS = " ?"  # in a call, as models are taught to write them
OPEN, CLOSE = "<|tool_call|>", "<|/tool_call|>"


def offered(functions: list[Function]) -> list[Tool]:
    """The tools as chat formats describe them. Raises APIError for two of one name."""
    names = [function.name for function in functions]
    for i, name in enumerate(names):
        if not name or len(name) > 64 or not all(c.isalnum() or c in "_-." for c in name):
            raise APIError(f"tools[{i}]: a name is 1 to 64 letters, digits, _, - and ., not {name!r}", param="tools")
        if name in names[:i]:
            raise APIError(f"tools[{i}]: there is another tool called {name!r}", param="tools")
        if (functions[i].parameters or {}).get("type", "object") != "object":
            raise APIError(f"tools[{i}]: the parameters of {name!r} are no object", param="tools")
    return [
        {
            "type": "function",
            "function": {
                "name": function.name,
                **({"description": function.description} if function.description else {}),
                "parameters": function.parameters or {"type": "object", "properties": {}},
            },
        }
        for function in functions
    ]


def grammar_of(
    lm: LocalModel,
    functions: list[Function],
    choice: str | NamedTool | None,
    parallel: bool,
    format: ResponseFormat | None,
) -> Grammar | None:
    """The grammar of an answer, or None where anything goes. Raises APIError for a choice that there is none of."""
    answer = _format(format)
    if choice == "none" or not functions:
        if choice not in (None, "auto", "none"):
            raise APIError("tool_choice asks for a call, and there are no tools", param="tool_choice")
        return answer
    if isinstance(choice, NamedTool):
        functions = [function for function in functions if function.name == choice.function.name]
        if not functions:
            raise APIError(f"tool_choice names {choice.function.name!r}, no tool here", param="tool_choice")
    tagged = OPEN in lm.tokenizer.specials and CLOSE in lm.tokenizer.specials
    more = '("," call)*' if parallel and not isinstance(choice, NamedTool) else ""
    calls = f'calls: {OPEN + " " if tagged else ""}{"" if tagged else _quoted("functools")} "[" call {more} "]"'
    rules = [f"{calls} {CLOSE}" if tagged else calls]
    rules.append("call: " + " | ".join(f"call_{i}" for i in range(len(functions))))
    rules += [f"call_{i}: %json {json.dumps(_call_schema(function))}" for i, function in enumerate(functions)]
    if choice in (None, "auto"):
        if not tagged:
            return answer  # a call is text like any other: what is no call cannot be told from one that has begun
        rules.insert(0, "start: answer calls? | calls")
        rules.append("answer: " + (f"%json {json.dumps(_bounded(answer))}" if answer else "/(?s:.+)/"))
    elif answer is not None:
        raise APIError(
            "response_format and a tool_choice that asks for a call exclude each other", param="tool_choice"
        )
    else:
        rules.insert(0, "start: calls")
    return Grammar.lark("\n".join(rules))


def _format(format: ResponseFormat | None) -> Grammar | None:
    if format is None or format.type == "text":
        return None
    if format.type == "json_object":
        return Grammar.json_object()
    if format.json_schema is None or format.json_schema.schema is None:
        raise APIError("response_format.json_schema has no schema", param="response_format.json_schema")
    try:
        return Grammar.json_schema(format.json_schema.schema)
    except ValueError as error:
        raise APIError(f"response_format: {error}", param="response_format") from None


def _call_schema(function: Function) -> dict[str, Any]:
    arguments = {"type": "object", **_placed(function.parameters or {"properties": {}})}
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
        "x-guidance": {"whitespace_pattern": CALL_BLANKS},
    }


def _placed(schema: Any) -> Any:
    """The arguments' schema at its place in the call's: its references start there; and without what only explains."""
    if isinstance(schema, list):
        return [_placed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    placed = {}
    for key, value in schema.items():
        if isinstance(value, str) and key in ("$schema", "$comment", "title", "description"):
            continue
        if key == "$ref" and isinstance(value, str) and value.startswith("#"):
            value = f"#/properties/arguments{value[1:]}"
        placed[key] = value if key in ("const", "enum", "default", "examples") else _placed(value)
    return placed


def _bounded(answer: Grammar) -> dict[str, Any]:
    schema = {"type": "object"} if answer.kind == "json_object" else json.loads(answer.text)
    return {**schema, "x-guidance": {"whitespace_pattern": JSON_BLANKS}}


def _quoted(text: str) -> str:
    return json.dumps(text)
