"""What a request lets the model write, as a grammar: free text, calls of tools that obey their schemas, or JSON."""

from __future__ import annotations

import json
from typing import Any

from phiforge.chat.render import Tool
from phiforge.engine.grammar import JSON_BLANKS, Grammar
from phiforge.lm import calls
from phiforge.lm.local import LocalModel
from phiforge.serve.errors import APIError
from phiforge.serve.wire import Function, NamedTool, ResponseFormat


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
    tools = offered(functions)
    parallel = parallel and not isinstance(choice, NamedTool)
    if choice in (None, "auto"):
        return calls.allowed(lm.format, tools, parallel, _bounded(answer) if answer else None) or answer
    if answer is not None:
        raise APIError(
            "response_format and a tool_choice that asks for a call exclude each other", param="tool_choice"
        )
    return calls.required(lm.format, tools, parallel)


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


def _bounded(answer: Grammar) -> dict[str, Any]:
    schema = {"type": "object"} if answer.kind == "json_object" else json.loads(answer.text)
    return {**schema, "x-guidance": {"whitespace_pattern": JSON_BLANKS}}
