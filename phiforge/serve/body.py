"""Request bodies: JSON, decoded strictly into a record. What the record does not name is refused by its name."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from phiforge.serve.errors import APIError, unsupported

T = TypeVar("T", bound=msgspec.Struct)


async def read(request: Request, kind: type[T]) -> T:
    """The body as a `kind`, a msgspec Struct with forbid_unknown_fields. Raises APIError 400, naming the field."""
    return decode(await request.body(), kind)


def decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        message = str(error)
        where = re.search(r" - at `\$\.?(.*?)`$", message)
        path = where[1] if where else ""
        if unknown := re.search(r"unknown field `(.+?)`", message):
            raise unsupported(f"{path}.{unknown[1]}" if path else unknown[1]) from None
        raise APIError(message.replace("$.", "").replace("`$`", "the body"), param=path or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise APIError(f"the body is not JSON: {error}") from None


def given(value: Any) -> bool:
    """Whether a field was given: null counts as not."""
    return value is not None and value is not msgspec.UNSET
