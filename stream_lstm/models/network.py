"""S networks in training: an encoder of windows of T steps, linear heads on it, squared error, Adam."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_lstm.models import linear_heads
from stream_lstm.models.adam import Adam, Penalty
from stream_lstm.models.encoder import Encoder, EncoderType
from stream_lstm.models.initialisation import xavier
from stream_lstm.models.linear_heads import LinearHeads
from stream_lstm.models.parameters import Parameters
from stream_lstm.models.shape import Shape

Array = NDArray[np.floating]
Index = NDArray[np.intp]


class Network:
    """A stack over the inputs, (N, F) each, and the targets, (N − T + 1, K) each, of S series.

    Window n of a series is its input rows n … n + T − 1, and target row n belongs to it. N may differ
    between series: what is stacked are the batches.
    """

    def __init__(
        self,
        shape: Shape,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        *,
        encoder: EncoderType,
        penalty: Penalty = Penalty(),  # noqa: B008 (immutable)
        clip: float | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.shape: Final = shape
        blocks = (*encoder.blocks(shape), *linear_heads.blocks(encoder.width(shape), shape.outputs))
        self.parameters: Final = Parameters(blocks, shape.series, dtype)
        self.encoder: Final[Encoder] = encoder(shape, self.parameters.true, self.parameters.gradient, dtype)
        self.heads: Final = LinearHeads(shape, self.parameters, self.encoder, dtype)
        self._type = encoder
        self._adam = Adam(self.parameters, penalty, clip)
        self._load_series(inputs, targets, dtype)

    def _load_series(self, inputs: Sequence[Array], targets: Sequence[Array], dtype: DTypeLike) -> None:
        S, F, _, K, B, T = self.shape
        self._rows = np.concatenate(inputs).astype(dtype)  # (ΣN, F)
        self._targets = np.concatenate(targets).astype(dtype)  # (ΣM, K)
        self._first_row = _starts(inputs) + np.arange(T)[:, None, None]  # (T, S, 1)
        self._first_target = _starts(targets)  # (S, 1)
        self._batch = np.zeros((T, S, B, F), dtype)
        self._batch_targets = np.zeros((S, B, K), dtype)

    def initialise(self, series: int, rng: np.random.Generator, *, zero_heads: bool) -> None:
        """Draw the parameters of one series; with `zero_heads` its network begins as nothing."""
        own = self.parameters.true.of(series)
        self._type.initialise(self.shape, own, rng)
        own["heads_bias"][:] = 0
        if zero_heads:
            own["heads"][:] = 0
        else:
            xavier(rng, own["heads"])

    def load(self, windows: Index) -> None:
        """Take the batch of `windows` (S, B)."""
        # "clip" writes straight into `out`; the indices are ours and in range.
        np.take(self._rows, self._first_row + windows, axis=0, out=self._batch, mode="clip")
        self.encoder.load(self._batch)
        np.take(self._targets, self._first_target + windows, axis=0, out=self._batch_targets, mode="clip")
        np.copyto(self.heads.targets, self._batch_targets.swapaxes(1, 2))

    def gradient(self) -> Array:
        """Forward and backward over the loaded batch; the loss (S,), the gradient in `parameters`."""
        self.encoder.forward()
        self.heads.forward()
        loss = self.heads.backward()
        self.encoder.backward()
        return loss

    def step(self, windows: Index, rate: float) -> Array:
        """One update on the batch of `windows` (S, B) at learning rate `rate`; the loss before it (S,)."""
        self.load(windows)
        loss = self.gradient()
        self._adam.update(rate)
        return loss


def _starts(parts: Sequence[Array]) -> Index:
    """Where each part begins in their concatenation: (S, 1)."""
    return np.cumsum([0, *(len(part) for part in parts[:-1])])[:, None]
