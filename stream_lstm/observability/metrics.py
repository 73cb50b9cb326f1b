"""Every metric, declared once: name, meaning, labels. Base units; no label that grows with the symbols.

Those that do grow are in `series_metrics`, and off unless asked for; those that tell a forecaster whether he
is honest are in `quality_metrics`.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from platform import python_version
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import generate_latest
from threadpoolctl import threadpool_info

from stream_lstm.observability.quality_metrics import QualityMetrics
from stream_lstm.observability.series_metrics import SeriesMetrics

_PREFIX: Final = "stream_lstm"
_FAST: Final = (
    *(0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.03, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_PARTITION: Final = ("topic", "partition")


class ConsumerMetrics:
    """Is it working? Lag, progress, rebalances and restores."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, namespace=_PREFIX, registry=registry)
        counter = partial(Counter, namespace=_PREFIX, registry=registry)
        histogram = partial(Histogram, namespace=_PREFIX, registry=registry)
        info = partial(Info, namespace=_PREFIX, registry=registry)
        self.lag_records = gauge(
            "consumer_lag_records",
            "Records of a partition that are not processed yet.",
            _PARTITION,
        )
        self.lag_seconds = gauge(
            "consumer_lag_seconds",
            "Age of the newest processed record while there are more; 0 at the end of the partition.",
            _PARTITION,
        )
        self.last_progress_timestamp_seconds = gauge(
            "consumer_last_progress_timestamp_seconds",
            "When the position of a partition last moved, Unix time.",
            _PARTITION,
        )
        self.rebalances = counter("consumer_rebalances_total", "Assignments received.")
        self.restore_duration_seconds = histogram(
            "consumer_restore_duration_seconds",
            "From the assignment of a partition to its going live.",
            buckets=_SLOW,
        )
        self.checkpoints = counter(
            "checkpoints_total", "Checkpoints by outcome: saved, failed.", ("outcome",)
        )
        self.checkpoint_bytes = counter("checkpoint_bytes_total", "Bytes written into checkpoints.")
        self.checkpoint_duration_seconds = histogram(
            "checkpoint_duration_seconds",
            "From the copy of a partition's state to its being saved.",
            buckets=_SLOW,
        )
        self.queue_length = gauge(
            "queue_length",
            "What waits in a worker: records, restorations, claims, commands, checkpoints, loose.",
            ("queue",),
        )
        self.checkpoint_age_seconds = gauge(
            "checkpoint_age_seconds",
            "Since when a partition has had something new that no checkpoint holds; 0 when all is saved.",
            _PARTITION,
        )
        self.info = info("consumer", "Who consumes: group, instance, assignor.")

    def forget(self, topic: str, partition: int) -> None:
        """Drop the gauges of a partition that is not ours any more."""
        for gauge in (
            self.lag_records,
            self.lag_seconds,
            self.last_progress_timestamp_seconds,
            self.checkpoint_age_seconds,
        ):
            with suppress(KeyError):  # older clients say so when it was never measured
                gauge.remove(topic, str(partition))


