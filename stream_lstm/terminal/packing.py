"""Short pieces of text side by side, in as many lines as it takes."""

from collections.abc import Iterable
from typing import Final

from rich.text import Text

SEPARATOR: Final = " · "


def packed(parts: Iterable[Text], width: int) -> list[Text]:
    """Lines of at most `width` characters; no part is broken, and one that is wider has a line of its own."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(SEPARATOR) + part.cell_len <= width:
            lines[-1].append(SEPARATOR).append_text(part)
        else:
            lines.append(Text.assemble(part))
    return lines
