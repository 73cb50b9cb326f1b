"""The tables of the report, as HTML that a screen reader can follow."""

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10
from typing import Any, Final

import numpy as np

from stream_lstm.evaluation.cost import Cost
from stream_lstm.evaluation.misses import MOST
from stream_lstm.evaluation.report.dates import day, moment
from stream_lstm.evaluation.report.horizon import Ahead
from stream_lstm.evaluation.track import COVERAGES

_WORDS: Final = frozenset(
    {"Model", "Symbol", "Interval", "Horizon", "of", "As of (UTC)", "Target (UTC)", "Day (UTC)"}
)
"""Columns that are no numbers."""
SUMMARY: Final = {
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
EACH: Final = {
    "model": "Model",
    "symbol": "Symbol",
    "horizon": "Horizon",
    "forecasts": "Forecasts",
    "winklerRatio": "Winkler",
    "intervalSkill": "Skill",
    "pinballRatio": "Pinball",
    "coverage": "Coverage",
    "coverageByVolatility": "calm / ordinary / turbulent",
    "worst500": "worst 500",
    "rmseRatio": "RMSE",
    "maeRatio": "MAE",
    "mape": "MAPE",
    "width": "Width",
}


def table(caption: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by the names of their columns, whose titles are the values; it scrolls where it is too wide."""
    head = "".join(f'<th scope="col"{_class(title)}>{escape(title)}</th>' for title in columns.values())
    body = "\n".join(f"<tr>{_row(columns, row)}</tr>" for row in rows)
    name = escape(caption, quote=True)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{name}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def folded(summary: str, inner: str, *, shown: bool = False) -> str:
    """Something that is there for whoever asks."""
    return f"<details{' open' if shown else ''}><summary>{escape(summary)}</summary>{inner}</details>"


def hours(rows: Sequence[Mapping[str, Any]]) -> str:
    """Coverage by hour of day, a row per model, series and horizon."""
    found = sorted({hour for row in rows for hour in row["coverageByHour"]}, key=int)
    columns = {"model": "Model", "symbol": "Symbol", "horizon": "Horizon"} | {
        f"h{hour}": hour for hour in found
    }
    spread = [
        {name: row[name] for name in ("model", "symbol", "horizon")}
        | {f"h{hour}": _percent(row["coverageByHour"].get(hour)) for hour in found}
        for row in rows
    ]
    return table("Coverage by hour of day, UTC", columns, spread)


def coverages(aheads: Sequence[Ahead]) -> str:
    """Observed coverage of the nine intervals and of the one asked for, a row per horizon and series."""
    columns = {"horizon": "Horizon", "symbol": "Symbol"} | {
        f"{share:.0%}": f"{share:.0%}" for share in COVERAGES[::-1]
    }
    rows = [
        {"horizon": ahead.name, "symbol": name, "asked": _percent(one.worth.coverage.overall)}
        | {
            f"{share:.0%}": _percent(float(seen))
            for share, seen in zip(COVERAGES, one.evidence.coverages, strict=True)
        }
        for ahead in aheads
        for name, one in ahead.judged.items()
    ]
    columns["asked"] = f"asked: {100 * aheads[0].confidence:.4g}%"
    return table("Share of outcomes inside each interval", columns, rows)


def misses(ahead: Ahead) -> str:
    """The dearest forecasts of all series."""
    all_of = [(name, miss) for name, one in ahead.judged.items() for miss in one.evidence.misses]
    all_of.sort(key=lambda each: -each[1].cost)
    rows = [
        {
            "as_of": moment(miss.as_of),
            "symbol": name,
            "close": _price(miss.last_close, miss.last_close),
            "said": f"{_price(miss.lower, miss.last_close)} … {_price(miss.upper, miss.last_close)}",
            "came": _price(miss.actual, miss.last_close),
            "moved": f"{miss.actual / miss.last_close - 1:+.1%}",
            "target": moment(miss.target),
            "cost": f"{miss.cost:.1f}",
            "unit": f"{miss.unit_cost:.1f}",
        }
        for name, miss in all_of[:MOST]
    ]
    columns = {
        **{"as_of": "As of (UTC)", "symbol": "Symbol", "close": "Last close", "said": "Interval said"},
        **{
            "came": "What came",
            "moved": "Move",
            "target": "Target (UTC)",
            "cost": "Cost",
            "unit": "of the unit",
        },
    }
    return table(f"{ahead.name}: the dearest forecasts; of overlapping ones the dearest", columns, rows)


def days(ahead: Ahead) -> str:
    """The days on which the unit did better by most, over all series."""
    each = [one.evidence.days for one in ahead.judged.values()]
    begin, place = np.unique(np.concatenate([one.day for one in each]), return_inverse=True)
    forecasts, inside, cost, unit = (
        np.bincount(place, np.concatenate(column))
        for column in zip(
            *((one.forecasts, one.inside, one.cost, one.unit_cost) for one in each), strict=True
        )
    )
    rows = [
        {
            "day": day(int(begin[at])),
            "forecasts": int(forecasts[at]),
            "inside": _percent(float(inside[at] / forecasts[at])),
            "cost": f"{cost[at] / forecasts[at]:.2f}",
            "unit": f"{unit[at] / forecasts[at]:.2f}",
        }
        for at in np.argsort((unit - cost) / forecasts, kind="stable")[:MOST].tolist()
    ]
    columns = {
        **{"day": "Day (UTC)", "forecasts": "Forecasts", "inside": "Inside", "cost": "Mean cost"},
        "unit": "of the unit",
    }
    return table(f"{ahead.name}: the days on which the unit was better by most", columns, rows)


def costs(found: Sequence[Cost]) -> str:
    """What the walk took, a row per model."""
    rows = [
        {
            "model": cost.model,
            "series": cost.series,
            "fits": cost.fits,
            "failed": cost.failed_fits,
            "fit": _seconds(cost.fit_seconds, cost.tried),
            "cpu": _seconds(cost.fit_cpu_seconds, cost.tried),
            "trained": f"{cost.fit_seconds:,.1f}",
            "walk": f"{cost.seconds:,.1f}",
            "candles": f"{cost.candles:,}",
            "forecasts": f"{cost.forecasts:,}",
        }
        for cost in found
    ]
    columns = {
        **{"model": "Model", "series": "Series", "fits": "Fits", "failed": "failed", "fit": "s per fit"},
        **{"cpu": "CPU s per fit", "trained": "s training", "walk": "s in all", "candles": "Candles"},
        "forecasts": "Forecasts",
    }
    return table("What it cost on the machine that walked, summed over processes", columns, rows)


def _row(columns: Mapping[str, str], row: Mapping[str, Any]) -> str:
    first, *others = columns.items()
    cells = [f'<th scope="row"{_class(first[1])}>{_shown(row[first[0]])}</th>']
    cells += [f"<td{_class(title)}>{_shown(row[name])}</td>" for name, title in others]
    return "".join(cells)


def _class(title: str) -> str:
    return ' class="word"' if title in _WORDS else ""


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['value']:.4f} ({value['low']:.4f} … {value['high']:.4f})"
    if isinstance(value, list):
        return " / ".join(f"{share:.3f}" for share in value)
    return (
        f"{value:.4f}"
        if isinstance(value, float)
        else escape(f"{value:,}" if isinstance(value, int) else value)
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _seconds(total: float, count: int) -> str | None:
    return f"{total / count:.2f}" if count else None


def _price(value: float, like: float) -> str:
    """With the decimals that a price of that size has: six digits in all."""
    return f"{value:,.{max(0, 5 - floor(log10(like)))}f}"
