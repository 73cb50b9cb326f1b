"""What a detector makes of the values that it is given."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import ByRow

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


class Detection(NamedTuple):
    """Of n places, (n,) each; statistic and threshold in the detector's own unit."""

    changed: NDArray[np.bool_]
    statistic: Floats
    threshold: Floats
    upwards: NDArray[np.bool_]
    """Whether the values rose."""
    since: Index
    """How many values ago the change began, by the detector's own estimate."""


class Detector(ByRow, Protocol):
    """Looks for a change in the mean of a stream, one stream at each of R places."""

    def grow(self, rows: int) -> None:
        """Make room for `rows` places."""

    def begin(self, places: Index | int) -> None:
        """Forget everything."""

    def update(self, places: Index, values: Floats) -> Detection:
        """One more value at each of n distinct places; where a change is found, that place begins anew."""
