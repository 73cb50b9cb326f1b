"""Whether a series' model still deserves to answer: its interval scores against those of the naive forecast.

A model goes on forecasting, learning and being scored whether it is published or not. It is demoted when at
some horizon its interval score is worse than the naive one by a margin, and by more than chance:

    mean(d) · √(n / h) > 3 · deviation(d),   d = (own − naive) / width of the naive interval,

over n outcomes. Outcomes of h candles overlap, so that n / h of them count: the half-life with which they
are forgotten is h times as long, and below 200 nothing is judged, since until an outcome is far off, a wider
interval only seems worse. The next model that is trained begins a trial, with sums of its own, in the
shadow. It answers when over 100 outcomes of the shortest horizon it is no worse, nor at any other that is
judged.
R series x K horizons.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.config import DemotionConfig

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

DEMOTED: Final = "model.demoted"
RESTORED: Final = "model.restored"

ENOUGH: Final = 200.0
"""Independent outcomes below which a horizon is not judged."""
PROVED: Final = 100.0
"""Outcomes of the shortest horizon, those that do not overlap, that a trial takes."""
CHANCE: Final = 3.0
"""Standard errors that are chance."""
_ANSWERS, _SHADOW, _TRIAL = range(3)


class Judgement(NamedTuple):
    """A change of standing of one of S rows."""

    at: int
    type: str
    """`DEMOTED` or `RESTORED`."""
    horizon: int
    ratio: float
    """Interval score over the naive one."""
    outcomes: float
    """That it rests on, after forgetting."""


class Standing:
    """The sums, and who answers."""

    def __init__(self, horizons: int, config: DemotionConfig) -> None:
        self._config = config
        self._sums = np.zeros((0, horizons, 4))  # outcomes, own and naive score, squared difference
        self._place = np.zeros(0, np.int8)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = rows - len(self._place)
        self._sums = np.concatenate([self._sums, np.zeros((more, *self._sums.shape[1:]))])
        self._place = np.concatenate([self._place, np.zeros(more, np.int8)])

    def begin(self, row: int) -> None:
        """Forget a series: whoever comes next answers."""
        self._sums[row], self._place[row] = 0.0, _ANSWERS

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"sums": self._sums, "place": self._place}

    def succeed(self, row: int) -> bool:
        """A newly trained model: whether it begins a trial, the first successor of one that was demoted."""
        begins = bool(self._place[row] == _SHADOW)
        if begins:
            self._sums[row], self._place[row] = 0.0, _TRIAL
        return begins

    def demoted(self, rows: Index) -> NDArray[np.bool_]:
        """Whether the naive forecast answers for S rows: (S,)."""
        demoted: NDArray[np.bool_] = (self._place[rows] != _ANSWERS) & self._config.on
        return demoted

    def update(self, rows: Index, horizons: Index, steps: Index, own: Floats, naive: Floats) -> None:
        """Interval scores of n distinct places, horizons of `steps` candles, in naive widths: (n,) each."""
        decay = 0.5 ** (1.0 / (self._config.half_life * steps))
        new = np.stack([np.ones(len(own)), own, naive, (own - naive) ** 2], axis=1)
        self._sums[rows, horizons] = self._sums[rows, horizons] * decay[:, None] + new

    def judge(self, rows: Index, steps: NDArray[np.int64]) -> list[Judgement]:
        """Change the standing of S distinct rows with horizons of `steps` (S, K) candles where it is time."""
        count, own, naive, squares = np.moveaxis(self._sums[rows], -1, 0)
        place, too_much = self._place[rows], 1.0 + self._config.margin
        looked = (own > too_much * naive).any(axis=1) | (place == _TRIAL)
        if not (self._config.on and looked.any()):
            return []
        independent = count / np.maximum(steps, 1)
        known = (independent >= ENOUGH) & (steps > 0)
        ratio = own / np.where(naive > 0, naive, 1.0)
        some = np.maximum(count, 1.0)
        mean = (own - naive) / some
        variance = np.maximum(squares / some - mean * mean, 0.0)
        error = np.sqrt(variance / np.maximum(independent, 1.0))
        worse = known & (ratio > too_much) & (mean > CHANCE * error)
        falls = (place == _ANSWERS) & worse.any(axis=1)
        no_worse = (ratio <= 1.0) | ~known
        proved = (independent[:, 0] >= PROVED) & (ratio[:, 0] <= 1.0) & no_worse.all(axis=1)
        rises = (place == _TRIAL) & proved
        self._place[rows[falls]] = _SHADOW
        self._place[rows[rises]] = _ANSWERS
        found = []
        for at in np.flatnonzero(falls | rises).tolist():
            kind = DEMOTED if falls[at] else RESTORED
            k = int(np.argmax(np.where(worse[at], ratio[at], 0.0)))  # the shortest, of one that rises
            found.append(Judgement(at, kind, k, float(ratio[at, k]), float(count[at, k])))
        return found
