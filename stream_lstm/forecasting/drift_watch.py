"""Whether the errors of a series' model are still those that they were: one detector or two on each series.

What is watched is |error| / scale of what has matured, made bounded. The scale follows the market, so that
its ups and downs are no drift; that its *relation* to the errors has changed is one. Of a Student-t with
four degrees of freedom, T²/(4 + T²) is what the likelihood knows of the scale: it lies in 0…1, as ADWIN
wants it, no single error weighs more than five ordinary ones, and it is flat near zero, where a logarithm
falls off.

Only the shortest horizon is watched. Its outcomes follow each other without an overlap if it is one candle;
if it is h candles, every h-th of them is taken. Detectors take values for independent: overlapping ones
are alarms by themselves, and of a longer horizon every h-th comes too late to be of use.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.adwin import Adwin
from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.calibration import PRIOR_DEVIATION
from stream_lstm.forecasting.config import DriftConfig
from stream_lstm.forecasting.detection import Detector
from stream_lstm.forecasting.outputs import Body
from stream_lstm.forecasting.page_hinkley import PageHinkley

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_FREEDOM: Final = 4.0
_LONG_AGO: Final = -(2**62)


DRIFT: Final = "drift.detected"


class Drift(NamedTuple):
    """A change that one detector has found at one of n places."""

    at: int
    detector: str
    statistic: float
    threshold: float
    upwards: bool
    """Whether errors have become larger, measured by what was forecast."""
    since: int
    """Candles ago that it began."""

    def told(self, item: Item) -> Body:
        """The data of its event, caused by the candle of `item`."""
        series, close_ms = item.series, item.candle.close_ms
        return {
            "detector": self.detector,
            "horizon": series.horizons[0].name,
            "direction": "wider" if self.upwards else "narrower",
            "statistic": self.statistic,
            "threshold": self.threshold,
            "since": close_ms - self.since * series.step_ms,
        }


def tamed(relative_error: Floats) -> Floats:
    """|error| / scale as a number in 0…1: T²/(4 + T²), T the error in units of the calibrators' prior.

    >>> tamed(np.array([0.0, 1.12, 1e9])).round(3).tolist()
    [0.0, 0.333, 1.0]
    """
    squares = 2.0 * (np.minimum(relative_error, 1e6) / PRIOR_DEVIATION) ** 2
    bounded: Floats = squares / (_FREEDOM + squares)
    return bounded


class DriftWatch:
    """The detectors of R series, and until when each series is quiet after it has said a drift."""

    def __init__(self, config: DriftConfig) -> None:
        self._config = config
        self._detectors: dict[str, Detector] = {
            "page_hinkley": PageHinkley(config.page_hinkley_threshold, config.page_hinkley_delta),
            "adwin": Adwin(config.adwin_delta),
        }
        self._quiet_until = np.zeros(0, np.int64)  # number of the candle

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        for detector in self._detectors.values():
            detector.grow(rows)
        more = np.full(rows - len(self._quiet_until), _LONG_AGO)
        self._quiet_until = np.concatenate([self._quiet_until, more])

    def begin(self, row: int) -> None:
        """Forget a series."""
        for detector in self._detectors.values():
            detector.begin(row)
        self._quiet_until[row] = _LONG_AGO

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it: those of all detectors, also of one that is off."""
        states = {
            f"{name}.{column}": array
            for name, detector in self._detectors.items()
            for column, array in detector.by_row().items()
        }
        return states | {"quiet_until": self._quiet_until}

    def update(self, rows: Index, steps: Index, numbers: Index, relative_error: Floats) -> list[Drift]:
        """What has matured at candles `numbers` of n distinct rows, predicted `steps` before: (n,) each.

        At most one drift of a row, and none of one that is quiet.
        """
        chosen = np.flatnonzero(numbers % steps == 0)
        if not len(chosen):
            return []
        rows, numbers, values = rows[chosen], numbers[chosen], tamed(relative_error[chosen])
        found = []
        for name in self._config.detectors:
            seen = self._detectors[name].update(rows, values)
            for at in np.flatnonzero(seen.changed & (numbers >= self._quiet_until[rows])).tolist():
                self._quiet_until[rows[at]] = numbers[at] + self._config.cooldown
                step = int(steps[chosen[at]])
                found.append(
                    Drift(
                        int(chosen[at]),
                        name,
                        float(seen.statistic[at]),
                        float(seen.threshold[at]),
                        bool(seen.upwards[at]),
                        int(seen.since[at]) * step,
                    )
                )
        return found
