"""Forecast fans: nested intervals along the path to a horizon, as they were published.

A prediction publishes its path at one coverage (`confidence`) and nine quantiles at the horizon alone. The
bands of 50, 80 and 95% along the path are its own half-width, in log price, times the ratio of the band's
half-width to the published one. That ratio is known at each horizon, and between two of them its logarithm is
linear in that of the step: as the worker itself fills its paths. Before the shortest it is that one's.
"""

import math
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.quantiles import price_at

BANDS: Final = (0.5, 0.8, 0.95)
"""Coverages that are drawn."""
MOST: Final = 40_000
"""Fans that are remembered, over all series: 1.5 KB each with the default horizons."""
KEPT: Final = 300
"""Candles back for which a fan of one series is remembered, while there is room for all."""


class Path(NamedTuple):
    """The way to one horizon. Logarithms are relative to the last close."""

    revision: int
    points: NDArray[np.float32]
    """(P, 3): candles ahead, log of the predicted price, published half-width in log price."""
    ratios: tuple[float, ...]
    """Half-width of each of `BANDS` over the published one."""
    reason: str | None


class Fan:
    """All paths that were published at one candle."""

    __slots__ = ("as_of", "last_close", "paths", "step_ms")

    def __init__(self, as_of: int, step_ms: int, last_close: float) -> None:
        self.as_of = as_of
        self.step_ms = step_ms
        self.last_close = last_close
        self.paths: dict[str, Path] = {}

    def take(self, body: dict[str, Any]) -> bool:
        """One horizon's prediction; False for a repeat or what was revised since."""
        before = self.paths.get(body["horizon"])
        if before is not None and before.revision >= body["revision"]:
            return False
        self.last_close = float(body["lastClose"])
        self.paths[body["horizon"]] = _path_of(body, self.step_ms)
        return True

    def told(self, horizon: str) -> dict[str, Any]:
        """A path as it is drawn, from the last close on: times, median, per band lower and upper prices."""
        path = self.paths[horizon]
        steps, mid, half = (path.points[:, column].astype(float) for column in range(3))
        close = self.last_close
        times = [self.as_of, *(self.as_of + np.rint(steps * self.step_ms).astype(np.int64)).tolist()]
        widths = self.ratios(horizon, steps) * half
        bands = [[_priced(close, mid - width), _priced(close, mid + width)] for width in widths]
        return {
            "horizon": horizon,
            "asOf": self.as_of,
            "times": times,
            "mid": _priced(close, mid),
            "bands": bands,
            "reason": path.reason,
        }

    def ratios(self, horizon: str, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half-widths of `BANDS` over the published one, at steps (P,) of the way to a horizon: (3, P)."""
        end = self.paths[horizon].points[-1, 0]
        knots = sorted((path.points[-1, 0], path.ratios) for path in self.paths.values())
        at = np.log([step for step, _ in knots if step <= end])
        logs = np.log([ratios for step, ratios in knots if step <= end])
        return np.exp([np.interp(np.log(steps), at, column) for column in logs.T])

    def bounds(self, horizon: str, coverage: float) -> tuple[float, float]:
        """Lower and upper price at the horizon of one of `BANDS`."""
        path = self.paths[horizon]
        _, mid, half = path.points[-1].tolist()
        width = path.ratios[BANDS.index(coverage)] * half
        return self.last_close * math.exp(mid - width), self.last_close * math.exp(mid + width)


class Fans:
    """The newest fans of all series; beyond the bounds the oldest are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._fans: OrderedDict[tuple[SeriesKey, int], Fan] = OrderedDict()

    def __len__(self) -> int:
        return len(self._fans)

    def at(self, series: SeriesKey, as_of: int) -> Fan | None:
        """What was published at the close of a candle; None if it is not known or not known any more."""
        return self._fans.get((series, as_of))

    def made(self, series: SeriesKey, as_of: int, step_ms: int, last_close: float) -> Fan:
        """The fan of a candle, a new one if there is none."""
        fan = self._fans.get((series, as_of))
        if fan is None:
            fan = self._fans[series, as_of] = Fan(as_of, step_ms, last_close)
            self._fans.pop((series, as_of - KEPT * step_ms), None)
            if len(self._fans) > self._most:
                self._fans.popitem(last=False)
        return fan


def _path_of(body: dict[str, Any], step_ms: int) -> Path:
    close, as_of = float(body["lastClose"]), int(body["asOf"])
    points = np.array(
        [
            (
                (point["timestamp"] - as_of) / step_ms,
                math.log(point["predictedPrice"] / close),
                math.log(point["upperBound"] / point["lowerBound"]) / 2,
            )
            for point in body["predictions"]
        ],
        np.float32,
    )
    published, half = float(body["predictions"][-1]["confidence"]), float(points[-1, 2])
    quantiles = {str(level): float(price) for level, price in body["quantiles"].items()}
    ratios = tuple(_half_width(quantiles, band, published, half) / half for band in BANDS)
    return Path(int(body["revision"]), points, ratios, body["modelInfo"].get("reason"))


def _half_width(quantiles: dict[str, float], coverage: float, published: float, half: float) -> float:
    """In log price, at the horizon."""
    if coverage == published:
        return half
    return math.log(price_at(quantiles, 0.5 + coverage / 2) / price_at(quantiles, 0.5 - coverage / 2)) / 2


def _priced(close: float, logs: NDArray[np.float64]) -> list[float]:
    return [rounded(close), *(rounded(price) for price in (close * np.exp(logs)).tolist())]


def rounded(price: float) -> float:
    """To seven digits: more than a screen can show."""
    return float(f"{price:.7g}")


def held(fan: Fan, horizon: str, rows: NDArray[np.float64], coverage: float) -> tuple[int, int]:
    """How many later closes of a ring's rows (N, 6) were within a band of the path as drawn, of how many."""
    path = fan.paths[horizon]
    ahead = (rows[:, 0] + fan.step_ms - 1 - fan.as_of) / fan.step_ms
    since = (ahead > 0.5) & (ahead <= path.points[-1, 0] + 1e-6)
    steps, mid, half = (np.concatenate([[0.0], path.points[:, column]]) for column in range(3))
    half[1:] *= fan.ratios(horizon, steps[1:])[BANDS.index(coverage)]
    width = np.interp(ahead[since], steps, half)
    away = np.abs(np.log(rows[since, 4] / fan.last_close) - np.interp(ahead[since], steps, mid))
    return int((away <= width).sum()), int(since.sum())
