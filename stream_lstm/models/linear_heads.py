"""K linear outputs on what S encoders made of their windows, and the mean squared error over them."""

from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.encoder import Encoder
from stream_lstm.models.parameters import Block, Parameters
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]


def blocks(width: int, outputs: int) -> tuple[Block, Block]:
    """V (K, W) and c (K,) of one network."""
    return Block("heads", (outputs, width), "heads"), Block("heads_bias", (outputs,), "free")


class LinearHeads:
    """y = V h + c, and L = mean over batch and outputs of (y − target)²."""

    def __init__(self, shape: Shape, parameters: Parameters, encoder: Encoder, dtype: DTypeLike) -> None:
        S, _, _, K, B, _ = shape
        true, gradient = parameters.true, parameters.gradient
        self._weights, self._bias = true["heads"], true["heads_bias"]
        self._d_weights, self._d_bias = gradient["heads"], gradient["heads_bias"]
        self._encoder: Final = encoder
        self._hidden = encoder.hidden.swapaxes(0, 1)  # (S, W, B)
        self._d_hidden = encoder.d_hidden.swapaxes(0, 1)
        self.targets = np.zeros((S, K, B), dtype)
        self.outputs = np.zeros((S, K, B), dtype)
        self._errors = np.zeros((S, K, B), dtype)
        self._count = K * B
        self._slope = np.array(2 / self._count, dtype)

    def forward(self) -> None:
        """`outputs` (S, K, B) from what the encoder says."""
        np.matmul(self._weights, self._hidden, self.outputs)
        np.add(self.outputs, self._bias[:, :, None], self.outputs)

    def backward(self) -> Array:
        """Gradients of heads, bias and what the encoder says; the loss of each series (S,)."""
        errors = self._errors
        np.subtract(self.outputs, self.targets, errors)
        each = errors.reshape(len(errors), self._count)
        loss: Array = np.vecdot(each, each) / self._count
        np.multiply(errors, self._slope, errors)
        np.matmul(errors, self._encoder.hidden_rows, self._d_weights)
        np.add.reduce(errors, axis=2, out=self._d_bias)
        np.matmul(self._weights.swapaxes(1, 2), errors, self._d_hidden)
        return loss
