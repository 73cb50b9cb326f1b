"""What forecasts were worth, as a table: one row per model and horizon."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table

_COLUMNS: Final = (
    *("Horizon", "Series", "Winkler", "worst", "− har", "pinball", "Coverage", "range", "worst hour"),
    *("worst 500", "RMSE", "Better"),
)


def verdicts(summary: Sequence[Mapping[str, Any]], confidence: float) -> Table:
    """The rows that `evaluation.summary` makes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Model")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for row in summary:
        low, high = row["coverageRange"]
        beyond = row["beyondHar"]
        table.add_row(
            row["model"],
            row["horizon"],
            str(row["series"]),
            f"{row['winklerRatio']:.4f}",
            f"{row['worstWinklerRatio']:.3f} {row['worstSymbol']}",
            "–" if beyond is None else f"{beyond:+.4f}",
            f"{row['pinballRatio']:.4f}",
            f"{row['coverage']:.1%}",
            f"{low:.1%}–{high:.1%}",
            f"{row['worstHour']:.1%}",
            "–" if row["worst500"] is None else f"{row['worst500']:.1%}",
            f"{row['rmseRatio']:.4f}",
            f"{row['better']}/{row['series']}",
        )
    table.caption = (
        "Winkler: interval score relative to the unit, below 1 is better; pinball: the loss of the quantiles "
        f"5, 10, … 95%, likewise; − har: Winkler minus that of har. Coverage: asked {confidence:.0%}. "
        "RMSE: relative to the random walk. Better: series better than the unit (Diebold–Mariano, 5%)."
    )
    table.caption_justify = "left"
    return table
