"""Reading tool calls out of text: a JSON scanner that grows with the text, and what a JSON value means as a call."""

from __future__ import annotations

import json
from typing import Any, cast

from phiforge.records import ToolCall


class CallReader:
    """How far a call has been read: JSON values, then the closing tag if the dialect has one."""

    def __init__(self, start: int, closing: str) -> None:
        self.closing = closing
        self.items: list[Any] = []  # what may be calls: the JSON values, lists taken apart
        self.value_end = start
        self.depth = 0
        self.problem = ""
        self._values = 0
        self._at = start
        self._start = start
        self._in_string = False
        self._escaped = False

    def read(self, text: str, final: bool) -> int | None:
        """Where the call ends in `text`, which grows between calls; None while that is open."""
        while self._at < len(text):
            char = text[self._at]
            if self._in_string:
                self._in_string = self._escaped or char != '"'
                self._escaped = char == "\\" and not self._escaped
            elif (
                self.closing
                and char == self.closing[0]
                and self.closing.startswith(tail := text[self._at : self._at + len(self.closing)])
            ):
                if tail == self.closing:
                    if self.depth or not self._values:
                        self.problem = self.problem or ("its JSON is cut off" if self.depth else "it holds no call")
                    return self._at + len(self.closing)
                if not final:
                    return None
            elif self.problem:
                pass  # nothing to read up to the closing tag
            elif char in "[{":
                if self.depth == 0:
                    self._start = self._at
                self.depth += 1
            elif char in "]}" and self.depth:
                self.depth -= 1
                if self.depth == 0:
                    self._take(text[self._start : self._at + 1])
                    self.value_end = self._at + 1
                    if not self.closing:
                        return self.value_end
            elif self.depth:
                self._in_string = char == '"'
            elif not char.isspace() and char != ",":
                if self._values:
                    return self.value_end  # text follows; the closing tag is missing
                self.problem = "it is not JSON"
            self._at += 1
        return None

    def _take(self, text: str) -> None:
        self._values += 1
        try:
            value = _json(text)
        except (ValueError, RecursionError) as error:
            self.problem = f"its JSON is wrong: {error}"
        else:
            self.items += cast(list[Any], value) if isinstance(value, list) else [value]


def call_of(item: Any) -> ToolCall | str:
    """The call that a JSON value means, or what is wrong with it."""
    if not isinstance(item, dict):
        return "a call must be a JSON object"
    fields = cast(dict[str, Any], item)
    if isinstance(fields.get("function"), dict):  # OpenAI's wrapping
        fields = {**fields, **fields["function"]}
    name = fields.get("name")
    if not isinstance(name, str) or not name:
        return "it has no name"
    arguments = fields.get("arguments", fields.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = _json(arguments)
        except (ValueError, RecursionError) as error:
            return f"its arguments are a string that is not JSON: {error}"
    if arguments is not None and not isinstance(arguments, dict):
        return f"its arguments must be a JSON object, not {type(arguments).__name__}"
    call_id = fields.get("id")
    return ToolCall(name, cast(dict[str, Any], arguments or {}), call_id if isinstance(call_id, str) else "")


def _json(text: str) -> Any:
    # Models write line breaks into strings; that is the one liberty taken with JSON.
    return json.loads(text, strict=False, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
