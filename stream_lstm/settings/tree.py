"""The whole tree, and what in it cannot hold together."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from stream_lstm.candles.units import interval_ms
from stream_lstm.errors import SettingsError
from stream_lstm.features.groups import ALL, in_order
from stream_lstm.forecasting.config import DemotionConfig, DriftConfig, EngineConfig
from stream_lstm.forecasting.horizons import horizon_ms, horizons_of
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.settings.durations import Timeout, shortest
from stream_lstm.settings.inputs import Input
from stream_lstm.settings.section import Conflict, Section
from stream_lstm.settings.sections import (
    Closing,
    Control,
    Dlq,
    Drift,
    Exchange,
    Gaps,
    History,
    Http,
    Hyperparameter,
    Kafka,
    Log,
    Metrics,
    Prediction,
    Quality,
    Store,
    Topics,
    Training,
    Worker,
)

T = TypeVar("T")

DEFAULT: Final = "default"
"""The source of a value that nobody has set."""
OUR_TOPICS: Final = ("predictions", "scores", "model-events", "control", "candles.dlq")
"""Names of the topics that the prefix applies to."""
_SHORTEST_CANDLE_MS: Final = 60_000
_ONLY_IN_BACKTESTS: Final = {
    "lstm-warm": "a warm start forecasts worse than `lstm`, which begins anew (docs/feature-sets.md)",
    "pooled": "what it says would depend on which series share a worker (docs/adr/0002-pooled-models.md)",
}

Live = Literal["lstm", "bilstm", "attention", "transformer", "ensemble", "har", "classic", "hybrid", "naive"]


def _some(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("name at least one")
    return values


def _different(horizons: tuple[str, ...]) -> tuple[str, ...]:
    lengths: dict[int, str] = {}
    for name in _some(horizons):
        try:
            length = horizon_ms(name)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        if length in lengths:
            raise ValueError(f"{lengths[length]} and {name} are the same horizon: leave one out")
        lengths[length] = name
    return horizons


def _features(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return in_order(_some(names))
    except SettingsError as error:
        raise ValueError(str(error)) from None


def _live(model: str) -> str:
    """Refuse what a backtest can walk forward and no worker may run, with the reason."""
    if (reason := _ONLY_IN_BACKTESTS.get(model)) is not None:
        raise ValueError(f"{model} is for `stream-lstm backtest`: {reason}")
    return model


class Settings(Section):
    """All settings, complete and possible. `load` makes them from their sources."""

    inputs: Annotated[tuple[Input, ...], AfterValidator(_some)] = (Input(topic="candles"),)
    """Where candles come from: `{topic | pattern, format?, exchange?, interval?}` each."""
    start_at: Literal["latest", "earliest"] = "latest"
    """Where a group without committed offsets goes live: at the end, or at the beginning."""
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """What a crash may do to the messages: repeat some, or, for readers with `read_committed`, nothing."""
    max_transactional_partitions: int = Field(default=1_000, ge=1)
    """Partitions of the inputs in all with which a worker starts under `exactly_once`: each that it owns has
    a producer, with connections of its own."""
    commit_interval: Timeout = 5.0
    """How long the offset of records that caused no message may stay uncommitted."""
    horizons: Annotated[tuple[str, ...], AfterValidator(_different)] = ("1h", "4h", "1d", "7d")
    """How far ahead is predicted: a count and a unit of m, h, d or w. One that is shorter than a series'
    interval or no multiple of it is left out for that series."""
    confidence: float = Field(default=0.95, ge=0.01, le=0.999)
    """Coverage asked of the published interval, between 0 and 1."""
    model: Annotated[Live, BeforeValidator(_live)] = "lstm"
    """What is trained for each series: `lstm`, `bilstm`, `attention`, `transformer`, `ensemble`, `har`,
    `classic`, `hybrid` or `naive`. docs/models.md tells what each is worth."""
    features: Annotated[tuple[str, ...], AfterValidator(_features)] = ALL
    """What models read: `ranges`, `profile`, `returns`, `volume`, `hour`, `new-york`, `weekday`, or some of
    them. A saved model that reads others is refused and trained anew. docs/feature-sets.md tells what each is
    worth."""
    warm_up: int = Field(default=100, ge=20)
    """Closed candles before the first prediction of a series; filled gaps do not count."""
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    store: Store = Field(default_factory=Store)
    history: History = History()
    training: Training = Training()
    hyperparameters: Hyperparameter = Hyperparameter()
    http: Http = Http()
    control: Control = Control()
    metrics: Metrics = Metrics()
    worker: Worker = Worker()
    log: Log = Log()
    closing: Closing = Closing()
    gaps: Gaps = Gaps()
    prediction: Prediction = Prediction()
    drift: Drift = Drift()
    quality: Quality = Quality()
    dlq: Dlq = Dlq()
    exchange: Exchange = Exchange()
    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Keep who has set what: the validation context maps names to sources."""
        self._sources = dict(context or {})

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for check in (_no_circle, _history_suffices, _patient, _inputs_fit):
            check(self)
        return self

    def engine(self) -> EngineConfig:
        """The settings that shape the engine."""
        return EngineConfig(
            horizons=self.horizons,
            max_horizon_candles=self.prediction.max_horizon_candles,
            confidence=self.confidence,
            model=self.model,
            features=self.features,
            history_candles=self.history.candles,
            warm_up=self.warm_up,
            max_gap=self.gaps.max_gap,
            gap_policy=self.gaps.policy,
            expiry_ms=round(self.training.expiry * 1_000),
            expiry_jitter=self.training.expiry_jitter,
            neutral_band=self.prediction.neutral_band,
            max_path_points=self.prediction.max_path_points,
            seed=self.training.seed,
            drift=DriftConfig(
                detectors=self.drift.detectors,
                page_hinkley_threshold=self.drift.page_hinkley_threshold,
                page_hinkley_delta=self.drift.page_hinkley_delta,
                adwin_delta=self.drift.adwin_delta,
                cooldown=self.drift.cooldown,
                retrain=self.drift.retrain_on_drift,
            ),
            demotion=DemotionConfig(
                on=self.quality.demote, half_life=self.quality.half_life, margin=self.quality.margin
            ),
            hyperparameters=Hyperparameters(**self.hyperparameters.model_dump()),
        )

    def source(self, name: str) -> str:
        """Who has set it: a file, an environment variable, `--set`, or `default`."""
        return self._sources.get(name, DEFAULT)


