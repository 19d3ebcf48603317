"""What extraction gives, and how it fails."""

from __future__ import annotations

import importlib
from typing import Any

from msgspec import Struct

INSTALL = 'pip install "phiforge[documents]"'


class Text(Struct, frozen=True, kw_only=True):
    """A document as Markdown: formulas between dollars or as LaTeX environments, code in fences, tables with pipes."""

    text: str
    kind: str  # html, pdf, tex, epub or text
    title: str = ""
    source: str = ""  # the path, or what the caller named it


class Unreadable(ValueError):
    """A document that gives no text. `reason` is a few words to count by; the message names the document too."""

    def __init__(self, reason: str, detail: str = "", source: str = "") -> None:
        super().__init__(f"{source + ': ' if source else ''}{reason}{': ' + detail if detail else ''}")
        self.reason, self.detail = reason, detail

    def of(self, source: str) -> Unreadable:
        """The same, of a named document."""
        return Unreadable(self.reason, self.detail, source)


class MissingLibrary(ValueError):
    """A kind of document needs a library that is not installed. No fault of the document: nothing goes on without it."""


def library(name: str, kind: str) -> Any:
    """A library of the `documents` extra, imported when first needed. Raises MissingLibrary with the line that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingLibrary(f"{kind} documents are read with {name}, which is not installed: {INSTALL}") from None
