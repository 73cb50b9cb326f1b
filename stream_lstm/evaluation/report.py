"""The verdict as one HTML file that needs nothing else: tables, for a sceptic."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } }
"""
_INTRODUCTION: Final = """
<p>Walk forward: every model was trained on candles up to its moment alone, and every interval calibrated on
forecasts whose time had come. <b>Winkler</b> is the mean interval score relative to the unit (EWMA(0.94)
volatility times the rolling quantile of its own last 500 errors): below 1 is better. <b>RMSE</b> is relative
to the random walk: 1.000 is what can be had. <b>Coverage</b> is the share of outcomes inside the interval;
asked for was {confidence:.0%}, on average over months: the worst 500 forecasts in a row are told beside it.
<b>Beyond har</b> is the Winkler ratio minus that of the linear model har: what a network adds. <b>Pinball</b>
is the mean loss of the quantiles at 5, 10, … 95%, relative to the unit's. <b>Skill</b> is one minus the
Winkler ratio; between its bounds lie nine of ten block resamplings.
<b>Better</b> counts the series whose intervals beat the unit's by more than chance (Diebold–Mariano, 5%).</p>
"""


def html(
    title: str, confidence: float, summary: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]
) -> str:
    """The whole page. `summary` and `rows` as `summary` makes them."""
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>',
            f"<h1>{escape(title)}</h1>",
            _INTRODUCTION.format(confidence=confidence),
            "<h2>Over all series</h2>",
            _table(_SUMMARY, summary),
            "<h2>Each series</h2>",
            _table(_EACH, rows),
            "<h2>Coverage by hour of day, UTC</h2>",
            _hours(rows),
            "</html>\n",
        ]
    )


_SUMMARY: Final = {
    "model": "Model",
    "interval": "Interval",
    "horizon": "Horizon",
    "series": "Series",
    "forecasts": "Forecasts",
    "winklerRatio": "Winkler",
    "worstWinklerRatio": "worst",
    "worstSymbol": "of",
    "beyondHar": "Beyond har",
    "pinballRatio": "Pinball",
    "coverage": "Coverage",
    "worstHour": "worst hour",
    "worstTercile": "worst tercile",
    "worst500": "worst 500",
    "rmseRatio": "RMSE",
    "maeRatio": "MAE",
    "mapeRatio": "MAPE ratio",
    "better": "Better",
}
_EACH: Final = {
    "model": "Model",
    "symbol": "Symbol",
    "horizon": "Horizon",
    "forecasts": "Forecasts",
    "winklerRatio": "Winkler",
    "intervalSkill": "Skill",
    "pinballRatio": "Pinball",
    "coverage": "Coverage",
    "coverageByVolatility": "by volatility",
    "worst500": "worst 500",
    "rmseRatio": "RMSE",
    "maeRatio": "MAE",
    "mape": "MAPE",
    "width": "Width",
}


def _table(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in columns.values())
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_shown(row[name])}</td>" for name in columns) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _hours(rows: Sequence[dict[str, Any]]) -> str:
    hours = sorted({hour for row in rows for hour in row["coverageByHour"]}, key=int)
    columns = {"model": "Model", "symbol": "Symbol", "horizon": "Horizon"} | {
        f"h{hour}": hour for hour in hours
    }
    spread = [row | {f"h{hour}": row["coverageByHour"].get(hour) for hour in hours} for row in rows]
    return _table(columns, spread)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['value']:.4f} ({value['low']:.4f} … {value['high']:.4f})"
    if isinstance(value, list):
        return " / ".join(f"{share:.3f}" for share in value)
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))