class StreamMetrics:
    """What comes in, what goes out, and how long that takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, namespace=_PREFIX, registry=registry)
        histogram = partial(Histogram, namespace=_PREFIX, registry=registry)
        self.candles = counter(
            "candles_total",
            "Updates by what became of them: open, closed, duplicate, correction, late, bad, skipped.",
            ("format", "outcome"),
        )
        self.dead_letters = counter(
            "dead_letters_total",
            "Records that could not be used, by reason code.",
            ("reason",),
        )
        self.candle_to_prediction_seconds = histogram(
            "candle_to_prediction_seconds",
            "Until a candle's predictions are published, since its record was received and since it closed.",
            ("since",),
            buckets=_FAST,
        )
        self.event_loop_lag_seconds = histogram(
            "event_loop_lag_seconds",
            "How long the event loop takes to answer the watchdog.",
            buckets=_FAST,
        )
        self.turn_cpu_seconds = histogram(
            "turn_cpu_seconds",
            "CPU time for which one turn of the worker's loop held the event loop.",
            buckets=_FAST,
        )
        self.predictions = counter(
            "predictions_total",
            "Predictions published, by horizon and type of model.",
            ("horizon", "model"),
        )
        self.scores = counter(
            "scores_total",
            "Predictions that matured, by horizon.",
            ("horizon",),
        )
        self.commands = counter(
            "commands_total",
            "Commands that this worker has answered: done, refused, rejected (nobody has even tried).",
            ("command", "outcome"),
        )


class ModelMetrics:
    """Are the models fresh? Ages, states and trainings."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, namespace=_PREFIX, registry=registry)
        counter = partial(Counter, namespace=_PREFIX, registry=registry)
        histogram = partial(Histogram, namespace=_PREFIX, registry=registry)
        self.age_seconds = gauge(
            "model_age_seconds",
            "Age of the installed models in stream time: the median and the oldest.",
            ("statistic",),
        )
        self.models = gauge(
            "models",
            "Series by the state of their model: fresh, stale, missing.",
            ("state",),
        )
        self.training_queue_length = gauge("training_queue_length", "Trainings that wait or run.")
        self.training_backlog_seconds = gauge(
            "training_backlog_seconds",
            "How long the queue of trainings will take at the present speed.",
        )
        self.training_duration_seconds = histogram(
            "training_duration_seconds",
            "Wall time of one training.",
            buckets=_SLOW,
        )
        self.trainings = counter(
            "trainings_total",
            "Trainings ended: trained, failed, dropped.",
            ("outcome",),
        )
        self.experiments = gauge("experiments", "Series with an experiment that runs.")
        self.experiments_ended = counter(
            "experiments_ended_total",
            "Experiments that a candle has ended: promoted, rejected, undecided, failed.",
            ("outcome",),
        )


class ForecastMetrics:
    """Are the forecasts honest? Medians over series, of what matured lately."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, namespace=_PREFIX, registry=registry)
        self.skill_ratio = gauge(
            "forecast_skill_ratio",
            "1 - RMSE / RMSE of the random walk.",
            ("horizon",),
        )
        self.coverage_ratio = gauge(
            "forecast_coverage_ratio",
            "Share of actual prices inside the published interval, beside the share asked for.",
            ("horizon", "nominal"),
        )
        self.winkler_ratio = gauge(
            "forecast_winkler_ratio",
            "Winkler score of the interval relative to the naive forecaster's; below 1 is better.",
            ("horizon",),
        )
        self.bias_ratio = gauge(
            "forecast_bias_ratio",
            "Mean error relative to the mean absolute error; 0 is unbiased.",
            ("horizon",),
        )


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics of one process, on a registry of their own; safe to use from any thread.

    >>> metrics = Metrics.create()
    >>> metrics.stream.dead_letters.labels(reason="not-json").inc()
    >>> b'stream_lstm_dead_letters_total{reason="not-json"} 1.0' in metrics.generate()
    True
    """

    registry: CollectorRegistry
    consumer: ConsumerMetrics
    stream: StreamMetrics
    models: ModelMetrics
    forecasts: ForecastMetrics
    quality: QualityMetrics
    series: SeriesMetrics | None
    """None unless per-series metrics are on."""

    @classmethod
    def create(cls, *, per_series: bool = False) -> "Metrics":
        """Fresh metrics, all at zero, with `build_info` and the figures of the process set."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("build", "What runs here.", namespace=_PREFIX, registry=registry).info(build_info())
        return cls(
            registry,
            ConsumerMetrics(registry),
            StreamMetrics(registry),
            ModelMetrics(registry),
            ForecastMetrics(registry),
            QualityMetrics(registry),
            SeriesMetrics(registry) if per_series else None,
        )

    def generate(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def build_info() -> dict[str, str]:
    """Versions on which the bits of a forecast depend: equal among machines that promise equal bits."""
    kernels = {
        f"{library['internal_api']} {library.get('version')} {library.get('architecture', 'unknown')}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
    return {
        "version": version("stream-lstm"),
        "python": python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(sorted(kernels)) or "unknown",
    }
