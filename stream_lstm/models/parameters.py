"""The parameters of S stacked networks as one flat vector per role, with named views into each.

W (S, 4H, F+1+H) is the LSTM: gate rows in the order o, i, f, g; columns x, 1, h.
V (S, K, H) and c (S, K) are the linear heads.
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
    """The parameters and the gradient with respect to them."""

    def __init__(self, shape: Shape, dtype: DTypeLike) -> None:
        self.true: Final = allocate(shape, dtype)
        self.gradient: Final = allocate(shape, dtype)


def allocate(shape: Shape, dtype: DTypeLike) -> Views:
    """A vector of zeros with its views."""
    series, hidden, outputs = shape.series, shape.hidden, shape.outputs
    shapes = [(series, 4 * hidden, shape.operand), (series, outputs, hidden), (series, outputs)]
    ends = np.cumsum([int(np.prod(each)) for each in shapes])
    flat = np.zeros(int(ends[-1]), dtype)
    pieces = np.split(flat, ends[:-1])
    lstm, heads, bias = (piece.reshape(each) for piece, each in zip(pieces, shapes, strict=True))
    return Views(flat, lstm, heads, bias)
