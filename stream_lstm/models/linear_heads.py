"""K linear outputs on the last hidden state of S networks, and the mean squared error over them."""

from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.lstm_layer import LstmLayer
from stream_lstm.models.parameters import Parameters
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]


class LinearHeads:
    """y = V h + c, and L = mean over batch and outputs of (y − target)²."""

    def __init__(self, shape: Shape, parameters: Parameters, layer: LstmLayer, dtype: DTypeLike) -> None:
        S, _, _, K, B, _ = shape
        self._weights, self._bias = parameters.true.heads, parameters.true.bias
        self._d_weights, self._d_bias = parameters.gradient.heads, parameters.gradient.bias
        self._layer: Final = layer
        self._hidden = layer.hidden.swapaxes(0, 1)  # (S, H, B)
        self._d_hidden = layer.d_hidden.swapaxes(0, 1)
        self.targets = np.zeros((S, K, B), dtype)
        self.outputs = np.zeros((S, K, B), dtype)
        self._errors = np.zeros((S, K, B), dtype)
        self._count = K * B
        self._slope = np.array(2 / self._count, dtype)

    def forward(self) -> None:
        """`outputs` (S, K, B) from the layer's last hidden state."""
        np.matmul(self._weights, self._hidden, self.outputs)
        np.add(self.outputs, self._bias[:, :, None], self.outputs)

    def backward(self) -> Array:
        """Gradients of heads, bias and the layer's last hidden state; the loss of each series (S,)."""
        errors = self._errors
        np.subtract(self.outputs, self.targets, errors)
        each = errors.reshape(len(errors), self._count)
        loss: Array = np.vecdot(each, each) / self._count
        np.multiply(errors, self._slope, errors)
        np.matmul(errors, self._layer.hidden_rows, self._d_weights)
        np.add.reduce(errors, axis=2, out=self._d_bias)
        np.matmul(self._weights.swapaxes(1, 2), errors, self._d_hidden)
        return loss
