"""Where Phiforge keeps things, and the two guards every write there takes: a lock and a look at the free space.

$PHIFORGE_HOME, else $XDG_CACHE_HOME/phiforge, else ~/.cache/phiforge
    models/<name>/       a model's files and its manifest, phiforge.json; a "/" in the name is "--" in the folder
    models/.partial/     pulls under way, and their locks
    converted/<name>/    the same model in the form that starts fastest; <name>@int8 and <name>@int4 hold quantised ones
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

Home = str | os.PathLike[str] | None

SPARE_BYTES = 64 * 2**20  # left free on the disk beyond what a pull needs


class StoreError(ValueError):
    """Something in the store that the user can put right; the message says how."""


def home_dir(home: Home = None) -> Path:
    """The folder everything lives in. It is not created here."""
    if home is not None:
        return Path(home).expanduser().absolute()
    if named := os.environ.get("PHIFORGE_HOME"):
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache").absolute() / "phiforge"


def models_dir(home: Home = None) -> Path:
    """The folder that holds one folder a model."""
    return home_dir(home) / "models"


def model_dir(name: str, home: Home = None) -> Path:
    """The folder of one model. Raises StoreError for a name that could lead out of the store."""
    return models_dir(home) / _folder_name(name)


def partial_dir(name: str, home: Home = None) -> Path:
    """Where an unfinished pull of this model keeps its files, so that the next one goes on from there."""
    return models_dir(home) / ".partial" / _folder_name(name)


def converted_dir(name: str, home: Home = None, *, kind: str = "") -> Path:
    """Where the converted form of this model goes: at full precision, or quantised to a kind such as "int8"."""
    folder = _folder_name(name)  # no name has an "@"
    return home_dir(home) / "converted" / (f"{folder}@{kind}" if kind else folder)


def _folder_name(name: str) -> str:
    folder = name.replace("/", "--")
    plain = folder.replace("-", "").replace("_", "").replace(".", "")
    if not plain.isalnum() or folder.startswith("."):
        raise StoreError(f"{name!r} cannot name a model: use letters, digits, '-', '_', '.' and at most one '/'")
    return folder


@contextmanager
def locked(name: str, home: Home = None) -> Generator[None]:
    """Hold the model's lock, waiting for another process that holds it. The system frees it if the process dies."""
    partial = partial_dir(name, home)
    path = partial.with_name(f"{partial.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:  # stays on disk: deleting a lock file lets two processes hold "the" lock
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is, or will be created."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def ensure_space(folder: Path, needed: int, what: str) -> None:
    """Raise StoreError when the disk of `folder` cannot take `needed` more bytes."""
    free = free_bytes(folder)
    if free < needed + SPARE_BYTES:
        raise StoreError(
            f"{what} needs {size_text(needed)} but {folder} has {size_text(free)} free: make room, "
            "or set PHIFORGE_HOME to a folder on another disk"
        )


def size_text(n_bytes: float) -> str:
    """A size for people, in decimal units as disks and hubs state it: "98.4 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" or n_bytes >= 100 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
