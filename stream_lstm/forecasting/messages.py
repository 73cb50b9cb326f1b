"""The bodies of predictions and scores, in the order of their contracts, as plain dicts."""

import math
import zlib
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.distribution import LEVELS
from stream_lstm.forecasting.outputs import Body, Prediction
from stream_lstm.forecasting.paths import PathPlan
from stream_lstm.forecasting.regimes import Regime

Floats = NDArray[np.float64]

_TECHNICAL = ("rsi", "macd", "ema20", "ema50", "bbUpper", "bbLower")
_LEVEL_NAMES = tuple(str(level) for level in LEVELS)


class Answerer(NamedTuple):
    """Who answered: a model, or the forecaster that needs none."""

    type: str
    id: str | None
    version: str | None
    trained_at: int | None = None
    """Stream time of its last candle."""


DEMOTED: Final = Answerer("naive", None, None)
"""Who answers in the place of a model that has done worse."""
_UNTRAINED: Final = "no trained model yet"
_WORSE: Final = "the model has done worse than the naive forecast"


class Answers(NamedTuple):
    """What was forecast for S series that share a plan: K horizons, U path points, NaN where not known."""

    plan: PathPlan
    heads: NDArray[np.intp]
    """(S,) leading horizons with a head of their own."""
    path: Floats
    """(S, 3, U) predicted price, lower and upper bound."""
    quantiles: Floats
    """(S, K, 9)"""
    direction: Floats
    """(S, K, 3)"""
    deviation: Floats
    """(S, K)"""
    record: Floats
    """(S, K, 5) coverage, accuracy, skill, bias and Winkler ratio."""
    market: Floats
    """(S, 8) volatility, momentum; RSI, MACD, EMA 20 and 50, upper and lower Bollinger band."""
    ranges: Floats
    """(S, K, 2) expected, and the quantile 0.9."""


