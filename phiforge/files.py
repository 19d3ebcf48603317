"""Files that a kill at any moment leaves whole: as they were, or as they were to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Write to the path that this gives: the file appears at `target` when all is written, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def whole_lines(file: Path) -> list[bytes]:
    """A file's lines, with their ends; a last one that a kill cut short is left out, and a missing file has none."""
    return [line for line in file.read_bytes().splitlines(True) if line.endswith(b"\n")] if file.exists() else []


def mended(file: Path) -> list[bytes]:
    """`whole_lines` of a file that is gone on with: a last line that a kill cut short is taken off it."""
    lines = whole_lines(file)
    if file.exists():
        os.truncate(file, sum(map(len, lines)))
    return lines
