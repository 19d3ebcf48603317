"""An answer with its pivotal tokens marked: as plain text, or as HTML where colour says how far each moved the chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from phiforge.train.pivotal_run import Searched, Token

Decode = Callable[[Sequence[int]], str]


def text(answer: Searched, decode: Decode) -> str:
    """The answer, with each pivotal token in brackets: the way it moved the chance, and from where to where."""
    said: list[str] = []
    for piece, token in _pieces(answer, decode):
        if token is None:
            said.append(piece)
        else:
            said.append(f"[{piece}|{'▲' if token.raises else '▼'} {token.before.p:.2f} → {token.after.p:.2f}]")
    return "".join(said)


def html(answer: Searched, decode: Decode) -> str:
    """The same as spans, green where the chance rose and red where it fell, the stronger the more it moved; the title has the
    intervals and the counterpart. Everything the model wrote is escaped."""
    said: list[str] = []
    for piece, token in _pieces(answer, decode):
        shown = escape(piece)
        if token is not None:
            colour = "46,160,67" if token.raises else "207,34,46"
            strength = min(1.0, 0.2 + abs(token.after.p - token.before.p))
            title = escape(_title(token, decode), quote=True)
            shown = f'<span class="pivotal" style="background:rgba({colour},{strength:.2f})" title="{title}">{shown}</span>'
        said.append(shown)
    return "".join(said)


def _title(token: Token, decode: Decode) -> str:
    one, other = token.before, token.after
    title = (
        f"p(success) {one.p:.2f} ({one.low:.2f} to {one.high:.2f}, n = {one.n}) → "
        f"{other.p:.2f} ({other.low:.2f} to {other.high:.2f}, n = {other.n})"
    )
    if token.other is not None and token.other_chance is not None:
        title += f"; instead {decode([token.other])!r}: {token.other_chance.p:.2f}"
    return title


def _pieces(answer: Searched, decode: Decode) -> Iterator[tuple[str, Token | None]]:
    """The text between pivotal tokens and that of each; a character that two tokens make up goes to the later one."""
    cuts: dict[int, Token] = {token.place: token for token in answer.pivotal}
    ends = sorted({*cuts, *(place + 1 for place in cuts), len(answer.ids)} - {0})
    start, shown = 0, ""
    for end in ends:
        whole = decode(answer.ids[:end])
        if end < len(answer.ids):
            whole = whole.rstrip("\ufffd")
        if whole[len(shown) :] or start in cuts:
            yield whole[len(shown) :], cuts.get(start) if end == start + 1 else None
        start, shown = end, whole
