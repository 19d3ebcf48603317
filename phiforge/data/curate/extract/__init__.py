"""Documents to text: HTML, PDF, TeX and EPUB become Markdown that keeps formulas, code and tables, and no boilerplate.

    extract("paper.tex").text            a file
    extract(content, kind="html").text   bytes

What a document is follows from its content; its suffix decides only where the content does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from phiforge.data.curate.extract.record import MissingLibrary, Text, Unreadable

__all__ = ["KINDS", "SUFFIXES", "MissingLibrary", "Text", "Unreadable", "decode", "documents", "extract", "kind_of"]

MOST_BYTES = 200_000_000  # of a document
KINDS = ("html", "pdf", "tex", "epub", "text")
SUFFIXES = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".tex", ".ltx", ".latex"), "tex"),
    **dict.fromkeys((".txt", ".md", ".rst"), "text"),
    ".pdf": "pdf",
    ".epub": "epub",
}
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|div|p|h[1-6]|table|article|section|main|ul|ol|pre|span|math)\b",
    re.IGNORECASE | re.DOTALL,
)
_TEX = re.compile(
    r"^[^%\n]*\\(?:documentclass|documentstyle|begin\{\w+\*?\}|(?:sub)*section\*?\{|chapter\*?\{|usepackage|newcommand|input\b|def\\)",
    re.MULTILINE,
)
_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]+)|^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.-]+)""",
    re.IGNORECASE,
)
_INPUTENC = re.compile(rb"\\usepackage\s*\[\s*([\w-]+)\s*\]\s*\{inputenc\}")
# What pages and TeX call an encoding, and what it is (WHATWG Encoding, section 4.2: Latin-1 is read as Windows-1252).
_ENCODINGS = {
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "ascii", "us-ascii", "ansinew", "x-ansi", "iso8859-1"), "cp1252"),
    "latin9": "iso-8859-15", "applemac": "mac-roman", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "shift-jis": "cp932",
    "sjis": "cp932", "x-sjis": "cp932", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "iso-8859-9": "cp1254", "latin5": "cp1254",
    "tis-620": "cp874", "big5": "big5hkscs", "utf8x": "utf-8", "utf8": "utf-8", "ansi": "cp1252", "x-user-defined": "cp1252",
}  # fmt: skip


def extract(source: str | PurePath | bytes, kind: str | None = None, *, name: str = "") -> Text:
    r"""The text of a document, which is a path or bytes.

    `kind` is one of KINDS, or told by the content; `name` is what errors call it (default: the path). \input of a TeX file is
    followed within its own folder; bytes have none. Raises OSError for a file that cannot be opened, Unreadable (a ValueError
    that names the document) for one that gives no text, MissingLibrary (a ValueError) where its kind needs a library that is
    not installed, ValueError for an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"no kind of document {kind!r}; there are {', '.join(KINDS)}")
    file = None if isinstance(source, bytes) else Path(source).expanduser()
    name = name or (str(source) if not isinstance(source, bytes) else "the document")
    try:
        if file is not None and file.stat().st_size > MOST_BYTES:
            raise Unreadable("too large", f"over {MOST_BYTES // 1_000_000} MB")
        content = source if isinstance(source, bytes) else Path(source).expanduser().read_bytes()
        kind = kind or kind_of(content, file.suffix if file else "")
        title, text = _read(content, kind, file)
        if not text.strip():
            raise Unreadable("no text", "a scan without a text layer" if kind == "pdf" else "nothing but boilerplate")
    except Unreadable as error:
        raise error.of(name) from None
    except RecursionError:
        raise Unreadable("nested too deeply", source=name) from None
    return Text(text=text.strip() + "\n", kind=kind, title=title, source=name)


def _read(content: bytes, kind: str, file: Path | None) -> tuple[str, str]:
    """Title and text."""
    if kind == "html":
        from phiforge.data.curate.extract import html

        return html.read(decode(content))
    if kind == "pdf":
        from phiforge.data.curate.extract import pdf

        return pdf.read(content)
    if kind == "tex":
        from phiforge.data.curate.extract import tex

        return tex.read(decode(content), file)
    if kind == "epub":
        from phiforge.data.curate.extract import epub

        return epub.read(content)
    return "", decode(content)


def kind_of(content: bytes, suffix: str = "") -> str:
    """What a document is, by its first bytes, then by its suffix. Raises Unreadable where neither tells."""
    if b"%PDF-" in content[:1024]:
        return "pdf"
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if suffix.lower() == ".epub" or b"epub+zip" in content[:200] or b"META-INF/container.xml" in content:
            return "epub"
        raise Unreadable("unknown kind", "a zip archive, but no EPUB")
    told = SUFFIXES.get(suffix.lower(), "")
    if told in ("pdf", "epub"):
        raise Unreadable(f"no {told.upper()}", f"it is called {suffix}, but does not begin as one")
    head = decode(content[:20_000], cut=True)
    if head.count("\x00") or sum(c < " " and c not in "\t\n\r\f\x1b" for c in head) > len(head) // 50:
        raise Unreadable("unknown kind", "binary data")
    if told == "text":
        return told
    if _HTML.match(head):
        return "html"
    if told or _TEX.search(head):
        return told or "tex"
    raise Unreadable("unknown kind", f"neither {', '.join(KINDS[:-2])} nor {KINDS[-2]}")


def decode(content: bytes, cut: bool = False) -> str:
    """Bytes as text: by a byte-order mark, as UTF-8 if they are, by what they declare, or as Windows-1252.

    UTF-8 comes before a declaration because bytes of another encoding are hardly ever valid UTF-8, while pages that declare
    the wrong encoding are common. `cut` says that the bytes end anywhere.
    """
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, "replace").lstrip("\ufeff")
    if b"\x00" in content[:64]:
        for first, encoding in ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be")):
            if content.startswith(first):
                return content.decode(encoding, "replace")
    found = _CHARSET.search(content[:4096]) or _INPUTENC.search(content[:20_000])
    declared = next((each for each in found.groups() if each), b"").decode("ascii").lower() if found else ""
    declared = _ENCODINGS.get(declared, declared)
    if not declared.startswith(("iso-2022", "hz")):
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            if cut and error.start > len(content) - 4:
                return content[: error.start].decode()
    try:
        return content.decode(declared or "cp1252", "replace")
    except LookupError:
        return content.decode("cp1252", "replace")


def documents(folder: Path) -> Iterator[Path]:
    r"""The documents in a folder and those below it, by name; TeX files that others take in by \input are not told twice."""
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    taken: set[Path] = set()
    if any(SUFFIXES[each.suffix.lower()] == "tex" for each in files):
        from phiforge.data.curate.extract import tex

        taken = {part for each in files if SUFFIXES[each.suffix.lower()] == "tex" for part in tex.parts(each)}
    yield from (each for each in files if each.resolve() not in taken)
