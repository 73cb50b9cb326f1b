"""How often outcomes were inside their intervals: in all, and where it is worst."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRETCH: Final = 500
"""Forecasts in a row of which the worst coverage is told."""


class Coverage(NamedTuple):
    """Shares of outcomes inside the interval."""

    overall: float
    by_hour: dict[int, float]
    """By the hour of day, UTC, in which the first candle of the horizon opens."""
    by_volatility: tuple[float, float, float]
    """In calm, ordinary and turbulent thirds, by the unit's σ."""
    worst_stretch: float | None
    """Of 500 forecasts in a row; None where there are fewer."""


class CoverageOverTime(NamedTuple):
    """Shares of outcomes inside the interval, of `STRETCH` forecasts in a row; M points, none below 500."""

    last: NDArray[np.intp]
    """(M,) place of the last of them, rising."""
    share: Floats
    """(M,)"""


def coverage_of(inside: NDArray[np.bool_], hours: NDArray[np.int64], volatility: Floats) -> Coverage:
    """Of N forecasts in the order of time: whether each held, its hour of day, the σ at its origin."""
    by_hour = {int(hour): float(inside[hours == hour].mean()) for hour in np.unique(hours)}
    thirds = np.searchsorted(np.quantile(volatility, [1 / 3, 2 / 3]), volatility)
    calm, ordinary, turbulent = (_share(inside[thirds == third]) for third in range(3))
    return Coverage(float(inside.mean()), by_hour, (calm, ordinary, turbulent), _worst_stretch(inside))


def _share(inside: NDArray[np.bool_]) -> float:
    return float(inside.mean()) if len(inside) else float("nan")


def coverage_over_time(inside: NDArray[np.bool_], points: int) -> CoverageOverTime:
    """Of N forecasts in the order of time, at about so many points: equally spaced, and the worst of all."""
    shares = _stretches(inside)
    if not len(shares):
        return CoverageOverTime(np.zeros(0, np.intp), shares)
    spaced = np.linspace(0, len(shares) - 1, min(points, len(shares))).round().astype(np.intp)
    at = np.union1d(spaced, shares.argmin())
    return CoverageOverTime(at + STRETCH - 1, shares[at])


def _worst_stretch(inside: NDArray[np.bool_]) -> float | None:
    return float(_stretches(inside).min()) if len(inside) >= STRETCH else None


def _stretches(inside: NDArray[np.bool_]) -> Floats:
    """Share inside of every `STRETCH` in a row: (N − 499,), or none."""
    sums = np.cumsum(np.concatenate([[0], inside]))
    shares: Floats = (sums[STRETCH:] - sums[:-STRETCH]) / STRETCH
    return shares
