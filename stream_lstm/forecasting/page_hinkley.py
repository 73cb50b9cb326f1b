"""Page-Hinkley: has the mean of a stream changed? Two cumulated sums against their own extremes.

With x̄ the mean of all values so far, each sum holds α · (the one before) + (x − x̄) ∓ δ; a change upwards is
found when the first has risen by more than the threshold above its lowest, one downwards when the second
has fallen so far below its highest (Page, 1954, Biometrika 41; Hinkley, 1971, Biometrika 58; forgetting α
as in Sebastião & Fernandes, 2017). After a change everything begins anew. R places, n of them at a time.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.detection import Detection

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

MIN_COUNT: Final = 30
"""Values before the mean is trusted."""
ALPHA: Final = 1 - 0.0001
"""How much of a sum is left with each value."""

_COUNT, _MEAN, _RISING, _FALLING, _LOWEST, _HIGHEST, _SINCE_LOWEST, _SINCE_HIGHEST = range(8)


class PageHinkley:
    """One test per place."""

    def __init__(self, threshold: float, delta: float) -> None:
        """`delta` is the change per value that is let pass."""
        self._threshold = threshold
        self._delta = delta
        self._state = np.zeros((0, 8))

    def grow(self, rows: int) -> None:
        """Make room for `rows` places."""
        more = np.zeros((rows - len(self._state), 8))
        self._state = np.concatenate([self._state, more])

    def begin(self, places: Index | int) -> None:
        """Forget everything."""
        self._state[places] = 0.0
        self._state[places, _LOWEST] = np.inf
        self._state[places, _HIGHEST] = -np.inf

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"state": self._state}

    def update(self, places: Index, values: Floats) -> Detection:
        """One more value at each of n distinct places; where a change is found, that place begins anew."""
        state = self._state[places].T  # (8, n), a copy
        state[_COUNT] += 1
        state[_MEAN] += (values - state[_MEAN]) / state[_COUNT]
        off = values - state[_MEAN]
        state[_RISING] = ALPHA * state[_RISING] + off - self._delta
        state[_FALLING] = ALPHA * state[_FALLING] + off + self._delta
        for extreme, since, new in (
            (_LOWEST, _SINCE_LOWEST, state[_RISING] < state[_LOWEST]),
            (_HIGHEST, _SINCE_HIGHEST, state[_FALLING] > state[_HIGHEST]),
        ):
            state[since] = np.where(new, 0.0, state[since] + 1)
            state[extreme] = np.where(new, state[extreme - 2], state[extreme])
        rise, fall = state[_RISING] - state[_LOWEST], state[_HIGHEST] - state[_FALLING]
        statistic, upwards = np.maximum(rise, fall), rise >= fall
        changed = (state[_COUNT] >= MIN_COUNT) & (statistic > self._threshold)
        since = np.where(upwards, state[_SINCE_LOWEST], state[_SINCE_HIGHEST]).astype(np.intp)
        self._state[places] = state.T
        self.begin(places[changed])
        return Detection(changed, statistic, np.full(len(places), self._threshold), upwards, since)
