"""Whether a raw candle is one: every rule on a single candle stands here, each with its reason."""

import math
from functools import lru_cache
from reprlib import repr as short
from typing import Any, Final, NoReturn

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Pin, Raw
from stream_lstm.candles.series import SeriesKey, Update
from stream_lstm.candles.units import interval_ms, milliseconds
from stream_lstm.errors import BadCandle

MAX_SYMBOL: Final = 64
"""Longest name of a symbol or an exchange, in characters."""
MAX_BODY: Final = 1 << 20
"""Longest value that is parsed, in bytes."""
LEAST_PRICE: Final = 1e-15
MOST_PRICE: Final = 1e18
"""Between these two the ratio of any two prices is still a number in single precision."""
MOST_VOLUME: Final = 1e30
"""So is any volume up to this one."""
EARLIEST_MS: Final = 100_000_000_000
"""March 1973. Below it a number tells no unit: a count of days, or a price, would pass for a time."""
_SERIES_CACHED: Final = 1 << 17


def checked(raw: Raw, record_ms: int, pin: Pin) -> Update:
    """The candle of a raw one, in our units; what `pin` fixes wins over the body.

    `record_ms` is the record's own time. Raises `BadCandle` with the reason of the first rule that is broken.
    """
    exchange, symbol, interval, open_time, open_, high, low, close, volume, closed, event_time, end_time = raw
    series, step_ms = _series(
        _text("exchange", pin.exchange or exchange),
        _text("symbol", symbol),
        _text("interval", pin.interval or interval),
    )
    open_ms = _from_end(end_time, step_ms) if open_time is None else milliseconds(open_time)
    if open_ms < EARLIEST_MS:
        told = f"opens at {short(end_time if open_time is None else open_time)}, before March 1973"
        raise BadCandle(reasons.NOT_A_TIME, f"{series} {told}, or in a unit that is none of s, ms, µs and ns")
    if open_ms > record_ms + step_ms:
        ahead = f"it opens {open_ms - record_ms} ms after the record's own time, {record_ms}"
        raise BadCandle(reasons.FROM_THE_FUTURE, f"{series} at {open_ms}: {ahead}; one interval is allowed")
    try:
        numbers = ohlcv(open_, high, low, close, volume)
    except BadCandle as bad:
        raise BadCandle(bad.reason, f"{series} at {open_ms}: {bad}") from None
    if closed is not None and type(closed) is not bool:
        raise BadCandle(reasons.WRONG_TYPE, f"closed is {short(closed)}: it must be true or false")
    event_ms = None if event_time is None else milliseconds(event_time)
    return Update(series, step_ms, open_ms, *numbers, closed, event_ms)


def _from_end(end_time: Any, step_ms: int) -> int:
    if end_time is None:
        _missing("open time")
    return milliseconds(end_time) - step_ms


def ohlcv(
    open_: Any, high: Any, low: Any, close: Any, volume: Any
) -> tuple[float, float, float, float, float]:
    """The five as numbers: prices positive, volume not negative, none absurd, the range consistent.

    Takes numbers and numeric strings. Raises `BadCandle` otherwise.
    """
    open_ = _number("open", open_)
    high = _number("high", high)
    low = _number("low", low)
    close = _number("close", close)
    volume = _number("volume", volume)
    if not (
        LEAST_PRICE <= low <= open_ <= high <= MOST_PRICE
        and low <= close <= high
        and 0 <= volume <= MOST_VOLUME
    ):
        _refuse({"open": open_, "high": high, "low": low, "close": close}, volume)
    return open_, high, low, close, volume


def _refuse(prices: dict[str, float], volume: float) -> NoReturn:
    for name, value in (*prices.items(), ("volume", volume)):
        if not math.isfinite(value):
            raise BadCandle(reasons.NOT_A_NUMBER, f"{name} is {value}: it must be a finite number")
    for name, value in prices.items():
        if value <= 0:
            raise BadCandle(reasons.NOT_POSITIVE, f"{name} is {value}: a price must be above zero")
    if volume < 0:
        raise BadCandle(reasons.NEGATIVE_VOLUME, f"volume is {volume}: it must not be negative")
    if not (min(prices.values()) >= LEAST_PRICE and max(prices.values()) <= MOST_PRICE):
        told = f"prices from {LEAST_PRICE:g} to {MOST_PRICE:g} are read"
        raise BadCandle(reasons.ABSURD, f"prices are {[*prices.values()]}: {told}")
    if volume > MOST_VOLUME:
        raise BadCandle(reasons.ABSURD, f"volume is {volume}: volumes up to {MOST_VOLUME:g} are read")
    open_, high, low, close = prices.values()
    if high < low:
        raise BadCandle(reasons.HIGH_BELOW_LOW, f"high {high} is below low {low}")
    outside = f"open {open_} or close {close} is not between low {low} and high {high}"
    raise BadCandle(reasons.OUTSIDE_RANGE, outside)


@lru_cache(maxsize=_SERIES_CACHED)
def _series(exchange: str, symbol: str, interval: str) -> tuple[SeriesKey, int]:
    """Key and step; cached because a stream names the same few series over and over."""
    for field, name in (("exchange", exchange), ("symbol", symbol)):
        if len(name) > MAX_SYMBOL:
            long = f"{field} {short(name)} has {len(name)} characters: at most {MAX_SYMBOL} are allowed"
            raise BadCandle(reasons.SYMBOL_TOO_LONG, long)
        if not name.strip() or not name.isprintable():
            raise BadCandle(reasons.BAD_NAME, f"{field} is {short(name)}: it must be printable text")
    if ":" in exchange:
        raise BadCandle(reasons.BAD_NAME, f"exchange is {short(exchange)}: it must not hold a colon")
    canonical, step_ms = interval_ms(interval)
    return SeriesKey(exchange.lower(), symbol, canonical), step_ms


def _text(field: str, value: Any) -> str:
    if type(value) is str:
        return value
    if value is None:
        _missing(field)
    if field == "interval" and type(value) is int:
        return str(value)
    raise BadCandle(reasons.WRONG_TYPE, f"{field} is {short(value)}: it must be text")


def _number(field: str, value: Any) -> float:
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is int:
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    if value is None:
        _missing(field)
    raise BadCandle(reasons.NOT_A_NUMBER, f"{field} is {short(value)}: it must be a finite number")


def _missing(field: str) -> NoReturn:
    told = f"{field} is missing: a candle cannot do without it"
    if field in {"exchange", "interval"}:
        # Many a producer leaves out what is the same in all of its topic.
        told += f'; if the producer never says it, pin it: inputs = [{{topic = "…", {field} = "…"}}]'
    raise BadCandle(reasons.MISSING_FIELD, told)
