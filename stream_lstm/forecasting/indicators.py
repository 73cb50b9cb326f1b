"""Technical indicators of every series, one candle at a time: what traders expect to find in the message.

RSI(14) and its smoothing after Wilder, New Concepts in Technical Trading Systems, 1978; MACD 12/26 after
Appel, 1979; Bollinger bands of 20 closes and two standard deviations, 1983. EMAs of n candles have
α = 2 / (n + 1) and begin with the first close. R rows, S of which are stepped or read at a time.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

RSI: Final = 14
BOLLINGER: Final = 20
_SPANS: Final = np.array([12.0, 26.0, 20.0, 50.0])
_ALPHA: Final = 2.0 / (_SPANS + 1.0)
_GAIN, _LOSS, _PREVIOUS, _COUNT = range(4, 8)
_WIDTH: Final = 8


class Technical(NamedTuple):
    """(S,) each, prices as ratios to the reference; NaN until there are candles enough."""

    rsi: Floats
    macd: Floats
    ema20: Floats
    ema50: Floats
    upper: Floats
    """Bollinger band."""
    lower: Floats


class Indicators:
    """The state of R rows: four EMAs, mean gain and loss, the last close, and how many there were."""

    def __init__(self) -> None:
        self._state = np.zeros((0, _WIDTH))
        self._before = np.zeros((0, _WIDTH))  # the state before the newest candle, for its correction

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = np.zeros((rows - len(self._state), _WIDTH))
        self._state, self._before = (np.concatenate([state, more]) for state in (self._state, self._before))

    def restart(self, row: int) -> None:
        """Forget the candles of a row."""
        self._state[row] = 0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"state": self._state, "before": self._before}

    def step(self, rows: Index, close: Floats, *, corrects: bool) -> None:
        """The close (S,) of the next candle of S distinct rows; with `corrects`, of the newest one."""
        state = (self._before if corrects else self._state)[rows]
        if not corrects:
            self._before[rows] = state
        count = state[:, _COUNT] + 1
        first = count == 1
        emas = state[:, :4]
        emas += np.where(first[:, None], 1.0, _ALPHA) * (close[:, None] - emas)
        change = np.where(first, 0.0, close - state[:, _PREVIOUS])
        # The first fourteen changes are averaged, the later ones smoothed: Wilder's beginning.
        kept = np.where(count - 1 <= RSI, 1.0, (RSI - 1) / RSI)
        for column, moved in ((_GAIN, np.maximum(change, 0)), (_LOSS, np.maximum(-change, 0))):
            state[:, column] = state[:, column] * kept + moved / RSI
        state[:, _PREVIOUS], state[:, _COUNT] = close, count
        self._state[rows] = state

    def read(self, rows: Index, closes: Floats) -> Technical:
        """The indicators of S rows whose last 20 closes are `closes` (S, 20)."""
        state = self._state[rows]
        count = state[:, _COUNT]
        fast, slow, ema20, ema50, gain, loss = state[:, :6].T
        total = gain + loss
        rsi = np.where(total > 0, 100 * gain / np.where(total > 0, total, 1.0), 50.0)
        mean, spread = closes.mean(axis=1), 2 * closes.std(axis=1)
        return Technical(
            np.where(count > RSI, rsi, np.nan),
            np.where(count >= 26, fast - slow, np.nan),
            np.where(count >= 20, ema20, np.nan),
            np.where(count >= 50, ema50, np.nan),
            np.where(count >= BOLLINGER, mean + spread, np.nan),
            np.where(count >= BOLLINGER, mean - spread, np.nan),
        )
