"""Answers about a live series, from the state of the worker that owns it."""

import math
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import Command
from stream_lstm.contracts.reply import Code
from stream_lstm.contracts.wire import length_ms
from stream_lstm.errors import CommandRefused
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.series import Series
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.training.trainer import Trainer

Data = dict[str, Any]

_DAY_MS: Final = 86_400_000
_LOOKBACK_DAYS: Final = 30
_RECENT: Final = 20
_MOMENTUM: Final = 14
UNTRAINED: Final = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Each method gives the `data` of a reply or raises `CommandRefused`; none changes anything."""

    engine: Engine
    trainer: Trainer
    roles: Roles
    worker_id: str

    def predict(self, command: Command, series: Series) -> Data:
        """The prediction of one horizon as of the newest candle."""
        untrained = command.model_type is not None and command.model_type.lower() == UNTRAINED
        code: Code = "PREDICTION_FAILED" if untrained else "LSTM_PREDICTION_FAILED"
        if command.model_type is not None and not untrained:
            raise CommandRefused(
                "INVALID_REQUEST",
                f"modelType {command.model_type!r} cannot be asked for: leave it out for the series' own "
                f"model, or ask for {UNTRAINED!r}",
            )
        names = [horizon.name for horizon in series.horizons]
        if not names:
            raise CommandRefused(code, f"{series.name} has no horizon: see the setting `horizons`")
        needed = self.engine.config.warm_up
        if series.count < needed:
            raise CommandRefused(
                code,
                f"Insufficient data for LSTM prediction of {series.name}: {series.count} of {needed} candles",
            )
        wanted = length_ms(command.horizon) if command.horizon is not None else length_ms(names[0])
        at = next((at for at, name in enumerate(names) if length_ms(name) == wanted), None)
        if at is None:
            raise CommandRefused(
                "INVALID_REQUEST", f"{series.name} is predicted for {', '.join(names)}, not {command.horizon}"
            )
        said = self.engine.inquiry.predict(
            series, _now_ms(), confidence=command.confidence, untrained=untrained
        )
        return said[at].body

    def regime(self, command: Command, series: Series) -> Data:
        """The market regime now and before, and how often one has followed on another."""
        span_ms = (command.lookback_days or _LOOKBACK_DAYS) * _DAY_MS
        count = max(span_ms // series.step_ms, 2)
        if series.last is None or series.count < _RECENT:
            raise CommandRefused(
                "PREDICTION_FAILED",
                f"Insufficient data for the regime of {series.name}: {series.count} of {_RECENT} candles",
            )
        close_ms, closes, volumes, regimes = self.engine.inquiry.markets(series, count)
        changes = [
            {"timestamp": int(close_ms[at]), "regime": regime}
            for at, regime in enumerate(regimes)
            if at == 0 or regime != regimes[at - 1]
        ]
        now = regimes[-1]
        followed = Counter(after for before, after in pairwise(regimes) if before == now)
        total = followed.total()
        mean = float(volumes.mean())
        said = self.engine.inquiry.predict(series, _now_ms())
        return {
            **_named(series.key),
            "currentRegime": now,
            "confidence": followed[now] / total if total else None,
            "regimeHistory": changes,
            "indicators": {
                "trend": _moved(closes, _RECENT),
                "volatility": said[0].body["features"]["volatility"] if said else None,
                "volume": float(volumes[-_RECENT:].mean()) / mean if mean > 0 else None,
                "momentum": _moved(closes, _MOMENTUM),
            },
            "nextRegimeProb": {regime: times / total for regime, times in sorted(followed.items())},
        }

    def describe(self, series: Series) -> Data:
        """What one asks first."""
        topic, partition = self.roles.place(series)
        return {
            **_named(series.key),
            "workerId": self.worker_id,
            "topic": topic,
            "partition": partition,
            "candles": series.count,
            "needed": self.engine.config.warm_up,
            "lastClose": series.last.close_ms if series.last is not None else None,
            "horizons": [horizon.name for horizon in series.horizons],
            "paused": series.paused,
            "model": _live_model(series),
            "training": self.trainer.state(series.key)._asdict(),
            "lastError": self.trainer.last_errors.get(series.key),
        }

    def model_stats(self, series: Series, stored: Data) -> Data:
        """How the model of a series has done lately; `stored` is what its file says."""
        errors, close = self.engine.inquiry.errors(series), series.last.close if series.last else math.nan
        record = self.engine.record([series])
        mae, rmse, mape, r2 = (_known(part[0, 0]) for part in errors)
        accuracy = _known(record.accuracy[0, 0])
        return stored | {
            "expiresAt": series.expires_ms,
            "accuracy": accuracy,
            "mae": None if mae is None else mae * close,
            "rmse": None if rmse is None else rmse * close,
            "mape": None if mape is None else 100 * mape,
            "r2Score": r2,
            "directionalAccuracy": None,
            "skill": _known(record.skill[0, 0]),
            "coverage": _known(record.coverage[0, 0]),
        }


def _live_model(series: Series) -> Data | None:
    model, expires, last = series.model, series.expires_ms, series.last
    if model is None:
        return None
    trained_at = model.metadata.trained_at
    return {
        "modelId": model.model_id,
        "modelType": model.model_type,
        "trainedAt": trained_at,
        "expiresAt": expires,
        "ageMs": _now_ms() - trained_at,
        "stale": expires is not None and last is not None and last.close_ms >= expires,
    }


def _named(key: SeriesKey) -> Data:
    return key._asdict()


def _moved(closes: np.ndarray[Any, np.dtype[np.float64]], candles: int) -> float | None:
    return float(np.log(closes[-1] / closes[-1 - candles])) if len(closes) > candles else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _now_ms() -> int:
    return int(time.time() * 1000)
