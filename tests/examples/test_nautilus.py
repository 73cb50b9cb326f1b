"""The NautilusTrader actor in a real trading node, reading from a real Kafka."""

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nautilus_trader", reason="nautilus_trader is in the group `bots`: make bots")

from nautilus_trader.config import LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import DataType

from stream_lstm.client import KafkaConnection
from tests.client.scripted import AS_OF, HOUR, Installation, prediction

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "nautilus_actor.py"


def actor_module() -> Any:
    spec = importlib.util.spec_from_file_location("nautilus_actor", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_predictions_are_data_on_the_message_bus(kafka: str, prefix: str) -> None:
    example = actor_module()
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    await installation.say(prediction(horizon="1h"), prediction("ETHUSDT", horizon="1h"))

    node = TradingNode(TradingNodeConfig(logging=LoggingConfig(log_level="ERROR"), timeout_post_stop=0.5))
    heard: list[Any] = []
    node.kernel.msgbus.subscribe(f"data.{DataType(example.Forecast).topic}", heard.append)
    config = example.PredictionsConfig(
        kafka=kafka, prefix=prefix, symbols={"BTCUSDT": "BTCUSDT.BINANCE"}, horizons=("1h",)
    )
    node.trader.add_actor(example.Predictions(config))
    node.build()
    running = asyncio.create_task(node.run_async())
    async with asyncio.timeout(60):
        while len(heard) < 1:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
        await installation.say(prediction(horizon="1h", as_of=AS_OF + HOUR))
        while len(heard) < 2:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    await node.stop_async()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    # It is not disposed of: that would stop the loop, which is the test's.
    await installation.stop()

    first, second = heard
    assert str(first.instrument_id) == "BTCUSDT.BINANCE"
    assert (first.ts_event, second.ts_event) == (AS_OF * 1_000_000, (AS_OF + HOUR) * 1_000_000)
    assert (first.down, first.up, first.target_pct) == (0.32, 0.32, 0.0176)
    assert first.lower < first.last_close < first.upper
