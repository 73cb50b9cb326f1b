"""What the demo plays: a stretch of history first, then the rest, candle by candle."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import SettingsError
from stream_lstm.streaming.replay import BEGINNING_MS

PRELOAD: Final = 1_000
"""Candles per series that are history when the play begins."""
_FEWEST: Final = 200
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
    """The candles of files, from where all series have begun; of short ones half is history.

    Raises `SettingsError` and `BadCandle` for files that cannot be read, and for less than 200 candles.
    """
    files = _together([read_csv(path) for path in paths])
    closes = np.unique(np.concatenate([file.open_ms + file.step_ms for file in files]))
    if len(closes) < _FEWEST:
        raise SettingsError(
            f"{len(closes)} candles from where all series have begun are too few to play: "
            f"the first answer is to the 100th, so give files that share {_FEWEST} at least"
        )
    return _split(moments.of_files(files, _EXCHANGE), min(PRELOAD, len(closes) // 2))


def _together(files: Sequence[CandleFile]) -> list[CandleFile]:
    """What is left of them when what comes before the first candle of any series is left out."""
    first: dict[tuple[str, str], int] = {}
    for file in files:
        series = (file.symbol, file.interval)
        first[series] = min(int(file.open_ms[0]), first.get(series, int(file.open_ms[0])))
    since = [np.searchsorted(file.open_ms, max(first.values())) for file in files]
    return [
        file._replace(open_ms=file.open_ms[at:], ohlcv=file.ohlcv[at:])
        for file, at in zip(files, since, strict=True)
    ]


def _split(market: Iterator[Moment], history: int) -> Market:
    return Market(list(islice(market, history)), market)
