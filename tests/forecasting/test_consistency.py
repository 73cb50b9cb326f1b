"""All that a prediction says is of one distribution, whoever answers and at any interval."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.features.clock import DAY_MS, HOUR_MS
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.models.registry import fit

MINUTE = 60_000
START = 1_577_836_800_000
INTERVALS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "1d": DAY_MS,
}
BAND = 0.001


@functools.cache
def history(interval: str, seed: int) -> list[Closed]:
    step_ms = INTERVALS[interval]
    opens, bars = market(["A"], step_ms=step_ms, start_ms=START, candles=640, seed=seed)["A"]
    key = SeriesKey("x", "A", interval)
    rows = zip(opens.tolist(), *bars.T.tolist(), strict=True)
    return [Closed(key, step_ms, *row) for row in rows]


@functools.cache
def said(model: str, interval: str, confidence: float, seed: int) -> list[dict[str, Any]]:
    """The messages of 20 candles after a training, as they go to the topic."""
    horizons = {"1m": ("1m", "5m", "30m"), "5m": ("5m", "1h"), "15m": ("15m", "1h", "4h")}
    names = horizons.get(interval, ("1h", "4h", "1d", "7d"))
    config = EngineConfig(horizons=names, model=model, confidence=confidence, neutral_band=BAND)
    engine, rows, bodies = Engine(config), history(interval, seed), []
    for at, row in enumerate(rows):
        engine.admit(0, row, None, live=at >= 620)
        bodies += [one.body for part in engine.advance(0).values() for one in part.predictions]
        if at == 619 and model != "hybrid":
            data = engine.training_set(row.series)
            assert data is not None
            assert engine.install(row.series, fit(model, [data])[0])
    return bodies


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("model", ["har", "lstm"])
def test_every_interval_is_answered_at_all_its_horizons(model: str, interval: str) -> None:
    bodies = said(model, interval, 0.9, 1)
    expected = {"1m": 3, "5m": 2, "15m": 3, "1h": 4, "4h": 3, "1d": 2}[interval]
    assert len(bodies) == 20 * expected
    for body in bodies:
        read = Prediction.model_validate(body)
        assert read.model_info.model_type == model
        assert read.valid_until == read.as_of + INTERVALS[interval]


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["har", "lstm", "hybrid", "naive", "classic"]),
    st.sampled_from(["1h", "4h", "15m"]),
    st.sampled_from([0.5, 0.8, 0.9, 0.98]),
    st.integers(1, 2),
)
@pytest.mark.slow
def test_all_that_is_said_agrees(model: str, interval: str, confidence: float, seed: int) -> None:
    bodies = said(model, interval, confidence, seed)
    assert {body["modelInfo"]["modelType"] for body in bodies} == {model}
    for body in bodies:
        Prediction.model_validate(body)
        the_interval_is_that_of_the_quantiles(body, confidence)
        the_direction_is_of_the_same_distribution(body)
        assert body["targetPct"] > 0


def the_interval_is_that_of_the_quantiles(body: dict[str, Any], confidence: float) -> None:
    quantiles, end = body["quantiles"], body["predictions"][-1]
    lower, upper = (f"{level:g}" for level in ((1 - confidence) / 2, (1 + confidence) / 2))
    assert (end["lowerBound"], end["upperBound"]) == (quantiles[lower], quantiles[upper])
    assert end["predictedPrice"] == quantiles["0.5"]
    assert (np.diff(list(quantiles.values())) > 0).all()
    for point in body["predictions"]:
        assert point["lowerBound"] < point["predictedPrice"] < point["upperBound"]
        assert point["confidence"] == confidence


def the_direction_is_of_the_same_distribution(body: dict[str, Any]) -> None:
    """Where the band lies between two quantiles, its probabilities do."""
    quantiles, close = body["quantiles"], body["lastClose"]
    below, above = close * (1 - BAND), close * (1 + BAND)
    levels = [float(level) for level in quantiles]
    for price, probability in (
        (below, body["direction"]["down"]),
        (above, 1 - body["direction"]["up"]),
    ):
        least = max((level for level in levels if quantiles[f"{level:g}"] <= price), default=0.0)
        most = min((level for level in levels if quantiles[f"{level:g}"] >= price), default=1.0)
        assert least - 1e-3 <= probability <= most + 1e-3


def test_a_longer_horizon_is_never_said_to_be_surer() -> None:
    for model in ("har", "lstm", "hybrid", "naive"):
        by_time: dict[int, list[float]] = {}
        for body in said(model, "1h", 0.9, 1):
            end = body["predictions"][-1]
            by_time.setdefault(body["asOf"], []).append(np.log(end["upperBound"] / end["lowerBound"]))
        assert all((np.diff(widths) >= -1e-12).all() for widths in by_time.values())
