"""Tool calls as a grammar: what a model may write so that every call can be read and obeys its tool's schema.

Calls are written as phi-4-mini writes them, which `chat/parse.py` reads: its tags are tokens, or plain text in a format that has
them on another vocabulary. A format without tools gets the form that goes without tags, `functools[...]`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from phiforge.chat.format import ChatFormat
from phiforge.chat.render import Tool, function_of
from phiforge.engine.grammar import Grammar

CALL_BLANKS = " ?"  # in a call, as models are taught to write them
OPEN, CLOSE = "<|tool_call|>", "<|/tool_call|>"


def required(format: ChatFormat, tools: Sequence[Tool], parallel: bool = True) -> Grammar:
    """Calls of these tools, one or (`parallel`) more, and nothing else."""
    return Grammar.lark("\n".join(["start: calls", *_calls(format, tools, parallel)]))


def allowed(
    format: ChatFormat, tools: Sequence[Tool], parallel: bool = True, answer: dict[str, Any] | None = None
) -> Grammar | None:
    """An answer, calls, or both in this order; `answer` is a JSON schema for it. None where a call is text like any other: then
    what is no call cannot be told from one that has begun."""
    tagged, told = _tagged(format), format.has_tools
    if not tagged and not told:
        return None
    rules = _calls(format, tools, parallel)
    if tagged:
        said = f"%json {json.dumps(answer)}" if answer else "/(?s:.+)/"
        rules = ["start: answer calls? | calls", f"answer: {said}", *rules]
    elif answer:
        rules = ["start: answer calls? | calls", f"answer: %json {json.dumps(answer)}", *rules]
    else:  # up to where the tag begins, or without one
        opened = json.dumps(OPEN)
        rules = [
            "start: ANSWER | before list close | calls",
            f"ANSWER: /(?s:.+)/ & ~/(?s:.*){OPEN.replace('|', chr(92) + '|')}(?s:.*)/",
            f"before[suffix={opened}]: /(?s:.*)/",
            *rules,
        ]
    return Grammar.lark("\n".join(rules))


def _tagged(format: ChatFormat) -> bool:
    return OPEN in format.tokenizer.specials and CLOSE in format.tokenizer.specials


def _calls(format: ChatFormat, tools: Sequence[Tool], parallel: bool) -> list[str]:
    functions = [function_of(tool) for tool in tools]
    if _tagged(format):
        opening, closing = OPEN, CLOSE
    else:
        opening, closing = (json.dumps(OPEN), json.dumps(CLOSE)) if format.has_tools else ('"functools"', "")
    more = '("," " "? call)*' if parallel else ""
    rules = [f"calls: {opening} list {closing and 'close'}", f'list: "[" call {more} "]"']
    rules += [f"close: {closing}"] if closing else []
    rules.append("call: " + " | ".join(f"call_{i}" for i in range(len(functions))))
    rules += [f"call_{i}: %json {json.dumps(_call_schema(function))}" for i, function in enumerate(functions)]
    return rules


def _call_schema(function: Any) -> dict[str, Any]:
    arguments = {"type": "object", **_placed(function.get("parameters") or {"properties": {}})}
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
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
