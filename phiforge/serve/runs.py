"""Run directories, to look at: each lies under `runs/` in Phiforge's home and describes itself in its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

REPORT = "report.html"


def runs(home: Path) -> list[dict[str, Any]]:
    """Name, files, and when each last changed; the latest first."""
    folder = home / "runs"
    found: list[dict[str, Any]] = []
    for run in folder.iterdir() if folder.is_dir() else ():
        if run.is_dir() and not run.name.startswith("."):
            files = sorted(file.name for file in run.iterdir() if file.is_file())
            found.append({"name": run.name, "files": files, "report": REPORT in files, "changed": run.stat().st_mtime})
    return sorted(found, key=lambda run: run["changed"], reverse=True)


def report(home: Path, name: str) -> Path | None:
    """The report of a run, which lies in the run's own folder; None where there is none."""
    folder = (home / "runs").resolve()
    file = (folder / name / REPORT).resolve()
    return file if name and file.parent.parent == folder and file.is_file() else None
