"""What the demo plays: a stretch of history first, then the rest, candle by candle."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from stream_lstm.candles import moments
from stream_lstm.candles.files import read_csv
from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import SettingsError
from stream_lstm.streaming.replay import BEGINNING_MS

PRELOAD: Final = 1_000
"""Candles per series that are history when the play begins."""
_EXCHANGE: Final = "binance"
_SEED: Final = 1


class Market(NamedTuple):
    """Closed candles in the order of time."""

    history: Sequence[Moment]
    play: Iterator[Moment]

    @property
    def last(self) -> dict[SeriesKey, int]:
        """Close time of each series' last candle of the history."""
        return {candle.series: candle.close_ms for moment in self.history for candle in moment}


def synthetic(series: int) -> Market:
    """So many series of the synthetic market at 1h, without end."""
    names = moments.symbols(series)
    return _split(moments.of_market(names, interval="1h", start_ms=BEGINNING_MS, seed=_SEED), PRELOAD)


def of_files(paths: Sequence[Path]) -> Market:
    """The candles of files; of short ones no more than the first half is history.

    Raises `SettingsError` and `BadCandle` for files that cannot be read, and for less than 200 candles.
    """
    files = [read_csv(path) for path in paths]
    closes = np.unique(np.concatenate([file.open_ms + file.step_ms for file in files]))
    if len(closes) < 200:
        raise SettingsError(f"{len(closes)} candles are too few to play: the first answer is to the 100th")
    return _split(moments.of_files(files, _EXCHANGE), min(PRELOAD, len(closes) // 2))


def _split(market: Iterator[Moment], history: int) -> Market:
    return Market(list(islice(market, history)), market)
