"""A training run on disk: its metrics, its checkpoints, and what is needed to go on as if nothing had happened."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch

KEPT = 2  # checkpoints; older ones are deleted


class RunFolder:
    """`folder/metrics.jsonl`, a line a step, and `folder/checkpoints/<step>.pt`. Files appear whole or not at all."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder).expanduser()
        (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        self._metrics = self.path / "metrics.jsonl"

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Keep the state after `step` steps, so that a kill at any moment leaves the last one or this one."""
        target = self.path / "checkpoints" / f"{step:08}.pt"
        partial = target.with_suffix(".part")
        with partial.open("wb") as file:
            torch.save(state | {"step": step}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        for old in self.checkpoints()[:-KEPT]:
            old.unlink()
        return target

    def checkpoints(self) -> list[Path]:
        """Finished ones, oldest first."""
        return sorted((self.path / "checkpoints").glob("*.pt"))

    def last(self) -> dict[str, Any] | None:
        """The newest state; metrics of steps after it are forgotten, as they will be taken again."""
        for partial in (self.path / "checkpoints").glob("*.part"):
            partial.unlink()
        found = self.checkpoints()
        state = torch.load(found[-1], map_location="cpu", weights_only=True) if found else None
        done = state["step"] if state else 0
        kept = [row for row in self.metrics() if row["step"] <= done]
        partial = self._metrics.with_suffix(".part")
        partial.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in kept))
        partial.replace(self._metrics)
        return state

    def log(self, row: dict[str, Any]) -> None:
        with self._metrics.open("ab") as file:
            file.write(msgspec.json.encode(row) + b"\n")

    def metrics(self) -> list[dict[str, Any]]:
        """What has been logged. A last line that a kill cut short is left out."""
        if not self._metrics.exists():
            return []
        rows: list[dict[str, Any]] = []
        for line in self._metrics.read_bytes().splitlines():
            try:
                rows.append(msgspec.json.decode(line))
            except msgspec.DecodeError:
                break
        return rows

    def clear_checkpoints(self) -> None:
        """Once the finished model is saved, they are only weight."""
        shutil.rmtree(self.path / "checkpoints")
