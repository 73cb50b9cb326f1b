"""Forecasts as arrays, for whoever wants numbers and no messages: a backtest."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What is forecast at the candles of `items`: S series, K horizons, in each series' own order."""

    items: list[Item]
    close: Floats
    """(S,) last close, in quote units."""
    location: Floats
    """(S, K) log of predicted over last close."""
    half_width: Floats
    """(S, K) of the interval that would be published, in log price."""
    half_widths: Floats
    """(S, K, L) of the intervals with the recorder's coverages."""
    answerers: NDArray[np.object_]
    """(S,) who answered."""


class Recorder(Protocol):
    """Takes every forecast of a live candle; its engine then says no predictions and no scores."""

    @property
    def coverages(self) -> tuple[float, ...]:
        """The L coverages whose half-widths are wanted."""

    def record(self, forecasts: Forecasts) -> None:
        """Take what one round forecasts."""
