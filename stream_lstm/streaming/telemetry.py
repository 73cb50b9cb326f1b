"""From what a worker does to its metrics. Counters move with every turn, gauges every few seconds."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles import reasons
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.horizons import Horizon
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.track_record import Record
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.observability.metrics import Metrics
from stream_lstm.streaming.partition import Cause, Taken
from stream_lstm.streaming.series_telemetry import SeriesTelemetry, age_seconds
from stream_lstm.training.trainer import Trained, Trainer

_REASONS: Final = reasons.known()
_OUTCOMES: Final = {"new": "closed", "pending": "open"}
"""Names of outcomes on the wire of the metrics, where they differ from ours."""


class Telemetry:
    """Writes the metrics of one worker. Every method returns at once."""

    def __init__(self, metrics: Metrics, confidence: float) -> None:
        self.metrics = metrics
        self._nominal = f"{confidence:g}"
        for reason in _REASONS:  # from zero on, so that the first one counts as a rise
            metrics.stream.dead_letters.labels(reason)
        for outcome in ("trained", "failed", "dropped"):
            metrics.models.trainings.labels(outcome)
        for outcome in ("saved", "failed"):
            metrics.consumer.checkpoints.labels(outcome)
        self._positions: dict[TopicPartition, int] = {}
        self._each = SeriesTelemetry(metrics.series) if metrics.series is not None else None

    def taken(self, taken: Taken) -> None:
        """What one turn met in one partition."""
        stream = self.metrics.stream
        for (format, outcome), count in taken.outcomes.items():
            stream.candles.labels(format, _OUTCOMES.get(outcome, outcome)).inc(count)
        for _, mistake in taken.dead:
            stream.dead_letters.labels(mistake.reason).inc()

    def published(self, said: Iterable[Outputs]) -> None:
        """What was said and is acknowledged now; a candle's latency counts once, for all its horizons."""
        stream, now, wall_ms = self.metrics.stream, time.monotonic(), time.time() * 1000
        since_record = stream.candle_to_prediction_seconds.labels("record")
        since_close = stream.candle_to_prediction_seconds.labels("close")
        predictions: dict[tuple[str, str], int] = defaultdict(int)
        scores: dict[str, int] = defaultdict(int)
        for outputs in said:
            if self._each is not None:
                self._each.published(outputs)
            candle = None
            for prediction in outputs.predictions:
                predictions[prediction.horizon, prediction.model_type] += 1
                at = (prediction.series, prediction.as_of)
                if at != candle and isinstance(prediction.cause, Cause):
                    since_record.observe(now - prediction.cause.received)
                    since_close.observe(max(wall_ms - prediction.as_of, 0) / 1000)
                candle = at
            for score in outputs.scores:
                scores[score.horizon] += 1
        for labels, count in predictions.items():
            stream.predictions.labels(*labels).inc(count)
        for horizon, count in scores.items():
            stream.scores.labels(horizon).inc(count)

    def turned(self, cpu_seconds: float) -> None:
        """A turn of the loop that had something to do."""
        self.metrics.stream.turn_cpu_seconds.observe(cpu_seconds)

    def restored(self, seconds: float) -> None:
        """A partition has gone live."""
        self.metrics.consumer.restore_duration_seconds.observe(seconds)

    def checkpointed(self, size: int | None, seconds: float) -> None:
        """A checkpoint of so many bytes is written; None if it could not be."""
        consumer = self.metrics.consumer
        consumer.checkpoints.labels("failed" if size is None else "saved").inc()
        if size is not None:
            consumer.checkpoint_bytes.inc(size)
            consumer.checkpoint_duration_seconds.observe(seconds)

    def unsaved(self, place: TopicPartition, seconds: float) -> None:
        """For how long a partition has had something that no checkpoint holds."""
        self.metrics.consumer.checkpoint_age_seconds.labels(place[0], str(place[1])).set(seconds)

    def commanded(self, name: str, outcome: str) -> None:
        """A command is answered: done, refused or rejected."""
        self.metrics.stream.commands.labels(name, outcome).inc()

    def trained(self, trained: Trained, outcome: str) -> None:
        """A training has ended: trained, failed or dropped."""
        self.metrics.models.trainings.labels(outcome).inc()
        if outcome == "trained":
            self.metrics.models.training_duration_seconds.observe(trained.milliseconds / 1000)

    def position(self, place: TopicPartition, lag: int, position: int, newest_ms: int) -> None:
        """Where a partition is: records to go, next offset, timestamp of the newest record that was fed."""
        consumer, now = self.metrics.consumer, time.time()
        labels = (place[0], str(place[1]))
        consumer.lag_records.labels(*labels).set(lag)
        consumer.lag_seconds.labels(*labels).set(max(now - newest_ms / 1000, 0) if lag else 0)
        if self._positions.get(place) != position:
            self._positions[place] = position
            consumer.last_progress_timestamp_seconds.labels(*labels).set(now)

    def queues(self, lengths: Mapping[str, int]) -> None:
        """How much waits in each of the worker's queues, by its name."""
        for name, length in lengths.items():
            self.metrics.consumer.queue_length.labels(name).set(length)

    def forget(self, place: TopicPartition) -> None:
        """A partition that is not ours any more."""
        self._positions.pop(place, None)
        self.metrics.consumer.forget(*place)

    def models(self, engine: Engine, trainer: Trainer) -> None:
        """Ages and states of the models, the queue of trainings, and the quality of the forecasts."""
        models, all_series = self.metrics.models, engine.all_series()
        models.training_queue_length.set(trainer.queued)
        models.training_backlog_seconds.set(trainer.backlog_seconds)
        states = Counter(map(_state, all_series))
        for state in ("fresh", "stale", "missing"):
            models.models.labels(state).set(states[state])
        ages = [age for series in all_series if (age := age_seconds(series)) is not None]
        models.age_seconds.clear()  # a worker that has lost its series knows of no age
        if ages:
            models.age_seconds.labels("median").set(float(np.median(ages)))
            models.age_seconds.labels("oldest").set(max(ages))
        self._quality(engine, all_series)

    def _quality(self, engine: Engine, all_series: list[Series]) -> None:
        """Of all series that are here now, and of no other any more."""
        forecasts = self.metrics.forecasts
        for quality in (
            forecasts.coverage_ratio,
            forecasts.skill_ratio,
            forecasts.bias_ratio,
            forecasts.winkler_ratio,
        ):
            quality.clear()
        record = engine.record(all_series) if all_series else None
        if record is not None:
            self._medians(record, all_series)
        if self._each is not None:
            self._each.look(record, all_series)

    def _medians(self, record: Record, all_series: list[Series]) -> None:
        """Medians over the series, by horizon."""
        members: dict[str, list[NDArray[np.intp]]] = defaultdict(list)
        for at, horizons in _alike(all_series):
            for k, horizon in enumerate(horizons):
                members[horizon.name].append(np.stack([at, np.full_like(at, k)]))
        forecasts = self.metrics.forecasts
        for name, parts in members.items():
            at, k = np.concatenate(parts, axis=1)
            for gauge, labels, values in (
                (forecasts.coverage_ratio, (name, self._nominal), record.coverage),
                (forecasts.skill_ratio, (name,), record.skill),
                (forecasts.bias_ratio, (name,), record.bias),
                (forecasts.winkler_ratio, (name,), record.winkler),
            ):
                known = values[at, k][~np.isnan(values[at, k])]
                if len(known):
                    gauge.labels(*labels).set(float(np.median(known)))


def _alike(all_series: list[Series]) -> list[tuple[NDArray[np.intp], tuple[Horizon, ...]]]:
    """Places of the series that have the same horizons: those of the same interval."""
    by_step: dict[int, list[int]] = defaultdict(list)
    for at, series in enumerate(all_series):
        by_step[series.step_ms].append(at)
    return [(np.array(at, np.intp), all_series[at[0]].horizons) for at in by_step.values()]


def _state(series: Series) -> str:
    if series.model is None:
        return "missing"
    if series.last is None or series.expires_ms is None:
        return "fresh"
    return "stale" if series.last.close_ms >= series.expires_ms else "fresh"
