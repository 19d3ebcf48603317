"""Markdown by pieces: fences, tables, lists, and text whose formulas and code are set aside while its spaces are tidied."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from phiforge.data.curate.extract.record import Unreadable

MOST_CELLS = 200_000  # of one table, spans resolved
MOST_SPAN = 1000

# Marks within text that is not tidied yet; they are private-use characters, which `plain` takes out of what is read.
BREAK, APART, HELD, END = "\ue000", "\ue001", "\ue002", "\ue003"
_MARKS = re.compile("[\ue000-\ue003\u00ad\u200b\u2060\ufeff]|[\x00-\x08\x0b\x0e-\x1f\x7f]")
_HELD = re.compile(f"{HELD}(\\d+){END}")
_SPACES = re.compile(r"\s+")
# Mathematics as MathJax reads it in running text. A bare dollar is as often money, so single ones are left as they are.
# A formula holds no other that begins as it does, so that a page of beginnings takes no longer than another.
_MATHS = re.compile(
    r"\\\((?P<inline>(?:[^\\]|\\[^()])+)\\\)|\\\[(?P<display>(?:[^\\]|\\[^\[\]])+)\\\]|\$\$(?P<dollars>[^$]+)\$\$"
    r"|(?P<environment>\\begin\{(?P<name>(?:equation|align|alignat|flalign|gather|multline|eqnarray|displaymath)\*?)\}"
    r"(?:(?!\\begin\{(?P=name)\}).)+?\\end\{(?P=name)\})",
    re.DOTALL,
)


def plain(text: str) -> str:
    """Text without control characters, soft hyphens, zero-width spaces and our own marks."""
    return _MARKS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


class Holder:
    """Keeps formulas and code word for word while the text around them is tidied."""

    def __init__(self) -> None:
        self._held: list[str] = []

    def hold(self, text: str) -> str:
        """A mark that stands for `text` until `release`."""
        self._held.append(text)
        return f"{HELD}{len(self._held) - 1}{END}"

    def code(self, text: str) -> str:
        """An inline code span; more backticks around those within."""
        text = " ".join(text.split("\n")).strip()
        if not text:
            return ""
        ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
        pad = " " if text.startswith("`") or text.endswith("`") else ""
        return self.hold(f"{ticks}{pad}{text}{pad}{ticks}")

    def formula(self, tex: str, display: bool) -> str:
        """A formula between dollars; a displayed one stands apart."""
        tex = tex.strip()
        if not tex:
            return ""
        return f"{APART}{self.hold(f'$${tex}$$')}{APART}" if display else self.hold(f"${tex}$")

    def maths(self, text: str) -> str:
        r"""Text in which formulas written as \(...\), \[...\], $$...$$ or environments are held."""

        def held(match: re.Match[str]) -> str:
            if (environment := match["environment"]) is not None:
                return f"{APART}{self.hold(environment)}{APART}"
            if (inline := match["inline"]) is not None:
                return self.formula(inline, False)
            return self.formula(match["display"] or match["dollars"], True)

        return _MATHS.sub(held, text) if "\\" in text or "$$" in text else text

    def release(self, text: str) -> str:
        """The text with everything held put back."""
        while HELD in text:
            text = _HELD.sub(lambda match: self._held[int(match[1])], text)
        return text

    def paragraphs(self, text: str) -> Iterator[str]:
        """Tidied paragraphs of inline text: runs of spaces are one, breaks are lines, what stands apart is alone."""
        for piece in text.split(APART):
            lines = [_SPACES.sub(" ", line).strip() for line in piece.split(BREAK)]
            if paragraph := "\n".join(line for line in lines if line):
                yield self.release(paragraph)

    def line(self, text: str) -> str:
        """Inline text in one line, for a heading or a cell."""
        return self.release(_SPACES.sub(" ", text.replace(BREAK, " ").replace(APART, " ")).strip()).replace("\n", " ")


def fence(code: str, language: str = "") -> str:
    """A fenced block: the code as it is but for empty lines around it, in a fence longer than any within."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    code = re.sub(r"\A(?:[ \t]*\n)+", "", code).rstrip()
    return f"{ticks}{language}\n{code}\n{ticks}" if code else ""


def item(marker: str, blocks: Sequence[str]) -> str:
    """A list item: its blocks indented by the width of its marker."""
    first, *rest = blocks or [""]
    text = first
    for block in rest:  # a list in an item follows its line; paragraphs and code stand apart
        text += ("\n" if re.match(r"(?:[-*+]|\d+\.) ", block) and "\n\n" not in text else "\n\n") + block
    return indented(f"{marker} ", text)


def indented(first: str, text: str) -> str:
    """Lines of which the first begins with `first` and the others with as many spaces."""
    pad = " " * len(first)
    return first + "\n".join(pad + line if line and n else line for n, line in enumerate(text.split("\n")))


def quote(blocks: Sequence[str]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(blocks).split("\n"))


class Cell(Struct):
    """A table's cell: its text in one line, and how many columns and rows it covers."""

    text: str
    columns: int = 1
    rows: int = 1


def table(rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table; a cell that covers several places stands in each of them. Raises Unreadable when it is too large."""
    grid = spread(rows)
    grid = [row for row in grid if any(row)]
    width = max(map(len, grid), default=0)
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in grid)]
    lines = [" | ".join(_cell(row[c]) if c < len(row) else "" for c in used) for row in grid]
    lines = [f"| {line} |" for line in lines]
    return "\n".join([*lines[:1], "|" + " --- |" * len(used), *lines[1:]]) if lines else ""


def spread(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """The text at each place of a table, spans resolved (HTML, section 4.9.12, forming a table)."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    total = 0
    for y, row in enumerate(rows):
        x = 0
        for cell in row:
            while x in grid[y]:
                x += 1
            width, height = min(max(1, cell.columns), MOST_SPAN), min(max(1, cell.rows), len(rows) - y)
            total += width * height
            if total > MOST_CELLS:
                raise Unreadable("too large a table", f"more than {MOST_CELLS:,} cells")
            for below in range(height):
                for beside in range(width):
                    grid[y + below].setdefault(x + beside, cell.text)
            x += width
    return [[row.get(x, "") for x in range(max(row, default=-1) + 1)] for row in grid]


def _cell(text: str) -> str:
    r"""A cell's text with its pipes told from the table's: \vert in formulas, where \| would be a norm, \| elsewhere."""
    parts = re.split(r"(\$\$.+?\$\$|\$(?!\s)[^$\n]+?(?<!\s)\$)", text.replace("\n", " "))
    for n, part in enumerate(parts):
        if n % 2:
            part = re.sub(r"\\\|(?=([A-Za-z])?)", lambda bar: r"\Vert " if bar[1] else r"\Vert", part)
            parts[n] = re.sub(r"\|(?=([A-Za-z])?)", lambda bar: r"\vert " if bar[1] else r"\vert", part)
        else:
            parts[n] = part.replace("|", "\\|")
    return "".join(parts)


def document(blocks: Sequence[str]) -> str:
    """Blocks as one text, a blank line between them."""
    return "\n\n".join(block for block in (block.strip("\n") for block in blocks) if block.strip())
