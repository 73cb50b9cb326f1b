"""Events: one envelope, and what each type says in `data`. Facts (`appliedAt`) are events too."""

from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from stream_lstm.contracts.experiment import (
    ExperimentResult,
    ExperimentStarted,
    ExperimentsTold,
    ExperimentStopped,
)
from stream_lstm.contracts.wire import EpochMs, Length, Message, Name


class AppliedAt(Message):
    """From where on a fact holds: before the record at `offset`, or after some of its closed candles."""

    topic: Name
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)
    candles: int = Field(0, ge=0, description="Closed candles of that record that come before the fact.")


class ModelTrained(Message):
    """`model.trained`: a model is in the store and answers from `appliedAt` on."""

    model_id: Name
    path: Name = Field(description="Where it is in the store.")
    model_type: str | None = None
    trained_at: EpochMs | None = Field(None, description="Close time of the last candle it was trained on.")
    expires_at: EpochMs | None = None
    data_points: int | None = Field(None, ge=0, description="Candles it was trained on.")
    training_duration: int | None = Field(None, ge=0, description="Milliseconds.")
    role: Literal["champion", "challenger"] | None = Field(
        default=None, description="A challenger answers nobody: it is tried in an experiment."
    )


class TrainingFailed(Message):
    """`model.training_failed`: the old model, or none, goes on answering."""

    error: Name
    retry_in_seconds: float | None = Field(None, ge=0)


class ModelExpired(Message):
    """`model.expired`: it goes on answering, marked stale, until its successor is installed."""

    expires_at: EpochMs


class ModelQuarantined(Message):
    """`model.quarantined`: its bytes are not what was saved, so that it was not loaded."""

    path: Name = Field(description="Where it is kept now.")
    reason: Name


class ModelDeleted(Message):
    """`model.deleted`: a series goes on without a model until its next one is trained."""

    model_id: str | None = Field(None, description="The one that answered; null if none did.")
    command_id: str | None = None


class ModelsCleanedUp(Message):
    """`models.cleaned_up`: old models are gone, of whatever series."""

    deleted_count: int = Field(ge=0)
    max_age_days: float = Field(gt=0)
    command_id: str | None = None


class ModelDemoted(Message):
    """`model.demoted`: worse than the naive forecast for too long, which answers in its place from now on."""

    model_id: Name
    horizon: Name = Field(description="The one whose intervals were worse.")
    winkler_ratio: float = Field(gt=0, description="Interval score over that of the naive one, lately.")
    outcomes: float = Field(ge=0, description="Matured predictions that this rests on, after forgetting.")


class ModelRestored(Message):
    """`model.restored`: the successor of a demoted model is no worse than the naive forecast, and answers."""

    model_id: Name
    horizon: Name = Field(description="The shortest one.")
    winkler_ratio: float = Field(gt=0, description="Interval score over that of the naive one, since then.")
    outcomes: float = Field(ge=0, description="Matured predictions that this rests on, after forgetting.")


class DriftDetected(Message):
    """`drift.detected`: a model's errors are not any more, by its own scale, what they were."""

    detector: Name = Field(examples=["page_hinkley", "adwin"])
    horizon: Name
    direction: Literal["wider", "narrower"] = Field(description="Of the errors, against what was forecast.")
    statistic: float
    threshold: float = Field(description="What the statistic has passed.")
    since: EpochMs = Field(description="When it began, by the detector's own estimate.")
    retrain: bool = Field(description="Whether it has made a training due (drift.retrain_on_drift).")


class RetrainRequested(Message):
    """`model.retrain_requested`: the series is trained as if its model had expired."""

    command_id: str | None = None


class SeriesPaused(Message):
    """`series.paused`: from now on it says nothing and is not trained; it goes on learning."""

    command_id: str | None = None


class SeriesResumed(Message):
    """`series.resumed`: it speaks again."""

    command_id: str | None = None


class SeriesSplit(Message):
    """`series.split`: a partition has candles of a series that belongs to another; they are not used."""

    topic: Name
    partition: int = Field(ge=0, description="The one whose candles are not used.")
    owner_topic: Name
    owner_partition: int = Field(ge=0)


class SeriesWarmingUp(Message):
    """`series.warming_up`: too few closed candles to say anything."""

    candles: int = Field(ge=0, description="Closed candles there are.")
    needed: int = Field(ge=1)


