"""What a worker does moves its metrics."""

import time
from collections import Counter
from typing import Any

import pytest

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.errors import BadCandle
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs, TrainingRequest
from stream_lstm.observability.metrics import Metrics
from stream_lstm.streaming.partition import Cause, Taken
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.training.trainer import Trained

HOUR = 3_600_000
KEY = SeriesKey("binance", "BTC", "1h")


class Queue:
    """What is read of a trainer."""

    queued, backlog_seconds = 3, 1.5


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.create(per_series=True)


@pytest.fixture
def telemetry(metrics: Metrics) -> Telemetry:
    return Telemetry(metrics, 0.9)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"stream_lstm_{name}", labels)


def an_engine(candles: int) -> tuple[Engine, list[Outputs]]:
    engine, said = Engine(EngineConfig(model="hybrid")), []
    open_ms, bars = market(["BTC"], step_ms=HOUR, start_ms=0, candles=candles, seed=1)["BTC"]
    for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
        cause = Cause(time.monotonic() - 0.004, ())
        engine.admit("p", Closed(KEY, HOUR, at, *row), cause, live=True)
        said += engine.advance(0).values()
    return engine, said


def test_candles_count_by_what_became_of_them(metrics: Metrics, telemetry: Telemetry) -> None:
    outcomes = {("okx", "new"): 3, ("okx", "pending"): 2, ("okx", "duplicate"): 1}
    telemetry.taken(Taken(outcomes=Counter(outcomes)))
    assert value(metrics, "candles_total", format="okx", outcome="closed") == 3
    assert value(metrics, "candles_total", format="okx", outcome="open") == 2
    assert value(metrics, "candles_total", format="okx", outcome="duplicate") == 1


def test_dead_letters_count_by_reason_and_begin_at_zero(metrics: Metrics, telemetry: Telemetry) -> None:
    assert value(metrics, "dead_letters_total", reason="not_json") == 0
    record: Any = None
    telemetry.taken(Taken(dead=[(record, BadCandle("not_json", "no"))] * 2))
    assert value(metrics, "dead_letters_total", reason="not_json") == 2


def test_a_candle_has_one_latency_for_all_its_horizons(metrics: Metrics, telemetry: Telemetry) -> None:
    _, said = an_engine(102)
    telemetry.published(said)
    assert value(metrics, "candle_to_prediction_seconds_count", since="record") == 3
    assert value(metrics, "candle_to_prediction_seconds_count", since="close") == 3
    assert (value(metrics, "candle_to_prediction_seconds_sum", since="record") or 0) >= 0.012
    for horizon in ("1h", "4h", "1d", "7d"):
        assert value(metrics, "predictions_total", horizon=horizon, model="hybrid") == 3
    assert value(metrics, "scores_total", horizon="1h") == 2


def test_gauges_of_models_and_forecasts(metrics: Metrics, telemetry: Telemetry) -> None:
    engine, _ = an_engine(150)
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    assert value(metrics, "models", state="missing") == 1
    assert value(metrics, "training_queue_length") == 3
    assert value(metrics, "training_backlog_seconds") == 1.5
    coverage = value(metrics, "forecast_coverage_ratio", horizon="1h", nominal="0.9")
    assert coverage is not None
    assert 0 < coverage <= 1
    assert coverage == value(
        metrics,
        "series_forecast_coverage_ratio",
        exchange="binance",
        symbol="BTC",
        interval="1h",
        horizon="1h",
    )
    assert value(metrics, "forecast_skill_ratio", horizon="1h") is not None
    assert value(metrics, "forecast_bias_ratio", horizon="1h") is not None


def test_a_worker_without_series_knows_of_no_quality(metrics: Metrics, telemetry: Telemetry) -> None:
    engine, _ = an_engine(150)
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    engine.drop("p")
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    assert value(metrics, "models", state="missing") == 0
    assert value(metrics, "forecast_coverage_ratio", horizon="1h", nominal="0.9") is None
    assert b"series_forecast_coverage_ratio{" not in metrics.generate()


def test_series_of_different_intervals_share_the_medians_of_their_horizons(
    metrics: Metrics, telemetry: Telemetry
) -> None:
    engine, _ = an_engine(150)
    before = engine.record(engine.all_series()).coverage[0]
    day = SeriesKey("binance", "BTC", "1d")
    for at in range(150):
        engine.admit("p", Closed(day, 24 * HOUR, at * 24 * HOUR, 1.0, 1.1, 0.9, 1.0, 1.0), None, live=True)
        engine.advance(0)
    daily = engine.record(engine.all_series()).coverage[1]
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    assert value(metrics, "forecast_coverage_ratio", horizon="4h", nominal="0.9") == before[1]
    # A day is the third horizon of an hourly series, and the first of a daily one.
    assert value(metrics, "forecast_coverage_ratio", horizon="1d", nominal="0.9") == pytest.approx(
        (before[2] + daily[0]) / 2
    )


