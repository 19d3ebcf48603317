"""The text protocol: tokens, chat templates, thoughts and tool calls. It knows no network and no tensors.

`ChatFormat` is the way in. Its parts load when first asked for: `phiforge.chat.parse` alone imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phiforge.chat.format import ChatFormat as ChatFormat
    from phiforge.chat.render import Rendered as Rendered
    from phiforge.chat.tokenizer import Tokenizer as Tokenizer

_HOMES = {"ChatFormat": "format", "Rendered": "render", "Tokenizer": "tokenizer"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
