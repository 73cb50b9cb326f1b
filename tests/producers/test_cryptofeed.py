"""cryptofeed's own handlers and its own `CandlesKafka`, fed recorded messages: understood without glue.

Needs cryptofeed, a test group of its own: `make producers` installs it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

pytest.importorskip("cryptofeed", reason="cryptofeed is in the group `producers`: make producers")

from aiokafka import AIOKafkaProducer
from cryptofeed.backends import kafka as backend
from cryptofeed.defines import CANDLES
from cryptofeed.exchanges import EXCHANGE_MAP
from cryptofeed.symbols import Symbols

from stream_lstm.candles import moments
from stream_lstm.candles.series import Closed
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.topics import FOR_EVER, specs
from tests.acceptance.conftest import Application, installed
from tests.producers.recorded import greetings, told, updates

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    # cryptofeed's own call of the Kafka client.
    pytest.mark.filterwarnings("ignore:The `loop` parameter has been deprecated:DeprecationWarning"),
]

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
CANDLES_EACH = 106
NEEDED = 100

# By exchange: cryptofeed's symbol, the exchange's own, and the address, where a handler finds the market.
FEEDS = {
    "BINANCE": ("BTC-USDT", "BTCUSDT", ""),
    "OKX": ("BTC-USDT", "BTC-USDT", ""),
    "BYBIT": ("BTC-USDT-PERP", "BTCUSDT", "wss://stream.bybit.com/v5/public/linear"),
    "KRAKEN": ("BTC-USD", "XBT/USD", ""),
}
FLAGGED = {"BINANCE", "OKX", "BYBIT"}


@pytest.fixture
async def application(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(kafka, prefix, tmp_path) as application:
        yield application


class AsReceived(AIOKafkaProducer):
    """Sends each record as it was sent when it was received: a recorded message is not one of today."""

    async def send(self, topic: str, value: bytes, *args: Any) -> Any:
        at_ms = round(json.loads(value)["receipt_timestamp"] * 1_000)
        return await super().send(topic, value, *args, timestamp_ms=at_ms)


@contextmanager
def known_symbols() -> Iterator[None]:
    """What the handlers would have asked the exchanges for."""
    for exchange, (symbol, own, _) in FEEDS.items():
        Symbols.set(exchange, {symbol: own}, {"instrument_type": {symbol: "spot"}, "tick_size": {}})
    yield
    Symbols.clear()


class Feeding:
    """The handlers of all four exchanges, and one `CandlesKafka` each, as a feed handler starts them."""

    def __init__(self, prefix: str, servers: str) -> None:
        self.handlers: dict[str, tuple[Any, Any]] = {}
        for exchange, (symbol, _, _) in FEEDS.items():
            kafka = backend.CandlesKafka(key=f"{prefix}candles", bootstrap_servers=servers)
            feed = EXCHANGE_MAP[exchange](
                symbols=[symbol],
                channels=[CANDLES],
                candle_interval="1H" if exchange == "OKX" else "1h",
                candle_closed_only=False,
                callbacks={CANDLES: kafka},
            )
            self.handlers[exchange] = (feed, kafka)

    def start(self) -> None:
        for _, kafka in self.handlers.values():
            kafka.start(asyncio.get_running_loop())

    async def receive(self, exchange: str, text: str, at_ms: int) -> None:
        feed, _ = self.handlers[exchange]
        connection = SimpleNamespace(address=FEEDS[exchange][2], uuid=exchange)
        await feed.message_handler(text, connection, at_ms / 1_000)

    async def stop(self) -> None:
        for _, kafka in self.handlers.values():
            await kafka.stop()
            async with asyncio.timeout(60):
                await kafka.worker


def market() -> dict[str, list[Closed]]:
    series = moments.of_market(list(FEEDS), interval="1h", start_ms=START, seed=5)
    columns = zip(*islice(series, CANDLES_EACH), strict=True)
    return dict(zip(FEEDS, map(list, columns), strict=True))


async def feed_everything(feeding: Feeding, candles: dict[str, list[Closed]]) -> None:
    """All messages of all exchanges in the order of time."""
    sent = [
        (each.at_ms, name, each.text)
        for name in FEEDS
        for bar in candles[name]
        for each in updates(name, bar)
    ]
    for exchange in FEEDS:
        for text in greetings(exchange):
            await feeding.receive(exchange, text, START)
    for at_ms, exchange, text in sorted(sent, key=lambda each: each[0]):
        await feeding.receive(exchange, text, at_ms)


async def test_what_its_handlers_write_is_understood_without_glue(
    application: Application, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "AIOKafkaProducer", AsReceived)
    topics = [f"{prefix}candles-{exchange}-{symbol}" for exchange, (symbol, _, _) in FEEDS.items()]
    wanted = specs(application.names, topics, partitions=1, candle_retention_ms=FOR_EVER)
    await topic_admin.create(application.connection, wanted, Deadline(30))
    candles = market()
    with known_symbols():
        feeding = Feeding(prefix, application.connection.bootstrap_servers)
        feeding.start()
        await feed_everything(feeding, candles)
        await feeding.stop()
    pattern = prefix.replace(".", r"\\.") + "candles-.*"
    worker = application.start_worker(inputs=f'[{{"pattern": "{pattern}"}}]', horizons='["1h"]')

    # The last bar of an exchange without a flag is still forming.
    answered = {name: candles[name][NEEDED - 1 :] for name in FEEDS}
    answered |= {name: answered[name][:-1] for name in FEEDS if name not in FLAGGED}

    async def all_is_said() -> bool:
        return bool(await application.count("predictions") >= sum(map(len, answered.values())))

    await application.until(all_is_said, seconds=120)
    said = [orjson.loads(record.value) for record in await application.read("predictions")]
    for exchange, (symbol, _, _) in FEEDS.items():
        of = [body for body in said if body["exchange"] == exchange.lower()]
        assert {(body["symbol"], body["interval"]) for body in of} == {(symbol, "1h")}
        found = {told(body["asOf"]): body["lastClose"] for body in of}
        assert found == {told(bar.close_ms): bar.close for bar in answered[exchange]}, exchange
        assert {body["revision"] for body in of} == {0}, f"{exchange}: a bar was closed before its end"
    assert await application.read("candles.dlq") == []
    assert worker.exit_code is None
