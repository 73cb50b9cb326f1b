"""S LSTMs side by side, each with its own weights: forward, and exact backpropagation through time.

Hochreiter & Schmidhuber (1997, Neural Computation 9) with the forget gate of Gers et al. (2000).
Every state array is (features, S, B), the batch innermost: a gate of all series is one contiguous
run, and one GEMM per step and series over z = [x; 1; h] is input, bias and recurrence at once.
Of the sigmoid gates v = 1 / (1 + exp a) comes first, then u = 1 − v = σ(a); with g = tanh(a_g):

    p = u_i·g    q = u_f·c₋₁    c = p + q    h = u_o·tanh(c)

The factors of the derivative fall out of the same products while they are in the cache:

    P_o = h·v_o   P_i = p·v_i   P_f = q·v_f   P_g = u_i − p·g   Q = u_o − h·tanh(c)

so that backward, for e = ∂L/∂c, is seven products per step. The weight gradient is summed step by
step, not in one product over time: only so do its bits not depend on the size of the stack.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.initialisation import initialise_lstm
from stream_lstm.models.parameters import Block, Views
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]


class LstmLayer:
    """Buffers and views for one `Shape`, made once; `forward` and `backward` allocate nothing.

    `weights` (S, 4H, F+1+H) and `gradient`, where `backward` leaves the gradient with respect to them,
    are gate rows in the order o, i, f, g and columns x, 1, h.
    """

    def __init__(
        self, shape: Shape, weights: Array, gradient: Array, dtype: DTypeLike, *, states: bool = False
    ) -> None:
        """With `states` h of every step is kept, and the loss may depend on all of them.

        `states` (T, H, S, B) is then left by `forward`, and `backward` adds what stands in `d_states` to the
        slope of every step; both are empty without.
        """
        self.shape: Final = shape
        self.weights: Final = weights
        self.gradient: Final = gradient
        # For one series `dot` takes half the call of `matmul`, and gives the same bits.
        self._matmul = np.dot if shape.series == 1 else np.matmul
        self._one = np.array(1, dtype)  # 0-d: a Python float costs twice the call
        self._make_operand(dtype)
        self._make_gates(dtype)
        self._make_tape(dtype)
        kept = (shape.steps * states, shape.hidden, shape.series, shape.batch)
        self.states, self.d_states = np.zeros(kept, dtype), np.zeros(kept, dtype)
        self._state_views: list[Array | None] = list(self.states) if states else [None] * shape.steps
        self._d_state_views: list[Array | None] = list(self.d_states) if states else [None] * shape.steps

    def _make_operand(self, dtype: DTypeLike) -> None:
        S, F, H, _, B, T = self.shape
        K = self.shape.operand
        self.inputs = np.zeros((T, F, S, B), dtype)
        operand = np.zeros((K + 2 * H, S, B), dtype)  # [x | 1 | h | p | q]
        operand[F] = 1
        self._x, self.hidden = operand[:F], operand[F + 1 : K]
        self.one_hidden = operand[F:K]  # [1 | h], to be multiplied by weights with a bias
        self._operand = _by_series(operand[:K])  # (S, K, B)
        self._p, self._q, self._pq = operand[K : K + H], operand[K + H :], operand[K:]
        self._h_p, self._h_p_q = operand[F + 1 : K + H], operand[F + 1 :]
        # The same operands with the batch as rows: the weight gradient multiplies them as they are.
        rows = np.zeros((T + 1, S, B, K), dtype)
        rows[..., F] = 1
        self.input_rows = rows[:T, ..., :F]
        self.hidden_rows = rows[T, ..., F + 1 :]  # (S, B, H): h after the last step
        self.one_hidden_rows = rows[T, ..., F:]
        self._operand_rows = [_stacked(step) for step in rows[:T]]
        self._next_hidden_rows = list(rows[1:, ..., F + 1 :])

    def _make_gates(self, dtype: DTypeLike) -> None:
        S, _, H, _, B, _ = self.shape
        gates = np.zeros((5 * H, S, B), dtype)  # [o | i | f | g | c]
        self._sigmoids, self._g = gates[: 3 * H], gates[3 * H : 4 * H]
        self._gates_by_series = _by_series(gates[: 4 * H])  # (S, 4H, B)
        self._g_c, self._cell = gates[3 * H :], gates[4 * H :]
        # tanh(c) takes the place of f, which is done with, to lie beside g.
        self._tanh_c, self._tanh_c_g = gates[2 * H : 3 * H], gates[2 * H : 4 * H]
        self._v = np.zeros((3 * H, S, B), dtype)
        self._two, self._d_cell, self._e = (np.zeros((n * H, S, B), dtype) for n in (2, 1, 1))
        self._d_weights = np.zeros((S, 4 * H, self.shape.operand), dtype)

    def _make_tape(self, dtype: DTypeLike) -> None:
        """What forward leaves for backward: per step [P_o P_i P_f | u_o→Q | u_i→P_g | u_f]."""
        S, _, H, _, B, T = self.shape
        tape = np.zeros((T, 6 * H, S, B), dtype)
        self._forward_views = [
            (step[3 * H :], step[3 * H : 4 * H], step[4 * H :], step[3 * H : 5 * H], step[: 3 * H])
            for step in tape
        ]
        self._backward_views = [
            (
                step[:H],
                step[H : 3 * H].reshape(2, H, S, B),
                step[3 * H : 4 * H],
                step[4 * H : 5 * H],
                step[5 * H :],
                _by_series(step[: 4 * H]),
            )
            for step in tape
        ]
        self.d_hidden = np.zeros((H, S, B), dtype)
        self._d_hidden_by_series = _by_series(self.d_hidden)  # (S, H, B)
        self._recurrent = self.weights[:, :, self.shape.inputs + 1 :].swapaxes(1, 2)  # (S, H, 4H)
        self._recurrent_copy = np.zeros((S, H, 4 * H), dtype)

    def load(self, windows: Array) -> None:
        """Take in a batch (T, S, B, F)."""
        np.copyto(self.input_rows, windows)
        np.copyto(self.inputs, windows.transpose(0, 3, 1, 2))

    def forward(self) -> None:
        """Run `inputs` (T, F, S, B); leaves h of the last step in `hidden` (H, S, B) and `hidden_rows`."""
        with np.errstate(over="ignore"):  # exp a = ∞ is a gate that is wide open: v = 0
            self._forward()

    def _forward(self) -> None:
        multiply, add, subtract, divide, exp, tanh, copy = _CALLS
        matmul, W, z, x = self._matmul, _stacked(self.weights), self._operand, self._x
        one, a, g, g_c, c, v = self._one, self._sigmoids, self._g, self._g_c, self._cell, self._v
        a_by_series = self._gates_by_series
        tanh_c, tanh_c_g, two = self._tanh_c, self._tanh_c_g, self._two
        h, p, q, p_q, h_p, h_p_q = self.hidden, self._p, self._q, self._pq, self._h_p, self._h_p_q
        h_by_row = h.transpose(1, 2, 0)
        h.fill(0)
        c.fill(0)
        for inputs, rows, state, (u, u_o, u_i_f, u_o_i, P) in zip(
            self.inputs, self._next_hidden_rows, self._state_views, self._forward_views, strict=True
        ):
            copy(x, inputs)
            matmul(W, z, a_by_series)
            exp(a, a)
            tanh(g, g)
            add(a, one, a)
            divide(one, a, v)
            subtract(one, v, u)
            multiply(u_i_f, g_c, p_q)
            add(p, q, c)
            tanh(c, tanh_c)
            multiply(u_o, tanh_c, h)
            copy(rows, h_by_row)
            if state is not None:
                copy(state, h)
            multiply(v, h_p_q, P)
            multiply(h_p, tanh_c_g, two)
            subtract(u_o_i, two, u_o_i)  # Q, P_g

    def backward(self) -> None:
        """From ∂L/∂h of the last step in `d_hidden` (H, S, B) to the gradient of the weights."""
        multiply, add = np.multiply, np.add
        d_h, d_h_by_series, d_c, e = self.d_hidden, self._d_hidden_by_series, self._d_cell, self._e
        matmul, recurrent = self._matmul, _stacked(self._recurrent_copy)
        d_weights, gradient = _stacked(self._d_weights), _stacked(self.gradient)
        np.copyto(self._recurrent_copy, self._recurrent)
        gradient.fill(0)
        e.fill(0)
        for rows, d_state, (P_o, P_i_f, Q, P_g, u_f, d_gates) in zip(
            reversed(self._operand_rows),
            reversed(self._d_state_views),
            reversed(self._backward_views),
            strict=True,
        ):
            if d_state is not None:
                add(d_h, d_state, d_h)
            multiply(d_h, Q, d_c)
            add(d_c, e, d_c)
            multiply(P_o, d_h, P_o)
            multiply(P_i_f, d_c, P_i_f)
            multiply(P_g, d_c, Q)  # the place of Q completes [o i f g]
            matmul(d_gates, rows, d_weights)
            add(gradient, d_weights, gradient)
            multiply(u_f, d_c, e)
            matmul(recurrent, d_gates, d_h_by_series)


class LstmEncoder(LstmLayer):
    """What `lstm` and `classic` make of a window: h of its last step, W = H."""

    def __init__(self, shape: Shape, true: Views, gradient: Views, dtype: DTypeLike) -> None:
        super().__init__(shape, true["lstm"], gradient["lstm"], dtype)

    @staticmethod
    def blocks(shape: Shape) -> tuple[Block]:
        """The weights of the layer."""
        return (lstm_block("lstm", shape),)

    @staticmethod
    def width(shape: Shape) -> int:
        """H."""
        return shape.hidden

    @staticmethod
    def initialise(shape: Shape, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """Xavier-uniform, the forget gate open."""
        initialise_lstm(own["lstm"], shape.inputs, rng)


def lstm_block(name: str, shape: Shape) -> Block:
    """W (4H, F+1+H) of one layer: gate rows in the order o, i, f, g; columns x, 1, h."""
    return Block(name, (4 * shape.hidden, shape.operand), bias=shape.inputs)


def _by_series(array: Array) -> Array:
    """(n, S, B) as the operand of a product per series: (S, n, B), for a single series (n, B)."""
    return array[:, 0] if array.shape[1] == 1 else array.swapaxes(0, 1)


def _stacked(array: Array) -> Array:
    """(S, m, n) as it is, for a single series (m, n)."""
    return array[0] if len(array) == 1 else array


_CALLS: Final = (np.multiply, np.add, np.subtract, np.divide, np.exp, np.tanh, np.copyto)
