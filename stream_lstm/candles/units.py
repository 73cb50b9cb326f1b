"""Units as producers spell them: times of any unit to epoch ms, intervals of any spelling to ours."""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from reprlib import repr as short
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.errors import BadCandle

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

INTERVALS: Final[dict[str, int]] = {
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": 7 * _DAY,
}
"""Canonical names and their lengths in ms."""

_NAMES: Final = {length: name for name, length in INTERVALS.items()}
_SPELLING: Final = re.compile(r"(?:kline[._]|candle)?(P?)(T?)(\d{0,9})([A-Za-z]*?)(?:utc|UTC)?", re.ASCII)
_WORDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), _SECOND),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), _MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * _DAY),
}
_MONTHS: Final = {"M", "mo", "mon", "month", "months", "q", "quarter", "y", "year", "years"}

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MS: Final = timedelta(milliseconds=1)


def milliseconds(value: Any) -> int:
    """Epoch ms of a time in any unit: below 1e11 it is seconds, below 1e14 ms, below 1e17 µs, else ns.

    Takes an int, a float, a numeric string, or RFC 3339 text with any number of digits; float seconds are
    rounded to the ms, finer units are cut. Raises `BadCandle` (``not_a_time``) for everything else, for
    negative times and for text without its offset.

    >>> milliseconds(1718667780.012), milliseconds("1597026383085"), milliseconds(1672515780000000)
    (1718667780012, 1597026383085, 1672515780000)
    >>> milliseconds("2023-10-04T16:25:00.000000000Z")
    1696436700000
    """
    kind = type(value)
    if kind is int:
        return _scaled(value, value)
    if kind is float:
        return _of_float(value, value)
    if kind is not str:
        raise _no_time(value)
    if value.isdecimal() and len(value) < 40:
        return _scaled(int(value), value)
    if _RFC_3339.fullmatch(value):
        return _of_text(value)
    try:
        return _of_float(float(value), value)
    except ValueError:
        raise _no_time(value) from None


def _scaled(number: int, value: object) -> int:
    if 100_000_000_000 <= number < 100_000_000_000_000:
        return number
    if number < 0:
        raise _no_time(value)
    if number < 100_000_000_000:
        return number * 1_000
    return number // 1_000 if number < 100_000_000_000_000_000 else number // 1_000_000


def _of_float(number: float, value: object) -> int:
    if not 0 <= number < math.inf:
        raise _no_time(value)
    return round(number * 1_000) if number < 1e11 else _scaled(int(number), value)


def _of_text(value: str) -> int:
    try:
        since = datetime.fromisoformat(value.upper()) - _EPOCH
    except ValueError:
        raise _no_time(value) from None
    if since < timedelta(0):
        raise _no_time(value)
    return since // _ONE_MS


def _no_time(value: object) -> BadCandle:
    wanted = "seconds, ms, µs or ns since 1970 or RFC 3339 with its offset"
    return BadCandle(reasons.NOT_A_TIME, f"{short(value)} is no time: send {wanted}")


@lru_cache(maxsize=1024)
def interval_ms(text: str) -> tuple[str, int]:
    """Canonical name and length in ms of an interval, whatever its spelling.

    A bare number is minutes where that makes an interval we know, else seconds; `1m` is a minute and `1M`
    a month. Raises `BadCandle` (``interval_unknown``) for months, whose length varies, and for lengths
    that are none of `INTERVALS`.

    >>> {interval_ms(text) for text in "1h 1H 60 candle1H 60m 1hour kline.60 PT1H 3600".split()}
    {('1h', 3600000)}
    >>> interval_ms("D") == interval_ms("1Dutc") == interval_ms("1d") == ("1d", 86400000)
    True
    """
    match = _SPELLING.fullmatch(text)
    if not match or not (match[3] or match[4]):
        raise _no_interval(text, "it is not a number and a unit")
    period, time, count, word = match.groups()
    if word == "M" and time:
        word = "m"
    if word in _MONTHS or word.lower() in _MONTHS:
        raise _no_interval(text, "calendar months and years have no fixed length")
    length = _length(int(count or 1), word.lower(), iso=bool(period))
    if length not in _NAMES:
        raise _no_interval(text, "no such interval")
    return _NAMES[length], length


def _length(count: int, word: str, *, iso: bool) -> int | None:
    if word:
        return count * _WORDS[word] if word in _WORDS else None
    if iso:
        return None
    return count * _MINUTE if count * _MINUTE in _NAMES else count * _SECOND


def _no_interval(text: str, why: str) -> BadCandle:
    known = " ".join(INTERVALS)
    return BadCandle(reasons.INTERVAL_UNKNOWN, f"interval {short(text)}: {why}; known are {known}")
