"""A bar on stderr for work that is counted in steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """progress(what, done, total) moves the bar as long as the block runs; nothing is shown when `quiet`."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    description = TextColumn(
        "{task.description}", table_column=Column(no_wrap=True, max_width=36, overflow="ellipsis")
    )
    columns = (description, BarColumn(20), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=escape(what), completed=done, total=total)
