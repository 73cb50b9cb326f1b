"""`bilstm`: two LSTMs over the last 20 candles, one of them from the newest to the oldest.

Schuster & Paliwal (1997, IEEE Trans. Signal Processing 45), with LSTMs as Graves & Schmidhuber (2005, Neural
Networks 18). It reads a window that is over, so it knows nothing of the future.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models import residual
from stream_lstm.models.initialisation import initialise_lstm
from stream_lstm.models.lstm_layer import LstmLayer, lstm_block
from stream_lstm.models.lstm_rows import RowState, packed, packed_shape
from stream_lstm.models.model import Arrays
from stream_lstm.models.parameters import Block, Views
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]

NAME: Final = "bilstm"
HIDDEN: Final = 8
"""Of each direction. On earlier years more fitted worse."""

_BLOCKS: Final = ("lstm", "lstm_reversed")


class BiLstmEncoder:
    """The last h of both directions, one after the other: W = 2H."""

    def __init__(self, shape: Shape, true: Views, gradient: Views, dtype: DTypeLike) -> None:
        S, _, H, _, B, _ = shape
        self._layers = [LstmLayer(shape, true[name], gradient[name], dtype) for name in _BLOCKS]
        self.hidden = np.zeros((2 * H, S, B), dtype)
        self.hidden_rows = np.zeros((S, B, 2 * H), dtype)
        self.d_hidden = np.zeros((2 * H, S, B), dtype)
        self._copies = [
            (layer, self.hidden[part], self.hidden_rows[..., part], self.d_hidden[part])
            for layer, part in zip(self._layers, (slice(H), slice(H, 2 * H)), strict=True)
        ]

    @staticmethod
    def blocks(shape: Shape) -> tuple[Block, ...]:
        """The weights of either layer."""
        return tuple(lstm_block(name, shape) for name in _BLOCKS)

    @staticmethod
    def width(shape: Shape) -> int:
        """2H."""
        return 2 * shape.hidden

    @staticmethod
    def initialise(shape: Shape, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """Both as `lstm`."""
        for name in _BLOCKS:
            initialise_lstm(own[name], shape.inputs, rng)

    def load(self, windows: Array) -> None:
        """Take in a batch (T, S, B, F)."""
        forwards, backwards = self._layers
        forwards.load(windows)
        backwards.load(windows[::-1])

    def forward(self) -> None:
        """From the batch to `hidden` and `hidden_rows`."""
        for layer, hidden, rows, _ in self._copies:
            layer.forward()
            np.copyto(hidden, layer.hidden)
            np.copyto(rows, layer.hidden_rows)

    def backward(self) -> None:
        """From `d_hidden` to the gradient of both layers."""
        for layer, _, _, slope in self._copies:
            np.copyto(layer.d_hidden, slope)
            layer.backward()


class BiLstmReading(NamedTuple):
    """How windows of F inputs are read, H hidden units in either direction: W = 2H."""

    inputs: int
    hidden: int

    @property
    def width(self) -> int:
        """2H."""
        return 2 * self.hidden

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the packed weights of either direction."""
        return (packed_shape(self.inputs, self.hidden),) * len(_BLOCKS)

    def pack(self, arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        """Both directions, packed."""
        return tuple(packed(arrays[name]) for name in _BLOCKS)

    def reader(self, series: int) -> "BiLstmReader":
        """A reader of C series."""
        return BiLstmReader(series, self)


class BiLstmReader:
    """C networks, one window each."""

    def __init__(self, series: int, reading: BiLstmReading) -> None:
        self._states = [RowState(series, reading.inputs, reading.hidden) for _ in _BLOCKS]
        self._hidden = np.zeros((series, 1, reading.width), np.float32)

    def read(self, weights: tuple[NDArray[np.float32], ...], windows: Array) -> NDArray[np.float32]:
        """Both last h of windows (C, T, F): (C, 1, 2H)."""
        directions = zip(self._states, weights, (windows, windows[:, ::-1]), strict=True)
        said = [state.read((own,), way) for state, own, way in directions]
        return np.concatenate(said, axis=2, out=self._hidden)


NETWORK: Final = residual.Residual(NAME, HIDDEN, BiLstmEncoder, BiLstmReading)
