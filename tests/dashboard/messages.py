"""Messages that keep the contract, for a store that nobody feeds through Kafka."""

import math
from typing import Any

import orjson

from stream_lstm.candles.encode import canonical
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import length_ms
from stream_lstm.dashboard.store import Store

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
SERIES = SeriesKey("binance", "BTCUSDT", "1h")
HALF = {0.5: 0.007, 0.8: 0.014, 0.9: 0.018, 0.98: 0.03}
"""Half-widths of the quantiles' intervals at four candles, in log price."""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def close_ms(hour: int) -> int:
    """Close time of a candle by its number."""
    return START + (hour + 1) * HOUR - 1


def give_candle(store: Store, hour: int, close: float = 100.0, series: SeriesKey = SERIES) -> None:
    """A closed candle in the input topic."""
    candle = Closed(series, HOUR, START + hour * HOUR, close, close + 1, close - 1, close, 1.0)
    store.offer_candle(("candles", 0), canonical(candle), candle.close_ms)


def prediction(hour: int, close: float = 100.0, horizon: str = "4h", **changes: Any) -> dict[str, Any]:
    """A prediction at the close of a candle; `changes` to its fields and to those of `modelInfo`."""
    as_of, steps = close_ms(hour), length_ms(horizon) // HOUR
    published = 0.02
    path = [
        {
            "timestamp": as_of + step * HOUR,
            "predictedPrice": close,
            "lowerBound": close * math.exp(-published * math.sqrt(step / steps)),
            "upperBound": close * math.exp(published * math.sqrt(step / steps)),
            "confidence": 0.9,
        }
        for step in range(1, steps + 1)
    ]
    quantiles = {"0.5": close}
    for coverage, half in HALF.items():
        quantiles[f"{0.5 - coverage / 2:.4g}"] = close * math.exp(-half)
        quantiles[f"{0.5 + coverage / 2:.4g}"] = close * math.exp(half)
    info: dict[str, Any] = {
        "modelType": "lstm", "modelId": "m1", "version": "1", "lastTrained": as_of - 7 * HOUR,
        "accuracy": None,
        "confidence": 0.9, "skill": None, "intervalSkill": 0.05, "coverage": None, "stale": False,
        "expiresAt": as_of + 17 * HOUR, "reason": None,
    }  # fmt: skip
    series = changes.pop("series", SERIES)
    body: dict[str, Any] = {
        "id": f"{series}:{as_of}:{horizon}", "revision": 0, **series._asdict(),
        "horizon": horizon, "asOf": as_of,
        "lastClose": close, "predictions": path, "direction": {"down": 0.3, "neutral": 0.4, "up": 0.3},
        "targetPct": 0.01, "validUntil": as_of + HOUR, "quantiles": quantiles, "range": None,
        "features": {
            "technicalIndicators": None, "onChainMetrics": {}, "sentimentScore": 0, "marketRegime": None,
            "volatilityRegime": None, "volatility": None, "momentum": None,
        },
        "modelInfo": info | {name: value for name, value in changes.items() if name in info},
        "generatedAt": as_of,
    }  # fmt: skip
    body |= {name: value for name, value in changes.items() if name not in info}
    Prediction.model_validate(body)
    return body


def give_prediction(
    store: Store, hour: int, close: float = 100.0, horizon: str = "4h", **changes: Any
) -> None:
    """A prediction in its topic."""
    store.offer("predictions", orjson.dumps(prediction(hour, close, horizon, **changes)))


def give_score(store: Store, hour: int, actual: float, horizon: str = "1h", *, said: float = 100.0) -> None:
    """What came of the prediction at the close of a candle."""
    as_of = close_ms(hour)
    body = {
        "id": f"{SERIES}:{as_of}:{horizon}", "revision": 0, **SERIES._asdict(),
        "horizon": horizon, "asOf": as_of,
        "target": as_of + length_ms(horizon), "predictedPrice": said, "lowerBound": said - 2,
        "upperBound": said + 2, "confidence": 0.9, "actualPrice": actual, "error": actual - said,
        "inside": abs(actual - said) <= 2, "winkler": 4.0, "modelType": "lstm", "modelId": "m1",
    }  # fmt: skip
    Score.model_validate(body)
    store.offer("scores", orjson.dumps(body))


def give_event(store: Store, kind: str, at: int, worker: str | None = None, **data: Any) -> None:
    """An event about the series, or about a worker or a partition."""
    about = {} if kind.startswith(("worker.", "partition.")) else SERIES._asdict()
    event = Event.model_validate(
        {"id": f"{kind}:{at}:{worker}", "type": kind, "at": at, "workerId": worker, "data": data, **about}
    )
    store.offer("model-events", event.to_json())
