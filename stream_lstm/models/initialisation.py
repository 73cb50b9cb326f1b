"""Where a fit begins: one network's parameters from its own generator."""

import numpy as np

from stream_lstm.models.parameters import Views


def initialise(views: Views, series: int, inputs: int, rng: np.random.Generator, *, zero_heads: bool) -> None:
    """Draw the parameters of network `series` in place.

    Xavier-uniform per gate and block (Glorot & Bengio, 2010): U(±√(6 / (fan in + fan out))). Biases are 0,
    those of the forget gate 1 (Jozefowicz et al., 2015). With `zero_heads` the network begins as nothing.
    """
    hidden = views.heads.shape[2]
    weights = views.lstm[series]
    for columns, fan_in in ((slice(inputs), inputs), (slice(inputs + 1, None), hidden)):
        block = weights[:, columns]
        block[:] = _xavier(rng, fan_in, hidden, block.shape)
    weights[:, inputs] = 0
    weights[2 * hidden : 3 * hidden, inputs] = 1  # gate order o, i, f, g
    views.bias[series] = 0
    heads = views.heads[series]
    heads[:] = 0 if zero_heads else _xavier(rng, hidden, len(heads), heads.shape)


def _xavier(
    rng: np.random.Generator, fan_in: int, fan_out: int, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)
