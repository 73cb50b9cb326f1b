"""Adam (Kingma & Ba, 2015) over the flat parameter vector of a stack, with a clip per series and L2.

The penalty ½·l2·θ² is part of the gradient (not decoupled as in AdamW) and is added after the clip.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models.parameters import Parameters, Views, allocate

Array = NDArray[np.floating]

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_EPSILON: Final = 1e-8


class Penalty(NamedTuple):
    """L2 on the weights of the layers and of the heads; biases bear none."""

    layers: float = 0.0
    heads: float = 0.0


class Adam:
    """One optimiser for all S networks: elementwise, so nothing passes from one series to another."""

    def __init__(self, parameters: Parameters, penalty: Penalty, clip: float | None) -> None:
        self._true, self._gradient, self._clip = parameters.true, parameters.gradient, clip
        true, dtype = self._true, self._true.flat.dtype
        self._first, self._second, self._step = (np.zeros_like(true.flat) for _ in range(3))
        self._decay = np.array(_BETA_1, dtype), np.array(_BETA_2, dtype)
        self._updates = 0
        self._l2 = _l2_of_each(parameters, penalty) if any(penalty) else None

    def update(self, rate: float) -> None:
        """One step with learning rate `rate` along the gradient, which is used up.

        Moments are kept without their factors 1 − β: m' = β₁m' + g, v' = β₂v' + g². The factors and the
        bias corrections go into two scalars, which leaves eleven calls on the whole vector.
        """
        self._updates += 1
        g, m, v, step = self._gradient.flat, self._first, self._second, self._step
        if self._clip is not None:
            clip_by_norm(self._gradient, self._clip)
        if self._l2 is not None:
            np.multiply(self._true.flat, self._l2, step)
            np.add(g, step, g)
        np.multiply(m, self._decay[0], m)
        np.add(m, g, m)
        np.multiply(g, g, g)
        np.multiply(v, self._decay[1], v)
        np.add(v, g, v)
        root = float(np.sqrt((1 - _BETA_2) / (1 - _BETA_2**self._updates)))
        np.sqrt(v, step)
        np.add(step, step.dtype.type(_EPSILON / root), step)
        np.divide(m, step, step)
        length = rate * (1 - _BETA_1) / (1 - _BETA_1**self._updates) / root
        np.multiply(step, step.dtype.type(length), step)
        np.subtract(self._true.flat, step, self._true.flat)


def clip_by_norm(gradient: Views, limit: float) -> None:
    """Scale the gradient of each series whose norm over all parameters exceeds `limit` down to it."""
    rows = [segment.reshape(len(segment), -1) for segment in gradient.segments]
    squared = sum((np.vecdot(row, row) for row in rows), start=np.zeros(len(rows[0])))
    if squared.max() <= limit**2:
        return
    shrink = np.minimum(1.0, limit / np.sqrt(np.maximum(squared, 1e-30))).astype(gradient.flat.dtype)
    for row in rows:
        np.multiply(row, shrink[:, None], row)


def cosine(update: int, updates: int, first: float, last: float) -> float:
    """Learning rate of update 0 … updates − 1, falling along half a cosine (Loshchilov & Hutter, 2017).

    >>> [round(cosine(n, 3, 1.0, 0.0), 2) for n in range(3)]
    [1.0, 0.5, 0.0]
    """
    part = update / max(updates - 1, 1)
    return last + 0.5 * (first - last) * (1 + float(np.cos(np.pi * part)))


def _l2_of_each(parameters: Parameters, penalty: Penalty) -> Array:
    series = len(parameters.true.segments[0])
    each = allocate(parameters.blocks, series, parameters.true.flat.dtype)
    for block in parameters.blocks:
        if block.role != "free":
            each[block.name][:] = getattr(penalty, block.role)
        if block.bias is not None:
            each[block.name][..., block.bias] = 0
    return each.flat
