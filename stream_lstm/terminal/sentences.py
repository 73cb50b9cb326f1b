"""Events as sentences."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from stream_lstm.contracts import event as contract
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.experiment import ExperimentFigures, ExperimentStarted, ExperimentsTold
from stream_lstm.terminal.figures import duration, moment, plain


def sentence(event: Event) -> str:
    """What happened, and to whom; an event of a type that is not known here shows its data.

    >>> data = {"candles": 63, "needed": 100}
    >>> about = {"exchange": "okx", "symbol": "BTC-USDT", "interval": "1h"}
    >>> sentence(Event(id="1", type="series.warming_up", at=0, data=data, **about))
    'BTC-USDT 1h: warming up, 63 of 100 candles'
    """
    say = _SENTENCES.get(event.type)
    what = say(event.payload) if say else f"{event.type} {orjson.dumps(event.data).decode()}"
    if event.symbol is not None:
        return plain(f"{event.symbol} {event.interval}: {what}")
    if event.type.startswith("worker."):
        return plain(f"worker {event.worker_id or ''}: {what}")
    return plain(what)


def _trained(said: contract.ModelTrained) -> str:
    points = "" if said.data_points is None else f" on {said.data_points:,} candles"
    took = "" if said.training_duration is None else f" in {said.training_duration / 1000:.2f} s"
    whom = " as a challenger" if said.role == "challenger" else ""
    return f"trained {said.model_type or 'a model'}{whom}{points}{took}"


def _failed(said: contract.TrainingFailed) -> str:
    again = said.retry_in_seconds
    return f"training failed: {said.error}" + ("" if again is None else f"; next attempt in {again:.0f} s")


def _expired(said: contract.ModelExpired) -> str:
    return f"model expired at {moment(said.expires_at)}, answers as stale"


def _quarantined(said: contract.ModelQuarantined) -> str:
    return f"a damaged model was not loaded: {said.reason} (kept as {said.path})"


def _demoted(said: contract.ModelDemoted) -> str:
    worse = (said.winkler_ratio - 1) * 100
    return f"{worse:.0f}% worse than the naive forecast at {said.horizon}, which answers until further notice"


def _model_restored(said: contract.ModelRestored) -> str:
    return (
        f"no worse than the naive forecast over {said.outcomes:.0f} outcomes: model {said.model_id} "
        "answers again"
    )


def _drift(said: contract.DriftDetected) -> str:
    then = ", a training is due" if said.retrain else ""
    return f"errors at {said.horizon} are {said.direction} since {moment(said.since)} ({said.detector}){then}"


def _deleted(said: contract.ModelDeleted) -> str:
    return f"model {said.model_id or ''} deleted, the next candle makes a new one due".replace("  ", " ")


def _cleaned_up(said: contract.ModelsCleanedUp) -> str:
    count = said.deleted_count
    return f"{count:,} model{'s' * (count != 1)} older than {said.max_age_days:g} days deleted"


def _started(said: ExperimentStarted) -> str:
    return f"experiment {said.experiment_id}: {said.challenger} is tried, alpha {said.alpha:g}"


def _ended(said: ExperimentFigures, outcome: str) -> str:
    tried = f"experiment {said.experiment_id}: {said.challenger} {outcome} after {said.candles:,} candles"
    if not said.horizons:
        return tried
    first = said.horizons[0]
    return f"{tried}, evidence {first.e_better:.3g} better, {first.e_worse:.3g} worse at {first.horizon}"


def _told(said: ExperimentsTold) -> str:
    return f"a worker has {len(said.experiments):,} experiments, running or ended"


def _split(said: contract.SeriesSplit) -> str:
    return (
        f"candles in {said.topic}-{said.partition} are not used, it belongs to "
        f"{said.owner_topic}-{said.owner_partition}"
    )


def _warming_up(said: contract.SeriesWarmingUp) -> str:
    return f"warming up, {said.candles} of {said.needed} candles"


def _gap(said: contract.SeriesGap) -> str:
    missing = "candles" if said.missing is None else f"{said.missing:,} candle{'s' * (said.missing != 1)}"
    then = "filled flat" if said.filled else "the series begins anew"
    reason = f" ({said.reason})" if said.reason else ""
    if said.from_ is None or said.to is None:
        return f"{missing} missing, {then}{reason}"
    return f"{missing} missing, {then}, {moment(said.from_)} to {moment(said.to)}{reason}"


def _stale(said: contract.SeriesStale) -> str:
    return f"no candle since {moment(said.last_close)}, {said.intervals} intervals ago"


def _restored(said: contract.PartitionRestored) -> str:
    took = "" if said.seconds is None else f" after {duration(int(said.seconds * 1000))}"
    return f"{said.topic}-{said.partition} restored, live from offset {said.offset:,}{took}"


def _rebuilt(said: contract.PartitionRebuilt) -> str:
    return f"{said.topic}-{said.partition} rebuilt, live from offset {said.offset:,}: {said.reason}"


def _full(said: contract.PartitionFull) -> str:
    return f"{said.topic}-{said.partition} has {said.series:,} series and takes no more"


def _resized(said: contract.TopicResized) -> str:
    return (
        f"{said.topic} had {said.before} partitions and has {said.partitions}: keys have moved, "
        "and their series begin anew in the middle"
    )


_SENTENCES: Final[dict[str, Callable[[Any], str]]] = {
    "model.trained": _trained,
    "model.training_failed": _failed,
    "model.expired": _expired,
    "model.quarantined": _quarantined,
    "model.demoted": _demoted,
    "model.restored": _model_restored,
    "drift.detected": _drift,
    "model.deleted": _deleted,
    "models.cleaned_up": _cleaned_up,
    "model.retrain_requested": lambda said: "a training was asked for",
    "experiment.started": _started,
    "experiment.stopped": lambda said: _ended(said, "stopped"),
    "experiment.result": lambda said: _ended(said, said.outcome),
    "experiments.told": _told,
    "series.paused": lambda said: "paused: learns on and says nothing",
    "series.resumed": lambda said: "resumed",
    "series.split": _split,
    "series.warming_up": _warming_up,
    "series.gap": _gap,
    "series.stale": _stale,
    "partition.restored": _restored,
    "partition.rebuilt": _rebuilt,
    "partition.full": _full,
    "topic.resized": _resized,
    "command.reply": lambda _: "a command was answered",
    "command.rejected": lambda _: "a command was rejected",
    "worker.started": lambda said: f"started, version {said.version}",
    "worker.stopped": lambda said: "stopped" + (f": {said.reason}" if said.reason else ""),
}
