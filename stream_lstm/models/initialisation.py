"""Where a fit begins: the parameters of one network, drawn from its own generator."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def xavier(rng: np.random.Generator, weights: Array) -> None:
    """Draw weights (fan out, fan in) in place: U(±√(6 / (fan in + fan out))), Glorot & Bengio (2010)."""
    draw(rng, weights, weights.shape[1], weights.shape[0])


def initialise_lstm(weights: Array, inputs: int, rng: np.random.Generator) -> None:
    """Draw the weights (4H, F+1+H) of an LSTM in place, Xavier-uniform per gate and block.

    Biases are 0, those of the forget gate 1 (Jozefowicz et al., 2015).
    """
    hidden = len(weights) // 4
    for columns, fan_in in ((slice(inputs), inputs), (slice(inputs + 1, None), hidden)):
        draw(rng, weights[:, columns], fan_in, hidden)
    weights[:, inputs] = 0
    weights[2 * hidden : 3 * hidden, inputs] = 1  # gate order o, i, f, g


def draw(rng: np.random.Generator, weights: Array, fan_in: int, fan_out: int) -> None:
    """Draw weights in place, U(±√(6 / (fan in + fan out)))."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    weights[:] = rng.uniform(-limit, limit, weights.shape)
