"""The five pictures of the report, each of plain numbers. Shares are fractions, times epoch ms."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.chance import chance_band
from stream_lstm.evaluation.report.dates import day, month, months
from stream_lstm.evaluation.report.svg import SHAPES, Plot, Span, ticks

Floats = NDArray[np.float64]
Band = tuple[float, float]

SUBJECT: Final = "subject"
OTHER: Final = "other"
_ROW: Final = 13
_QUARTERS: Final = (0, 0.25, 0.5, 0.75, 1)
_FARTHEST: Final = 2.0
"""A reference further away than so many times the reach of the judged model is put on the edge."""


class Dot(NamedTuple):
    """The skill of one model, and where nine of ten resamplings put it."""

    model: str
    place: int
    """Of the model in the walk."""
    value: float
    low: float
    high: float


def skill(horizon: str, rows: Mapping[str, Sequence[Dot]]) -> str:
    """Dots and bars by series, the judged model first in each: 1 less the Winkler ratio; 0 is the unit."""
    span, models = _reach(rows), 1 + max(dot.place for dots in rows.values() for dot in dots)
    judged = next(iter(rows.values()))[0].model
    described = "; ".join(f"{name} {dots[0].value:.1%}" for name, dots in rows.items())
    plot = Plot(
        f"Skill at {horizon} by series",
        f"{judged}, relative to the unit: {described}. All are in the table below.",
        span,
        Span(-0.5, len(rows) - 0.5),
        height=52 + len(rows) * max(24, _ROW * models + 6),
        left=78,
    )
    plot.x_axis(ticks(span, 4), lambda value: f"{100 * value:.3g}%", "better than the unit →")
    plot.line([0, 0], [-0.5, len(rows) - 0.5], "zero")
    for at, (name, dots) in enumerate(reversed(list(rows.items()))):
        plot.label(at, _short(name))
        for dot in dots:
            _dot(plot, dot, at + ((models - 1) / 2 - dot.place) * 0.8 / models, span)
    return plot.svg()


def _dot(plot: Plot, dot: Dot, y: float, span: Span) -> None:
    shape, kind = look(dot.place)
    told = f"{dot.model} {dot.value:.2%} ({dot.low:.2%} … {dot.high:.2%})"
    if dot.value < span.low:
        plot.note(span.low, y, f"◂ {dot.value:.0%} {dot.model}", "start")
        return
    if dot.value > span.high:
        plot.note(span.high, y, f"{dot.model} {dot.value:.0%} ▸", "end")
        return
    plot.line([dot.low, dot.high], [y, y], f"bar {kind}", told)
    plot.mark(shape, dot.value, y, kind, told)


def _reach(rows: Mapping[str, Sequence[Dot]]) -> Span:
    """What is shown: zero, the judged model, and others as far as that leaves something to see."""
    reach = max(max(abs(dots[0].low), abs(dots[0].high)) for dots in rows.values())
    near = [dot for dots in rows.values() for dot in dots if abs(dot.value) <= _FARTHEST * reach]
    ends = [end for dot in near for end in (dot.low, dot.high)]
    return Span.around([0.0, *np.clip(ends, -_FARTHEST * reach, _FARTHEST * reach)], 0.06)


def look(place: int) -> tuple[str, str]:
    """Shape and kind of the model at that place of the walk."""
    return SHAPES[place % len(SHAPES)], OTHER if place else SUBJECT


def reliability(horizon: str, nominal: Floats, observed: Floats, count: int) -> str:
    """Observed (S, N), by series, over nominal coverage (N,), and their difference; by chance of `count`."""
    order = np.argsort(nominal)
    nominal, observed = nominal[order], observed[:, order]
    mean, asked = observed.mean(axis=0), int(np.flatnonzero(order == len(nominal) - 1)[0])
    told = [
        f"asked {share:.1%}: {at:.1%} inside ({low:.1%} … {high:.1%} by series)"
        for share, at, low, high in zip(
            nominal, mean, observed.min(axis=0), observed.max(axis=0), strict=True
        )
    ]
    shares = np.linspace(0.02, 0.98, 33)
    band = np.array([chance_band(share, count) for share in shares.tolist()])  # (33, 2)
    whole = Plot(f"Reliability at {horizon}", "; ".join(told), Span(0, 1), Span(0, 1), height=200, bottom=24)
    whole.x_axis(_QUARTERS, _percent)
    whole.y_axis(_QUARTERS, _percent)
    whole.band(shares, band, "band")
    whole.line([0, 1], [0, 1], "nominal")
    _points(whole, nominal, observed, asked, told)
    off = observed - nominal
    most = 1.15 * float(np.abs(off).max()) or 0.01
    strip = Plot(f"Observed less asked coverage at {horizon}", "", Span(0, 1), Span(-most, most), height=120)
    strip.x_axis(_QUARTERS, _percent, "asked")
    strip.y_axis(ticks(Span(-most, most), 4), lambda value: f"{100 * value:+.3g}" if value else "0")
    strip.band(shares, np.clip(band - shares[:, None], -most, most), "band")
    strip.line([0, 1], [0, 0], "nominal")
    _points(strip, nominal, off, asked, told)
    return whole.svg() + strip.svg()


def _points(plot: Plot, x: Floats, each: Floats, asked: int, told: Sequence[str]) -> None:
    """Means over series with their spans; the interval asked for is a square."""
    for at, text in enumerate(told):
        place, values = float(x[at]), each[:, at]
        plot.line([place, place], [values.min(), values.max()], f"bar {SUBJECT}", text)
        plot.mark("square" if at == asked else "circle", place, float(values.mean()), SUBJECT, text)


def over_time(
    horizon: str, curves: Mapping[str, tuple[Floats, Floats]], confidence: float, band: Band
) -> str:
    """Coverage of 500 forecasts in a row, by the time of the last: thin each series, thick their mean."""
    worst, place, when = min(
        (float(shares.min()), name, float(times[shares.argmin()])) for name, (times, shares) in curves.items()
    )
    begin, end = (
        pick(float(times[at]) for times, _ in curves.values()) for pick, at in ((min, 0), (max, -1))
    )
    span = Span(begin, end)
    values = [value for _, shares in curves.values() for value in (float(shares.min()), float(shares.max()))]
    low, high = Span.around([*values, *band, confidence], 0.04)
    plot = Plot(
        f"Coverage over time at {horizon}",
        f"Lowest: {worst:.1%}, {place}, 500 forecasts up to {day(when)}; asked {confidence:.0%}.",
        span,
        Span(max(low, 0), min(high, 1)),
    )
    plot.box(span, Span(*band), "band")
    plot.x_axis(months(*span), month, "the 500 forecasts up to then")
    plot.y_axis(ticks(Span(max(low, 0), min(high, 1))), _percent)
    plot.line(span, [confidence, confidence], "nominal")
    for name, (times, shares) in curves.items():
        plot.line(times.tolist(), shares.tolist(), "thin", name)
    if len(curves) > 1:
        common = np.linspace(
            max(float(times[0]) for times, _ in curves.values()),
            min(float(times[-1]) for times, _ in curves.values()),
            100,
        )
        mean = np.mean([np.interp(common, times, shares) for times, shares in curves.values()], axis=0)
        plot.line(common.tolist(), mean.tolist(), "thick", "mean of the series")
    return plot.svg()


def pit(horizon: str, shares: Floats, band: Band) -> str:
    """Histogram of where outcomes fell in their forecasts, by series (S, 20): their mean and their span."""
    mean, flat = shares.mean(axis=0), 1 / shares.shape[1]
    top = max(2 * flat, 1.05 * float(shares.max()))
    plot = Plot(
        f"PIT at {horizon}",
        f"20 bins of 5%, mean over series: {mean.min():.1%} to {mean.max():.1%} of outcomes in each.",
        Span(0, 1),
        Span(0, top),
    )
    plot.y_axis(ticks(Span(0, top), 4), _percent)
    for at, share in enumerate(mean.tolist()):
        left, right, low, high = at * flat, (at + 1) * flat, shares[:, at].min(), shares[:, at].max()
        told = f"{left:.0%}–{right:.0%}: {share:.1%} of outcomes ({low:.1%} … {high:.1%} by series)"
        plot.box(Span(left + 0.004, right - 0.004), Span(0, share), "fill", told)
        plot.line([(left + right) / 2] * 2, [low, high], "whisker")
    plot.x_axis(_QUARTERS, _percent, "place in the forecast's distribution")
    plot.box(Span(0, 1), Span(*band), "band")
    plot.line([0, 1], [flat, flat], "nominal")
    return plot.svg()


def by_hour(horizon: str, shares: Mapping[str, Mapping[int, float]], confidence: float, band: Band) -> str:
    """Coverage by the hour of day, UTC, in which the first candle of the horizon opens."""
    hours = sorted({hour for one in shares.values() for hour in one})
    each = {hour: [one[hour] for one in shares.values() if hour in one] for hour in hours}
    means = {hour: sum(values) / len(values) for hour, values in each.items()}
    worst = min(hours, key=means.__getitem__)
    every = [value for values in each.values() for value in values]
    low, high = Span.around([*every, *band, confidence], 0.06)
    plot = Plot(
        f"Coverage by hour of day at {horizon}",
        f"Mean over series: lowest at {worst}:00 UTC, {means[worst]:.1%}; asked {confidence:.0%}.",
        Span(-0.7, 23.7),
        Span(max(low, 0), min(high, 1)),
    )
    plot.box(Span(-0.7, 23.7), Span(*band), "band")
    plot.x_axis([0, 6, 12, 18, 23], lambda hour: f"{hour:.0f}", "hour of day, UTC")
    plot.y_axis(ticks(Span(max(low, 0), min(high, 1))), _percent)
    plot.line([-0.7, 23.7], [confidence, confidence], "nominal")
    for hour, values in each.items():
        told = f"{hour}:00: {means[hour]:.1%} ({min(values):.1%} … {max(values):.1%} by series)"
        plot.line([hour, hour], [min(values), max(values)], f"bar {SUBJECT}", told)
        plot.mark("circle", hour, means[hour], SUBJECT, told)
    return plot.svg()


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def _short(name: str, most: int = 10) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
