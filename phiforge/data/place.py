"""A folder on this machine or in an object store, in which files appear whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phiforge.data.rows import chat_of
from phiforge.records import Example, write_parquet


class Place:
    """`Place("runs/first")`, `Place("s3://bucket/first")`: names inside are relative, with `/`.

    Raises ValueError for an address of which no file system is known.
    """

    def __init__(self, address: str | os.PathLike[str]) -> None:
        self.address = os.fspath(address)
        self.local = "://" not in self.address or self.address.startswith("file://")
        if self.local:
            self.root = str(Path(self.address.removeprefix("file://")).expanduser().absolute())
            self._fs: Any = None
            return
        try:
            self._fs, self.root = import_module("pyarrow.fs").FileSystem.from_uri(self.address)
        except Exception as error:  # pyarrow's own classes, which it doesn't export
            raise ValueError(f"{self.address}: no file system can be reached there: {error}") from None

    def path(self, name: str) -> str:
        """Where a file of this name lies, for messages and for local reading."""
        return f"{self.root}/{name}"

    def write(self, name: str, content: bytes) -> None:
        if not self.local:
            with self._fs.open_output_stream(self.path(name)) as stream:  # one put: visible when closed
                stream.write(content)
            return
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def write_examples(self, name: str, examples: list[Example]) -> None:
        """A Parquet file of rows, with a column `messages` beside ours that trainers and viewers of others know."""
        also = {"messages": [chat_of(example) for example in examples]}
        with TemporaryDirectory() as folder:
            path = self.path(name) if self.local else f"{folder}/table"
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_parquet(path, examples, Example, also)
            if not self.local:
                self.write(name, Path(path).read_bytes())

    def read(self, name: str) -> bytes | None:
        """The content of a file, None if there is none."""
        if not self.local:
            if self._fs.get_file_info(self.path(name)).type.name != "File":
                return None
            with self._fs.open_input_stream(self.path(name)) as stream:
                return stream.read()
        try:
            return Path(self.path(name)).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, under: str = "") -> list[str]:
        """The files below a folder, in order; unfinished ones are not among them."""
        if not self.local:
            selector = import_module("pyarrow.fs").FileSelector(self.path(under), recursive=True, allow_not_found=True)
            found = [i.path for i in self._fs.get_file_info(selector) if i.type.name == "File"]
        else:
            found = [str(p) for p in Path(self.path(under)).rglob("*") if p.is_file() and not p.name.endswith(".part")]
        return sorted(path.removeprefix(f"{self.root}/") for path in found)

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """The folder on this machine: itself, or a copy of what is in the object store, for as long as it is needed."""
        if self.local:
            yield Path(self.root)
            return
        with TemporaryDirectory() as folder:
            for name in self.names():
                Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
                Path(folder, name).write_bytes(self.read(name) or b"")
            yield Path(folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the folder to oneself, and clear away what a killed run left half-written. In an object store nothing is held.

        Raises ValueError if another process holds it.
        """
        if not self.local:
            yield
            return
        Path(self.root).mkdir(parents=True, exist_ok=True)
        with Path(self.path(".lock")).open("w") as lock:  # stays: deleting it would let two processes hold "the" lock
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(f"{self.address}: another run is filling this folder") from None
            for partial in Path(self.root).rglob("*.part"):
                partial.unlink()
            yield

    def remove(self, under: str) -> None:
        """Delete a folder and all that is in it."""
        if not self.local:
            if self._fs.get_file_info(self.path(under)).type.name == "Directory":
                self._fs.delete_dir(self.path(under))
            return
        shutil.rmtree(self.path(under), ignore_errors=True)
