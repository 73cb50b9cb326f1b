"""The level rule: long horizons shrink toward the slow level of volatility. Nothing in it is fitted."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LOG_STEPS = np.log([4.0, 24.0, 168.0])
_EXPONENTS = (0.95, 0.8, 0.75)
_FORECAST_LIMIT = 4.0


def level_exponent(steps: NDArray[np.int64]) -> Floats:
    """b(h): 0.95 up to 4 candles, 0.8 at 24, 0.75 from 168, linear in log h between; shape of `steps`."""
    exponent: Floats = np.interp(np.log(np.maximum(steps, 1)), _LOG_STEPS, _EXPONENTS)
    return exponent


def log_scale(forecast: Floats, log_base: Floats, log_slow: Floats, steps: NDArray[np.int64]) -> Floats:
    """Log of slow^(1−b) · scale^b with scale = exp(forecast + base)·√h and slow = exp(log_slow)·√h.

    All arguments broadcast; the forecast, a log ratio to the base, is clipped at ±4.

    >>> float(log_scale(np.array(9.0), np.array(0.0), np.array(0.0), np.array(1)))
    3.8
    """
    exponent = level_exponent(steps)
    fast = np.clip(forecast, -_FORECAST_LIMIT, _FORECAST_LIMIT) + log_base
    scale: Floats = (1 - exponent) * log_slow + exponent * fast + 0.5 * np.log(np.maximum(steps, 1))
    return scale
