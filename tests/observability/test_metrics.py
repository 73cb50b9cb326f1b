import re

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from stream_lstm.observability.metrics import Metrics, build_info


def families(metrics: Metrics) -> dict[str, str]:
    """Name of every metric family and its help."""
    page = metrics.generate().decode()
    return {family.name: family.documentation for family in text_string_to_metric_families(page)}


def ours(metrics: Metrics) -> dict[str, str]:
    return {name: told for name, told in families(metrics).items() if name.startswith("stream_lstm_")}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"stream_lstm_{name}", labels)


def test_every_metric_has_our_prefix_but_for_those_of_the_process() -> None:
    assert {name.partition("_")[0] for name in families(Metrics.create())} == {"stream", "process"}


def test_every_metric_is_explained() -> None:
    assert all(len(told) > 10 for told in ours(Metrics.create(per_series=True)).values())


def test_names_carry_base_units() -> None:
    wrong = re.compile(r"_(ms|millis\w*|minutes|hours|percent|pct)(_|$)")

    assert not [name for name in ours(Metrics.create(per_series=True)) if wrong.search(name)]


def test_what_monitoring_relies_on_is_there() -> None:
    names = set(ours(Metrics.create()))

    assert {f"stream_lstm_{name}" for name in RELIED_ON} <= names


RELIED_ON = (
    "consumer_lag_records",
    "consumer_lag_seconds",
    "consumer_last_progress_timestamp_seconds",
    "consumer_rebalances",
    "consumer_restore_duration_seconds",
    "consumer_info",
    "candles",
    "dead_letters",
    "candle_to_prediction_seconds",
    "event_loop_lag_seconds",
    "predictions",
    "model_age_seconds",
    "models",
    "training_queue_length",
    "training_backlog_seconds",
    "training_duration_seconds",
    "trainings",
    "forecast_skill_ratio",
    "forecast_coverage_ratio",
    "forecast_winkler_ratio",
    "forecast_bias_ratio",
    "build_info",
)


def test_two_sets_of_metrics_share_nothing() -> None:
    one, other = Metrics.create(), Metrics.create()
    one.consumer.rebalances.inc()

    assert value(one, "consumer_rebalances_total") == 1
    assert value(other, "consumer_rebalances_total") == 0


def test_labels_by_symbol_exist_only_where_asked_for() -> None:
    assert Metrics.create().series is None
    detailed = Metrics.create(per_series=True).series

    assert detailed is not None
    detailed.skill_ratio.labels("binance", "BTCUSDT", "1h", "4h").set(0.01)


def test_a_partition_that_is_given_up_leaves_no_gauge_behind() -> None:
    metrics = Metrics.create()
    for partition in ("0", "1", "10"):
        metrics.consumer.lag_records.labels("candles", partition).set(7)
    metrics.consumer.forget("candles", 1)

    lags = [value(metrics, "consumer_lag_records", topic="candles", partition=str(at)) for at in (0, 1, 10)]
    assert lags == [7, None, 7]


def test_giving_up_a_partition_that_was_never_measured_is_no_error() -> None:
    Metrics.create().consumer.forget("candles", 3)


@pytest.mark.parametrize(("took", "bound"), [(0.0004, "0.0005"), (0.03, "0.05"), (20, "30.0")])
def test_latencies_are_resolved_from_half_a_millisecond_to_a_minute(took: float, bound: str) -> None:
    metrics = Metrics.create()
    metrics.stream.candle_to_prediction_seconds.labels("received").observe(took)

    assert value(metrics, "candle_to_prediction_seconds_bucket", since="received", le=bound) == 1


def test_build_info_names_what_the_bits_of_a_forecast_depend_on() -> None:
    info = build_info()

    assert value(Metrics.create(), "build_info", **info) == 1
    assert set(info) == {"version", "python", "numpy", "blas"}
    assert all(info.values())


def test_the_structure_cannot_be_changed() -> None:
    metrics = Metrics.create()

    with pytest.raises(AttributeError):
        metrics.registry = CollectorRegistry()  # type: ignore[misc]
