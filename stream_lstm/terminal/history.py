"""What was loaded into a topic, as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from stream_lstm.terminal.figures import count, moment, plain
from stream_lstm.terminal.rows import Rows


def loaded_table(topic: str, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A row per series: what was there, what was written, what nobody has, and the newest candle."""
    titles = ("Series", "Held before", "Loaded", "Absent", "Newest opens at (UTC)")
    cells = [
        [
            plain(row["series"]),
            *(count(row[name]) for name in ("held", "loaded", "absent")),
            moment(row["newestOpenTime"]),
        ]
        for row in rows
    ]
    return Group(Text(f"History in {plain(topic)}", "bold"), Text(""), Rows(titles, cells, titles[:1]))
