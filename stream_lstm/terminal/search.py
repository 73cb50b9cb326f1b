"""A search for hyper-parameters on a terminal: how far it is, and what it has found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from textwrap import fill
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

_NAMES: Final = {
    "ridge": "ridge",
    "hidden": "hidden units",
    "epochs": "epochs",
    "learning_rate": "learning rate",
    "l2": "L2 of the layers",
    "l2_heads": "L2 of the heads",
}


class Bars:
    """A bar for each part of the work, on standard error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def charted(self, done: int, total: int) -> None:
        """Candles whose course is known."""
        self._show("candles", done, total)

    def tried(self, done: float, total: int, best: float | None) -> None:
        """Trials that are done, those under way in part."""
        self._show("trials", done, total, "" if best is None else f"best {best:.4f}")

    def judged(self, done: int, total: int) -> None:
        """Candles of the hold-out's walks."""
        self._show("hold-out", done, total)

    def _show(self, what: str, done: float, total: int, told: str = "") -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, told=told)
        self._progress.update(self._tasks[what], completed=done, total=total, told=told)


@contextmanager
def searching(*, shown: bool, console: Console | None = None) -> Iterator[Bars]:
    """Bars while the context lasts; nothing where they are not `shown` or standard error is no terminal."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(14), MofNCompleteColumn())
    times = (
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    disable = not (shown and console.is_terminal)
    with Progress(*columns, *times, console=console, transient=True, disable=disable) as progress:
        yield Bars(progress)


def found_table(row: Mapping[str, Any]) -> Table:
    """What was found, and the objective beside what there was before, on the search and on the hold-out."""
    held, search = row["holdout"], row["search"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for column in ("tuned", "before", "difference"):
        table.add_column(column, justify="right")
    table.add_row("search", *_pair(search["tuned"], search["before"]))
    table.add_row("hold-out", *_pair(held["tuned"], held["before"]))
    for each in held["horizons"]:
        table.add_row(f"  {each['horizon']}", *_pair(each["tuned"], each["before"]))
    return table


def found_text(row: Mapping[str, Any]) -> str:
    """How it was found, and what, in lines of 80 columns."""
    ended = row["trials"]
    values = ", ".join(f"{_NAMES[name]} {value:g}" for name, value in row["found"].items())
    return fill(
        f"{row['objective'].capitalize()} relative to the unit, mean over files and horizons. "
        f"{ended['ended']} trials, {ended['pruned']} of them given up early. "
        f"Found: {values or 'nothing better'}.",
        80,
    )


def _pair(tuned: float, before: float | None) -> tuple[str, str, str]:
    if before is None:
        return f"{tuned:.4f}", "–", "–"
    return f"{tuned:.4f}", f"{before:.4f}", f"{tuned - before:+.4f}"
