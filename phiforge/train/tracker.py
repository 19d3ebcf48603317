"""A run's metrics sent to an experiment tracker as well, if asked: trackio or wandb, which speak alike.

`folder/metrics.jsonl` has everything in any case. Nothing is imported, and nothing leaves this machine, unless one is named.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal

Tracker = Literal["trackio", "wandb"]

PROJECT = "phiforge"


@contextmanager
def tracking(
    tracker: Tracker | None, folder: Path, config: Mapping[str, Any]
) -> Iterator[Callable[[int, Mapping[str, Any]], None]]:
    """`tell(step, metrics)` for the run of a folder, which is named after it and gone on with when the run is.

    Raises ValueError for an unknown tracker, or one that is not installed.
    """
    if tracker is None:
        yield lambda step, metrics: None
        return
    if tracker not in ("trackio", "wandb"):
        raise ValueError(f"tracker = {tracker!r} is not known: trackio or wandb")
    try:
        module = importlib.import_module(tracker)
    except ImportError:
        raise ValueError(f"tracker = {tracker!r} is not installed: pip install {tracker}") from None
    name = "-".join(folder.absolute().parts[-2:])
    same = {"id": name} if tracker == "wandb" else {}  # trackio knows a run by its name
    with redirect_stdout(sys.stderr):  # both speak of themselves, and standard output is the caller's
        module.init(project=PROJECT, name=name, config=dict(config), resume="allow", **same)
    try:
        yield lambda step, metrics: module.log(dict(metrics), step=step)
    finally:
        with redirect_stdout(sys.stderr):
            module.finish()
