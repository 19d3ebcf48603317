"""Answers in the shape of a msgspec Struct: the schema that a grammar enforces, the form shown in a prompt, the reading."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.S)
_NONE = "there is no JSON object in it"
_MOST_STARTS = 50  # braces of a text at which an object is looked for


@lru_cache(maxsize=256)
def schema_text(kind: type[Struct]) -> str:
    """The JSON Schema of a Struct as text: nothing but its fields is allowed, and all of them are asked for."""
    schema = msgspec.json.schema(kind)
    for definition in schema.get("$defs", {}).values():
        if definition.get("type") == "object" and "properties" in definition:
            definition["additionalProperties"] = False
            definition["required"] = list(definition["properties"])
            for field in definition["properties"].values():
                field.pop("default", None)  # strict modes of endpoints know none
    return json.dumps(schema)


@lru_cache(maxsize=256)
def form(kind: type[Struct]) -> str:
    """A Struct's JSON as a prompt shows it: `{"title": string, "score": 1 to 5, "steps": [string, ...] (at most 3)}`.

    Types, and no examples: small models copy those.
    """
    schema = json.loads(schema_text(kind))
    return _shown(schema, schema.get("$defs", {}), 0)


def read(kind: type[S], text: str) -> S:
    """The Struct that a text holds, alone, in a code fence or among words. Raises ValueError that says what is wrong."""
    problem = _NONE
    for candidate in (text.strip(), *(fenced.strip() for fenced in _FENCE.findall(text))):
        if candidate.startswith("{"):
            try:
                return msgspec.json.decode(candidate, type=kind, strict=False)
            except msgspec.DecodeError as error:
                problem = str(error)
    for start in [match.start() for match in re.finditer(r"\{", text)][:_MOST_STARTS]:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
            return msgspec.convert(value, kind, strict=False)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            if problem == _NONE and isinstance(error, msgspec.ValidationError):
                problem = str(error)
    raise ValueError(problem)


def _shown(schema: dict[str, Any], defs: dict[str, Any], depth: int) -> str:
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return " or ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_shown(each, defs, depth) for each in schema["anyOf"])
    match schema.get("type"):
        case "object" if depth < 4:
            fields = schema.get("properties", {})
            inner = ", ".join(f"{json.dumps(name)}: {_shown(each, defs, depth + 1)}" for name, each in fields.items())
            return f"{{{inner}}}"
        case "array":
            most = f" (at most {schema['maxItems']})" if "maxItems" in schema else ""
            return f"[{_shown(schema.get('items', {}), defs, depth + 1)}, ...]{most}"
        case "integer" | "number" as name:
            if "minimum" in schema and "maximum" in schema:
                return f"{schema['minimum']} to {schema['maximum']}"
            return name
        case "boolean":
            return "true or false"
        case "null":
            return "null"
    return f"string (at most {schema['maxLength']} characters)" if "maxLength" in schema else "string"