def test_positions_of_a_partition_until_it_is_forgotten(metrics: Metrics, telemetry: Telemetry) -> None:
    place, labels = ("candles", 3), {"topic": "candles", "partition": "3"}
    telemetry.position(place, 5, 10, int(time.time() * 1000) - 60_000)
    assert value(metrics, "consumer_lag_records", **labels) == 5
    assert (value(metrics, "consumer_lag_seconds", **labels) or 0) >= 60
    moved = value(metrics, "consumer_last_progress_timestamp_seconds", **labels)
    telemetry.position(place, 0, 10, 0)
    assert value(metrics, "consumer_lag_seconds", **labels) == 0
    assert value(metrics, "consumer_last_progress_timestamp_seconds", **labels) == moved
    telemetry.forget(place)
    assert value(metrics, "consumer_lag_records", **labels) is None


def test_every_queue_has_a_length(metrics: Metrics, telemetry: Telemetry) -> None:
    telemetry.queues({"records": 3, "claims": 1})
    telemetry.queues({"records": 0, "claims": 2})
    assert value(metrics, "queue_length", queue="records") == 0
    assert value(metrics, "queue_length", queue="claims") == 2


def test_trainings_turns_and_restorations(metrics: Metrics, telemetry: Telemetry) -> None:
    trained = Trained(TrainingRequest(KEY, "p", "expired", 0), None, None, 250, None)
    telemetry.trained(trained, "trained")
    telemetry.trained(trained, "failed")
    telemetry.turned(0.004)
    telemetry.restored(2.0)
    assert value(metrics, "trainings_total", outcome="failed") == 1
    assert value(metrics, "training_duration_seconds_sum") == 0.25
    assert value(metrics, "turn_cpu_seconds_count") == 1
    assert value(metrics, "consumer_restore_duration_seconds_count") == 1


def of_series(**labels: str) -> dict[str, str]:
    return {"exchange": "binance", "symbol": "BTC", "interval": "1h", **labels}


def test_one_series_has_its_candle_its_fan_and_what_became_of_the_last_forecast(
    metrics: Metrics, telemetry: Telemetry
) -> None:
    engine, said = an_engine(150)
    telemetry.published(said)
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    (series,) = engine.all_series()
    assert series.last is not None
    assert value(metrics, "series_candle_price", **of_series(price="close")) == series.last.close
    assert value(metrics, "series_candle_price", **of_series(price="high")) == series.last.high
    fan = [
        value(metrics, "series_forecast_price", **of_series(horizon="4h", quantile=quantile))
        for quantile in ("0.05", "0.25", "0.5", "0.75", "0.95")
    ]
    assert fan == sorted(price or 0 for price in fan)
    newest = said[-1].predictions[1].body
    assert newest["horizon"] == "4h"
    assert fan[2] == newest["quantiles"]["0.5"]
    score = next(score for score in said[-1].scores if score.horizon == "1h").body
    error = value(metrics, "series_forecast_error_ratio", **of_series(horizon="1h"))
    assert error == pytest.approx(score["actualPrice"] / score["predictedPrice"] - 1)
    lower, upper = (
        value(metrics, "series_forecast_bound_ratio", **of_series(horizon="1h", bound=bound)) or 0
        for bound in ("lower", "upper")
    )
    assert lower < 0 < upper
    assert (lower <= (error or 0) <= upper) is score["inside"]


def test_a_series_that_is_gone_has_no_metrics_any_more(metrics: Metrics, telemetry: Telemetry) -> None:
    engine, said = an_engine(150)
    telemetry.published(said)
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    assert b"stream_lstm_series_forecast_price{" in metrics.generate()
    engine.drop("p")
    telemetry.models(engine, Queue())  # type: ignore[arg-type]
    assert b'symbol="BTC"' not in metrics.generate()


def test_a_partition_has_an_age_of_what_is_not_saved_until_it_is_forgotten(
    metrics: Metrics, telemetry: Telemetry
) -> None:
    place, labels = ("candles", 3), {"topic": "candles", "partition": "3"}
    telemetry.unsaved(place, 12.5)
    assert value(metrics, "checkpoint_age_seconds", **labels) == 12.5
    telemetry.forget(place)
    assert value(metrics, "checkpoint_age_seconds", **labels) is None


def test_commands_count_by_name_and_outcome(metrics: Metrics, telemetry: Telemetry) -> None:
    telemetry.commanded("describe", "done")
    telemetry.commanded("unreadable", "rejected")
    assert value(metrics, "commands_total", command="describe", outcome="done") == 1
    assert value(metrics, "commands_total", command="unreadable", outcome="rejected") == 1
