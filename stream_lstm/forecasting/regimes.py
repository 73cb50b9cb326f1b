"""Market and volatility regimes of every series, with hysteresis, so that a regime does not flicker.

Trend: the efficiency ratio |Σr| / Σ|r| of the window (Kaufman, Trading Systems and Methods, 1987); of a
random walk it is above 0.47 one time in ten. Volatility: its percentile among the last 500 candles. R rows.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
Market = Literal["BULL", "BEAR", "SIDEWAYS"]
Volatility = Literal["CALM", "NORMAL", "VOLATILE"]

MEMORY: Final = 500
KNOWN: Final = 100
"""Candles after which the percentile of volatility means something."""
_TREND, _NO_TREND = 0.47, 0.35
_CALM, _NOT_CALM = 0.20, 0.30
_MARKETS: Final[tuple[Market, ...]] = ("SIDEWAYS", "BULL", "BEAR")  # index 0, 1, −1
_VOLATILITIES: Final[tuple[Volatility, ...]] = ("NORMAL", "VOLATILE", "CALM")


class Regime(NamedTuple):
    """What is told of one series."""

    market: Market
    volatility: Volatility | None
    """None while there are too few candles."""


class Regimes:
    """The state of R rows: both regimes as −1, 0, 1, and the last 500 volatilities."""

    def __init__(self) -> None:
        self._now = np.zeros((0, 2), np.int8)
        self._before = np.zeros((0, 2), np.int8)  # before the newest candle, for its correction
        self._ring = np.zeros((0, MEMORY), np.float32)
        self._count = np.zeros(0, np.int64)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        for name in ("_now", "_before", "_ring", "_count"):
            column = getattr(self, name)
            more = np.zeros((rows - len(column), *column.shape[1:]), column.dtype)
            setattr(self, name, np.concatenate([column, more]))

    def restart(self, row: int) -> None:
        """Forget the candles of a row."""
        self._now[row] = 0
        self._count[row] = 0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"now": self._now, "before": self._before, "ring": self._ring, "count": self._count}

    def step(self, rows: Index, closes: Floats, log_volatility: Floats, *, corrects: bool) -> None:
        """The window of closes (S, T) and the log volatility (S,) at the next candle of S distinct rows."""
        if not corrects:
            self._before[rows] = self._now[rows]
            self._count[rows] += 1
        self._ring[rows, (self._count[rows] - 1) % MEMORY] = log_volatility
        before = self._before[rows]
        trend = _held(before[:, 0], _efficiency(closes), _TREND, _NO_TREND)
        # Centred, so that calm and volatile are the two ends of one scale.
        percentile = self._percentile(rows, log_volatility) - 0.5
        level = _held(before[:, 1], percentile, 0.5 - _CALM, 0.5 - _NOT_CALM)
        self._now[rows] = np.stack([trend, level], axis=1)

    def read(self, rows: Index) -> list[Regime]:
        """The regimes of S rows."""
        known = (self._count[rows] >= KNOWN).tolist()
        pairs = zip(self._now[rows].tolist(), known, strict=True)
        return [
            Regime(_MARKETS[market], _VOLATILITIES[level] if enough else None)
            for (market, level), enough in pairs
        ]

    def volatility(self, rows: Index) -> Floats:
        """The volatility regimes of S rows as numbers, to be named by `named`; NaN if not known: (S,)."""
        return np.where(self._count[rows] >= KNOWN, self._now[rows, 1], np.nan)

    def _percentile(self, rows: Index, log_volatility: Floats) -> Floats:
        """Share of the remembered volatilities that are lower, half of the equal ones among them: (S,)."""
        ring, count = self._ring[rows], np.minimum(self._count[rows], MEMORY)
        own = log_volatility.astype(np.float32)[:, None]
        filled = np.arange(MEMORY) < count[:, None]
        lower = ((ring < own) & filled).sum(axis=1) + 0.5 * ((ring == own) & filled).sum(axis=1)
        return np.asarray(lower / count)


def named(volatility: float) -> Volatility | None:
    """The name of a volatility regime."""
    return None if np.isnan(volatility) else _VOLATILITIES[int(volatility)]


def markets_over(closes: Floats, window: int) -> list[Market]:
    """The market regime at each of n closes that follow each other, as `Regimes` tells it.

    Until a window is full it is SIDEWAYS.
    """
    padded = np.concatenate([np.zeros(window - 1), closes])
    efficiency = _efficiency(np.lib.stride_tricks.sliding_window_view(padded, window))
    now = np.zeros(1, np.int8)
    told: list[Market] = []
    for value in efficiency:
        now = _held(now, np.array([value]), _TREND, _NO_TREND)
        told.append(_MARKETS[int(now[0])])
    return told


def _efficiency(closes: Floats) -> Floats:
    """Signed efficiency ratio of windows (S, T); 0 where nothing moved or the window is not full: (S,)."""
    full = closes[:, 0] > 0
    returns = np.diff(np.log(np.where(full[:, None], closes, 1.0)), axis=1)
    path = np.abs(returns).sum(axis=1)
    return np.where(path > 0, returns.sum(axis=1) / np.where(path > 0, path, 1.0), 0.0)


def _held(before: NDArray[np.int8], value: Floats, enter: float, leave: float) -> NDArray[np.int8]:
    """−1, 0 or 1: an end is entered at ±`enter` and left below ±`leave`."""
    entered = np.where(np.abs(value) >= enter, np.sign(value), 0)
    stays = before * value >= leave
    return np.where(stays, before, entered).astype(np.int8)
