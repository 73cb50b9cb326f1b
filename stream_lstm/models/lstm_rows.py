"""Reading windows with many LSTMs at once, each with its own weights and one window.

One window is one row: (1, K) @ (K, 4H) per series, a gemv along contiguous weights. Several windows of a
series in one product would be faster and give other bits. The columns of sigmoids are packed with their sign
changed: σ(a) = 1 / (1 + exp −a). C series of a chunk.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models.market_view import Index
from stream_lstm.models.model import Arrays
from stream_lstm.models.rows import Rows

Array = NDArray[np.float32]


class RowState:
    """The state of C LSTMs between steps, in buffers that are made once."""

    def __init__(self, series: int, inputs: int, hidden: int) -> None:
        operand = np.zeros((series, 1, inputs + 1 + hidden), np.float32)  # [x | 1 | h]
        operand[..., inputs] = 1
        self._operand = operand
        self.inputs, self.hidden = operand[:, 0, :inputs], operand[..., inputs + 1 :]
        self.one_hidden = operand[..., inputs:]  # [1 | h]
        self._products = np.zeros((series, 1, 4 * hidden), np.float32)
        gates = np.zeros((5, series, hidden), np.float32)  # o, i, f, g, c: every call below is contiguous
        self._gate_major = self._products.reshape(series, 4, hidden).swapaxes(0, 1)
        self._views = gates[:4], gates[:3], gates[3], gates[3:], gates[4]
        self._u = np.zeros((3, series, hidden), np.float32)
        self._p_q = np.zeros((2, series, hidden), np.float32)
        self._tanh_c = np.zeros((series, hidden), np.float32)

    def read(self, weights: tuple[Array, ...], windows: NDArray[np.floating]) -> Array:
        """Run windows (C, T, F) from a fresh state: h after the last step, (C, 1, H)."""
        for _ in self.steps(weights[0], windows):
            pass
        return self.hidden

    def steps(self, weights: Array, windows: NDArray[np.floating]) -> Iterator[int]:
        """The same, with a halt after each step 0 … T − 1."""
        self.begin()
        for at in range(windows.shape[1]):
            np.copyto(self.inputs, windows[:, at], casting="same_kind")
            self.step(weights)
            yield at

    def begin(self) -> None:
        """Forget the window before."""
        self.hidden.fill(0)
        self._views[4].fill(0)

    def step(self, weights: Array) -> None:
        """Take in `inputs` (C, F) with `weights` (C, F+1+H, 4H); `hidden` (C, 1, H) is then h."""
        gates, sigmoids, g, g_c, c = self._views
        u, p_q, tanh_c = self._u, self._p_q, self._tanh_c
        np.matmul(self._operand, weights, self._products)
        np.copyto(gates, self._gate_major)
        np.exp(sigmoids, sigmoids)
        np.tanh(g, g)
        np.add(sigmoids, _ONE, u)
        np.divide(_ONE, u, u)
        np.multiply(u[1:], g_c, p_q)
        np.add(p_q[0], p_q[1], c)
        np.tanh(c, tanh_c)
        np.multiply(u[0], tanh_c, self.hidden[:, 0])


class LstmReading(NamedTuple):
    """How windows of F inputs are read by an LSTM of H hidden units: its last h, W = H."""

    inputs: int
    hidden: int

    @property
    def width(self) -> int:
        """H."""
        return self.hidden

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the packed weights."""
        return (packed_shape(self.inputs, self.hidden),)

    def pack(self, arrays: Arrays) -> tuple[Array, ...]:
        """`lstm`, packed."""
        return (packed(arrays["lstm"]),)

    def reader(self, series: int) -> RowState:
        """A reader of C series."""
        return RowState(series, self.inputs, self.hidden)


def packed_shape(inputs: int, hidden: int) -> tuple[int, int]:
    """Of `packed` weights: (F+1+H, 4H)."""
    return inputs + 1 + hidden, 4 * hidden


def packed(lstm: Array) -> Array:
    """Weights (4H, F+1+H) as `models.lstm_layer` has them, for rows."""
    weights = lstm.T.copy()
    weights[:, : 3 * (len(lstm) // 4)] *= -1
    return weights


class LstmRows(Rows[RowState]):
    """Live LSTMs with linear heads, which can go on from what they say."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(LstmReading(inputs, hidden), outputs)

    def continued(self, slots: Index, windows: NDArray[np.floating], more: int) -> Array:
        """Outputs with each fed back as the next input, `more` steps of F = J = 1 on: float32 (n, more)."""
        outputs = np.empty((len(slots), more), np.float32)
        with np.errstate(over="ignore"):
            for part, state, weights, heads, bias in self._chunks(slots):
                state.read(weights, windows[part])
                for at in range(more):
                    outputs[part, at] = state.inputs[:, 0] = (state.hidden @ heads + bias)[:, 0, 0]
                    state.step(weights[0])
        return outputs


_ONE: Final = np.array(1, np.float32)
