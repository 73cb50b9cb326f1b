"""`transformer`: a small pre-norm encoder of the last 20 candles, causal, with learned positions.

What its last step says, normed, goes to the heads. Nobody reads the other steps of the last layer, so only
the last step asks there, which is exact.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models import residual
from stream_lstm.models.initialisation import draw, xavier
from stream_lstm.models.model import Arrays
from stream_lstm.models.parameters import Block, Views, allocate
from stream_lstm.models.shape import Shape
from stream_lstm.models.transformer_layer import HEADS, Norm, TransformerLayer

Array = NDArray[np.floating]

NAME: Final = "transformer"
FEATURES: Final = 16
LAYERS: Final = 1

PREFIXES: Final = tuple(f"layer_{number}_" for number in range(LAYERS))


class TransformerEncoder:
    """W = D, which is H of the shape."""

    def __init__(self, shape: Shape, true: Views, gradient: Views, dtype: DTypeLike) -> None:
        S, F, D, _, B, T = shape
        self._true, self._gradient, self._steps = true, gradient, (S, D, T, B)
        self._inputs = np.ones((S, F + 1, T * B), dtype)
        self._embedded = np.zeros((S, D, T * B), dtype)
        last = [T] * (len(PREFIXES) - 1) + [1]
        self.layers: Final = [
            TransformerLayer(prefix, true, gradient, (S, D, T, B, asking), dtype)
            for prefix, asking in zip(PREFIXES, last, strict=True)
        ]
        self._norm = Norm(S, D, B, dtype)
        self._d_normal, self._d_out = np.zeros((S, D, B), dtype), np.zeros((S, D, B), dtype)
        self.hidden = self._norm.normal.swapaxes(0, 1)
        self.hidden_rows = self._norm.normal.swapaxes(1, 2)
        self.d_hidden = self._d_normal.swapaxes(0, 1)

    @staticmethod
    def blocks(shape: Shape) -> tuple[Block, ...]:
        """Embedding (D, F + 1), bias last; positions (D, T); those of the layers."""
        layers = [TransformerLayer.blocks(prefix, shape.hidden) for prefix in PREFIXES]
        embedding = Block("embedding", (shape.hidden, shape.inputs + 1), bias=shape.inputs)
        positions = Block("positions", (shape.hidden, shape.steps), "free")
        return embedding, positions, *(block for layer in layers for block in layer)

    @staticmethod
    def width(shape: Shape) -> int:
        """D."""
        return shape.hidden

    @staticmethod
    def initialise(shape: Shape, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """Xavier-uniform, no biases."""
        draw(rng, own["embedding"][:, :-1], shape.inputs, shape.hidden)
        own["embedding"][:, -1] = 0
        xavier(rng, own["positions"])
        for prefix in PREFIXES:
            TransformerLayer.initialise(prefix, own, rng)

    def load(self, windows: Array) -> None:
        """Take in a batch (T, S, B, F)."""
        T, S, B, F = windows.shape
        np.copyto(self._inputs.reshape(S, F + 1, T, B)[:, :F], windows.transpose(1, 3, 0, 2))

    def forward(self) -> None:
        """From the batch to `hidden` and `hidden_rows`."""
        x = self._embedded
        np.matmul(self._true["embedding"], self._inputs, x)
        by_step = x.reshape(self._steps)
        np.add(by_step, self._true["positions"][..., None], by_step)
        for layer in self.layers:
            layer.forward(x)
            x = layer.out
        self._norm.forward(x)

    def backward(self) -> None:
        """From `d_hidden` to the gradient of all blocks."""
        slope = self._d_out
        slope.fill(0)
        self._norm.backward(self._d_normal, slope)
        for layer in reversed(self.layers):
            layer.backward(slope)
            slope = layer.d_in
        np.matmul(slope, self._inputs.swapaxes(1, 2), self._gradient["embedding"])
        np.add.reduce(slope.reshape(self._steps), axis=3, out=self._gradient["positions"])


class TransformerReading(NamedTuple):
    """How windows of F inputs are read, D features: by the encoder itself, with a batch of one."""

    inputs: int
    features: int

    @property
    def width(self) -> int:
        """D."""
        return self.features

    @property
    def shape(self) -> Shape:
        """Of one network with one window."""
        return Shape(1, self.inputs, self.features, 1, 1, residual.STEPS)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the blocks."""
        return tuple(block.shape for block in TransformerEncoder.blocks(self.shape))

    def pack(self, arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        """The blocks as they are."""
        return tuple(arrays[block.name] for block in TransformerEncoder.blocks(self.shape))

    def reader(self, series: int) -> "TransformerReader":
        """A reader of C series."""
        return TransformerReader(series, self)


class TransformerReader:
    """C networks, one window each."""

    def __init__(self, series: int, reading: TransformerReading) -> None:
        shape = reading.shape._replace(series=series)
        self._true, nobodys = (
            allocate(TransformerEncoder.blocks(shape), series, np.float32) for _ in range(2)
        )
        self._encoder = TransformerEncoder(shape, self._true, nobodys, np.float32)

    def read(self, weights: tuple[NDArray[np.float32], ...], windows: Array) -> NDArray[np.float32]:
        """What the last step of windows (C, T, F) says: (C, 1, D)."""
        for own, given in zip(self._true.segments, weights, strict=True):
            np.copyto(own, given)
        self._encoder.load(windows.swapaxes(0, 1)[:, :, None])
        self._encoder.forward()
        return self._encoder.hidden_rows


NETWORK: Final = residual.Residual(
    NAME,
    FEATURES,
    TransformerEncoder,
    TransformerReading,
    MappingProxyType({"layers": LAYERS, "attentionHeads": HEADS}),
)
