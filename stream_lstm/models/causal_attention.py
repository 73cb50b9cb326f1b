"""Scaled dot-product attention (Vaswani et al., 2017) in which no step sees a later one, for S series.

Query by query, over the keys up to it: what is masked is never computed. Elementwise with the batch
innermost, since a product of matrices of 20 × 8 numbers per window and head costs more in calls than in work.
"""

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating]


class CausalAttention:
    """T keys and values, of which the last Q steps ask; G heads of D / G features each.

    `queries` (S, D, Q·B) and `keys_values` (S, 2D, T·B) are given; `forward` leaves the contexts (S, D, Q·B)
    in `operand`, over a row of ones. Given `d_context`, `backward` leaves `d_queries` and `d_keys_values`.
    """

    def __init__(self, sizes: tuple[int, int, int, int, int], heads: int, dtype: DTypeLike) -> None:
        """`sizes` are S, D, T, B and Q."""
        S, D, T, B, Q = sizes
        self.queries, self.d_queries, self.d_context = (np.zeros((S, D, Q * B), dtype) for _ in range(3))
        self.keys_values, self.d_keys_values = (np.zeros((S, 2 * D, T * B), dtype) for _ in range(2))
        self.operand = np.ones((S, D + 1, Q * B), dtype)
        self._scale = np.array((D // heads) ** -0.5, dtype)
        of_head = D // heads
        asking = (S, heads, of_head, Q, B)
        asked = (S, heads, of_head, T, B)
        q, d_q, d_c, c = (
            each.reshape(asking)
            for each in (self.queries, self.d_queries, self.d_context, self.operand[:, :D])
        )
        k, v, d_k, d_v = (
            each.reshape(asked)
            for pair in (self.keys_values, self.d_keys_values)
            for each in (pair[:, :D], pair[:, D:])
        )
        product = np.zeros(asked, dtype)
        shares, slope = np.zeros((Q, S, heads, 1, T, B), dtype), np.zeros((S, heads, 1, T, B), dtype)
        self._row = np.zeros((S, heads, 1, 1, B), dtype)
        self._forward_views, self._backward_views = [], []
        for at in range(Q):
            seen, own = slice(T - Q + at + 1), slice(at, at + 1)
            said = product[:, :, :, seen], shares[at][..., seen, :], q[:, :, :, own], k[:, :, :, seen]
            self._forward_views.append((*said, v[:, :, :, seen], c[:, :, :, own]))
            slopes = slope[..., seen, :], d_c[:, :, :, own], d_q[:, :, :, own]
            d_keys_values = d_k[:, :, :, seen], d_v[:, :, :, seen]
            self._backward_views.append((*said, v[:, :, :, seen], *slopes, *d_keys_values))

    def forward(self) -> None:
        """Contexts of all that ask."""
        multiply, reduce, row, scale = np.multiply, np.add.reduce, self._row, self._scale
        for product, share, q, k, v, context in self._forward_views:
            multiply(q, k, product)
            reduce(product, axis=2, keepdims=True, out=share)
            multiply(share, scale, share)
            np.maximum.reduce(share, axis=3, keepdims=True, out=row)
            np.subtract(share, row, share)
            np.exp(share, share)
            reduce(share, axis=3, keepdims=True, out=row)
            np.divide(share, row, share)
            multiply(share, v, product)
            reduce(product, axis=3, keepdims=True, out=context)

    def backward(self) -> None:
        """∂α = d·v, ∂s = α (∂α − Σ α ∂α) / √d, ∂q = Σ ∂s k, ∂k = ∂s q, ∂v = α d."""
        multiply, add, reduce, row, scale = np.multiply, np.add, np.add.reduce, self._row, self._scale
        self.d_keys_values.fill(0)
        for product, share, q, k, v, slope, d_context, d_q, d_k, d_v in self._backward_views:
            multiply(d_context, v, product)
            reduce(product, axis=2, keepdims=True, out=slope)
            multiply(d_context, share, product)
            add(d_v, product, d_v)
            part = product[:, :, :1]
            multiply(share, slope, part)
            reduce(part, axis=3, keepdims=True, out=row)
            np.subtract(slope, row, slope)
            multiply(slope, share, slope)
            multiply(slope, scale, slope)
            multiply(slope, k, product)
            reduce(product, axis=3, keepdims=True, out=d_q)
            multiply(slope, q, product)
            add(d_k, product, d_k)
