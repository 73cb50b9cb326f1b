"""GARCH(1,1)-t candles, with or without a break: the null of the detectors, and what they shall find.

Variance v[t+1] = ω + α r[t]² + β v[t] (Bollerslev, 1986, Journal of Econometrics 31; 1987, Review of
Economics and Statistics 69), r Student-t given v, the path inside a candle Brownian, so that ranges fit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import Closed, SeriesKey

STEP_MS: Final = 3_600_000
START_MS: Final = 1_600_000_000_000 // STEP_MS * STEP_MS
ALPHA: Final = 0.08
BETA: Final = 0.90
TAIL: Final = 5.0
"""Degrees of freedom."""
_HOURLY: Final = 0.03 / 24**0.5
_STEPS: Final = 24
"""Steps of the path inside a candle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """What changes at candle `at`, for good."""

    at: int
    volatility: float = 1.0
    """Factor of the volatility, at once and in the long run."""
    tail: float = TAIL
    """Degrees of freedom from then on, the variance unchanged."""
    gap: float = 0.0
    """Deviation of a jump before each candle, of which its range shows nothing, in units of the candle's."""


def keys(series: int) -> list[SeriesKey]:
    return [SeriesKey("garch", f"G{number}", "1h") for number in range(series)]


def market(series: int, candles: int, seed: int, change: Break | None = None) -> Iterator[Moment]:
    """One candle of each of S independent series at a time; the same arguments give the same candles."""
    rng, names = np.random.default_rng(seed), keys(series)
    level = np.full(series, _HOURLY**2)
    variance, tail, gap = level.copy(), TAIL, 0.0
    log_price = np.log(100.0) + rng.standard_normal(series)
    for at in range(candles):
        if change is not None and at == change.at:
            level, variance = level * change.volatility**2, variance * change.volatility**2
            tail, gap = change.tail, change.gap
        if gap:
            log_price += gap * np.sqrt(variance) * rng.standard_normal(series)
        path = _path(rng, variance, tail)
        moved = path[:, -1]
        bars = np.exp(log_price[:, None] + _bars(path))  # (S, 4)
        volume = rng.lognormal(3.0, 0.4, series)
        variance = level * (1 - ALPHA - BETA) + ALPHA * moved**2 + BETA * variance
        log_price += moved
        rows = zip(names, bars.tolist(), volume.tolist(), strict=True)
        yield [Closed(key, STEP_MS, START_MS + at * STEP_MS, *bar, traded) for key, bar, traded in rows]


def _path(rng: np.random.Generator, variance: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """Log returns since the open (S, N), Student-t of the given variance at the end."""
    mixing = (tail - 2) / rng.chisquare(tail, len(variance))
    steps = rng.standard_normal((len(variance), _STEPS)) * np.sqrt(variance * mixing / _STEPS)[:, None]
    return np.asarray(np.cumsum(steps, axis=1))


def _bars(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Open, high, low and close in logs, relative to the open: (S, 4)."""
    zero = np.zeros(len(path))
    highest, lowest = np.maximum(zero, path.max(axis=1)), np.minimum(zero, path.min(axis=1))
    return np.stack([zero, highest, lowest, path[:, -1]], axis=1)
