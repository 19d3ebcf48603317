"""Characters with their places to lines in reading order: column by column, without running heads and page numbers.

Lengths are points, y grows upwards. A gutter is a vertical strip that few lines cross, with running text on both sides; text
is read column by column between the lines that do cross it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

_EDGE = 0.12  # of a page's height: where running heads and page numbers are
_NUMBER = re.compile(
    r"[-–—\[(|\s]*(?:page\s+)?(?:\d{1,4}|[ivxlcdm]{1,7})(?:\s*(?:of|/)\s*\d{1,4})?[-–—\])|\s]*", re.IGNORECASE
)
_LEADERS = re.compile(r"(?:\s?\.){6,}\s*[\divxlc]*\Z")  # of a table of contents


class Character(Struct):
    """A character: its origin x, its box from left to right, its baseline y, and the size of its font. `space` says that
    white space comes before it in the content."""

    text: str
    x: float
    left: float
    right: float
    y: float
    size: float
    fixed: bool
    bold: bool
    space: bool


class Page(Struct):
    width: float
    height: float
    characters: list[Character]


class Segment(Struct):
    """Characters side by side on one line, without a wide gap."""

    characters: list[Character]
    text: str
    left: float
    right: float
    y: float
    size: float

    @property
    def fixed(self) -> bool:
        return sum(c.fixed for c in self.characters) > 0.9 * len(self.characters)

    @property
    def bold(self) -> bool:
        return all(c.bold for c in self.characters)


class Line(Struct):
    """Segments of one baseline, within one column; `column` numbers columns through the document."""

    segments: list[Segment]
    column: int

    @property
    def text(self) -> str:
        return " ".join(s.text for s in self.segments)

    @property
    def left(self) -> float:
        return self.segments[0].left

    @property
    def right(self) -> float:
        return self.segments[-1].right

    @property
    def y(self) -> float:
        return self.segments[0].y

    @property
    def size(self) -> float:
        return max(s.size for s in self.segments)

    @property
    def fixed(self) -> bool:
        return all(s.fixed for s in self.segments)


def lines_of(pages: Sequence[Page]) -> list[Line]:
    """The lines of a document in reading order."""
    lines: list[Line] = []
    columns = 0
    for segments in _without_heads([(page, _segments(page.characters)) for page in pages]):
        for column in _columns(segments):
            lines += _lines(column, columns)
            columns += 1
    return lines


# --- segments and running heads ------------------------------------------------------------------------------------------


def _segments(characters: Sequence[Character]) -> list[Segment]:
    """Characters gathered by baseline, small raised and lowered ones with their neighbours, cut at wide gaps; top first."""
    baselines: list[list[Character]] = []
    for character in sorted(characters, key=lambda c: -c.y):
        if baselines and abs(baselines[-1][0].y - character.y) < 0.15 * character.size:
            baselines[-1].append(character)
        else:
            baselines.append([character])
    found = [_segment(piece) for line in baselines for piece in _cut(line)]
    found = _with_scripts(found)
    return sorted(found, key=lambda s: (-s.y, s.left))


def _cut(line: list[Character]) -> list[list[Character]]:
    """A line's characters from left to right, cut where a gap is wider than words are apart."""
    line = sorted(line, key=lambda c: c.x)
    pieces: list[list[Character]] = []
    for character in line:
        before = pieces[-1][-1] if pieces else None
        wide = 2.5 if before is not None and before.fixed and character.fixed else 0.8
        if before is None or character.left - before.right > wide * max(before.size, character.size):
            pieces.append([character])
        elif before.text == character.text and 0.01 < abs(before.x - character.x) < 0.1 * character.size:
            continue  # bold by drawing twice; PDFium gives the letters of a ligature one place
        else:
            pieces[-1].append(character)
    return pieces


def _segment(characters: list[Character]) -> Segment:
    sizes = Counter(round(c.size, 1) for c in characters)
    size = sizes.most_common(1)[0][0]
    parts = [characters[0].text]
    for before, character in pairwise(characters):
        gap = character.left - before.right
        if (character.space and gap > 0.05 * size) or gap > 0.28 * size:
            parts.append(" ")
        parts.append(character.text)
    text = re.sub("[\ufb00-\ufb06]", lambda m: unicodedata.normalize("NFKC", m[0]), "".join(parts))
    right = max(c.right for c in characters)
    return Segment(characters, text, characters[0].left, right, characters[0].y, size)


def _with_scripts(segments: list[Segment]) -> list[Segment]:
    """Small segments beside a larger one, and a little above or below it, become its ^scripts and _scripts."""
    segments = sorted(segments, key=lambda s: -len(s.characters))
    small: list[Segment] = []
    hosts: dict[int, list[tuple[Segment, str]]] = {}
    for segment in segments:
        host = (
            next((n for n, s in enumerate(segments) if s is not segment and _is_script(segment, s)), None)
            if len(segment.text) < 25
            else None
        )
        if host is not None and segment not in [s for each in hosts.values() for s, _ in each]:
            hosts.setdefault(host, []).append((segment, "^" if segment.y > segments[host].y else "_"))
            small.append(segment)
    taken = {id(s) for s in small}
    out: list[Segment] = []
    for n, segment in enumerate(segments):
        if id(segment) in taken:
            continue
        for script, mark in sorted(hosts.get(n, []), key=lambda each: -each[0].left):
            segment = _inserted(segment, script, mark)
        out.append(segment)
    return _rejoined(out)


def _is_script(small: Segment, host: Segment) -> bool:
    up = (small.y - host.y) / host.size
    beside = host.left - 0.1 * host.size < small.left < host.right + 0.35 * host.size
    return small.size < 0.85 * host.size and 0.1 < abs(up) < 0.62 and beside


