"""Whether a raw candle is one: every rule on a single candle stands here, each with its reason."""

import math
from reprlib import repr as short
from typing import Any, Final, NoReturn

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Pin, Raw
from stream_lstm.candles.series import SeriesKey, Update
from stream_lstm.candles.units import interval_ms, milliseconds
from stream_lstm.errors import BadCandle

MAX_SYMBOL: Final = 64
MAX_BODY: Final = 1 << 20
"""Longest value that is parsed, in bytes."""


def checked(raw: Raw, record_ms: int, pin: Pin) -> Update:
    """The candle of a raw one, in our units, what `pin` fixes taking precedence.

    `record_ms` is the record's own time. Raises `BadCandle` with the reason of the first rule that is broken.
    """
    interval = pin.interval or raw.interval
    if type(interval) is not str:
        interval = _interval_text(interval)
    name, step_ms = interval_ms(interval)
    series = SeriesKey(_exchange(pin.exchange or raw.exchange), _symbol(raw.symbol), name)
    open_ms = milliseconds(raw.open_time) if raw.open_time is not None else _missing("open time")
    if open_ms > record_ms + step_ms:
        ahead = f"it opens {open_ms - record_ms} ms after the record's own time {record_ms}"
        raise BadCandle(reasons.FROM_THE_FUTURE, f"{series} at {open_ms}: {ahead}; at most {name} is allowed")
    prices = (
        _number("open", raw.open),
        _number("high", raw.high),
        _number("low", raw.low),
        _number("close", raw.close),
        _number("volume", raw.volume),
    )
    _check_prices(series, open_ms, *prices)
    closed = raw.closed
    if closed is not None and type(closed) is not bool:
        raise BadCandle(reasons.WRONG_TYPE, f"closed is {short(closed)}: it must be true or false")
    event_ms = None if raw.event_time is None else milliseconds(raw.event_time)
    return Update(series, step_ms, open_ms, *prices, closed, event_ms)


def _number(name: str, value: Any) -> float:
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is int:
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    if value is None:
        _missing(name)
    raise BadCandle(reasons.NOT_A_NUMBER, f"{name} is {short(value)}: it must be a finite number")


def _check_prices(
    series: SeriesKey, open_ms: int, open_: float, high: float, low: float, close: float, volume: float
) -> None:
    if 0 < low <= open_ <= high < math.inf and low <= close <= high and 0 <= volume < math.inf:
        return
    place = f"{series} at {open_ms}"
    prices = {"open": open_, "high": high, "low": low, "close": close}
    for name, value in (*prices.items(), ("volume", volume)):
        if not math.isfinite(value):
            raise BadCandle(reasons.NOT_A_NUMBER, f"{place}: {name} is {value}: it must be a finite number")
    for name, value in prices.items():
        if value <= 0:
            raise BadCandle(reasons.NOT_POSITIVE, f"{place}: {name} is {value}: a price must be above zero")
    if volume < 0:
        raise BadCandle(reasons.NEGATIVE_VOLUME, f"{place}: volume is {volume}")
    if high < low:
        raise BadCandle(reasons.HIGH_BELOW_LOW, f"{place}: high {high} is below low {low}")
    outside = f"open {open_} or close {close} is not between low {low} and high {high}"
    raise BadCandle(reasons.OUTSIDE_RANGE, f"{place}: {outside}")


def _interval_text(value: Any) -> str:
    if value is None:
        _missing("interval")
    if type(value) is not int:
        raise BadCandle(reasons.WRONG_TYPE, f"interval is {short(value)}: it must be text, like 1h")
    return str(value)


def _exchange(value: Any) -> str:
    name = _name("exchange", value)
    if ":" in name:
        raise BadCandle(reasons.BAD_NAME, f"exchange is {short(name)}: a colon separates it from the symbol")
    return name.lower()


def _symbol(value: Any) -> str:
    return _name("symbol", value)


def _name(field: str, value: Any) -> str:
    if value is None:
        _missing(field)
    if type(value) is not str:
        raise BadCandle(reasons.WRONG_TYPE, f"{field} is {short(value)}: it must be text")
    if len(value) > MAX_SYMBOL:
        long = f"{field} {short(value)} has {len(value)} characters, at most {MAX_SYMBOL} are allowed"
        raise BadCandle(reasons.SYMBOL_TOO_LONG, long)
    if not value.strip() or not value.isprintable():
        raise BadCandle(reasons.BAD_NAME, f"{field} is {short(value)}: it must be printable text")
    return value


def _missing(field: str) -> NoReturn:
    raise BadCandle(reasons.MISSING_FIELD, f"{field} is missing: a candle cannot do without")