def _no_circle(settings: Settings) -> None:
    """What we write must not come in again, and no topic twice."""
    own = {settings.topics.prefix + name for name in OUR_TOPICS}
    topics = [each.topic for each in settings.inputs if each.topic is not None]
    for topic in topics:
        if topic in own:
            raise Conflict(f"inputs: {topic} is a topic of our own; read candles from another", "inputs")
        if topics.count(topic) > 1:
            raise Conflict(f"inputs: {topic} is there twice; leave one out", "inputs")


def _history_suffices(settings: Settings) -> None:
    history, needed = settings.history, settings.warm_up
    if needed > history.candles:
        raise Conflict(
            f"warm_up = {needed} candles are more than the history.candles = {history.candles} that are "
            "kept: no series would ever be predicted; keep more or ask for less",
            "warm_up",
            "history.candles",
        )
    if needed > history.rewind_candles:
        raise Conflict(
            f"warm_up = {needed} candles are more than the history.rewind_candles = {history.rewind_candles} "
            "that are read again: all series would fall silent after a restart; rewind more or ask for less",
            "warm_up",
            "history.rewind_candles",
        )


def _patient(settings: Settings) -> None:
    stall, rebalance = settings.worker.stall_timeout, settings.kafka.rebalance_timeout
    if stall <= rebalance:
        raise Conflict(
            f"worker.stall_timeout = {shortest(stall)} is not longer than kafka.rebalance_timeout = "
            f"{shortest(rebalance)}, in which nothing moves: every rebalance could end the worker",
            "worker.stall_timeout",
            "kafka.rebalance_timeout",
        )


def _inputs_fit(settings: Settings) -> None:
    """Models that outlive a candle, and a horizon for each interval that an input fixes."""
    pinned = [interval_ms(each.interval)[1] for each in settings.inputs if each.interval is not None]
    longest = max(pinned, default=_SHORTEST_CANDLE_MS)
    if settings.training.expiry * 1_000 < longest:
        raise Conflict(
            f"training.expiry = {shortest(settings.training.expiry)} is shorter than a candle of "
            f"{shortest(longest / 1_000)}: every model would be old when it is made; let models live longer",
            "training.expiry",
            "inputs",
        )
    for each in settings.inputs:
        step_ms = interval_ms(each.interval)[1] if each.interval is not None else None
        most = settings.prediction.max_horizon_candles
        if step_ms is not None and not horizons_of(settings.horizons, step_ms, most):
            raise Conflict(
                f"inputs: {each.topic or each.pattern} has candles of {each.interval}, and none of the "
                f"horizons {', '.join(settings.horizons)} is a multiple of it of at most {most} candles "
                "(prediction.max_horizon_candles): add one",
                "inputs",
                "horizons",
                "prediction.max_horizon_candles",
            )