class SeriesGap(Message):
    """`series.gap`: candles are missing; unless they were filled the series begins anew."""

    missing: int | None = Field(ge=0, description="Candles; null where they cannot be counted.")
    filled: bool = False
    from_: EpochMs | None = Field(None, alias="from", description="First millisecond that is missing.")
    to: EpochMs | None = Field(None, description="Last millisecond that is missing.")
    reason: str | None = None


class SeriesStale(Message):
    """`series.stale`: no candle for a while by the wall clock; changes no state."""

    last_close: EpochMs = Field(description="Close time of the last candle.")
    intervals: int = Field(ge=1, description="Intervals since then.")


class PartitionRestored(Message):
    """`partition.restored`: a worker has taken over a partition where the last one left it."""

    topic: Name
    partition: int = Field(ge=0)
    offset: int = Field(ge=0, description="From here on it is live.")
    seconds: float | None = Field(None, ge=0, description="How long it took.")


class PartitionRebuilt(PartitionRestored):
    """`partition.rebuilt`: a new beginning, same ids but not the same numbers."""

    reason: Name


class PartitionFull(Message):
    """`partition.full`: it has as many series as it may have, candles of others are dead letters."""

    topic: Name
    partition: int = Field(ge=0)
    series: int = Field(ge=1, description="How many it has.")


class TopicResized(Message):
    """`topic.resized`: keys have moved to other partitions, and series begin anew there."""

    topic: Name
    partition: int = Field(ge=0, description="The one whose owner has seen it.")
    before: int = Field(ge=1, description="Partitions at the last checkpoint.")
    partitions: int = Field(ge=1, description="Partitions now.")


class WorkerStarted(Message):
    """`worker.started`."""

    version: Name


class WorkerStopped(Message):
    """`worker.stopped`."""

    reason: str | None = None


DATA: Final[dict[str, type[Message]]] = {
    "model.trained": ModelTrained,
    "model.training_failed": TrainingFailed,
    "model.expired": ModelExpired,
    "model.quarantined": ModelQuarantined,
    "model.demoted": ModelDemoted,
    "model.restored": ModelRestored,
    "model.deleted": ModelDeleted,
    "models.cleaned_up": ModelsCleanedUp,
    "model.retrain_requested": RetrainRequested,
    "experiment.started": ExperimentStarted,
    "experiment.stopped": ExperimentStopped,
    "experiment.result": ExperimentResult,
    "experiments.told": ExperimentsTold,
    "drift.detected": DriftDetected,
    "series.paused": SeriesPaused,
    "series.resumed": SeriesResumed,
    "series.split": SeriesSplit,
    "series.warming_up": SeriesWarmingUp,
    "series.gap": SeriesGap,
    "series.stale": SeriesStale,
    "partition.restored": PartitionRestored,
    "partition.rebuilt": PartitionRebuilt,
    "partition.full": PartitionFull,
    "topic.resized": TopicResized,
    "worker.started": WorkerStarted,
    "worker.stopped": WorkerStopped,
}
"""What `data` holds, by type of event."""


class Event(Message):
    """The envelope. An event of a type that this version does not know is passed on as it is.

    >>> event = Event(id="1", type="series.warming_up", at=0, data={"candles": 63, "needed": 100})
    >>> event.payload
    SeriesWarmingUp(candles=63, needed=100)
    """

    id: Name = Field(description="The same for every repeat.")
    type: Name = Field(examples=sorted(DATA))
    at: EpochMs = Field(description="Stream time of what a candle caused, else the wall clock.")
    worker_id: str | None = None
    exchange: str | None = None
    symbol: str | None = None
    interval: Length | None = None
    applied_at: AppliedAt | None = Field(None, description="Only in facts: what changes a series.")
    data: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        named = {self.exchange is None, self.symbol is None, self.interval is None}
        if len(named) > 1:
            raise ValueError("exchange, symbol and interval come together or not at all")
        _read(self.type, self.data)
        return self

    @property
    def payload(self) -> Message | None:
        """`data` as the model of its type; None for a type that is not known."""
        return _read(self.type, self.data)


def _read(type: str, data: dict[str, Any]) -> Message | None:
    kind = DATA.get(type)
    return kind.model_validate(data) if kind is not None else None
