"""Candle files: Binance kline dumps and plain ``timestamp,open,high,low,close,volume``, gzipped or not."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles import reasons
from stream_lstm.candles.units import interval_ms, milliseconds
from stream_lstm.candles.validation import ohlcv
from stream_lstm.errors import BadCandle, SettingsError

_NAME: Final = re.compile(
    r"(?P<symbol>.+?)-(?P<interval>\d+[A-Za-z]+)(?:-\d{4}(?:-\d\d){0,2})?\.csv(?:\.gz)?"
)
_COLUMNS: Final = ("open", "high", "low", "close", "volume")


class CandleFile(NamedTuple):
    """Candles of one series, by open time, each once."""

    symbol: str
    interval: str
    """Canonical, like ``1h``."""
    step_ms: int
    open_ms: NDArray[np.int64]
    """(T,) epoch ms, rising."""
    ohlcv: NDArray[np.float64]
    """(T, 5) open, high, low, close, volume."""


def read_csv(path: Path | str, *, symbol: str | None = None, interval: str | None = None) -> CandleFile:
    """Read a candle file; a name like ``BTCUSDT-1h-2025-01.csv.gz`` tells symbol and interval.

    The first six columns count, a header is optional, times may be of any unit (a table in seconds, ms,
    µs or ns, or RFC 3339). Of rows with the same time the last wins. Raises `SettingsError` for a file
    that cannot be read or whose name does not tell, `BadCandle`, naming file and line, for a row that
    is no candle.
    """
    path = Path(path)
    symbol, (interval, step_ms) = _named(path, symbol, interval)
    try:
        times, values = _table(path)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCandle(reasons.UNKNOWN_SHAPE, f"{path} is no table of candles: {error}") from None
    # The first of the reversed rows is the last of the file.
    open_ms, first = np.unique(times[::-1], return_index=True)
    return CandleFile(symbol, interval, step_ms, open_ms, np.ascontiguousarray(values[::-1][first]))


def _named(path: Path, symbol: str | None, interval: str | None) -> tuple[str, tuple[str, int]]:
    match = _NAME.fullmatch(path.name)
    if match:
        symbol, interval = symbol or match["symbol"], interval or match["interval"]
    if not symbol or not interval:
        way_out = "name the file like BTCUSDT-1h.csv, or say which they are"
        raise SettingsError(f"{path}: the name does not tell symbol and interval: {way_out}")
    return symbol, interval_ms(interval)


def _open(path: Path) -> IO[str]:
    # The byte-order mark that spreadsheets write is no part of the first field.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _table(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times (T,) and values (T, 5), as the file has them."""
    times: list[int] = []
    values: list[tuple[float, ...]] = []
    for line, row in _rows(path):
        try:
            if len(row) < 6:
                raise BadCandle(
                    reasons.MISSING_FIELD, f"{len(row)} columns: time and {', '.join(_COLUMNS)} are needed"
                )
            values.append(ohlcv(*row[1:6]))
            times.append(milliseconds(row[0]))
        except BadCandle as bad:
            raise BadCandle(bad.reason, f"{path}, line {line}: {bad}") from None
    if not times:
        raise BadCandle(reasons.MISSING_FIELD, f"{path} holds no candle")
    return np.array(times, np.int64), np.array(values)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every row that is neither header nor blank."""
    with _open(path) as lines:
        reader = csv.reader(lines)
        for row in reader:
            if not row or (reader.line_num == 1 and _is_header(row)):
                continue
            yield reader.line_num, row


def _is_header(row: list[str]) -> bool:
    """Whether the row names columns. Raises `BadCandle` if they are not the ones we read."""
    names = [field.strip().strip('"').lower() for field in row]
    if not names[0][:1].isalpha():
        return False
    if tuple(names[1:6]) != _COLUMNS:
        wanted = f"time,{','.join(_COLUMNS)}"
        raise BadCandle(
            reasons.UNKNOWN_SHAPE, f"the header is {','.join(names)[:200]}: {wanted} must come first"
        )
    return True
