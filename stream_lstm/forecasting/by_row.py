"""Columns over all series, some rows of them taken out and put back: what a checkpoint holds of them."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Index = NDArray[np.intp]


class ByRow(Protocol):
    """Whatever keeps its state in arrays with one entry per row."""

    def by_row(self) -> Arrays:
        """Every array that is state, as a view whose first axis is the row."""


def gathered(parts: Mapping[str, ByRow], rows: Index) -> Arrays:
    """The state of S rows: (S, …) each, copies."""
    return {
        f"{name}.{column}": array[rows]
        for name, part in parts.items()
        for column, array in part.by_row().items()
    }


def scattered(parts: Mapping[str, ByRow], rows: Index, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put what `gathered` took into S rows, here or in another process.

    Raises `KeyError` for an array that is missing, `ValueError` for one of another shape.
    """
    for name, part in parts.items():
        for column, array in part.by_row().items():
            array[rows] = arrays[f"{name}.{column}"]
