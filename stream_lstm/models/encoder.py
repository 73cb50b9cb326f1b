"""What makes W numbers of a window of T candles, for S networks and B windows each: the body of a network.

A new network is a class that keeps this, and a reader of live windows (`models.rows`).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.parameters import Block, Views
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]


class Encoder(Protocol):
    """Buffers for one `Shape`, made once. What stands in `hidden` is what the linear heads read."""

    @property
    def hidden(self) -> Array:
        """(W, S, B), after `forward`."""

    @property
    def hidden_rows(self) -> Array:
        """(S, B, W), the same numbers."""

    @property
    def d_hidden(self) -> Array:
        """(W, S, B), the slope of the loss with respect to `hidden`: given to `backward`."""

    def load(self, windows: Array) -> None:
        """Take in a batch (T, S, B, F)."""

    def forward(self) -> None:
        """From the batch to `hidden` and `hidden_rows`."""

    def backward(self) -> None:
        """From `d_hidden`, which may be used up, to the gradient of the parameters."""


class EncoderType(Protocol):
    """The class of an encoder."""

    def __call__(self, shape: Shape, true: Views, gradient: Views, dtype: DTypeLike) -> Encoder:
        """Make one that reads its parameters in `true` and leaves their gradient in `gradient`."""

    def blocks(self, shape: Shape) -> tuple[Block, ...]:
        """The parameters of one network."""

    def width(self, shape: Shape) -> int:
        """W."""

    def initialise(self, shape: Shape, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """Draw the blocks of one network in place."""
