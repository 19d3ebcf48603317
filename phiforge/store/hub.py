"""Bring in a model from the Hugging Face hub, or from any server that answers like it (HF_ENDPOINT).

huggingface_hub supplies the repository's listing, its addresses and the user's token; `download` fetches the files.
The token is sent to the hub only, and no message here repeats it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from phiforge import __version__
from phiforge.store.download import Progress, download, sha256_of, verify
from phiforge.store.formats import ModelFile, is_wanted
from phiforge.store.home import StoreError, ensure_space


class RemoteFile(Struct, frozen=True):
    """One file of a repository. Large ones are known by SHA-256, the rest by git's SHA-1."""

    path: str
    size: int
    checksum: str
    algorithm: str


class Repository(Struct, frozen=True):
    """What the hub says about one revision of a repository: only the files that are the model."""

    repo: str
    commit: str
    licence: str
    files: list[RemoteFile]


def look_up(repo: str, file: str = "", revision: str | None = None) -> Repository:
    """Ask the hub for `repo` ("org/name") at a branch, tag or commit: the model's files, or only the GGUF `file`.

    Raises StoreError when it does not exist, is closed to this user, or has no weights we read.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        api = HfApi(endpoint=_endpoint(), library_name="phiforge", library_version=__version__)
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=30)
    except GatedRepoError:
        raise StoreError(_gated(repo)) from None
    except RevisionNotFoundError:
        raise StoreError(f"{repo} has no revision {revision!r} on the hub") from None
    except RepositoryNotFoundError:
        raise StoreError(
            f"the hub has no model {repo!r}, or it is private: check the name; for a private one set HF_TOKEN"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = "the token in HF_TOKEN was refused" if status == 401 else f"it answered {status}"
        raise StoreError(f"cannot look up {repo} on the hub: {advice}") from None
    except Exception as error:  # each version of huggingface_hub lets another HTTP library's errors through
        raise StoreError(f"cannot reach the hub for {repo} ({type(error).__name__}). {_by_hand(repo)}") from error

    available = [_remote_file(sibling) for sibling in info.siblings or []]
    licence = str(getattr(info.card_data, "license", None) or "")
    return Repository(repo, str(info.sha), licence, _choose(repo, file, available))


def _choose(repo: str, file: str, available: list[RemoteFile]) -> list[RemoteFile]:
    ggufs = [f.path for f in available if f.path.endswith(".gguf")]
    if file:
        chosen = [f for f in available if f.path == file]
        if not chosen:
            there = f"its GGUF files are {', '.join(ggufs)}" if ggufs else "it has no GGUF files"
            raise StoreError(f"{repo} has no file {file!r}; {there}")
        return chosen
    chosen = [f for f in available if "/" not in f.path and is_wanted(f.path)]
    if any(f.path.endswith(".safetensors") for f in chosen):
        return chosen
    if ggufs:
        raise StoreError(f"{repo} holds GGUF files; name one, such as {repo}/{ggufs[0]}. It has {', '.join(ggufs)}")
    raise StoreError(f"{repo} has no model*.safetensors and no *.gguf (pickled weights can run code and are not read)")


def fetch(repository: Repository, folder: Path, progress: Progress) -> list[ModelFile]:
    """Bring the files of `repository` into `folder`, going on from what an earlier try left there.

    A file bears its own name only once it is complete and its checksum is right. Raises StoreError (no space, no
    network, no access) and ChecksumError.
    """
    from huggingface_hub.utils import build_hf_headers  # pyright: ignore[reportUnknownVariableType]

    headers = build_hf_headers(library_name="phiforge", library_version=__version__)
    total = sum(f.size for f in repository.files)
    held = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    ensure_space(folder, max(0, total - held), repository.repo)

    done = 0
    files: list[ModelFile] = []
    for remote in repository.files:
        target = folder / Path(remote.path).name
        if not target.exists():
            _fetch_file(repository, remote, target, headers, partial(_add, progress, target.name, done, total))
        done += remote.size
        progress(target.name, done, total)
        sha256 = remote.checksum if remote.algorithm == "sha256" else sha256_of(target)
        files.append(ModelFile(target.name, remote.size, sha256))
    return files


def _add(progress: Progress, what: str, done: int, total: int, n_bytes: int) -> None:
    progress(what, done + n_bytes, total)


def _fetch_file(
    repository: Repository, remote: RemoteFile, target: Path, headers: dict[str, str], on_bytes: Callable[[int], None]
) -> None:
    from huggingface_hub import hf_hub_url

    name = f"{repository.repo}/{remote.path}"
    url = hf_hub_url(repository.repo, remote.path, revision=repository.commit, endpoint=_endpoint())
    part = target.with_name(f"{target.name}.part")
    try:
        download(url, part, size=remote.size, headers=headers, on_bytes=on_bytes)
    except httpx.HTTPStatusError as error:
        if error.response.status_code in (401, 403):
            raise StoreError(_gated(repository.repo)) from None
        raise StoreError(f"cannot fetch {name}: the hub answered {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise StoreError(
            f"the download of {name} broke off ({type(error).__name__}). What came is kept: pull again to go on. "
            f"{_by_hand(repository.repo)}"
        ) from None
    verify(part, remote.checksum, algorithm=remote.algorithm)
    part.replace(target)


def _remote_file(sibling: Any) -> RemoteFile:
    if sibling.lfs is not None:
        return RemoteFile(sibling.rfilename, sibling.lfs.size, sibling.lfs.sha256, "sha256")
    return RemoteFile(sibling.rfilename, sibling.size, sibling.blob_id, "git-sha1")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _gated(repo: str) -> str:
    return f"{repo} is gated or private: accept its terms on its page on the hub, then set HF_TOKEN and pull again"


def _by_hand(repo: str) -> str:
    return f"By hand: `hf download {repo} --local-dir DIR` where the hub can be reached, then `phiforge pull DIR` here"
