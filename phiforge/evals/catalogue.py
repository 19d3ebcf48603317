"""Which tasks there are, how each can be asked, and whether its data is here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from msgspec import Struct
from rich.table import Table
from rich.text import Text

from phiforge.evals import task as registry
from phiforge.evals.task import Files, Made

WIDTH = 100  # of text
_CITATION = re.compile(r"\s*\([^()]*\)$")


class Split(Struct, frozen=True):
    """A split's data: `here` or not, where it is or how to come by it, and the hub's id of it, if it has one."""

    here: bool
    where: str
    hub: str = ""


class Listed(Struct, frozen=True):
    """A task as it is listed. The first protocol is the default, the first split the one measured."""

    task: str
    summary: str
    version: int
    protocols: dict[str, str]
    data: dict[str, Split]
    published: dict[str, dict[str, float]]  # by protocol and model, in percent

    @property
    def here(self) -> bool:
        """Whether the measured split is."""
        return next(iter(self.data.values())).here


def listed(folder: Path, names: Sequence[str] = ()) -> list[Listed]:
    """The tasks of these names, or all. Raises ValueError for a name that is none."""
    found: list[Listed] = []
    for name in names or registry.names():
        task = registry.get(name)
        protocols = {key: each.words for key, each in task.protocols.items()}
        data = {key: _split(source, folder) for key, source in task.data.items()}
        published = {each.protocol: dict(each.scores) for each in task.publications}
        found.append(Listed(name, task.summary, task.version, protocols, data, published))
    return found


def table(tasks: Sequence[Listed]) -> Table:
    """A line a task: its name, what it measures, its protocols and whether its data is here."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("task", "measures", "protocols", "data"):
        shown.add_column(title, no_wrap=title in ("task", "data"))
    for each in tasks:
        what = _CITATION.sub("", each.summary.partition(": ")[2] or each.summary)
        shown.add_row(*map(Text, (each.task, what, ", ".join(each.protocols), "here" if each.here else "missing")))
    return shown


def details(each: Listed) -> str:
    """All there is to say of a task."""
    lines = [f"{each.task}: {each.summary}", "", "protocols, the first by default:"]
    lines += [f"  {key}: {words}" for key, words in each.protocols.items()]
    lines += ["", "data, the first split is measured:"]
    for key, split in each.data.items():
        hub = f"; on the hub: {split.hub}" if split.hub and not split.here else ""
        lines.append(f"  {key}: {'' if split.here else 'missing; '}{split.where}{hub}")
    if each.published:
        lines += ["", "published, percent:"]
    for protocol, scores in each.published.items():
        lines.append(f"  {protocol}: " + ", ".join(f"{model} {score:g}" for model, score in scores.items()))
    return "\n".join(fill(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines)


def _split(source: Files | Made, folder: Path) -> Split:
    if isinstance(source, Made):
        return Split(True, "made here")
    place = folder / source.folder / source.files
    here = bool(source.folder) and any((folder / source.folder).glob(source.files))
    return Split(here, str(place) if here else f"{place}: {source.get}", source.hub)
