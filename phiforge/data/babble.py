"""What a simulated teacher says where nothing is known: words of the question, and forms that fit their schema."""

from __future__ import annotations

from typing import Any

from phiforge.data.draw import Draw


def filled(schema: dict[str, Any], draw: Draw, about: str) -> Any:
    """A value that a JSON Schema allows, of words from a text."""
    return _value(schema, schema.get("$defs", {}), draw, about, 0)


def _value(schema: dict[str, Any], defs: dict[str, Any], draw: Draw, about: str, depth: int) -> Any:
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return draw.pick(schema["enum"])
    if "anyOf" in schema:
        return _value(draw.pick(schema["anyOf"]), defs, draw, about, depth)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: _value(each, defs, draw, about, depth + 1) for name, each in fields.items()}
        case "array":
            least = schema.get("minItems", 1)
            most = max(least, min(schema.get("maxItems", 3), 3 if depth < 4 else least))
            return [_value(schema["items"], defs, draw, about, depth + 1) for _ in range(draw.between(least, most))]
        case "integer":
            return draw.between(schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 9))
        case "number":
            low = schema.get("minimum", 0)
            return low + draw.random() * (schema.get("maximum", low + 1) - low)
        case "boolean":
            return draw.chance(0.5)
        case "null":
            return None
    return babble(about, draw, 12)[: schema.get("maxLength", 200)]


def babble(about: str, draw: Draw, n: int) -> str:
    """A sentence or several of the words of a text, in another order."""
    words = [word for word in about.split() if word.isalpha()] or ["nothing"]
    said = [draw.pick(words).lower() for _ in range(n)]
    parts = [" ".join(said[i : i + 10]).capitalize() for i in range(0, n, 10)]
    return ". ".join(parts) + "."
