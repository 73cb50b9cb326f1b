"""How far something has come that takes a while, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from stream_lstm.terminal.console import console as standard

Count = Callable[[int, int | None], None]
"""Told how many there are by now, and of how many; None where there is no end."""


@contextmanager
def counting(what: str, *, shown: bool, console: Console | None = None) -> Iterator[Count]:
    """A bar while the context lasts; nothing where it is not `shown` or standard error is no terminal."""
    console = console or standard(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    disable = not (shown and console.is_terminal)
    with Progress(*columns, *times, console=console, transient=True, disable=disable) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
