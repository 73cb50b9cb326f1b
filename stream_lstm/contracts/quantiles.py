"""Any quantile and any probability, from the quantiles that a prediction names.

Between two named levels the logarithm of the price is linear in the level, so that both functions are each
other's inverse and rise with their argument. Beyond the outermost levels nothing is said.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping


def price_at(quantiles: Mapping[str, float], level: float) -> float:
    """The price that is exceeded with probability 1 − `level`.

    Raises `ValueError` for a level outside those that are named.

    >>> round(price_at({"0.1": 90.0, "0.5": 100.0, "0.9": 110.0}, 0.5), 9)
    100.0
    """
    levels, logs = _curve(quantiles)
    if not levels[0] <= level <= levels[-1]:
        raise ValueError(f"level {level:g} is not between {levels[0]:g} and {levels[-1]:g}, the outermost")
    return math.exp(_interpolated(levels, logs, level))


def probability_above(quantiles: Mapping[str, float], price: float) -> float:
    """The probability that the price ends above `price`, at most that of the outermost levels.

    >>> probability_above({"0.1": 90.0, "0.5": 100.0, "0.9": 110.0}, 100.0)
    0.5
    """
    levels, logs = _curve(quantiles)
    if price <= 0:
        raise ValueError(f"price {price:g} is not positive")
    at = min(max(math.log(price), logs[0]), logs[-1])
    return 1.0 - _interpolated(logs, levels, at)


def _curve(quantiles: Mapping[str, float]) -> tuple[list[float], list[float]]:
    """Levels and logarithms of prices, rising."""
    pairs = sorted((float(level), math.log(price)) for level, price in quantiles.items())
    levels, logs = zip(*pairs, strict=True)
    return list(levels), list(logs)


def _interpolated(xs: list[float], ys: list[float], x: float) -> float:
    right = max(bisect_left(xs, x), 1)
    left = right - 1
    width = xs[right] - xs[left]
    part = (x - xs[left]) / width if width else 1.0
    return ys[left] + part * (ys[right] - ys[left])
