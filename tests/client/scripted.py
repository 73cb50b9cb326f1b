"""What stands in for workers: messages of the contract, and one that answers commands on a real Kafka."""

import asyncio
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import orjson

from stream_lstm.contracts.command import Command, parse
from stream_lstm.contracts.reply import REPLY
from stream_lstm.contracts.wire import length_ms
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import CONTROL, MODEL_EVENTS, PREDICTIONS, TopicNames, specs

HOUR = 3_600_000
AS_OF = 1_728_125_999_999
SERIES = {"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h"}

Body = dict[str, Any]


def prediction(symbol: str = "BTCUSDT", horizon: str = "4h", as_of: int = AS_OF, **changes: Any) -> Body:
    """A whole prediction on hourly candles, its path in at most 24 points."""
    length = length_ms(horizon)
    points = max(1, min(24, length // HOUR))
    path = [
        {
            "timestamp": as_of + length * point // points,
            "predictedPrice": 65512.0,
            "lowerBound": 64900.5,
            "upperBound": 66140.7,
            "confidence": 0.95,
        }
        for point in range(1, points + 1)
    ]
    body: Body = {
        "id": f"binance:{symbol}:1h:{as_of}:{horizon}",
        "revision": 0,
        "exchange": "binance",
        "symbol": symbol,
        "interval": "1h",
        "horizon": horizon,
        "asOf": as_of,
        "lastClose": 65500.5,
        "predictions": path,
        "direction": {"down": 0.32, "neutral": 0.36, "up": 0.32},
        "targetPct": 0.0176,
        "validUntil": as_of + HOUR,
        "quantiles": {"0.01": 63000.0, "0.1": 64480.1, "0.5": 65512.0, "0.99": 67990.0},
        "range": {"expectedPct": 0.021, "q90Pct": 0.039},
        "features": {
            "technicalIndicators": {
                "rsi": 55.1,
                "macd": -12.0,
                "ema20": 65400.0,
                "ema50": 65100.0,
                "bbUpper": 66100.0,
                "bbLower": 64700.0,
            },
            "onChainMetrics": {},
            "sentimentScore": 0,
            "marketRegime": "SIDEWAYS",
            "volatilityRegime": "NORMAL",
            "volatility": 0.0041,
            "momentum": -0.003,
        },
        "modelInfo": {
            "modelType": "lstm",
            "modelId": "4f2a",
            "version": "1.0.0",
            "lastTrained": 1_728_123_456_789,
            "accuracy": 0.993,
            "confidence": 0.95,
            "skill": -0.002,
            "intervalSkill": 0.06,
            "coverage": 0.949,
            "stale": False,
            "expiresAt": 1_728_209_856_789,
            "reason": None,
        },
        "generatedAt": 1_728_126_000_004,
    }
    return body | changes


def model(symbol: str = "BTCUSDT", trained_at: int = AS_OF, **changes: Any) -> Body:
    """A row of `list-models`."""
    row: Body = {
        **SERIES,
        "symbol": symbol,
        "modelId": f"m-{symbol}",
        "modelType": "lstm",
        "version": "1.0.0",
        "trainedAt": trained_at,
        "lastTrained": trained_at,
        "accuracy": 0.986,
        "trainingDuration": 241,
        "dataPoints": 8_760,
        "config": {"hiddenSize": 32, "sequenceLength": 20, "learningRate": 0.002, "epochs": 4},
        "size": 33_792,
    }
    return row | changes


STATS: Body = model() | {
    "age": 3_600_000,
    "mae": 12.5,
    "rmse": 20.1,
    "mape": 0.4,
    "skill": 0.0,
    "coverage": 0.95,
}
DELETED: Body = {
    "message": "1 model deleted",
    "symbol": "BTCUSDT",
    "deletedCount": 1,
    "deleted": [{**SERIES, "modelId": "m-BTCUSDT", "trainedAt": AS_OF}],
}
REGIME: Body = {
    **SERIES,
    "currentRegime": "SIDEWAYS",
    "confidence": 0.93,
    "regimeHistory": [{"timestamp": AS_OF - 5 * HOUR, "regime": "SIDEWAYS"}],
    "indicators": {"trend": 0.01, "volatility": 0.004, "volume": 1.1, "momentum": -0.003},
    "nextRegimeProb": {"BULL": 0.04, "BEAR": 0.03, "SIDEWAYS": 0.93},
}
DESCRIPTION: Body = {
    **SERIES,
    "workerId": "w1",
    "topic": "candles",
    "partition": 2,
    "candles": 8_760,
    "needed": 100,
    "lastClose": AS_OF,
    "horizons": ["1h", "4h"],
    "paused": False,
    "model": {
        "modelId": "m-BTCUSDT",
        "modelType": "lstm",
        "trainedAt": AS_OF,
        "expiresAt": AS_OF + 24 * HOUR,
        "ageMs": 60_000,
        "stale": False,
    },
    "training": {"state": "queued", "place": 3},
    "lastError": None,
}
ANSWERS: dict[str, Body] = {
    "predict": prediction(),
    "regime": REGIME,
    "list-models": {"models": [model("ETHUSDT", AS_OF + HOUR), model()], "count": 2},
    "model-stats": STATS,
    "delete-model": DELETED,
    "cleanup-models": DELETED | {"symbol": None, "maxAgeDays": 30.0},
    "retrain": {**SERIES, "queued": True, "place": 0},
    "pause": {**SERIES, "paused": True},
    "resume": {**SERIES, "paused": False},
    "describe": DESCRIPTION,
}
"""What a worker answers that has one series with a model."""


def answered(command: Command) -> Body:
    """The data of a successful reply, about what was asked."""
    data = deepcopy(ANSWERS[command.command])
    if command.command == "predict":
        data = prediction(command.symbol or "", command.horizon or "1h")
        if command.model_type is not None:
            data["modelInfo"] |= {"modelType": command.model_type, "modelId": None, "lastTrained": None}
    elif command.symbol is not None:
        data["symbol"] = command.symbol
    if command.command == "cleanup-models":
        data["maxAgeDays"] = command.max_age_days
    return data


def refusal(code: str, message: str = "that is how it is") -> Body:
    """What makes a reply a failed one."""
    return {"success": False, "data": {}, "error": {"code": code, "message": message}}


def reply(command_id: str, command: str, worker: str = "w1", **changes: Any) -> Body:
    """A successful reply."""
    body: Body = {
        "id": f"{REPLY}:{worker}:{command_id}",
        "type": REPLY,
        "at": int(time.time() * 1000),
        "workerId": worker,
        "correlationId": command_id,
        "command": command,
        "success": True,
        "data": ANSWERS.get(command, {}),
    }
    return body | changes


Answer = Callable[[Command], Body | None]


class Installation:
    """The topics of an installation on a real Kafka, and what is written to them by hand."""

    def __init__(self, connection: KafkaConnection, prefix: str) -> None:
        self.connection = connection
        self.names = TopicNames(prefix)
        topics = {**self.names.produced, CONTROL: self.names.control}
        self._producer = BatchProducer(connection, topics)

    async def create(self, partitions: int = 2) -> None:
        await topic_admin.create(self.connection, specs(self.names, [], partitions=partitions), Deadline(30))

    async def stop(self) -> None:
        await self._producer.stop(Deadline(3))

    async def say(self, *bodies: Body) -> None:
        """Predictions."""
        await self._send(
            *(Record(PREDICTIONS, each["symbol"].encode(), orjson.dumps(each)) for each in bodies)
        )

    async def say_raw(self, value: bytes | None, key: bytes = b"BTCUSDT") -> None:
        await self._send(Record(PREDICTIONS, key, value))

    async def reply(self, *bodies: Body) -> None:
        await self._send(
            *(Record(MODEL_EVENTS, each["correlationId"].encode(), orjson.dumps(each)) for each in bodies)
        )

    async def event(self, value: bytes) -> None:
        await self._send(Record(MODEL_EVENTS, b"k", value))

    async def _send(self, *records: Record) -> None:
        await self._producer.send(records, Deadline(30))


class Worker:
    """Answers the commands of an installation from a script. An async context manager."""

    def __init__(self, installation: Installation, answer: Answer | None = None) -> None:
        self.asked: list[Command] = []
        self._installation = installation
        self._answer = answer or (lambda command: {"data": answered(command)})
        self._tail = Tail(installation.connection, {CONTROL: installation.names.control})
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Worker":
        await self._tail.__aenter__()
        self._working = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *error: Any) -> None:
        assert self._working is not None
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)
        await self._tail.__aexit__(None, None, None)

    async def _work(self) -> None:
        async for batch in self._tail:
            for _, record in batch:
                command = parse(record.value)
                self.asked.append(command)
                changes = self._answer(command)
                if changes is not None:
                    await self._installation.reply(reply(command.command_id, command.command, **changes))


def by_command(answers: Mapping[str, Body]) -> Answer:
    """Answer these commands so, and others as usual."""
    return lambda command: answers.get(command.command) or {"data": answered(command)}
