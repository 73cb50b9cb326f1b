"""The time that is searched, and the time after it that no trial sees."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from stream_lstm.candles.files import CandleFile
from stream_lstm.errors import SettingsError


class Period(NamedTuple):
    """Close times of candles, epoch ms: trials are judged from `from_ms` until before `holdout_ms`."""

    from_ms: int
    holdout_ms: int
    to_ms: int
    """The last of the hold-out."""

    def searched(self, files: Sequence[CandleFile]) -> list[CandleFile]:
        """The files without a candle of the hold-out or later. Raises `SettingsError` if one is empty."""
        return [_until(file, self.holdout_ms - 1) for file in files]

    def told(self) -> dict[str, str]:
        """As dates."""
        names = ("from", "holdoutFrom", "to")
        return {name: _date(at) for name, at in zip(names, self, strict=True)}


def period_of(
    files: Sequence[CandleFile],
    *,
    from_ms: int | None,
    to_ms: int | None,
    holdout_ms: int | None,
    part: float,
) -> Period:
    """The period of the files within these times; the hold-out is its last `part`, unless it is told.

    Raises `SettingsError` for one that is empty.
    """
    first = min(int(file.open_ms[0]) + file.step_ms - 1 for file in files)
    last = max(int(file.open_ms[-1]) + file.step_ms - 1 for file in files)
    begin, end = max(first, from_ms or first), min(last, last if to_ms is None else to_ms)
    held = round(end - part * (end - begin)) if holdout_ms is None else holdout_ms
    if not begin < held < end:
        raise SettingsError(
            f"the hold-out from {_date(held)} on is not within {_date(begin)} … {_date(end)}: nothing would "
            "be left to search or to judge on; change --from, --to or --holdout-from"
        )
    return Period(begin, held, end)


def _until(file: CandleFile, last_ms: int) -> CandleFile:
    count = int(np.searchsorted(file.open_ms + file.step_ms - 1, last_ms, side="right"))
    if not count:
        raise SettingsError(
            f"{file.symbol} {file.interval} begins with the hold-out: leave its file out, or hold less out"
        )
    return file._replace(open_ms=file.open_ms[:count], ohlcv=file.ohlcv[:count])


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
