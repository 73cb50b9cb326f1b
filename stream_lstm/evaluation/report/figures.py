"""The chapters of pictures: which numbers each shows, and the caption below it."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

import numpy as np

from stream_lstm.evaluation.chance import chance_band, independent
from stream_lstm.evaluation.coverage import STRETCH
from stream_lstm.evaluation.pit import PIT_BINS
from stream_lstm.evaluation.report import charts, prose
from stream_lstm.evaluation.report.dates import day
from stream_lstm.evaluation.report.horizon import Ahead
from stream_lstm.evaluation.report.svg import sign
from stream_lstm.evaluation.report.words import signed
from stream_lstm.evaluation.summary import Judged
from stream_lstm.evaluation.track import COVERAGES

_DAY_MS: Final = 86_400_000
Figure = tuple[str, str]
"""A picture as SVG, and its caption."""


def in_a_row(aheads: Sequence[Ahead], drawn: Callable[[Ahead], Figure]) -> str:
    """A picture of each horizon."""
    figures = []
    for ahead in aheads:
        picture, caption = drawn(ahead)
        body = f"{picture}<figcaption>{escape(caption)}</figcaption>"
        figures.append(f"<figure><h3>{escape(ahead.name)}</h3>{body}</figure>")
    return f'<div class="plots">{"".join(figures)}</div>'


def legend(aheads: Sequence[Ahead]) -> str:
    """Which sign is which model."""
    models = enumerate(aheads[0].models)
    signs = (f"<span>{sign(*charts.look(place))}{escape(model)}</span>" for place, model in models)
    return f'<p class="legend">{" ".join(signs)}</p>'


def skill(ahead: Ahead) -> Figure:
    """Of every model, by series."""
    rows = {
        name: [
            _dot(ahead, one),
            *(_dot(ahead, others[name]) for others in ahead.beside.values() if name in others),
        ]
        for name, one in ahead.judged.items()
    }
    return charts.skill(ahead.name, rows), f"Mean of {ahead.model}: {ahead.skill:.1%}."


def _dot(ahead: Ahead, one: Judged) -> charts.Dot:
    return charts.Dot(one.model, ahead.models.index(one.model), *one.worth.interval_skill)


def reliability(ahead: Ahead) -> Figure:
    """Of all intervals."""
    each = np.array([[*one.evidence.coverages, one.worth.coverage.overall] for one in ahead.judged.values()])
    nominal = np.array([*COVERAGES, ahead.confidence])
    off = each.mean(axis=0) - nominal
    most = int(np.abs(off).argmax())
    caption = (
        f"Furthest off: {signed(float(off[most]))} points at {nominal[most]:.0%}. "
        f"{ahead.forecasts:,} forecasts a series, {ahead.independent:,} of them without overlap."
    )
    return charts.reliability(ahead.name, nominal, each, ahead.independent), caption


def over_time(ahead: Ahead) -> Figure:
    """Of the interval asked for."""
    curves = {
        name: (one.evidence.stretch_end.astype(np.float64), one.evidence.stretch_share)
        for name, one in ahead.judged.items()
        if len(one.evidence.stretch_share)
    }
    if not curves:
        return "", f"Fewer than {STRETCH} forecasts: no curve."
    count = independent(STRETCH, ahead.steps)
    low, high = band = chance_band(ahead.confidence, count)
    share, name, when = min(
        (float(shares.min()), name, float(times[shares.argmin()])) for name, (times, shares) in curves.items()
    )
    caption = (
        f"Lowest: {share:.1%}, {name}, up to {day(when)}. "
        f"Of {STRETCH}, {count} do not overlap: {low:.0%} to {high:.0%} by chance."
    )
    return charts.over_time(ahead.name, curves, ahead.confidence, band), caption


def pit(ahead: Ahead) -> Figure:
    """Of the whole distribution."""
    each = np.array([one.evidence.pit for one in ahead.judged.values()])
    mean = each.mean(axis=0)
    caption = f"Below the 5% quantile {mean[0]:.1%}, above the 95% quantile {mean[-1]:.1%} of outcomes."
    return charts.pit(ahead.name, each, chance_band(1 / PIT_BINS, ahead.independent)), caption


def by_hour(ahead: Ahead) -> Figure:
    """Of the interval asked for, where candles are no longer than an hour."""
    if ahead.step_ms * 24 > _DAY_MS:
        return "", "Candles are longer than an hour."
    shares = {name: one.worth.coverage.by_hour for name, one in ahead.judged.items()}
    share, hour, name = min((share, hour, name) for name, of in shares.items() for hour, share in of.items())
    count = independent(ahead.forecasts // 24, -(-ahead.steps * ahead.step_ms // _DAY_MS))
    band = chance_band(ahead.confidence, count)
    return charts.by_hour(
        ahead.name, shares, ahead.confidence, band
    ), f"Lowest: {share:.1%}, {name}, {hour}:00."


CHAPTERS: Final[tuple[tuple[str, str, Callable[[Ahead], Figure]], ...]] = (
    ("Skill, by series and horizon", prose.SKILL, skill),
    ("Reliability", prose.RELIABILITY, reliability),
    ("Coverage over time", prose.OVER_TIME, over_time),
    ("PIT", prose.PIT, pit),
    ("Worst hours of day", prose.HOURS, by_hour),
)
