"""ADWIN: has the mean of a stream of values in 0…1 changed anywhere within a window that grows until it has?

Adaptive windowing (Bifet & Gavaldà, 2007, SIAM International Conference on Data Mining, algorithm ADWIN2).
The window is an exponential histogram: at most `PER_LEVEL` buckets of 2^k values at level k, so that W values
take O(log W) numbers. Every `CLOCK` values each border between two buckets is a cut: the means of its two
sides are too far apart if they differ by more than ε of the normal approximation. R places, n at a time.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.detection import Detection

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

CLOCK: Final = 32
"""Values between two looks at the cuts."""
PER_LEVEL: Final = 5
LEVELS: Final = 12
"""A full window holds some 5 · 2¹² values; beyond that the oldest fall out of it."""
_SHORTEST: Final = 5
"""Values on each side of a cut."""
_GRACE: Final = 10
"""Values that are not looked at yet."""
_SIZES: Final = 2.0 ** np.arange(LEVELS)
_WIDTH, _SUM, _SQUARES, _LOOKS = range(4)


class Adwin:
    """One window per place."""

    def __init__(self, delta: float) -> None:
        """`delta` bounds the chance of a false alarm of independent values at a look."""
        self._delta = delta
        # Sum, and sum of squares about the mean, of each bucket; oldest first within a level.
        self._buckets = np.zeros((0, LEVELS, PER_LEVEL + 1, 2))
        self._filled = np.zeros((0, LEVELS), np.int64)
        self._window = np.zeros((0, 4))  # width, the same two of the whole window, values until the next look

    def grow(self, rows: int) -> None:
        """Make room for `rows` places."""
        for name in ("_buckets", "_filled", "_window"):
            column = getattr(self, name)
            more = np.zeros((rows - len(column), *column.shape[1:]), column.dtype)
            setattr(self, name, np.concatenate([column, more]))

    def begin(self, places: Index | int) -> None:
        """Forget everything."""
        self._filled[places] = 0
        self._window[places] = 0.0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"buckets": self._buckets, "filled": self._filled, "window": self._window}

    def width(self, places: Index) -> Floats:
        """How many values each window holds: (n,)."""
        width: Floats = self._window[places, _WIDTH]
        return width

    def update(self, places: Index, values: Floats) -> Detection:
        """One more value at each of n distinct places; where a change is found, that place begins anew."""
        self._insert(places, values)
        found = Detection(
            np.zeros(len(places), np.bool_),
            np.zeros(len(places)),
            np.full(len(places), np.inf),
            np.zeros(len(places), np.bool_),
            np.zeros(len(places), np.intp),
        )
        window = self._window[places]
        looked = np.flatnonzero((window[:, _LOOKS] % CLOCK == 0) & (window[:, _WIDTH] > _GRACE))
        if len(looked):
            for whole, part in zip(found, self._look(places[looked]), strict=True):
                whole[looked] = part
            self.begin(places[found.changed])
        return found

    def _insert(self, places: Index, values: Floats) -> None:
        window = self._window[places]
        width, before = window[:, _WIDTH] + 1, window[:, _SUM]
        off = values - before / np.maximum(width - 1, 1)
        window[:, _SQUARES] += np.where(width > 1, (width - 1) * off * off / width, 0.0)
        window[:, _WIDTH], window[:, _SUM] = width, before + values
        window[:, _LOOKS] += 1
        self._window[places] = window
        self._put(places, 0, np.stack([values, np.zeros(len(values))], axis=1))

    def _put(self, places: Index, level: int, buckets: Floats) -> None:
        """A new youngest bucket (n, 2) of a level; of too many, the two oldest become one of the next."""
        at = self._filled[places, level]
        self._buckets[places, level, at] = buckets
        self._filled[places, level] = at + 1
        full = places[at == PER_LEVEL]
        if not len(full):
            return
        one, two = self._buckets[full, level, 0], self._buckets[full, level, 1]
        if level + 1 == LEVELS:
            self._drop_oldest(full, one)
            self._shift(full, level, 1)
            return
        size = _SIZES[level]
        apart = (one[:, 0] / size - two[:, 0] / size) ** 2
        merged = one + two
        merged[:, 1] += size * size * apart / (size + size)
        self._shift(full, level, 2)
        self._put(full, level + 1, merged)

    def _shift(self, places: Index, level: int, count: int) -> None:
        self._buckets[places, level, :-count] = self._buckets[places, level, count:]
        self._filled[places, level] -= count

    def _drop_oldest(self, places: Index, bucket: Floats) -> None:
        """Take what the oldest bucket (n, 2) holds out of the window."""
        size, window = _SIZES[-1], self._window[places]
        window[:, _WIDTH] -= size
        window[:, _SUM] -= bucket[:, 0]
        apart = (bucket[:, 0] / size - window[:, _SUM] / window[:, _WIDTH]) ** 2
        width = window[:, _WIDTH]
        window[:, _SQUARES] -= bucket[:, 1] + size * width * apart / (size + width)
        self._window[places] = window

    def _look(self, places: Index) -> Detection:
        """The cut of each place that is furthest beyond its ε, or nearest to it."""
        # (n, LEVELS · (PER_LEVEL + 1)), oldest first; what is not filled counts for nothing
        slots = np.arange(PER_LEVEL + 1) < self._filled[places, ::-1, None]
        sizes = np.where(slots, _SIZES[::-1, None], 0.0).reshape(len(places), -1)
        sums = np.where(slots, self._buckets[places, ::-1, :, 0], 0.0).reshape(len(places), -1)
        width, total, squares, _ = (column[:, None] for column in self._window[places].T)
        older, older_sum = np.cumsum(sizes, axis=1), np.cumsum(sums, axis=1)
        younger, younger_sum = width - older, total - older_sum
        cuts = (sizes > 0) & (older >= _SHORTEST) & (younger >= _SHORTEST)
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = younger_sum / younger - older_sum / older
            evidence = np.log(2 * np.log(width) / self._delta)
            parts = 1 / (older - _SHORTEST + 1) + 1 / (younger - _SHORTEST + 1)
            threshold = np.sqrt(2 * parts * squares / width * evidence) + 2 / 3 * evidence * parts
            excess = np.where(cuts, np.abs(difference) / threshold, 0.0)
        best = np.argmax(excess, axis=1)
        at = np.arange(len(places)), best
        return Detection(
            excess[at] > 1.0,
            np.abs(difference[at]),
            threshold[at],
            difference[at] > 0,
            younger[at].astype(np.intp),
        )
