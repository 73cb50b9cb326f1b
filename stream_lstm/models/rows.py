"""Forecasting with many networks at once, each with its own weights and one window.

Series go in chunks whose weights stay in the cache while their windows are read. J outputs, W numbers that
the linear heads read, C series of a chunk.
"""

from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models.live import grown
from stream_lstm.models.market_view import Index
from stream_lstm.models.model import Arrays

Array = NDArray[np.float32]

CHUNK: Final = 96
"""2 MB of weights. Half as many cost a tenth more in calls; 1,000 leave the cache at every step."""


class Reader(Protocol):
    """The encoder of C networks, one window each; buffers are made once."""

    def read(self, weights: tuple[Array, ...], windows: NDArray[np.floating]) -> Array:
        """What the encoders with `weights` (C, …) make of windows (C, T, F): (C, 1, W)."""


R = TypeVar("R", bound=Reader, covariant=True)


class Reading(Protocol[R]):
    """How the parameters of an encoder are packed for reading, and who reads."""

    @property
    def width(self) -> int:
        """W."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the packed arrays of one network."""

    def pack(self, arrays: Arrays) -> tuple[Array, ...]:
        """The arrays of a model, packed."""

    def reader(self, series: int) -> R:
        """A reader of C series."""


class Rows(Generic[R]):
    """The parameters of live networks by slot, and what they say to one window each."""

    def __init__(self, reading: Reading[R], outputs: int) -> None:
        self._reading = reading
        self._weights: tuple[Array, ...] = tuple(np.zeros((0, *each), np.float32) for each in reading.shapes)
        self._heads: Array = np.zeros((0, reading.width, outputs), np.float32)
        self._bias: Array = np.zeros((0, 1, outputs), np.float32)
        self._readers: dict[int, R] = {}

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._weights = tuple(grown(array, slots) for array in self._weights)
        self._heads, self._bias = grown(self._heads, slots), grown(self._bias, slots)

    def put(self, slot: int, arrays: Arrays) -> None:
        """Pack the blocks of the encoder, and `heads` (J, W) and `heads_bias` (J,), as training left them."""
        for kept, packed in zip(self._weights, self._reading.pack(arrays), strict=True):
            kept[slot] = packed
        self._heads[slot] = arrays["heads"].T
        self._bias[slot] = arrays["heads_bias"]

    def outputs(self, slots: Index, windows: NDArray[np.floating]) -> Array:
        """What each slot says to its window (n, T, F): float32 (n, J)."""
        outputs = np.empty((len(slots), self._heads.shape[2]), np.float32)
        with np.errstate(over="ignore"):  # exp −a = ∞ is a gate that is shut: σ = 0
            for part, reader, weights, heads, bias in self._chunks(slots):
                outputs[part] = (reader.read(weights, windows[part]) @ heads + bias)[:, 0]
        return outputs

    def _chunks(self, slots: Index) -> Iterator[tuple[slice, R, tuple[Array, ...], Array, Array]]:
        for begin in range(0, len(slots), CHUNK):
            own = slots[begin : begin + CHUNK]
            count = len(own)
            # Neighbouring slots are a view; others are gathered, which costs half as much as the forecast.
            where = slice(int(own[0]), int(own[0]) + count) if (np.diff(own) == 1).all() else own
            if count not in self._readers:
                self._readers[count] = self._reading.reader(count)
            weights = tuple(array[where] for array in self._weights)
            part = slice(begin, begin + count)
            yield part, self._readers[count], weights, self._heads[where], self._bias[where]
