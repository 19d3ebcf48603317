"""Lines to Markdown: paragraphs, headings by the size of their type, code by fixed widths, tables by what stands below what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from phiforge.data.curate.extract import markdown
from phiforge.data.curate.extract.layout import Line, Page, Segment, lines_of
from phiforge.data.curate.extract.markdown import Cell

_BULLET = re.compile(r"[•▪●◦‣∙■–*·-]\s+(?=\S)")
_NUMBERED = re.compile(r"(?:\(?\d{1,2}[.)]|\(?[a-z][.)]|\[\d+\])\s+\S")
_SECTION = re.compile(r"(?:\d+(?:\.\d+)*\.?|[A-Z]\.|[IVX]+\.|Appendix [A-Z])\s+[^\W\d]")


def text_of(pages: Sequence[Page]) -> str:
    """The text of a document as Markdown."""
    return markdown.document(_blocks(lines_of(pages)))


def _blocks(lines: list[Line]) -> list[str]:
    if not lines:
        return []
    sizes = Counter[float]()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text) if not line.fixed else 0
    body = sizes.most_common(1)[0][0] or lines[0].size
    larger = sorted({size for size in sizes if size >= 1.15 * body}, reverse=True)
    gaps = [a.y - b.y for a, b in pairwise(lines) if a.column == b.column and 0 < a.y - b.y < 3 * body]
    leading = median(gaps) if gaps else 1.2 * body
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", " ".join(line.text for line in lines).lower()))
    blocks: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if _is_code(lines, at, leading):
            end = at
            while end + 1 < len(lines) and lines[end + 1].fixed and lines[end + 1].column - lines[end].column <= 1:
                end += 1
            blocks.append(markdown.fence(_code(lines[at : end + 1])))
            at = end + 1
            continue
        if (end := _table_end(lines, at)) > at + 2:
            blocks.append(_table(lines[at:end]))
            at = end
            continue
        paragraph, end = _paragraph(lines, at, leading)
        blocks.append(_paragraph_text(paragraph, body, larger, words))
        at = end
    return _continued(blocks, words)


def _is_code(lines: Sequence[Line], at: int, leading: float) -> bool:
    """Whether a line of fixed width is code: among others such, or apart from the paragraph before it."""
    line = lines[at]
    if not line.fixed or len(line.text) < 2:
        return False
    before, after = (
        lines[n] if 0 <= n < len(lines) and lines[n].column == line.column else None for n in (at - 1, at + 1)
    )
    if (before is not None and before.fixed) or (after is not None and after.fixed):
        return True
    return before is None or before.y - line.y > 1.15 * leading


def _code(lines: Sequence[Line]) -> str:
    """Lines of a fixed-width font, each character in its place."""
    characters = [c for line in lines for s in line.segments for c in s.characters]
    steps = [b.x - a.x for line in lines for s in line.segments for a, b in pairwise(s.characters)]
    steps = [step for step in steps if step > 0]
    width = median(steps) if steps else 0.6 * characters[0].size
    gaps = [a.y - b.y for a, b in pairwise(lines) if a.y > b.y and a.column == b.column]
    leading = min(gaps) if gaps else 0.0
    left: dict[int, float] = {}
    for line in lines:
        x = line.segments[0].characters[0].x
        left[line.column] = min(x, left.get(line.column, x))
    out: list[str] = []
    for before, line in zip([None, *lines], lines, strict=False):
        if before is not None and before.column == line.column and leading:
            out += [""] * min(3, max(0, round((before.y - line.y) / leading) - 1))
        text = ""
        for character in (c for s in line.segments for c in s.characters):
            text = text.ljust(round((character.x - left[line.column]) / width)) + character.text
        out.append(text)
    return "\n".join(out)


def _table_end(lines: Sequence[Line], at: int) -> int:
    """Where the rows end that begin here and have cells in the same places; `at` if there are none."""
    first = lines[at]
    if len(first.segments) < 2 or (
        len(first.segments) == 2 and len(first.segments[0].text) < 3 and _is_item(first.text)
    ):
        return at
    end = at
    while end < len(lines):
        line = lines[end]
        if (
            len(line.segments) != len(first.segments)
            or line.column != first.column
            or (end > at and lines[end - 1].y - line.y > 3 * line.size)
        ):
            break
        if not all(_aligned(a, b) for a, b in zip(first.segments, line.segments, strict=True)):
            break
        end += 1
    return end


def _aligned(a: Segment, b: Segment) -> bool:
    """Whether two cells begin, end or have their middles at the same x."""
    apart = (a.left - b.left, a.right - b.right, (a.left + a.right - b.left - b.right) / 2)
    return min(map(abs, apart)) < 0.5 * a.size


def _table(lines: Sequence[Line]) -> str:
    return markdown.table([[Cell(s.text) for s in line.segments] for line in lines])


def _paragraph(lines: Sequence[Line], at: int, leading: float) -> tuple[list[Line], int]:
    """The lines of the paragraph that begins here, and where it ends."""
    first = lines[at]
    paragraph = [first]
    same = [line for line in lines[max(0, at - 40) : at + 40] if line.column == first.column]
    edge = min(line.left for line in same)
    for end in range(at + 1, len(lines)):
        line, before = lines[end], paragraph[-1]
        gap = before.y - line.y
        normal = max(leading, 1.35 * min(before.size, line.size)) if line.size > 1.1 * first.size else leading
        if (
            line.column != before.column
            or _is_code(lines, end, leading)
            or gap > 1.32 * normal
            or gap < 0
            or abs(line.size - before.size) > 0.1 * before.size
        ):
            return paragraph, end
        if _BULLET.match(line.text) or (_NUMBERED.match(line.text) and line.left <= first.left + 1):
            return paragraph, end
        hanging = len(paragraph) > 1 and abs(paragraph[1].left - before.left) < 1 and before.left > first.left + 1
        if (
            line.left > before.left + 0.7 * line.size
            and not (len(paragraph) == 1 and _is_item(first.text))
            and before.left < edge + 3 * line.size
            and not hanging
        ):
            return paragraph, end  # an indented first line
        if (
            first.segments[0].bold != line.segments[0].bold
            and all(s.bold for s in first.segments)
            and len(paragraph) == 1
        ):
            return paragraph, end  # a bold heading of body size
        if _table_end(lines, end) > end + 2:
            return paragraph, end
        paragraph.append(line)
    return paragraph, len(lines)


def _is_item(text: str) -> bool:
    return bool(_BULLET.match(text) or _NUMBERED.match(text))


def _paragraph_text(paragraph: Sequence[Line], body: float, larger: Sequence[float], words: Counter[str]) -> str:
    text = ""
    for line in paragraph:
        text = joined(text, line.text, words)
    size = round(max(line.size for line in paragraph) * 2) / 2
    if size in larger and len(text) < 200:
        return f"{'#' * min(4, 1 + list(larger).index(size))} {text}"
    bold = all(s.bold for line in paragraph for s in line.segments)
    if bold and len(text) < 100 and len(paragraph) < 3 and (_SECTION.match(text) or not re.search(r"[.,;:]\Z", text)):
        return f"{'#' * min(5, len(larger) + 1)} {text}"
    if match := _BULLET.match(text):
        return f"- {text[match.end() :]}"
    return text


def joined(text: str, line: str, words: Counter[str]) -> str:
    """Text and its next line. A hyphen at the end of the line goes unless the word is written with it elsewhere."""
    match = re.search(r"([^\W\d_]+(?:-[^\W\d_]+)*)[-‐]\Z", text)
    after = re.match(r"[^\W\d_]+", line)
    if not text or match is None or after is None or not after[0][0].islower():
        return f"{text} {line}".strip() if not text.endswith(("–", "—", "/")) else text + line
    whole, hyphened = (match[1] + after[0]).lower(), f"{match[1]}-{after[0]}".lower()
    keep = words[hyphened] > words[whole] or (match[1].count("-") > 0 and not words[whole])
    return (text if keep else text[:-1]) + line


def _continued(blocks: Sequence[str], words: Counter[str]) -> list[str]:
    """Blocks, a paragraph that a page or column cut in two made one; items of a list follow each other."""
    out: list[str] = []
    for block in blocks:
        last = out[-1] if out else ""
        plain = re.match(r"[^\W\d_]", block) and re.match(r"[^#|`]", last)
        if last and plain and block[0].islower() and not re.search(r"[.!?:;]['”\")]?\Z", last):
            out[-1] = joined(last, block, words)
        elif block.startswith("- ") and re.match(r"- ", last.rsplit("\n", 1)[-1]):
            out[-1] = f"{last}\n{block}"
        else:
            out.append(block)
    return out
