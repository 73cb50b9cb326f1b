"""Published predictions whose target has not closed yet, of every series, in one flat arena.

A horizon of h candles has h predictions open at any time, so it owns h slots, and the prediction made
at candle `step` lives in slot step mod h: the one that matures with a candle sits where the candle's own
prediction goes next.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_NEVER: Final = -(2**62)
_NUMBERS: Final = ("location", "drift", "half_width", "scale", "naive")
_OF_SERIES: Final = ("close", "regime", "demoted")
_BEYOND: Final = 4
_WIDTH: Final = len(_NUMBERS) + _BEYOND + len(_OF_SERIES)


class Said(NamedTuple):
    """What was said, n predictions; prices are last_close · exp(location ± half_width)."""

    close: Floats
    """Last close when it was said."""
    location: Floats
    drift: Floats
    """What the location held a share of."""
    half_width: Floats
    scale: Floats
    naive: Floats
    """Half-width of the interval that anybody has without a model."""
    beyond: Floats
    """(n, 4) how far the published quantiles above the median are from it."""
    regime: Floats
    """Of the volatility when it was said, as `Regimes.volatility` tells it."""
    demoted: NDArray[np.bool_]
    """Whether the naive interval was published, and that of the model was not."""
    model: NDArray[np.object_]
    """Whoever answered, as given to `put`."""

    @classmethod
    def unpublished(
        cls,
        close: Floats,
        location: Floats,
        drift: Floats,
        half_width: Floats,
        scale: Floats,
        model: NDArray[np.object_],
    ) -> "Said":
        """What a model forecasts of S series where nobody publishes it, or asks for the naive interval."""
        unknown, rows = np.full(scale.shape, np.nan), len(close)
        beyond, regime = np.full((*scale.shape, _BEYOND), np.nan), np.full(rows, np.nan)
        never = np.zeros(rows, np.bool_)
        return cls(close, location, drift, half_width, scale, unknown, beyond, regime, never, model)


class OpenPredictions:
    """R series x K horizons; a series' slots are taken with `begin` and given back with `end`."""

    def __init__(self, horizons: int) -> None:
        self.horizons = horizons
        self._base = np.zeros((0, horizons), np.int64)
        self._length = np.zeros((0, horizons), np.int64)
        self._free: dict[int, list[int]] = {}
        self._used = 0
        self._step = np.zeros(0, np.int64)
        self._numbers = np.zeros((0, _WIDTH))
        self._extremes = np.zeros((2, 0))  # highest high and lowest low since it was said
        self._model = np.zeros(0, np.object_)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = np.zeros((rows - len(self._base), self.horizons), np.int64)
        self._base, self._length = np.concatenate([self._base, more]), np.concatenate([self._length, more])

    def begin(self, row: int, steps: tuple[int, ...]) -> None:
        """Take slots for a series with horizons of `steps` candles; nothing is open."""
        total = sum(steps)
        places = self._free.get(total)
        start = places.pop() if places else self._extend(total)
        self._step[start : start + total] = _NEVER
        self._model[start : start + total] = None
        self._length[row] = 0
        self._length[row, : len(steps)] = steps
        before = np.concatenate([[0], np.cumsum(self._length[row])[:-1]])
        self._base[row] = start + np.where(self._length[row] > 0, before, 0)

    def end(self, row: int) -> None:
        """Give the slots of a series back."""
        total = int(self._length[row].sum())
        self._free.setdefault(total, []).append(int(self._base[row, 0]))
        self._length[row] = 0

    def export(self, rows: Index) -> tuple[Arrays, list[Any]]:
        """What is open of S rows: (S, T) numbers, T the most slots of a row, and who answered.

        A row with fewer slots repeats its first; `restore` passes over those.
        """
        slots, _ = self._all_slots(rows)
        said = self._model[slots].ravel().tolist()
        known = list({id(who): who for who in said}.values())
        number = {id(who): at for at, who in enumerate(known)}
        models = np.array([number[id(who)] for who in said], np.int32)
        return {
            "step": self._step[slots],
            "numbers": self._numbers[slots],
            "extremes": self._extremes[:, slots].transpose(1, 2, 0),
            "model": models.reshape(slots.shape),
        }, known

    def restore(self, rows: Index, arrays: Mapping[str, NDArray[Any]], known: Sequence[Any]) -> None:
        """Put what `export` took into S rows that were begun with the same horizons."""
        slots, own = self._all_slots(rows)
        at = slots[own]
        self._step[at] = arrays["step"][own]
        self._numbers[at] = arrays["numbers"][own]
        self._extremes[:, at] = arrays["extremes"][own].T
        whoever = np.empty(len(known), np.object_)
        whoever[:] = known
        self._model[at] = whoever[arrays["model"][own]]

    def _all_slots(self, rows: Index) -> tuple[Index, NDArray[np.bool_]]:
        """Every slot of S rows (S, T), and which of them are the row's own."""
        totals = self._length[rows].sum(axis=1)
        at = np.arange(int(totals.max(initial=0)))
        own = at < totals[:, None]
        return self._base[rows, :1] + np.where(own, at, 0), own

    def _extend(self, total: int) -> int:
        start, self._used = self._used, self._used + total
        if self._used > len(self._step):
            more = max(self._used - len(self._step), len(self._step), 4096)
            self._step = np.concatenate([self._step, np.full(more, _NEVER)])
            self._numbers = np.concatenate([self._numbers, np.zeros((more, _WIDTH))])
            self._extremes = np.concatenate([self._extremes, np.zeros((2, more))], axis=1)
            self._model = np.concatenate([self._model, np.full(more, None, np.object_)])
        return start

    def widen(self, rows: Index, high: Floats, low: Floats) -> None:
        """Take a candle's high and low (S,) into the ranges of all open predictions of S distinct rows."""
        totals = np.add.reduce(self._length[rows], axis=1)
        for total in np.unique(totals).tolist():
            at = np.flatnonzero(totals == total)
            slots = self._base[rows[at], :1] + np.arange(total)
            highest, lowest = self._extremes
            highest[slots] = np.maximum(highest[slots], high[at, None])
            lowest[slots] = np.minimum(lowest[slots], low[at, None])

    def matured(self, rows: Index, steps: NDArray[np.int64]) -> tuple[Index, Index, Said, Floats]:
        """Predictions whose target is candle `steps` (S,) of `rows` (S,), n of them.

        Returns which of the S rows (n,), which horizon (n,), what was said, and how far high and low came
        apart since (n,), as a fraction of the last close.
        """
        slots = self._slots(rows, steps)
        length = self._length[rows]
        due = (length > 0) & (self._step[slots] == steps[:, None] - length)
        which, horizon = np.nonzero(due)
        at = slots[which, horizon]
        numbers, first = self._numbers[at], len(_NUMBERS) + _BEYOND
        location, drift, half_width, scale, naive = numbers.T[: len(_NUMBERS)]
        close, regime, demoted = numbers.T[first:]
        beyond, model = numbers[:, len(_NUMBERS) : first], self._model[at]
        said = Said(close, location, drift, half_width, scale, naive, beyond, regime, demoted > 0, model)
        highest, lowest = self._extremes[:, at]
        return which, horizon, said, (highest - lowest) / said.close

    def put(self, rows: Index, steps: NDArray[np.int64], said: Said) -> None:
        """Open the predictions of candle `steps` (S,).

        `said` holds (S, K) and (S, K, 4), and (S,) what is the same at all horizons.
        """
        slots = self._slots(rows, steps)
        kept = self._length[rows] > 0
        at = slots[kept]
        which = np.nonzero(kept)[0]
        self._step[at] = steps[which]
        for column, name in enumerate(_NUMBERS):
            self._numbers[at, column] = getattr(said, name)[kept]
        first = len(_NUMBERS) + _BEYOND
        self._numbers[at, len(_NUMBERS) : first] = said.beyond[kept]
        for column, name in enumerate(_OF_SERIES, start=first):
            self._numbers[at, column] = getattr(said, name)[which]
        self._extremes[0, at], self._extremes[1, at] = 0.0, np.inf
        self._model[at] = said.model[which]

    def _slots(self, rows: Index, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        length = self._length[rows]
        slots: NDArray[np.int64] = self._base[rows] + steps[:, None] % np.maximum(length, 1)
        return slots
