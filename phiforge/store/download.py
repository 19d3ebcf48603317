"""Fetch one file over HTTP so that an interruption costs nothing, and check what came against its checksum.

Our own download because huggingface_hub (since 1.x) starts a file again when its process was stopped, which for a
5 GB shard on a home line is an hour.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from phiforge.store.home import StoreError, size_text

Progress = Callable[[str, int, int], None]
"""Called with what is being fetched, the bytes done and the bytes in all."""

RETRIES = 5  # in a row without a byte gained
FIRST_WAIT_S = 0.5  # before the first retry; doubles


class ChecksumError(StoreError):
    """What arrived is not what was published."""


def download(
    url: str, part: Path, *, size: int, headers: dict[str, str], on_bytes: Callable[[int], None] = lambda _: None
) -> None:
    """Bring the file at `url`, of `size` bytes, to `part`, going on from the bytes that are already there.

    `on_bytes` is told how many bytes `part` holds. A dropped connection or a busy server is tried again `RETRIES`
    times in a row. Raises httpx.HTTPError when that was in vain, or at once when the server refuses.
    """
    failures = 0
    # httpx sends the headers to the first host only: a redirect to a CDN does not carry the token along.
    with httpx.Client(follow_redirects=True, timeout=30, headers=headers | {"Accept-Encoding": "identity"}) as client:
        while True:
            held = part.stat().st_size if part.exists() else 0
            if held == size:
                part.touch()
                return
            if held > size:
                part.unlink()
                held = 0
            on_bytes(held)
            error = _receive(client, url, part, held, size, on_bytes)
            if error is None:
                continue
            gained = part.exists() and part.stat().st_size > held
            failures = 1 if gained else failures + 1
            if failures > RETRIES:
                raise error
            time.sleep(FIRST_WAIT_S * 2 ** (failures - 1))


def _receive(
    client: httpx.Client, url: str, part: Path, held: int, size: int, on_bytes: Callable[[int], None]
) -> httpx.HTTPError | None:
    """One request, from byte `held` on. Returns the error when trying again may help, raises it when it will not."""
    try:
        with client.stream("GET", url, headers={"Range": f"bytes={held}-"} if held else {}) as response:
            if response.status_code in (408, 429) or response.status_code >= 500:
                return httpx.HTTPStatusError(
                    f"the server answered {response.status_code}", request=response.request, response=response
                )
            response.raise_for_status()
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {held}-")
            with part.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_bytes():  # as they come: a chunk size would hold some back, lost in a break
                    file.write(chunk)
                    on_bytes(file.tell())
                received = file.tell()
                file.flush()
                os.fsync(file.fileno())
            if received >= size:
                return None
            return httpx.ReadError(f"the server sent {received} of {size} bytes", request=response.request)
    except httpx.TransportError as error:
        return error


def verify(path: Path, expected: str, *, algorithm: str = "sha256") -> None:
    """Raise ChecksumError, and delete the file, unless its digest is `expected`. "git-sha1" is git's hash of blobs."""
    found = git_sha1_of(path) if algorithm == "git-sha1" else sha256_of(path)
    if found != expected:
        size = path.stat().st_size
        path.unlink()
        raise ChecksumError(
            f"{path.name.removesuffix('.part')}: the file that came ({size_text(size)}) has {algorithm} {found}, "
            f"expected {expected}. It was deleted; pull again, and distrust the source if this repeats"
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """The name git gives this file's content: the SHA-1 of "blob SIZE", a zero byte and the content."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
    digest.update(path.read_bytes())
    return digest.hexdigest()