class Answer:
    """One series' answer: what its messages need, kept until they are written."""

    __slots__ = (
        "_answers",
        "_at",
        "_common",
        "_config",
        "_expires_ms",
        "_item",
        "_now_ms",
        "_regime",
        "_untrained",
        "who",
    )

    def __init__(
        self,
        item: Item,
        who: Answerer,
        answers: Answers,
        at: int,
        regime: Regime,
        config: EngineConfig,
        now_ms: int,
    ) -> None:
        self.who = who
        self._item = item
        self._answers = answers
        self._at = at
        self._regime = regime
        self._config = config
        self._now_ms = now_ms
        # As of now: the series goes on while the message waits.
        self._expires_ms = item.series.expires_ms
        self._untrained = who.id is None and item.series.model_type != who.type
        self._common: tuple[Body, Body] | None = None

    def predictions(self) -> list[Prediction]:
        """One prediction per horizon of the series, shortest first."""
        item, who = self._item, self.who
        series, as_of, state = item.series.key, item.candle.close_ms, state_of(item, who)
        return [
            Prediction(series, horizon.name, as_of, who.type, state, item.cause, partial(self.body, k))
            for k, horizon in enumerate(item.series.horizons)
        ]

    def body(self, k: int) -> Body:
        """The message of the k-th horizon."""
        item, answers, at = self._item, self._answers, self._at
        series, candle = item.series, item.candle
        as_of, horizon = candle.close_ms, series.horizons[k].name
        exchange, symbol, interval = series.key
        down, neutral, up = answers.direction[at, k].tolist()
        features, model_info = self._shared()
        return {
            "id": prediction_id(series.name, as_of, horizon),
            "revision": item.revision,
            "exchange": exchange,
            "symbol": symbol,
            "interval": interval,
            "horizon": horizon,
            "asOf": as_of,
            "lastClose": candle.close,
            "predictions": self._points(k),
            "direction": {"down": down, "neutral": neutral, "up": up},
            "targetPct": answers.deviation.item(at, k),
            "validUntil": as_of + series.step_ms,
            "quantiles": dict(zip(_LEVEL_NAMES, answers.quantiles[at, k].tolist(), strict=True)),
            "range": self._range(k),
            "features": features,
            "modelInfo": model_info | self._record_of(k),
            "generatedAt": self._now_ms,
        }

    def _range(self, k: int) -> Body | None:
        expected, q90 = self._answers.ranges[self._at, k].tolist()
        return None if math.isnan(expected) else {"expectedPct": expected, "q90Pct": q90}

    def _points(self, k: int) -> list[Body]:
        plan, item, confidence = self._answers.plan, self._item, self._config.confidence
        as_of, step_ms = item.candle.close_ms, item.series.step_ms
        prices = self._answers.path[self._at].take(plan.members[k], axis=1).tolist()
        return [
            {
                "timestamp": as_of + step * step_ms,
                "predictedPrice": price,
                "lowerBound": lower,
                "upperBound": upper,
                "confidence": confidence,
            }
            for step, price, lower, upper in zip(plan.counts[k], *prices, strict=True)
        ]

    def _shared(self) -> tuple[Body, Body]:
        """What is the same for every horizon: features, and the model's description without its record."""
        if self._common is None:
            self._common = (self._features(), self._model_info())
        return self._common

    def _features(self) -> Body:
        volatility, momentum, *technical = self._answers.market[self._at].tolist()
        return {
            "technicalIndicators": dict(zip(_TECHNICAL, map(known, technical), strict=True)),
            "onChainMetrics": {},
            "sentimentScore": 0,
            "marketRegime": self._regime.market,
            "volatilityRegime": self._regime.volatility,
            "volatility": volatility,
            "momentum": momentum,
        }

    def _model_info(self) -> Body:
        who, expires = self.who, self._expires_ms
        return {
            "modelType": who.type,
            "modelId": who.id,
            "version": who.version,
            "lastTrained": who.trained_at,
            "accuracy": None,
            "confidence": self._config.confidence,
            "skill": None,
            "intervalSkill": None,
            "coverage": None,
            "stale": expires is not None and self._item.candle.close_ms >= expires,
            "expiresAt": expires,
            "reason": _WORSE if who == DEMOTED else _UNTRAINED if self._untrained else None,
        }

    def _record_of(self, k: int) -> Body:
        coverage, accuracy, skill, _, winkler = self._answers.record[self._at, k].tolist()
        record: Body = {
            "accuracy": known(accuracy),
            "skill": known(skill),
            "intervalSkill": known(1.0 - winkler),
            "coverage": known(coverage),
        }
        if k >= self._answers.heads[self._at] and self.who.id is not None:
            record["reason"] = "extrapolated"
        return record


def known(value: float) -> float | None:
    """Null on the wire where there is no number yet."""
    return None if math.isnan(value) else value


def prediction_id(name: str, as_of: int, horizon: str) -> str:
    """`exchange:symbol:interval:asOf:horizon`, the same for every repeat."""
    return f"{name}:{as_of}:{horizon}"


def state_of(item: Item, answerer: Answerer) -> int:
    """CRC-32 over what the state rests on."""
    series = item.series
    return zlib.crc32(f"{item.candle.open_ms}:{item.candles}:{answerer.id}:{series.scores}".encode())


class Outcome(NamedTuple):
    """The numbers of one matured prediction."""

    predicted: float
    lower: float
    upper: float
    actual: float
    inside: bool
    winkler: float
    rank: int
    regime: float
    answerer: Answerer


def score_body(item: Item, horizon_at: int, outcome: Outcome, config: EngineConfig) -> Body:
    """What was said at revision 0, and what came."""
    series = item.series
    horizon = series.horizons[horizon_at]
    target = item.candle.close_ms
    as_of = target - horizon.steps * series.step_ms
    return {
        "id": prediction_id(series.name, as_of, horizon.name),
        "revision": 0,
        "exchange": series.key.exchange,
        "symbol": series.key.symbol,
        "interval": series.key.interval,
        "horizon": horizon.name,
        "asOf": as_of,
        "target": target,
        "predictedPrice": outcome.predicted,
        "lowerBound": outcome.lower,
        "upperBound": outcome.upper,
        "confidence": config.confidence,
        "actualPrice": outcome.actual,
        "error": outcome.actual - outcome.predicted,
        "inside": outcome.inside,
        "winkler": outcome.winkler,
        "modelType": outcome.answerer.type,
        "modelId": outcome.answerer.id,
    }
