"""Where commands write: a terminal as wide as it is, or a file in plain text."""

import os
import sys
from typing import Final

from rich.console import Console, RenderableType

_FILE_WIDTH: Final = 200
"""Characters of a line where no terminal says how many there are: nothing needs to be broken."""


def console(*, stderr: bool = False) -> Console:
    """Standard output or error. `COLUMNS` is obeyed, and `NO_COLOR` by writing no style at all."""
    stream = sys.stderr if stderr else sys.stdout
    measured = stream.isatty() or "COLUMNS" in os.environ
    return Console(
        stderr=stderr,
        highlight=False,
        width=None if measured else _FILE_WIDTH,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


def show(renderable: RenderableType, on: Console | None = None) -> None:
    """Print to standard output: as it is to a terminal, without blanks at line ends to anything else."""
    on = on or console()
    if on.is_terminal:
        on.print(renderable)
        return
    with on.capture() as captured:
        on.print(renderable)
    on.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    on.file.flush()
