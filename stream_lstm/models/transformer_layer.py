"""One layer of a pre-norm transformer for S series: causal attention and a feed-forward part, both residual.

Vaswani et al. (2017, NeurIPS), the norm before either part as Xiong et al. (2020, ICML):

    x ← x + W_o A(n(x))    x ← x + W_2 silu(W_1 n(x))

The norm has no gain and shift of its own (Xu et al., 2019, NeurIPS): what follows it is linear with a bias.
silu is a·σ(a) (Elfwing et al., 2018, Neural Networks 107). Every array is (S, features, T·B), the batch
innermost, with a row of ones under what is multiplied, so that a product is weights and bias at once.
D features, T steps, Q of them asking.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models.causal_attention import CausalAttention
from stream_lstm.models.initialisation import draw
from stream_lstm.models.parameters import Block, Views

Array = NDArray[np.floating]

HEADS: Final = 2
WIDER: Final = 2
"""Rows of the feed-forward part, over D."""

_EPSILON: Final = 1e-5


class Norm:
    """n = (x − mean) / deviation over the features (Ba et al., 2016), with a row of ones below."""

    def __init__(self, series: int, features: int, columns: int, dtype: DTypeLike) -> None:
        self.operand = np.ones((series, features + 1, columns), dtype)
        self.normal = self.operand[:, :features]
        self._inverse, self._mean = (np.zeros((series, 1, columns), dtype) for _ in range(2))
        self._work = np.zeros((series, features, columns), dtype)
        self._part, self._epsilon = np.array(1 / features, dtype), np.array(_EPSILON, dtype)

    def forward(self, x: Array) -> None:
        """Of x (S, D, N)."""
        n, inverse, work = self.normal, self._inverse, self._work
        self._mean_of(x, self._mean)
        np.subtract(x, self._mean, n)
        np.multiply(n, n, work)
        self._mean_of(work, inverse)
        np.add(inverse, self._epsilon, inverse)
        np.sqrt(inverse, inverse)
        np.divide(_ONE, inverse, inverse)
        np.multiply(n, inverse, n)

    def backward(self, d_normal: Array, d_x: Array) -> None:
        """Add to `d_x` what comes of `d_normal`, which is used up: r (dn − mean(dn) − n mean(n dn))."""
        n, mean, work = self.normal, self._mean, self._work
        np.multiply(n, d_normal, work)
        self._mean_of(work, mean)
        np.multiply(n, mean, work)
        self._mean_of(d_normal, mean)
        np.subtract(d_normal, mean, d_normal)
        np.subtract(d_normal, work, d_normal)
        np.multiply(d_normal, self._inverse, d_normal)
        np.add(d_x, d_normal, d_x)

    def _mean_of(self, x: Array, mean: Array) -> None:
        np.add.reduce(x, axis=1, keepdims=True, out=mean)
        np.multiply(mean, self._part, mean)


class TransformerLayer:
    """Reads x of all T steps and says x of the last Q; `prefix` names its blocks."""

    def __init__(
        self,
        prefix: str,
        true: Views,
        gradient: Views,
        sizes: tuple[int, int, int, int, int],
        dtype: DTypeLike,
    ) -> None:
        """`sizes` are S, D, T, B and Q."""
        S, D, T, B, Q = sizes
        N, M, wide = T * B, Q * B, WIDER * D
        names = ("attend", "project", "widen", "narrow")
        self._attend, self._project, self._widen, self._narrow = (true[prefix + name] for name in names)
        self._d_attend, self._d_project, self._d_widen, self._d_narrow = (
            gradient[prefix + name] for name in names
        )
        self._first, self._second = Norm(S, D, N, dtype), Norm(S, D, M, dtype)
        self._asking = slice(N - M, N)
        self._attention = CausalAttention((S, D, T, B, Q), HEADS, dtype)
        self._wide = np.ones((S, wide + 1, M), dtype)
        self._before, self._gate, self._d_wide = (np.zeros((S, wide, M), dtype) for _ in range(3))
        self._middle, self.out, self._d_middle = (np.zeros((S, D, M), dtype) for _ in range(3))
        self._d_first, self.d_in = np.zeros((S, D, N), dtype), np.zeros((S, D, N), dtype)
        self._d_asking = np.zeros((S, D, M), dtype)

    @staticmethod
    def blocks(prefix: str, features: int) -> tuple[Block, ...]:
        """Query, key and value; projection; both halves of the feed-forward part: bias last."""
        D, wide = features, WIDER * features
        return (
            Block(f"{prefix}attend", (3 * D, D + 1), bias=D),
            Block(f"{prefix}project", (D, D + 1), bias=D),
            Block(f"{prefix}widen", (wide, D + 1), bias=D),
            Block(f"{prefix}narrow", (D, wide + 1), bias=wide),
        )

    @staticmethod
    def initialise(prefix: str, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """Xavier-uniform, query, key and value each; no biases."""
        for name in ("attend", "project", "widen", "narrow"):
            weights = own[prefix + name][:, :-1]
            for part in np.split(weights, 3) if name == "attend" else [weights]:
                draw(rng, part, part.shape[1], len(part))
            own[prefix + name][:, -1] = 0

    def forward(self, x: Array) -> None:
        """From x (S, D, T·B) to `out` (S, D, Q·B)."""
        D, attention = x.shape[1], self._attention
        self._first.forward(x)
        np.matmul(self._attend[:, :D], self._first.operand[..., self._asking], attention.queries)
        np.matmul(self._attend[:, D:], self._first.operand, attention.keys_values)
        attention.forward()
        np.matmul(self._project, attention.operand, self._middle)
        np.add(self._middle, x[..., self._asking], self._middle)
        self._second.forward(self._middle)
        before, gate, wide = self._before, self._gate, self._wide[:, :-1]
        np.matmul(self._widen, self._second.operand, before)
        np.negative(before, gate)
        np.exp(gate, gate)
        np.add(gate, _ONE, gate)
        np.divide(_ONE, gate, gate)
        np.multiply(before, gate, wide)
        np.matmul(self._narrow, self._wide, self.out)
        np.add(self.out, self._middle, self.out)

    def backward(self, d_out: Array) -> None:
        """From the slope of `out` to `d_in` (S, D, T·B), that of x, and the gradient of the weights."""
        self._backward_feed(d_out)
        d_middle, attention, D = self._d_middle, self._attention, d_out.shape[1]
        np.matmul(d_middle, _columns(attention.operand), self._d_project)
        np.matmul(_transposed(self._project), d_middle, attention.d_context)
        attention.backward()
        first, asking, d_first = self._first.operand, self._asking, self._d_first
        np.matmul(attention.d_queries, _columns(first[..., asking]), self._d_attend[:, :D])
        np.matmul(attention.d_keys_values, _columns(first), self._d_attend[:, D:])
        np.matmul(_transposed(self._attend[:, D:]), attention.d_keys_values, d_first)
        np.matmul(_transposed(self._attend[:, :D]), attention.d_queries, self._d_asking)
        np.add(d_first[..., asking], self._d_asking, d_first[..., asking])
        self.d_in.fill(0)
        np.copyto(self.d_in[..., asking], d_middle)
        self._first.backward(d_first, self.d_in)

    def _backward_feed(self, d_out: Array) -> None:
        """To the slope of what stands between attention and the feed-forward part."""
        before, gate, d_wide, wide = self._before, self._gate, self._d_wide, self._wide
        np.matmul(d_out, _columns(wide), self._d_narrow)
        np.matmul(_transposed(self._narrow), d_out, d_wide)
        np.subtract(before, wide[:, :-1], before)  # silu' = σ (1 + a − a σ)
        np.add(before, _ONE, before)
        np.multiply(before, gate, before)
        np.multiply(d_wide, before, d_wide)
        np.matmul(d_wide, _columns(self._second.operand), self._d_widen)
        np.copyto(self._d_middle, d_out)
        np.matmul(_transposed(self._widen), d_wide, self._d_asking)
        self._second.backward(self._d_asking, self._d_middle)


def _columns(operand: Array) -> Array:
    """(S, n, N) as (S, N, n)."""
    return operand.swapaxes(1, 2)


def _transposed(weights: Array) -> Array:
    """(S, m, n + 1) without its biases, as (S, n, m)."""
    return weights[:, :, :-1].swapaxes(1, 2)


_ONE: Final = np.array(1, np.float32)
