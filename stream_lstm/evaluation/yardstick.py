"""What the forecasts of one series and horizon are measured by: the candles, their targets and the unit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.reference import ewma_volatility, target_rows, unit_half_widths
from stream_lstm.evaluation.track import COVERAGES

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


class Yardstick(NamedTuple):
    """N candles of one series, for forecasts of `steps` candles. The same for every model."""

    candles: CandleFile
    steps: int
    volatility: Floats
    """(N,) σ of the unit."""
    targets: Index
    """(N,) row of the target of a forecast made here, −1 where there is none."""
    half_width: Floats
    """(N,) of the unit at the confidence asked for, in log price; NaN where it is not known yet."""
    half_widths: Floats
    """(N, 9) of the unit at `COVERAGES`."""


def yardstick(candles: CandleFile, steps: int, confidence: float) -> Yardstick:
    """The yardstick of forecasts of `steps` candles with intervals at `confidence`."""
    close = candles.ohlcv[:, 3]
    volatility = ewma_volatility(close)
    targets = target_rows(candles.open_ms, candles.step_ms, steps)
    widths = unit_half_widths(volatility, close, targets, (confidence, *COVERAGES))
    return Yardstick(candles, steps, volatility, targets, widths[:, 0], widths[:, 1:])
