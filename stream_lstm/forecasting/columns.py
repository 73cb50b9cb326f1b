"""The columns that the engine keeps over all series: feature state, windows, last closes, horizons."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features import Features, FeatureSet
from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.indicators import Indicators
from stream_lstm.forecasting.regimes import Regimes

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

WINDOW: Final = 20
MOMENTUM: Final = 14


class Columns:
    """R rows, one per series; a row is taken with `take` and given back with `give_back`."""

    def __init__(self, features: FeatureSet, horizons: int, *, described: bool = True) -> None:
        """Unless `described`, indicators and regimes, which only messages hold, are not kept."""
        self.features = features
        self.indicators = Indicators()
        self.regimes = Regimes()
        self._described = described
        self.capacity = 0
        self._free: list[int] = []
        self._state = np.zeros((0, features.width))
        self._before = np.zeros((0, features.width))  # the state before the newest candle, for its correction
        self.window = np.zeros((0, WINDOW, features.F))
        self.closes = np.zeros((0, WINDOW))
        self.last_close = np.zeros(0)
        self.reference = np.ones(0)
        self.step_ms = np.ones(0, np.int64)
        self.steps = np.zeros((0, horizons), np.int64)

    def full(self) -> bool:
        """Whether the next `take` needs `grow` first."""
        return not self._free

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        for name in ("_state", "_before", "window", "closes", "last_close", "reference", "step_ms", "steps"):
            column = getattr(self, name)
            more = np.zeros((rows - self.capacity, *column.shape[1:]), column.dtype)
            setattr(self, name, np.concatenate([column, more]))
        self.indicators.grow(rows)
        self.regimes.grow(rows)
        self._free = [*range(rows - 1, self.capacity - 1, -1), *self._free]
        self.capacity = rows

    def take(self, reference: float, step_ms: int, steps: tuple[int, ...]) -> int:
        """A cleared row for a series with this price unit, interval and horizons."""
        row = self._free.pop()
        self.restart(row)
        self.reference[row] = reference
        self.step_ms[row] = step_ms
        self.steps[row] = 0
        self.steps[row, : len(steps)] = steps
        return row

    def give_back(self, row: int) -> None:
        """Free a row."""
        self._free.append(row)

    def restart(self, row: int) -> None:
        """Forget the candles of a row."""
        self._state[row] = self.features.start()
        self.indicators.restart(row)
        self.regimes.restart(row)
        self.window[row] = 0
        self.closes[row] = 0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it: what candles made, not what `take` is told."""
        return {
            "state": self._state,
            "before": self._before,
            "window": self.window,
            "closes": self.closes,
            "last_close": self.last_close,
        }

    def state(self, row: int) -> Floats:
        """Feature state of a row as a view: (width,)."""
        state: Floats = self._state[row]
        return state

    def ratios(self, rows: Index, prices: Floats) -> NDArray[np.float32]:
        """Candles (S, 5) in quote units as the history stores them: prices over the reference, and volume."""
        prices = prices.copy()
        prices[:, :4] /= self.reference[rows, None]
        return prices.astype(np.float32)

    def step(
        self,
        rows: Index,
        candles: NDArray[np.float32],
        closes: Floats,
        open_ms: NDArray[np.int64],
        *,
        corrects: bool,
    ) -> Features:
        """One candle (S, 5) of each of S distinct rows; with `corrects`, in place of its newest one."""
        state = np.take(self._before if corrects else self._state, rows, axis=0)
        if not corrects:
            self._before[rows] = state
        seen = self.features.step(state, candles, open_ms, self.step_ms[rows])
        self._state[rows] = state
        if not corrects:
            self.window[rows, :-1] = self.window[rows, 1:]
            self.closes[rows, :-1] = self.closes[rows, 1:]
        self.window[rows, -1] = seen.inputs
        self.closes[rows, -1] = candles[:, 3]
        self.last_close[rows] = closes
        if self._described:
            self.indicators.step(rows, self.closes[rows, -1], corrects=corrects)
            self.regimes.step(rows, self.closes[rows], seen.log_base, corrects=corrects)
        return seen

    def look(self, rows: Index, candles: NDArray[np.float32], open_ms: NDArray[np.int64]) -> Features:
        """What the newest candle (S, 5) of each of S rows has shown, once more; changes nothing."""
        before = np.take(self._before, rows, axis=0)
        return self.features.step(before, candles, open_ms, self.step_ms[rows])

    def technical(self, rows: Index) -> Floats:
        """RSI, MACD, EMA 20 and 50, upper and lower Bollinger band in quote units; NaN if unknown: (S, 6)."""
        told = np.stack(self.indicators.read(rows, self.closes[rows]), axis=1)
        told[:, 1:] *= self.reference[rows, None]
        return told

    def momentum(self, rows: Index) -> Floats:
        """Log return over the last 14 candles: (S,)."""
        momentum: Floats = np.log(self.closes[rows, -1] / self.closes[rows, -1 - MOMENTUM])
        return momentum
