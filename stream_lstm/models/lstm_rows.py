"""Forecasting with many LSTMs at once, each with its own weights and one window.

One window is one row: (1, K) @ (K, 4H) per series, a gemv along contiguous weights. Several windows of a
series in one product would be faster and give other bits. Series go in chunks whose weights stay in the
cache over all steps. The columns of sigmoids are packed with their sign changed: σ(a) = 1 / (1 + exp −a).
C series of a chunk.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models.live import grown
from stream_lstm.models.market_view import Index

Array = NDArray[np.float32]

CHUNK: Final = 96
"""2 MB of weights. Half as many cost a tenth more in calls; 1,000 leave the cache at every step."""


class RowState:
    """The state of C LSTMs between steps, in buffers that are made once."""

    def __init__(self, series: int, inputs: int, hidden: int) -> None:
        operand = np.zeros((series, 1, inputs + 1 + hidden), np.float32)  # [x | 1 | h]
        operand[..., inputs] = 1
        self._operand = operand
        self.inputs, self.hidden = operand[:, 0, :inputs], operand[..., inputs + 1 :]
        self._products = np.zeros((series, 1, 4 * hidden), np.float32)
        gates = np.zeros((5, series, hidden), np.float32)  # o, i, f, g, c: every call below is contiguous
        self._gate_major = self._products.reshape(series, 4, hidden).swapaxes(0, 1)
        self._views = gates[:4], gates[:3], gates[3], gates[3:], gates[4]
        self._u = np.zeros((3, series, hidden), np.float32)
        self._p_q = np.zeros((2, series, hidden), np.float32)
        self._tanh_c = np.zeros((series, hidden), np.float32)

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


class LstmRows:
    """The weights of live LSTMs with linear heads, by slot, packed for rows."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        self._inputs, self._hidden = inputs, hidden
        self._weights: Array = np.zeros((0, inputs + 1 + hidden, 4 * hidden), np.float32)
        self._heads: Array = np.zeros((0, hidden, outputs), np.float32)
        self._bias: Array = np.zeros((0, 1, outputs), np.float32)
        self._states: dict[int, RowState] = {}

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._weights, self._heads, self._bias = (
            grown(array, slots) for array in (self._weights, self._heads, self._bias)
        )

    def put(self, slot: int, lstm: Array, heads: Array, bias: Array) -> None:
        """Pack true parameters (4H, F+1+H), (J, H), (J,) as `models.parameters` orders them."""
        self._weights[slot] = lstm.T
        self._weights[slot, :, : 3 * self._hidden] *= -1
        self._heads[slot] = heads.T
        self._bias[slot] = bias

    def last_outputs(self, slots: Index, windows: NDArray[np.floating]) -> Array:
        """Outputs after the last step of one window (n, T, F) per slot: float32 (n, J)."""
        outputs = np.empty((len(slots), self._heads.shape[2]), np.float32)
        with np.errstate(over="ignore"):  # exp −a = ∞ is a gate that is shut: σ = 0
            for part, weights, state, heads, bias in self._chunks(slots):
                run_window(state, weights, windows[part])
                outputs[part] = (state.hidden @ heads + bias)[:, 0]
        return outputs

    def continued(self, slots: Index, windows: NDArray[np.floating], more: int) -> Array:
        """Outputs with each fed back as the next input, `more` steps of F = J = 1 on: float32 (n, more)."""
        outputs = np.empty((len(slots), more), np.float32)
        with np.errstate(over="ignore"):
            for part, weights, state, heads, bias in self._chunks(slots):
                run_window(state, weights, windows[part])
                for at in range(more):
                    outputs[part, at] = state.inputs[:, 0] = (state.hidden @ heads + bias)[:, 0, 0]
                    state.step(weights)
        return outputs

    def _chunks(self, slots: Index) -> Iterator[tuple[slice, Array, RowState, Array, Array]]:
        for begin in range(0, len(slots), CHUNK):
            own = slots[begin : begin + CHUNK]
            count = len(own)
            # Neighbouring slots are a view; others are gathered, which costs half as much as the forecast.
            where = slice(int(own[0]), int(own[0]) + count) if (np.diff(own) == 1).all() else own
            if count not in self._states:
                self._states[count] = RowState(count, self._inputs, self._hidden)
            part = slice(begin, begin + count)
            yield part, self._weights[where], self._states[count], self._heads[where], self._bias[where]


def run_window(state: RowState, weights: Array, windows: NDArray[np.floating]) -> None:
    """Run windows (C, T, F) from a fresh state."""
    state.begin()
    for at in range(windows.shape[1]):
        np.copyto(state.inputs, windows[:, at], casting="same_kind")
        state.step(weights)


_ONE: Final = np.array(1, np.float32)
