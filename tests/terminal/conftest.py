from collections.abc import Callable
from typing import Any

import orjson
import pytest

from stream_lstm.contracts.event import Event
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import length_ms
from stream_lstm.terminal.board import Board

HOUR = 3_600_000
AS_OF = 1_728_125_999_999

Body = dict[str, Any]
Offer = Callable[..., None]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def prediction(symbol: str = "BTCUSDT", horizon: str = "1h", as_of: int = AS_OF, **changes: Any) -> Body:
    """A message that keeps the contract; `changes` to its fields and to those of `modelInfo`."""
    info = {
        "modelType": "lstm",
        "modelId": "m1",
        "version": "1.0.0",
        "lastTrained": as_of - 7 * HOUR,
        "accuracy": None,
        "confidence": 0.9,
        "skill": None,
        "intervalSkill": None,
        "coverage": None,
        "stale": False,
        "expiresAt": as_of + 17 * HOUR,
        "reason": None,
    }
    body: Body = {"revision": 0, "exchange": "binance", "interval": "1h", "lastClose": 65500.5}
    body |= {name: value for name, value in changes.items() if name not in info}
    info |= {name: value for name, value in changes.items() if name in info}
    last = body["lastClose"]
    path = {"predictedPrice": last, "lowerBound": 0.99 * last, "upperBound": 1.01 * last, "confidence": 0.9}
    body |= {
        "id": f"{body['exchange']}:{symbol}:{body['interval']}:{as_of}:{horizon}",
        "symbol": symbol,
        "horizon": horizon,
        "asOf": as_of,
        "predictions": [{"timestamp": as_of + length_ms(horizon), **path}],
        "direction": {"down": 0.32, "neutral": 0.36, "up": 0.32},
        "targetPct": 0.0062,
        "validUntil": as_of + length_ms(body["interval"]),
        "quantiles": {"0.05": 0.99 * last, "0.95": 1.01 * last},
        "range": None,
        "features": {
            "technicalIndicators": None,
            "onChainMetrics": {},
            "sentimentScore": 0,
            "marketRegime": None,
            "volatilityRegime": None,
            "volatility": None,
            "momentum": None,
        },
        "modelInfo": info,
        "generatedAt": as_of + 5,
    }
    Prediction.model_validate(body)
    return body


def score(horizon: str = "1h", as_of: int = AS_OF, *, symbol: str = "BTCUSDT", inside: bool = True) -> Body:
    """A message that keeps the contract."""
    body = {
        "id": f"binance:{symbol}:1h:{as_of}:{horizon}",
        "revision": 0,
        "exchange": "binance",
        "symbol": symbol,
        "interval": "1h",
        "horizon": horizon,
        "asOf": as_of,
        "target": as_of + length_ms(horizon),
        "predictedPrice": 100.0,
        "lowerBound": 99.0,
        "upperBound": 101.0,
        "confidence": 0.9,
        "actualPrice": 100.5 if inside else 105.0,
        "error": 0.5 if inside else 5.0,
        "inside": inside,
        "winkler": 2.0,
        "modelType": "lstm",
        "modelId": "m1",
    }
    Score.model_validate(body)
    return body


def event(type: str, data: Body, *, id: str = "1", symbol: str | None = "BTCUSDT", **more: Any) -> Body:
    """A message that keeps the contract."""
    body: Body = {"id": id, "type": type, "at": AS_OF, "data": data, **more}
    if symbol is not None:
        body |= {"exchange": "binance", "symbol": symbol, "interval": "1h"}
    Event.model_validate(body)
    return body


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock)


@pytest.fixture
def offer(board: Board) -> Offer:
    """Gives the board messages of a topic."""

    def offer(topic: str, *bodies: Body) -> None:
        for body in bodies:
            board.offer(topic, orjson.dumps(body))

    return offer
