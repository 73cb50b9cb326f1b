"""The parameters of S stacked networks as one flat vector per role, with named views into each.

W (S, 4H, F+1+H) is the LSTM: gate rows in the order o, i, f, g; columns x, 1, h.
V (S, K, H) and c (S, K) are the linear heads.

The layer computes sigmoids as (1 + tanh(a/2)) / 2 and carries 2h instead of h. Those factors ½ are
folded into a scaled copy of the parameters; powers of two, so nothing is rounded.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]


class Views(NamedTuple):
    """One flat vector (n,), and the segments W, V, c as views into it, each contiguous with S leading."""

    flat: Array
    lstm: Array  # (S, 4H, F+1+H)
    heads: Array  # (S, K, H)
    bias: Array  # (S, K)

    @property
    def segments(self) -> tuple[Array, Array, Array]:
        """The three named segments."""
        return self.lstm, self.heads, self.bias


class Parameters:
    """The parameters, their scaled copy, and the gradient with respect to the scaled copy."""

    def __init__(self, shape: Shape, dtype: DTypeLike) -> None:
        self.true: Final = allocate(shape, dtype)
        self.scaled: Final = allocate(shape, dtype)
        self.gradient: Final = allocate(shape, dtype)
        self._scale: Final = allocate(shape, dtype)
        hidden, inputs = shape.hidden, shape.inputs
        self._scale.flat[:] = 1
        self._scale.lstm[:, : 3 * hidden] *= 0.5  # sigmoids through tanh
        self._scale.lstm[:, :, inputs + 1 :] *= 0.5  # the layer carries 2h
        self._scale.heads[:] = 0.5

    def rescale(self) -> None:
        """Refresh the scaled copy after a change of the true parameters."""
        np.multiply(self.true.flat, self._scale.flat, self.scaled.flat)

    def unscale_gradient(self) -> None:
        """Turn the gradient into the one with respect to the true parameters, in place."""
        np.multiply(self.gradient.flat, self._scale.flat, self.gradient.flat)


def allocate(shape: Shape, dtype: DTypeLike) -> Views:
    """A vector of zeros with its views."""
    series, hidden, outputs = shape.series, shape.hidden, shape.outputs
    shapes = [(series, 4 * hidden, shape.operand), (series, outputs, hidden), (series, outputs)]
    ends = np.cumsum([int(np.prod(each)) for each in shapes])
    flat = np.zeros(int(ends[-1]), dtype)
    pieces = np.split(flat, ends[:-1])
    lstm, heads, bias = (piece.reshape(each) for piece, each in zip(pieces, shapes, strict=True))
    return Views(flat, lstm, heads, bias)
