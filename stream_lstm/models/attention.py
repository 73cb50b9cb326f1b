"""`attention`: an LSTM over the last 20 candles, and attention over all of its states beside the last one.

Global attention with the "general" score of Luong, Pham & Manning (2015, EMNLP), scaled by 1/√H as in
Vaswani et al. (2017, NeurIPS): the last state asks, every state answers.

    q = W [1; h_T]    s_t = q·h_t / √H    α = softmax(s)    context = Σ α_t h_t

The heads read [context; h_T]. Backward, for the slope d of the context, ∂α_t = d·h_t and
∂s = α (∂α − Σ α ∂α) / √H. H is half of that of `lstm`: on earlier years more fitted worse.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models import residual
from stream_lstm.models.initialisation import draw, initialise_lstm
from stream_lstm.models.lstm_layer import LstmLayer, lstm_block
from stream_lstm.models.lstm_rows import RowState, packed, packed_shape
from stream_lstm.models.model import Arrays
from stream_lstm.models.parameters import Block, Views
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]

NAME: Final = "attention"
HIDDEN: Final = 16


class AttentionEncoder:
    """Context and last state, one after the other: W = 2H. Step by step: a state stays in the cache."""

    def __init__(self, shape: Shape, true: Views, gradient: Views, dtype: DTypeLike) -> None:
        S, _, H, _, B, T = shape
        self._layer = LstmLayer(shape, true["lstm"], gradient["lstm"], dtype, states=True)
        self._query, self._d_query = true["query"], gradient["query"]
        self.hidden, self.d_hidden = np.zeros((2 * H, S, B), dtype), np.zeros((2 * H, S, B), dtype)
        self.hidden_rows = np.zeros((S, B, 2 * H), dtype)
        self._q, self._d_q, self._product = (np.zeros((H, S, B), dtype) for _ in range(3))
        self._shares, self._slopes = np.zeros((T, S, B), dtype), np.zeros((T, S, B), dtype)
        self._row, self._part = np.zeros((S, B), dtype), np.zeros((S, B), dtype)
        self._scale = np.array(H**-0.5, dtype)

    @staticmethod
    def blocks(shape: Shape) -> tuple[Block, ...]:
        """The LSTM, and the weights of the query: columns 1, h."""
        return lstm_block("lstm", shape), Block("query", (shape.hidden, 1 + shape.hidden), bias=0)

    @staticmethod
    def width(shape: Shape) -> int:
        """2H."""
        return 2 * shape.hidden

    @staticmethod
    def initialise(shape: Shape, own: Mapping[str, Array], rng: np.random.Generator) -> None:
        """The LSTM as in `lstm`, the query Xavier-uniform without bias."""
        initialise_lstm(own["lstm"], shape.inputs, rng)
        draw(rng, own["query"][:, 1:], shape.hidden, shape.hidden)
        own["query"][:, 0] = 0

    def load(self, windows: Array) -> None:
        """Take in a batch (T, S, B, F)."""
        self._layer.load(windows)

    def forward(self) -> None:
        """From the batch to `hidden` and `hidden_rows`."""
        layer, q, product, shares = self._layer, self._q, self._product, self._shares
        H = len(q)
        layer.forward()
        np.matmul(self._query, layer.one_hidden.swapaxes(0, 1), q.swapaxes(0, 1))
        np.multiply(q, self._scale, q)
        for state, share in zip(layer.states, shares, strict=True):
            np.multiply(state, q, product)
            np.add.reduce(product, axis=0, out=share)
        softmax(shares, self._row)
        context = self.hidden[:H]
        context.fill(0)
        for state, share in zip(layer.states, shares, strict=True):
            np.multiply(state, share, product)
            np.add(context, product, context)
        np.copyto(self.hidden[H:], layer.hidden)
        np.copyto(self.hidden_rows[..., :H], context.transpose(1, 2, 0))
        np.copyto(self.hidden_rows[..., H:], layer.hidden_rows)

    def backward(self) -> None:
        """From `d_hidden` to the gradient of query and layer."""
        layer, q, d_q, product = self._layer, self._q, self._d_q, self._product
        shares, slopes = self._shares, self._slopes
        H = len(q)
        d_context = self.d_hidden[:H]
        for state, slope in zip(layer.states, slopes, strict=True):
            np.multiply(state, d_context, product)
            np.add.reduce(product, axis=0, out=slope)
        softmax_slope(shares, slopes, self._row, self._part)
        d_q.fill(0)
        for state, d_state, share, slope in zip(layer.states, layer.d_states, shares, slopes, strict=True):
            np.multiply(d_context, share, d_state)
            np.multiply(q, slope, product)
            np.add(d_state, product, d_state)
            np.multiply(state, slope, product)
            np.add(d_q, product, d_q)
        np.multiply(d_q, self._scale, d_q)
        d_q_by_series = d_q.swapaxes(0, 1)  # (S, H, B)
        np.matmul(d_q_by_series, layer.one_hidden_rows, self._d_query)
        np.matmul(self._query[:, :, 1:].swapaxes(1, 2), d_q_by_series, layer.d_hidden.swapaxes(0, 1))
        np.add(layer.d_hidden, self.d_hidden[H:], layer.d_hidden)
        layer.backward()


def softmax(scores: Array, row: Array) -> None:
    """Scores (T, …) in place to shares of 1 along the first axis, with `row` (…) to work in."""
    np.maximum.reduce(scores, axis=0, out=row)
    np.subtract(scores, row, scores)
    np.exp(scores, scores)
    np.add.reduce(scores, axis=0, out=row)
    np.divide(scores, row, scores)


def softmax_slope(shares: Array, slopes: Array, row: Array, part: Array) -> None:
    """The slopes of `shares` (T, …) in place to those of the scores, with two arrays (…) to work in."""
    row.fill(0)
    for share, slope in zip(shares, slopes, strict=True):
        np.multiply(share, slope, part)
        np.add(row, part, row)
    np.subtract(slopes, row, slopes)
    np.multiply(slopes, shares, slopes)


class AttentionReading(NamedTuple):
    """How windows of F inputs are read, H hidden units: W = 2H."""

    inputs: int
    hidden: int

    @property
    def width(self) -> int:
        """2H."""
        return 2 * self.hidden

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the packed LSTM and query."""
        return packed_shape(self.inputs, self.hidden), (1 + self.hidden, self.hidden)

    def pack(self, arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        """Both packed for rows, the scale of the scores within the query."""
        return packed(arrays["lstm"]), arrays["query"].T * np.float32(self.hidden**-0.5)

    def reader(self, series: int) -> "AttentionReader":
        """A reader of C series."""
        return AttentionReader(series, self)


class AttentionReader:
    """C networks, one window each."""

    def __init__(self, series: int, reading: AttentionReading) -> None:
        self._state = RowState(series, reading.inputs, reading.hidden)
        self._states = np.zeros((series, residual.STEPS, reading.hidden), np.float32)
        self._hidden = np.zeros((series, 1, reading.width), np.float32)

    def read(self, weights: tuple[NDArray[np.float32], ...], windows: Array) -> NDArray[np.float32]:
        """Context and last state of windows (C, T, F): (C, 1, 2H)."""
        lstm, query = weights
        state, states = self._state, self._states
        for at in state.steps(lstm, windows):
            np.copyto(states[:, at], state.hidden[:, 0])
        q = state.one_hidden @ query  # (C, 1, H)
        scores = q @ states.swapaxes(1, 2)  # (C, 1, T)
        np.exp(scores - scores.max(axis=2, keepdims=True), scores)
        scores /= scores.sum(axis=2, keepdims=True)
        return np.concatenate([scores @ states, state.hidden], axis=2, out=self._hidden)


NETWORK: Final = residual.Residual(NAME, HIDDEN, AttentionEncoder, AttentionReading)
