"""What was loaded into a topic, as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from stream_lstm.terminal.figures import count, moment, plain


def loaded_table(topic: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per series: what was there, what was written, what nobody has, and the newest candle."""
    table = Table(title=f"history in {plain(topic)}", title_justify="left")
    for name in ("series", "held before", "loaded", "absent", "newest opens at (UTC)"):
        table.add_column(name, justify="left" if name == "series" else "right")
    for row in rows:
        numbers = (count(row[name]) for name in ("held", "loaded", "absent"))
        table.add_row(plain(row["series"]), *numbers, moment(row["newestOpenTime"]))
    return table
