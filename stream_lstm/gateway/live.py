"""The stream of changes that a page follows, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

import orjson

from stream_lstm.candles.series import SeriesKey
from stream_lstm.dashboard.reading import Reading
from stream_lstm.dashboard.series_state import SeriesState

_TICK_SECONDS: Final = 0.5
_ALIVE_SECONDS: Final = 10.0
_AGAIN_MS: Final = 1_000
"""After so long a page whose connection is lost tries again."""
_REFRESHED_TICKS: Final = 10
"""Waiting times are told anew after so many."""
_FIRST_EVENTS: Final = 60
_ROWS: Final = 1_000
"""Of one message at most, so that no page is held up by a list."""


class Source(Protocol):
    """Where changes come from; `gateway.dashboard.Dashboard`."""

    reading: Reading
    stop: asyncio.Event
    streams: int

    def status(self) -> dict[str, Any]:
        """For the head of the page."""


async def changes(source: Source, name: str | None) -> AsyncIterator[bytes]:
    """All there is, then what has changed every half second, until the gateway stops or the page goes.

    With it go the details of the series of that name; None is the first of the list.
    """
    with _counted(source):
        following = _Following(source, name)
        yield b"retry: %d\n\n" % _AGAIN_MS
        silent = 0.0
        while not source.stop.is_set():
            told = b"".join(following.told())
            silent = 0.0 if told else silent + _TICK_SECONDS
            if silent >= _ALIVE_SECONDS:  # a proxy must not take it for dead
                told, silent = b": nothing new\n\n", 0.0
            if told:
                yield told
            with suppress(TimeoutError):
                await asyncio.wait_for(source.stop.wait(), _TICK_SECONDS)


@contextmanager
def _counted(source: Source) -> Iterator[None]:
    source.streams += 1
    try:
        yield
    finally:
        source.streams -= 1


class _Following:
    """What one page has been told."""

    def __init__(self, source: Source, name: str | None) -> None:
        self._source = source
        self._name = name
        self._version = -1
        self._logged = 0
        self._status: dict[str, Any] = {}
        self._series_version = -1
        self._newest_ms = -1
        self._ticks = 0

    def told(self) -> Iterator[bytes]:
        """The events that bring the page up to date."""
        self._ticks += 1
        yield from self._status_told()
        if not self._source.reading.has_caught_up:  # a page would run through the past
            return
        yield from self._rows_told()
        yield from self._series_told()
        yield from self._log_told()

    def _status_told(self) -> Iterator[bytes]:
        status = self._source.status()
        if status != self._status:
            self._status = status
            yield _event("status", status)

    def _rows_told(self) -> Iterator[bytes]:
        reading = self._source.reading
        store, views, now = reading.store, reading.views, reading.clock()
        if self._version < 0:
            self._version = store.version
            yield _event("list", views.rows(now))
        elif store.version > self._version:
            changed = [*store.changed_since(self._version)]
            self._version = store.version
            for at in range(0, len(changed), _ROWS):
                yield _event("rows", {"rows": [views.row(each, now) for each in changed[at : at + _ROWS]]})

    def _series_told(self) -> Iterator[bytes]:
        series = self._chosen()
        if series is None:
            return
        waits = series.unanswered_at is not None and self._ticks % _REFRESHED_TICKS == 0
        if series.version > self._series_version or waits:
            reading = self._source.reading
            # The newest candles are told again, since a correction may have come.
            since = -1 if self._newest_ms < 0 else self._newest_ms - 2 * series.step_ms
            detail = reading.views.detail(series, reading.clock(), since)
            self._series_version, self._newest_ms = series.version, series.candles.last_open_ms
            yield _event("series", detail)

    def _chosen(self) -> SeriesState | None:
        series = self._source.reading.store.series
        if self._name is None and series:
            self._name = str(min(series, key=lambda key: (key.symbol, key)))
        if self._name is not None:
            with suppress(ValueError):
                return series.get(SeriesKey.parse(self._name))
        return None

    def _log_told(self) -> Iterator[bytes]:
        store = self._source.reading.store
        if store.logged > self._logged:
            fresh = [entry for entry in store.log if entry.number > self._logged][-_FIRST_EVENTS:]
            first, self._logged = self._logged == 0, store.logged
            yield _event("log", {"whole": first, "events": self._source.reading.views.log(fresh)})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
