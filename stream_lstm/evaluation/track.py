"""What was forecast for one series and horizon, and what came: columns over N forecasts, by time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Forecasts as they were published. Prices in quote units, times in epoch ms."""

    horizon: str
    steps: int
    """Horizon in candles."""
    as_of: Times
    """(N,) close time of the last candle that was known."""
    last_close: Floats
    predicted: Floats
    lower: Floats
    upper: Floats
    model: tuple[str, ...]
    """Type of the model that answered."""
    confidence: float

    def __len__(self) -> int:
        return len(self.as_of)
