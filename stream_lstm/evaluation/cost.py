"""What walking a model through files took."""

from collections.abc import Sequence
from typing import NamedTuple

from stream_lstm.evaluation.backtest import Walked


class Cost(NamedTuple):
    """Of one model over all files. Seconds are summed over processes, on the machine that it was."""

    model: str
    series: int
    candles: int
    """Of all files, those that only warm up included."""
    forecasts: int
    """Horizons counted one by one."""
    fits: int
    failed_fits: int
    fit_seconds: float
    """By the wall."""
    fit_cpu_seconds: float
    seconds: float
    """By the wall, trainings included."""

    @property
    def tried(self) -> int:
        """Fits, failed ones included."""
        return self.fits + self.failed_fits


def cost_of(model: str, walked: Sequence[Walked], candles: int) -> Cost:
    """The sum over files with so many candles in all."""
    return Cost(
        model=model,
        series=len(walked),
        candles=candles,
        forecasts=sum(len(track) for one in walked for track in one.tracks.values()),
        fits=sum(one.fits for one in walked),
        failed_fits=sum(one.failed_fits for one in walked),
        fit_seconds=sum(one.fit_seconds for one in walked),
        fit_cpu_seconds=sum(one.fit_cpu_seconds for one in walked),
        seconds=sum(one.seconds for one in walked),
    )
