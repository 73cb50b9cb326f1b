"""Series from which nothing comes, by the wall clock alone."""

from dataclasses import dataclass, field
from typing import Any

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.forecasting.closures import Closure, Closures
from stream_lstm.streaming.staleness import Staleness

HOUR = 3_600_000


@dataclass
class Known:
    """What is read of a series."""

    key: SeriesKey
    last: Closed | None
    step_ms: int = HOUR
    closures: Closures = field(default_factory=Closures)


def series(symbol: str, open_ms: int | None = 0) -> Any:
    key = SeriesKey("binance", symbol, "1h")
    return Known(key, None if open_ms is None else Closed(key, HOUR, open_ms, 1, 1, 1, 1, 1))


def test_a_silent_series_is_told_once_with_how_long() -> None:
    staleness = Staleness(intervals=3)
    btc = series("BTC")
    assert staleness.look([btc], 0) == []
    assert staleness.look([btc], 3 * 3600 - 1) == []
    (silent,) = staleness.look([btc], 4 * 3600)
    assert (silent.series.symbol, silent.last_close_ms, silent.intervals) == ("BTC", HOUR - 1, 4)
    assert staleness.look([btc], 9 * 3600) == []


def test_a_new_candle_ends_the_silence_and_a_new_one_is_told_again() -> None:
    staleness = Staleness(intervals=2)
    staleness.look([series("BTC")], 0)
    assert len(staleness.look([series("BTC")], 3 * 3600)) == 1
    assert staleness.look([series("BTC", HOUR)], 4 * 3600) == []
    assert len(staleness.look([series("BTC", HOUR)], 6 * 3600)) == 1


def test_the_age_of_a_replayed_candle_says_nothing() -> None:
    assert Staleness(intervals=1).look([series("BTC", 0)], 10**9) == []


def test_a_series_without_a_candle_is_not_stale_and_one_that_left_is_forgotten() -> None:
    staleness = Staleness(intervals=1)
    assert staleness.look([series("NEW", None)], 0) == []
    staleness.look([series("BTC")], 0)
    staleness.look([], 1)
    assert staleness.look([series("BTC")], 10**6) == []


def test_where_the_market_has_closed_at_this_hour_before_it_is_silent_after_the_closure_only() -> None:
    staleness = Staleness(intervals=3)
    eurusd = series("EURUSD", 167 * HOUR)
    eurusd.closures.note(Closure(0, 48 * HOUR))
    staleness.look([eurusd], 0)
    assert staleness.look([eurusd], 51 * 3600 - 1) == []
    assert len(staleness.look([eurusd], 51 * 3600)) == 1
