"""Predictions as Hummingbot's `ML_SIGNALS`: what its controller `ai_livestream` trades by, over MQTT.

    pip install aiomqtt
    python examples/hummingbot_ml_signals.py BTCUSDT=BTC-USDT --kafka localhost:9092 --mqtt localhost:1883

In Hummingbot, `ai_livestream` with `trading_pair: BTC-USDT` and `topic: hbot/predictions` listens. There is
no edge in the price and none is claimed: its thresholds of 0.5 are seldom reached. What is worth something is
`target_pct`, which scales its barriers. Without `--mqtt` the signals are lines of JSON. It ends when the
MQTT broker goes away: let a supervisor restart it.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from stream_lstm.client import Prediction, PredictionStream

Publish = Callable[[str, bytes], Awaitable[None]]


def topic(pair: str) -> str:
    """Where Hummingbot expects the signals of a pair."""
    return f"hbot/predictions/{pair.replace('-', '_').lower()}/ML_SIGNALS"


def signal(prediction: Prediction) -> dict[str, Any]:
    """What `ai_livestream` reads: probabilities of short, neutral and long, and the width of its barriers."""
    direction = prediction.direction
    return {
        "id": prediction.id,
        "timestamp": prediction.generated_at / 1000,
        "probabilities": [direction.down, direction.neutral, direction.up],
        "target_pct": prediction.target_pct,
    }


async def bridge(stream: PredictionStream, pairs: dict[str, str], publish: Publish) -> None:
    """Every prediction of a symbol that has a pair, as it is said, a correction like any other."""
    async for prediction in stream:
        await publish(topic(pairs[prediction.symbol]), json.dumps(signal(prediction)).encode())


async def print_line(to: str, body: bytes) -> None:
    print(to, body.decode(), flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="SYMBOL=PAIR")
    parser.add_argument("--kafka", default="localhost:9092")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--horizon", default="1h")
    parser.add_argument("--fresh-within", type=float, default=300.0, help="seconds since the candle closed")
    parser.add_argument("--mqtt", metavar="HOST:PORT")
    args = parser.parse_args()
    pairs = dict(each.split("=", 1) for each in args.pairs)
    chosen = {"symbols": list(pairs), "horizons": [args.horizon], "fresh_within": args.fresh_within}
    async with PredictionStream(args.kafka, prefix=args.prefix, **chosen) as stream:
        if args.mqtt is None:
            await bridge(stream, pairs, print_line)
            return
        from aiomqtt import Client

        host, _, port = args.mqtt.partition(":")
        async with Client(host, int(port or 1883)) as mqtt:
            # Once at least, as Hummingbot subscribes: the id tells a repeat.
            await bridge(stream, pairs, lambda to, body: mqtt.publish(to, body, qos=1))


if __name__ == "__main__":
    asyncio.run(main())
