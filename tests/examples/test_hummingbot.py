"""Hummingbot's bridge on a real Kafka, and on a real MQTT broker where there is one."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stream_lstm.client import KafkaConnection
from tests.client.scripted import HOUR, Installation, prediction

EXAMPLE = Path(__file__).parents[2] / "examples" / "hummingbot_ml_signals.py"
DIRECTION = {"down": 0.31, "neutral": 0.36, "up": 0.33}


def ai_livestream(signal: dict[str, Any], threshold: float) -> tuple[int, float]:
    """What Hummingbot's controller makes of a signal: -1, 0 or 1, and the width of its barriers."""
    short, neutral, long = signal["probabilities"]
    assert short + neutral + long == pytest.approx(1)
    side = -1 if short > threshold else 1 if long > threshold else 0
    return side, signal.get("target_pct", 0.01)


@asynccontextmanager
async def bridge(kafka: str, prefix: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), "BTCUSDT=BTC-USDT", "--kafka", kafka, "--prefix", prefix, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.fixture
async def installation(kafka: str, prefix: str) -> AsyncIterator[Installation]:
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    yield installation
    await installation.stop()


def closed_just_now() -> int:
    return int(time.time() * 1000) - 2_000


async def test_a_signal_is_what_hummingbot_s_controller_reads(
    installation: Installation, kafka: str, prefix: str
) -> None:
    now = closed_just_now()
    await installation.say(
        prediction(as_of=now - 2 * HOUR, horizon="1h"),  # of old: no signal
        prediction("ETHUSDT", as_of=now, horizon="1h"),
        prediction(as_of=now, horizon="1h", direction=DIRECTION, targetPct=0.0041),
    )
    async with bridge(kafka, prefix) as process:
        assert process.stdout is not None
        topic, body = (await process.stdout.readline()).decode().split(" ", 1)
    signal = json.loads(body)
    assert topic == "hbot/predictions/btc_usdt/ML_SIGNALS"
    assert signal["id"] == f"binance:BTCUSDT:1h:{now}:1h"
    assert signal["probabilities"] == [0.31, 0.36, 0.33]
    assert ai_livestream(signal, threshold=0.5) == (0, 0.0041)
    assert ai_livestream(signal, threshold=0.32) == (1, 0.0041)


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of amqtt
async def test_signals_go_over_mqtt(
    installation: Installation, kafka: str, prefix: str, free_tcp_port: int
) -> None:
    aiomqtt = pytest.importorskip("aiomqtt", reason="in the group `bots`: make bots")
    broker = pytest.importorskip("amqtt.broker", reason="in the group `bots`: make bots")
    place = {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{free_tcp_port}"}}}
    mqtt = broker.Broker(place)
    await mqtt.start()
    async with aiomqtt.Client("127.0.0.1", free_tcp_port) as hummingbot:
        await hummingbot.subscribe("hbot/predictions/btc_usdt/ML_SIGNALS", qos=1)
        now = closed_just_now()
        await installation.say(prediction(as_of=now, horizon="1h"))
        async with bridge(kafka, prefix, "--mqtt", f"127.0.0.1:{free_tcp_port}"):
            message = await anext(aiter(hummingbot.messages))
    await mqtt.shutdown()
    assert json.loads(message.payload)["id"] == f"binance:BTCUSDT:1h:{now}:1h"
