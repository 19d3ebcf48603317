"""What rendering a conversation gives: token ids, the loss mask over them, and the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from phiforge.records import Message, Text

if TYPE_CHECKING:
    from phiforge.chat.tokenizer import Tokenizer

Tool = Mapping[str, Any]
"""A tool as JSON: `{"name", "description", "parameters"}`, bare or as OpenAI wraps it in `{"type", "function"}`."""


class Rendered(NamedTuple):
    """A conversation for the model. `mask[i]` is True where the assistant wrote token `ids[i]`: its thought, its text,
    its tool calls and the token that ends its turn, but not the header that opens it."""

    ids: list[int]
    mask: list[bool]
    text: str


class Draft:
    """A rendering as it is written: runs of markup and of plain text, each the assistant's own or not."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, bool, bool]] = []

    def markup(self, text: str, *, own: bool = False) -> None:
        """Text of the protocol: special-token strings in it become their ids."""
        self._runs.append((text, True, own))

    def text(self, text: str, *, own: bool = False) -> None:
        """Text from outside: special-token strings in it stay text."""
        self._runs.append((text, False, own))

    def finish(self, tokenizer: Tokenizer) -> Rendered:
        """Encode. Neighbouring text is encoded in one go, except across the edge between the assistant's own and the
        rest: there the header must be cut as it is when the model is asked to generate."""
        pieces: list[int | str] = []
        owners: list[bool] = []
        for run, is_markup, own in self._runs:
            for piece in tokenizer.split(run) if is_markup else [run]:
                last = pieces[-1] if pieces else None
                if isinstance(piece, str) and isinstance(last, str) and owners[-1] == own:
                    pieces[-1] = last + piece
                elif piece != "":
                    pieces.append(piece)
                    owners.append(own)
        ids: list[int] = []
        mask: list[bool] = []
        for encoded, own in zip(tokenizer.encode_pieces(pieces), owners, strict=True):
            ids += encoded
            mask += [own] * len(encoded)
        return Rendered(ids, mask, "".join(run for run, _, _ in self._runs))


def check(messages: Iterable[Message], tools: Sequence[Tool] | None) -> None:
    """Refuse what no text format can say: media, thoughts or calls of anyone but the assistant, tools without a name.

    Raises ValueError.
    """
    for message in messages:
        if not isinstance(message.content, str):
            for part in message.content:
                if not isinstance(part, Text):
                    kind = type(part).__name__.lower()
                    raise ValueError(f"a {message.role} message holds an {kind}, which this chat format cannot render")
        if message.role != "assistant" and (message.tool_calls or message.thinking is not None):
            raise ValueError(f"a {message.role} message has thinking or tool calls; only the assistant's may")
    for tool in tools or ():
        if not isinstance(function_of(tool).get("name"), str):
            raise ValueError(f"a tool without a name: {tool!r}")


def function_of(tool: Tool) -> Mapping[str, Any]:
    """The tool's description itself, out of OpenAI's wrapping if it has one."""
    inner = tool.get("function")
    return cast(Tool, inner) if isinstance(inner, Mapping) else tool
