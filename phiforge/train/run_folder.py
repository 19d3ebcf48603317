"""A training run on disk: its metrics, its checkpoints, and what is needed to go on as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from phiforge.files import whole, whole_lines
from phiforge.train import distributed

KEPT = 2  # checkpoints; older ones are deleted


class RunFolder:
    """`folder/metrics.jsonl`, a line a step, and `folder/checkpoints/<step>/` in PyTorch's distributed format, into which
    every process writes its parts and out of which any number of processes reads. Files appear whole or not at all."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder).expanduser()
        (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        self._metrics = self.path / "metrics.jsonl"

    def begin(self) -> int:
        """How many steps the newest checkpoint has, 0 without one. Metrics of steps after it are forgotten, as they will be
        taken again. All processes call it."""
        found = self.checkpoints()
        done = int(found[-1].name) if found else 0
        if distributed.rank() == 0:
            for partial in (self.path / "checkpoints").glob("*.part"):
                shutil.rmtree(partial)
            kept = [row for row in self.metrics() if row["step"] <= done]
            with whole(self._metrics) as partial:
                partial.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in kept))
        return distributed.gathered(done)[0]

    def save(self, step: int, state: Mapping[str, Tensor]) -> Path:
        """Keep the state after `step` steps, so that a kill at any moment leaves the last one or this one. All processes call
        it, each with its parts."""
        target = self.path / "checkpoints" / f"{step:08}"
        partial = target.with_suffix(".part")
        writer = dcp.FileSystemWriter(partial, sync_files=True)
        with _quiet():
            dcp.save(dict(state), storage_writer=writer, no_dist=distributed.size() == 1)
        if distributed.rank() == 0:
            partial.rename(target)
            for old in self.checkpoints()[:-KEPT]:
                shutil.rmtree(old.rename(old.with_suffix(".part")))
        distributed.gathered(None)
        return target

    def shapes(self) -> dict[str, torch.Size]:
        """The tensors of the newest checkpoint."""
        known = self._reader().read_metadata().state_dict_metadata
        return {name: each.size for name, each in known.items() if isinstance(each, TensorStorageMetadata)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Fill these tensors, or parts, from the newest checkpoint. All processes call it."""
        with _quiet():
            dcp.load(dict(state), storage_reader=self._reader(), no_dist=distributed.size() == 1)

    def _reader(self) -> dcp.FileSystemReader:
        return dcp.FileSystemReader(self.checkpoints()[-1])

    def checkpoints(self) -> list[Path]:
        """Finished ones, oldest first."""
        return sorted(path for path in (self.path / "checkpoints").iterdir() if path.name.isdigit())

    def log(self, row: dict[str, Any]) -> None:
        with self._metrics.open("ab") as file:
            file.write(msgspec.json.encode(row) + b"\n")

    def metrics(self) -> list[dict[str, Any]]:
        """What has been logged. A last line that a kill cut short is left out."""
        return [msgspec.json.decode(line) for line in whole_lines(self._metrics)]

    def clear_checkpoints(self) -> None:
        """Once the finished model is saved, they are only weight."""
        shutil.rmtree(self.path / "checkpoints")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's warning that a process is alone, which it was told."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
