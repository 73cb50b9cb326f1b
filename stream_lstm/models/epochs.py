"""Passes over the training windows of a stack: own order per series, from its own generator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models.network import Network

Index = NDArray[np.intp]


def shuffled(windows: Sequence[Index], rngs: Sequence[np.random.Generator]) -> Index:
    """Each series' windows (W,) in an order of its own: (S, W)."""
    return np.stack([rng.permutation(own) for own, rng in zip(windows, rngs, strict=True)])


def run_epoch(network: Network, order: Index, rates: Sequence[float]) -> NDArray[np.float64]:
    """One update per batch of `order` (S, W), at the rate of each; the mean loss of each series (S,).

    W is as many batches as there are `rates`.
    """
    total = np.zeros(len(order))
    for windows, rate in zip(np.split(order, len(rates), axis=1), rates, strict=True):
        np.add(total, network.step(windows, rate), total)
    return np.divide(total, len(rates), total)
