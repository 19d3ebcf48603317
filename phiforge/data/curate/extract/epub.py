"""EPUB to Markdown: the XHTML of a book in the order of its spine (EPUB 3.3, sections 4 and 5).

Nothing is unpacked to disk. What a book unpacks to is counted as it is read, paths stay within the archive, and its XML has no
entities of its own.
"""

from __future__ import annotations

import posixpath
import zipfile
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from phiforge.data.curate.extract import html
from phiforge.data.curate.extract.boilerplate import drop
from phiforge.data.curate.extract.mathml import local
from phiforge.data.curate.extract.record import Unreadable, library

MOST_FILE = 50_000_000  # bytes that one file may unpack to
MOST_ALL = 300_000_000  # and all that are read
MOST_FILES = 20_000
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def read(content: bytes) -> tuple[str, str]:
    """The title and the text of a book. Raises Unreadable for a broken, protected or oversized archive."""
    library("lxml.etree", "EPUB")
    try:
        archive = _Archive(zipfile.ZipFile(BytesIO(content)))
        package = archive.root_file()
        title, pages = _spine(archive, package)
        return title, "\n\n".join(text for page in pages if (text := _page(archive, page)))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise Unreadable("broken zip", str(error)) from None


class _Archive:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file, self.left = file, MOST_ALL
        names = file.namelist()
        if len(names) > MOST_FILES:
            raise Unreadable("zip bomb", f"{len(names):,} files")
        self.names = {name.lower(): name for name in names}
        self.protected = self._protected()

    def root_file(self) -> str:
        container = _xml(self.get("META-INF/container.xml"), "container.xml")
        path = next(
            (e.get("full-path") for e in container.iter() if local(e) == "rootfile" and e.get("full-path")), ""
        )
        return _inside("", path or "")

    def get(self, name: str) -> bytes:
        """A file's content, counted. Raises Unreadable if it is missing, encrypted or unpacks to too much."""
        stored = name if name in self.file.NameToInfo else self.names.get(name.lower())
        if stored is None:
            raise Unreadable("incomplete EPUB", f"{name} is missing")
        if self.file.getinfo(stored).flag_bits & 1 or name in self.protected:
            raise Unreadable("encrypted", f"{name} is protected")
        most = min(MOST_FILE, self.left)
        try:
            with self.file.open(stored) as stream:
                content = stream.read(most + 1)
        except (RuntimeError, ValueError, OSError) as error:
            raise Unreadable("broken zip", f"{name}: {error}") from None
        except Exception as error:  # zlib.error, lzma.LZMAError
            raise Unreadable("broken zip", f"{name}: {error}") from None
        if len(content) > most:
            raise Unreadable("zip bomb", f"{name} unpacks to over {most // 1_000_000} MB")
        self.left -= len(content)
        return content

    def _protected(self) -> frozenset[str]:
        """The files that META-INF/encryption.xml says are encrypted; fonts often are, which does not matter here."""
        self.protected = frozenset[str]()
        if "META-INF/encryption.xml" not in self.file.NameToInfo:
            return frozenset()
        listed = _xml(self.get("META-INF/encryption.xml"), "encryption.xml")
        return frozenset(unquote(e.get("URI") or "") for e in listed.iter() if local(e) == "CipherReference".lower())


def _spine(archive: _Archive, package: str) -> tuple[str, list[str]]:
    root = _xml(archive.get(package), package)
    title = next((" ".join("".join(e.itertext()).split()) for e in root.iter() if local(e) == "title"), "")
    items = {e.get("id"): e for e in root.iter() if local(e) == "item"}
    pages = []
    for reference in (e for e in root.iter() if local(e) == "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "nav" in (item.get("properties") or "").split() or reference.get("linear") == "no":
            continue
        if (item.get("media-type") or _PAGES[0]) in _PAGES:
            pages.append(_inside(posixpath.dirname(package), item.get("href") or ""))
    if not pages:
        raise Unreadable("incomplete EPUB", "its spine is empty")
    return title, list(dict.fromkeys(pages))


def _page(archive: _Archive, name: str) -> str:
    from phiforge.data.curate.extract import decode

    content = archive.get(name)
    if not content.strip():
        return ""
    root = html.parse(decode(content))
    body = next(root.iter("body"), root)
    for element in list(body.iter()):
        kind = (
            element.get("{http://www.idpf.org/2007/ops}type") or element.get("epub:type") or ""
            if local(element)
            else ""
        )
        if local(element) in ("nav", "style", "svg", "audio", "video") or {"toc", "pagebreak", "landmarks"} & set(
            kind.split()
        ):
            drop(element)
    return html.walk(body)


def _inside(folder: str, href: str) -> str:
    """A path within the archive. Raises Unreadable where it leads out of it."""
    path = posixpath.normpath(posixpath.join(folder, unquote(href.split("#")[0])))
    if path.startswith(("/", "..")) or "\\" in path or ":" in path.split("/")[0]:
        raise Unreadable("path outside the archive", href)
    return path


def _xml(content: bytes, name: str) -> Any:
    etree: Any = library("lxml.etree", "EPUB")
    if (
        b"<!ENTITY" in content
        or "<!ENTITY".encode("utf-16-le") in content
        or "<!ENTITY".encode("utf-16-be") in content
    ):
        raise Unreadable("declares entities", name)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable("broken XML", f"{name}: {error}") from None
