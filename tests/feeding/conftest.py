import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_lstm.candles.closing import Closing
from stream_lstm.candles.decode import decode
from stream_lstm.candles.series import Closed, SeriesKey, Update
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.venue import Venue
from stream_lstm.feeding.bootstrap import Target
from tests.acceptance.conftest import Application, installed
from tests.exchange.standin import FastClock, Standin

STEP = 60_000


class Scene:
    """A stand-in exchange whose minutes are seconds, and a topic."""

    def __init__(self, exchange: Standin, application: Application) -> None:
        self.exchange = exchange
        self.application = application
        self.target = Target(application.connection, application.candles)
        self.said: list[str] = []

    def venue(self, patience_s: float = 20.0) -> Venue:
        return Venue(
            "binance",
            url=self.exchange.url,
            clock=self.exchange.clock,
            patience_s=patience_s,
            say=self.said.append,
        )

    async def written(self) -> dict[SeriesKey, list[Update]]:
        """What the topic holds of each series, in the order of the log, closed or forming."""
        found: dict[SeriesKey, list[Update]] = {}
        for record in await self.application.read("candles"):
            for update in decode(record.value, record_ms=record.timestamp).updates:
                found.setdefault(update.series, []).append(update)
        return found

    async def closed_by_a_worker(self) -> dict[SeriesKey, list[Closed]]:
        """What the rule of a worker closes as it reads the topic, in its order."""
        closings: dict[int, Closing] = {}
        found: dict[SeriesKey, list[Closed]] = {}
        for record in await self.application.read("candles"):
            closing = closings.setdefault(record.partition, Closing())
            for update in decode(record.value, record_ms=record.timestamp).updates:
                for candle in closing.offer(update, record.timestamp):
                    found.setdefault(candle.series, []).append(candle)
        return found

    def truth(self, listing: Listing, open_ms: int) -> Closed:
        """The candle as it ended."""
        bar = self.exchange.candle(listing.symbol, open_ms, listing.step_ms)
        return Closed(listing.series, listing.step_ms, open_ms, *bar)


@pytest.fixture
async def scene(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Scene]:
    clock = FastClock(speed=60, start_ms=int(time.time() * 1000) - 3 * 3_600_000)
    async with Standin(clock) as exchange, installed(kafka, prefix, tmp_path, partitions=2) as application:
        yield Scene(exchange, application)
