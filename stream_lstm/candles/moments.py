"""Closed candles of many series in the order of time, from files or from the synthetic market.

A moment is all that closes at one time: what a market says in one go.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import groupby
from typing import Final, TypeAlias

import numpy as np

from stream_lstm.candles import synthetic
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.units import interval_ms

Moment: TypeAlias = Sequence[Closed]
"""Closed candles with one close time, at least one."""

EXCHANGE: Final = "synthetic"
"""The exchange of synthetic series: nobody shall take their prices for real ones."""
_COINS: Final = ("BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "BNB", "LINK", "DOGE", "DOT", "AVAX", "UNI")
_BLOCK: Final = 1_024
"""Candles of a file that are turned into objects at once."""
_TOGETHER: Final = 32
"""Symbols drawn at once, so that many need not much more memory than their candles."""


def symbols(count: int) -> list[str]:
    """Names of synthetic series.

    >>> symbols(14)[-3:]
    ['UNIUSDT', 'SYN13USDT', 'SYN14USDT']
    """
    return [f"{_COINS[n] if n < len(_COINS) else f'SYN{n + 1}'}USDT" for n in range(count)]


def of_files(files: Iterable[CandleFile], exchange: str) -> Iterator[Moment]:
    """The candles of all files, merged by close time; those of one moment in the order of the files."""
    candles = merge(*(_of_file(file, exchange) for file in files), key=_close_ms)
    return (list(closing) for _, closing in groupby(candles, key=_close_ms))


def of_market(names: Sequence[str], *, interval: str, start_ms: int, seed: int) -> Iterator[Moment]:
    """The synthetic market of these symbols from `start_ms` on, without end.

    The same arguments give the same candles. Raises `BadCandle` for an interval that is none.
    """
    interval, step_ms = interval_ms(interval)
    groups = [names[at : at + _TOGETHER] for at in range(0, len(names), _TOGETHER)]
    drawn = partial(synthetic.blocks, step_ms=step_ms, start_ms=start_ms, seed=seed)
    keys = [SeriesKey(EXCHANGE, name, interval) for name in names]
    for parts in zip(*map(drawn, groups), strict=True):
        bars = np.concatenate([part for _, part in parts])  # (S, T, 5)
        for t, open_ms in enumerate(parts[0][0].tolist()):
            rows = zip(keys, bars[:, t].tolist(), strict=True)
            yield [Closed(key, step_ms, open_ms, *row) for key, row in rows]


def _of_file(file: CandleFile, exchange: str) -> Iterator[Closed]:
    key = SeriesKey(exchange, file.symbol, file.interval)
    for at in range(0, len(file.open_ms), _BLOCK):
        block = slice(at, at + _BLOCK)
        rows = zip(file.open_ms[block].tolist(), file.ohlcv[block].tolist(), strict=True)
        for open_ms, row in rows:
            yield Closed(key, file.step_ms, open_ms, *row)


def _close_ms(candle: Closed) -> int:
    return candle.close_ms
