"""The commands that README and docs show, as a reader would paste them."""

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Shown(NamedTuple):
    """One line of a block of shell commands."""

    page: str
    line: str

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def shown_lines() -> list[Shown]:
    """Every line of every shell block, page after page."""
    return [
        Shown(str(page.relative_to(ROOT)), line)
        for page in PAGES
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    ]


def shown_commands() -> list[Shown]:
    """Of these, those that call `stream-lstm`."""
    return [shown for shown in shown_lines() if re.match(r"([A-Z_]+=\S+ )*stream-lstm ", shown.line)]


def inline_commands() -> list[Shown]:
    """Commands with their arguments in the middle of a text."""
    return [
        Shown(str(page.relative_to(ROOT)), line)
        for page in PAGES
        for line in re.findall(r"`(stream-lstm [a-z][^`]*)`", page.read_text())
    ]
