"""PDF to Markdown, read with PDFium in a process of its own: what crashes it, or takes it too long or too much memory, is an error.

pypdfium2 (Apache-2.0 or BSD-3-Clause) gives characters with their places and fonts some twenty times as fast as pypdf or
pdfminer.six; `layout` and `paragraphs` make text of them. Formulas come out as a line of their characters, scripts marked by ^ and _: a PDF does
not say more. Scans without a text layer have no text.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from typing import Any

import msgspec

from phiforge.data.curate.extract import paragraphs
from phiforge.data.curate.extract.layout import Character, Page
from phiforge.data.curate.extract.record import Unreadable, library

SECONDS = 120  # for one document
MEMORY = 4 << 30  # bytes of address space
MOST_PAGES = 5_000
MOST_CHARACTERS = 20_000_000
_FIXED = re.compile(
    r"cour|mono|cmtt|cmsltt|cmitt|ectt|sftt|typewriter|consol|menlo|inconsol|fixed|andale|lettergothic|sourcecode|firacode|txtt|pxtt",
    re.IGNORECASE,
)
_BOLD = re.compile(r"bold|cmbx|black|heavy|demi|sfbx|ecbx|-b\Z|\bmedi\b", re.IGNORECASE)


def read(content: bytes) -> tuple[str, str]:
    """The title and the text of a document. Raises Unreadable for an encrypted, broken or endless one."""
    library("pypdfium2", "PDF")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", f"from {__name__} import _child; _child()"]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("too slow a PDF", f"over {SECONDS} s") from None
    try:
        answer = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unreadable("broken PDF", said[-1] if said else f"its reader ended with {done.returncode}") from None
    if "reason" in answer:
        raise Unreadable(answer["reason"], answer["detail"])
    return answer["title"], answer["text"]


def _child() -> None:
    """What runs in the other process: a document on standard input, JSON on standard output."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # another system than Linux; the time limit stays
    try:
        title, pages = _pages(sys.stdin.buffer.read())
        answer = {"title": title, "text": paragraphs.text_of(pages)}
    except Unreadable as error:
        answer = {"reason": error.reason, "detail": error.detail}
    except MemoryError:
        answer = {"reason": "too large", "detail": f"over {MEMORY >> 30} GiB to read it"}
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _pages(content: bytes) -> tuple[str, list[Page]]:
    pdfium: Any = library("pypdfium2", "PDF")
    try:
        document = pdfium.PdfDocument(content)
        n = len(document)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("encrypted", "it needs a password") from None
        raise Unreadable("broken PDF", str(error)) from None
    if n > MOST_PAGES:
        raise Unreadable("too large", f"{n:,} pages")
    if n == 0:
        raise Unreadable("broken PDF", "it has no page")
    pages: list[Page] = []
    total = 0
    for number in range(n):
        try:
            page = document[number]
            width, height = page.get_size()
            text = page.get_textpage()
        except pdfium.PdfiumError as error:
            raise Unreadable("broken PDF", f"page {number + 1}: {error}") from None
        count = text.count_chars()
        total += count
        if total > MOST_CHARACTERS:
            raise Unreadable("too large", f"over {MOST_CHARACTERS:,} characters")
        pages.append(Page(width, height, _characters(text.raw, count)))
        text.close()
        page.close()
    title = (document.get_metadata_value("Title") or "").strip()
    return title, pages


def _characters(text: Any, count: int) -> list[Character]:
    """The characters of a page in the order of its content; those that stand at an angle are left out."""
    raw: Any = library("pypdfium2.raw", "PDF")
    left, right, bottom, top, x, y = (ctypes.c_double() for _ in range(6))
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    fonts: dict[tuple[bytes, int], tuple[bool, bool]] = {}
    found: list[Character] = []
    space = False
    for n in range(count):
        code = raw.FPDFText_GetUnicode(text, n)
        if code in (0x20, 0x09, 0xA0, 0x0D, 0x0A, 0):
            space = True
            continue
        if (
            not raw.FPDFText_GetCharBox(text, n, left, right, bottom, top)
            or abs(raw.FPDFText_GetCharAngle(text, n)) > 0.1
        ):
            continue
        raw.FPDFText_GetCharOrigin(text, n, x, y)
        raw.FPDFText_GetFontInfo(text, n, name, 128, flags)
        key = (name.value, flags.value)
        if key not in fonts:
            told = name.value.decode("latin-1")
            fonts[key] = (
                bool(flags.value & 1 or _FIXED.search(told)),
                bool(flags.value & 1 << 18 or _BOLD.search(told)),
            )
        fixed, bold = fonts[key]
        size = raw.FPDFText_GetFontSize(text, n)
        if size <= 1.5:  # a font scaled by the text matrix
            size = max(size, (top.value - bottom.value) * 1.3)
        character = "-" if code in (0x02, 0xFFFE, 0xAD) else chr(code)
        found.append(
            Character(character, x.value, min(x.value, left.value), right.value, y.value, size, fixed, bold, space)
        )
        space = False
    return found