def _inserted(host: Segment, script: Segment, mark: str) -> Segment:
    """A segment with a script where it stands."""
    at = 0
    for n, character in enumerate(host.characters):
        if character.x < script.left + 0.05 * host.size:
            at = n + 1
    text = script.text if len(script.text) == 1 else f"{{{script.text}}}"
    first = script.characters[0]
    marked = Character(
        f"{mark}{text}", first.x, script.left, script.right, host.y, host.size, first.fixed, first.bold, False
    )
    return _segment([*host.characters[:at], marked, *host.characters[at:]])


def _rejoined(segments: list[Segment]) -> list[Segment]:
    """Segments of one line that a script stood between, together again."""
    out: list[Segment] = []
    for segment in sorted(segments, key=lambda s: (-round(s.y, 1), s.left)):
        last = out[-1] if out else None
        if (
            last is not None
            and abs(last.y - segment.y) < 0.15 * segment.size
            and -0.5 < segment.left - last.right <= 0.5 * segment.size
        ):
            out[-1] = _segment(last.characters + segment.characters)
        else:
            out.append(segment)
    return out


def _without_heads(drawn: Sequence[tuple[Page, list[Segment]]]) -> list[list[Segment]]:
    """Each page's segments without page numbers, and without lines at its edge that other pages have in the same place."""
    edges: list[
        list[tuple[list[Segment], set[tuple[str, int]]]]
    ] = []  # of each page: lines, and what they are known by
    counts = Counter[tuple[str, int]]()
    for number, (page, segments) in enumerate(drawn):
        rows: dict[int, list[Segment]] = {}
        for segment in segments:
            if not _EDGE < segment.y / max(1.0, page.height) < 1 - _EDGE:
                rows.setdefault(round(segment.y / 2), []).append(segment)
        edges.append([(row, _marks(" ".join(s.text for s in row), number, y // 3)) for y, row in rows.items()])
        counts.update({mark for _, marks in edges[-1] for mark in marks})
    often = 2 if len(drawn) < 4 else 3
    kept: list[list[Segment]] = []
    for (_, segments), edge in zip(drawn, edges, strict=True):
        gone: set[int] = set()
        ys = [s.y for s in segments]
        for row, marks in edge:
            near = max((sum(counts[key, other] for other in (y - 1, y, y + 1)) for key, y in marks), default=0)
            last = row[0].y in (min(ys), max(ys)) and _apart(row[0], segments)
            if near >= often or (last and _NUMBER.fullmatch(" ".join(s.text for s in row))):
                gone |= {id(s) for s in row}
        kept.append([s for s in segments if id(s) not in gone])
    return kept


def _marks(text: str, page: int, y: int) -> set[tuple[str, int]]:
    """What a line at a page's edge is known by on other pages: its words, and how far its number is from the page's."""
    marks = set[tuple[str, int]]()
    if words := re.sub(r"\W+", " ", re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())).strip():
        marks.add((words, y))
    marks |= {(f"page {int(number) - page}", y) for number in re.findall(r"\A\d{1,4}\b|\b\d{1,4}\Z", text)}
    return marks


def _apart(number: Segment, segments: Sequence[Segment]) -> bool:
    """Whether a page number stands off from the text."""
    others = [abs(s.y - number.y) for s in segments if abs(s.y - number.y) > 1]
    return not others or min(others) > 1.3 * number.size


# --- columns -------------------------------------------------------------------------------------------------------------


def _columns(segments: list[Segment]) -> list[list[Segment]]:
    """Segments by column, in reading order."""
    gutter = _gutter(segments)
    if gutter is None:
        return [segments] if segments else []
    found: list[list[Segment]] = []
    left: list[Segment] = []
    right: list[Segment] = []

    def end() -> None:
        for side in (left, right):
            if side:
                found.extend(_columns(list(side)))
            side.clear()

    wide: list[Segment] = []
    for segment in segments:
        if segment.left < gutter < segment.right:
            end()
            wide.append(segment)
            continue
        if wide:
            found.append(list(wide))
            wide.clear()
        (left if segment.right <= gutter else right).append(segment)
    end()
    if wide:
        found.append(wide)
    return found


def _gutter(segments: Sequence[Segment]) -> float | None:
    """The x of a strip between two columns of running text, or None."""
    best: tuple[int, float] | None = None
    for x in sorted({round(s.left, 0) - 2 for s in segments}):
        left = [s for s in segments if s.right <= x]
        right = [s for s in segments if s.left >= x]
        crossing = len(segments) - len(left) - len(right)
        if min(len(left), len(right)) < 4 or crossing > 0.4 * len(segments):
            continue
        if not (_is_running(left) and _is_running(right)) or _overlap(left, right) < 0.5:
            continue
        if best is None or crossing < best[0]:
            best = crossing, x
    return best[1] if best else None


def _is_running(segments: Sequence[Segment]) -> bool:
    """Whether segments look like lines of text rather than the cells of a table."""
    if all(s.fixed for s in segments):
        return False
    lengths = [len(s.text) for s in segments]
    return median(lengths) >= 20 and sum(" " in s.text for s in segments) > 0.6 * len(segments)


def _overlap(left: Sequence[Segment], right: Sequence[Segment]) -> float:
    spans = [(min(s.y for s in side), max(s.y for s in side)) for side in (left, right)]
    shared = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
    return shared / max(1.0, min(high - low for low, high in spans))


def _lines(column: Sequence[Segment], number: int) -> list[Line]:
    lines: list[Line] = []
    for segment in column:
        if lines and abs(lines[-1].y - segment.y) < 0.3 * segment.size:
            lines[-1].segments.append(segment)
        else:
            lines.append(Line([segment], number))
    for line in lines:
        line.segments.sort(key=lambda s: s.left)
    return [line for line in lines if not _LEADERS.search(line.text)]
