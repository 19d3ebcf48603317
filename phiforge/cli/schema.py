"""A JSON Schema as people write it for an answer: an object holds what it names, and nothing else.

By the standard an object may hold more than its schema names. A small model that may go on goes on, so what a schema
leaves open is closed here; whatever obeys the closed one obeys the schema.
"""

from __future__ import annotations

from typing import Any

JOINING = {"allOf", "anyOf", "oneOf", "$ref"}
MORE = {"additionalProperties", "unevaluatedProperties", "patternProperties", "dependentSchemas", "dependencies"}


def closed(schema: Any) -> Any:
    """The schema with `additionalProperties: false` wherever an object has `properties` and does not say what else.

    A schema that puts objects together from several is left as it is: one part would forbid what the other names.
    """
    return schema if _joins(schema) else _close(schema)


def _joins(schema: Any) -> bool:
    """Whether two parts of the schema, anywhere in it, speak of one object."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            together = part.get("allOf")
            if "if" in part or "not" in part or (isinstance(together, list) and len(together) > 1):
                return True
            if "properties" in part and JOINING & part.keys():
                return True
        stack += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return False


def _close(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    new = dict(schema)
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            new[key] = {name: _close(part) for name, part in value.items()}
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
            new[key] = [_close(part) for part in value]
        elif key in ("items", "additionalProperties"):
            new[key] = _close(value)
    named, needed = schema.get("properties"), schema.get("required", [])
    if isinstance(named, dict) and isinstance(needed, list) and not MORE & schema.keys():
        least = schema.get("minProperties", 0)
        if all(name in named for name in needed) and isinstance(least, int) and least <= len(named):
            new["additionalProperties"] = False
    return new
