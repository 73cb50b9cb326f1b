"""Series from which nothing has come for a while by the wall clock; it changes no state."""

from collections.abc import Iterable
from typing import NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.series import Series


class Silent(NamedTuple):
    """A series that has fallen silent."""

    series: SeriesKey
    last_close_ms: int
    intervals: int
    """Whole intervals since its last candle came."""


class _Heard(NamedTuple):
    open_ms: int
    at: float
    told: bool


class Staleness:
    """Looks at the series now and then; times in seconds of any clock that never runs backwards.

    A series counts from when it was first seen here: the age of its candles says nothing in a replay.
    """

    def __init__(self, intervals: int) -> None:
        self.intervals = intervals
        self._heard: dict[SeriesKey, _Heard] = {}

    def look(self, all_series: Iterable[Series], now: float) -> list[Silent]:
        """The series that have fallen silent since the last look, each told once per silence."""
        silent, heard = [], {}
        for series in all_series:
            if series.last is None:
                continue
            open_ms = series.last.open_ms
            before = self._heard.get(series.key)
            if before is None or before.open_ms != open_ms:
                before = _Heard(open_ms, now, False)
            elif not before.told and (now - before.at) * 1000 >= self._patience_ms(series):
                passed = int((now - before.at) * 1000 // series.step_ms)
                silent.append(Silent(series.key, series.last.close_ms, passed))
                before = before._replace(told=True)
            heard[series.key] = before
        self._heard = heard
        return silent

    def _patience_ms(self, series: Series) -> int:
        """How long a series may be silent: longer where its market has closed at this hour before."""
        assert series.last is not None
        return self.intervals * series.step_ms + series.closures.expected_ms(series.last.close_ms + 1)
