"""What was forecast for one series and horizon, and what came: columns over N forecasts, by time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

COVERAGES: Final = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the intervals between the quantiles 5 and 95%, 10 and 90%, … 45 and 55%."""


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
    half_widths: Floats
    """(N, 9) in log price, of the intervals with `COVERAGES` around what was predicted."""
    model: tuple[str, ...]
    """Type of the model that answered."""
    confidence: float

    def __len__(self) -> int:
        return len(self.as_of)
