"""Replies: one terminal answer to every command, in `model-events`, in pages when it is long."""

from typing import Any, Final, Literal

from pydantic import Field

from stream_lstm.contracts.experiment import ExperimentList, ExperimentRow, ExperimentSeries
from stream_lstm.contracts.wire import EpochMs, Length, Message, Name, OfSeries, Share

REPLY: Final = "command.reply"
REJECTED: Final = "command.rejected"
PAGE: Final = 500
"""Entries of a list in one page at most."""

Code = Literal[
    "INVALID_REQUEST",
    "UNKNOWN_COMMAND",
    "COMMAND_EXPIRED",
    "SERIES_NOT_FOUND",
    "MODEL_NOT_FOUND",
    "LSTM_PREDICTION_FAILED",
    "PREDICTION_FAILED",
    "LIST_MODELS_FAILED",
    "GET_MODEL_STATS_FAILED",
    "DELETE_MODEL_FAILED",
    "CLEANUP_FAILED",
    "RETRAIN_FAILED",
    "OWNER_UNAVAILABLE",
    "STORE_UNAVAILABLE",
    "INTERNAL_ERROR",
]


class Problem(Message):
    """Why a command was not done."""

    code: Code
    message: str = Field(description="What was wrong, where, and what to do.")


class Reply(Message):
    """The answer to a command. The first complete one in the topic counts; later ones are repeats."""

    id: Name
    type: Literal["command.reply", "command.rejected"] = Field(
        description="Rejected: malformed, unknown, ambiguous or expired; nothing was done."
    )
    at: EpochMs = Field(description="Wall clock of the worker.")
    worker_id: Name
    correlation_id: str | None = Field(
        description="The command's id; null where it has none that is readable."
    )
    command: str | None
    success: bool
    data: dict[str, Any] = Field(default_factory=dict, description="By the command; empty on failure.")
    error: Problem | None = None
    page: int = Field(1, ge=1)
    pages: int = Field(1, ge=1, description="Lists in `data` go on in the next page.")


class ModelRow(OfSeries):
    """A model in the store, under the original service's names. A number that nobody measured is null."""

    model_id: Name
    model_type: Name
    version: Name
    trained_at: EpochMs = Field(description="Close time of the last candle that it was trained on.")
    last_trained: EpochMs
    accuracy: float | None = Field(None, le=1, description="1 - MAPE over matured predictions.")
    training_duration: int = Field(ge=0, description="Milliseconds.")
    data_points: int = Field(ge=0, description="Candles it was trained on.")
    config: dict[str, Any]
    size: int = Field(ge=0, description="Bytes.")


class ModelStats(ModelRow):
    """How a series' model has done lately, at its shortest horizon; null before predictions have matured."""

    age: int = Field(description="Milliseconds since trainedAt, at the time of the answer.")
    expires_at: EpochMs | None = None
    mae: float | None = Field(None, ge=0, description="Mean absolute error, in quote units.")
    rmse: float | None = Field(None, ge=0, description="In quote units.")
    mape: float | None = Field(None, ge=0, description="In percent.")
    r2_score: float | None = Field(None, le=1)
    directional_accuracy: Share | None = None
    skill: float | None = Field(None, le=1, description="1 - RMSE / RMSE(random walk).")
    coverage: Share | None = None


class ModelNamed(OfSeries):
    """A model that was deleted."""

    model_id: Name
    trained_at: EpochMs | None = None


class ModelList(Message):
    """`list-models`: the newest model of each series, the last trained first."""

    models: tuple[ModelRow, ...] = ()
    count: int = Field(ge=0)


class Deleted(Message):
    """`delete-model` and `cleanup-models`: every file that is gone."""

    message: str
    symbol: str | None = None
    max_age_days: float | None = None
    deleted_count: int = Field(ge=0, description="Model files that are gone; a series may have had several.")
    deleted: tuple[ModelNamed, ...] = ()


class Retraining(OfSeries):
    """`retrain`: asked for; `model.trained` or `model.training_failed` tells what came of it."""

    queued: bool = Field(description="False: one was on its way already, and stands for this one too.")
    place: int = Field(ge=0, description="Trainings before it on its worker.")


class Paused(OfSeries):
    """`pause` and `resume`: what holds now. A paused series learns, says nothing and is not trained."""

    paused: bool


class RegimeAt(Message):
    """The regime from a candle on."""

    timestamp: EpochMs
    regime: Literal["BULL", "BEAR", "SIDEWAYS"]


class Indicators(Message):
    """What a regime is told from."""

    trend: float | None = Field(description="Log return over 20 candles.")
    volatility: float | None = Field(description="Parkinson, half-life 24 candles, per candle.")
    volume: float | None = Field(description="Mean of the last 20 candles over that of the lookback.")
    momentum: float | None = Field(description="Log return over 14 candles.")


class RegimeReport(OfSeries):
    """`regime`: bull, bear or sideways now, and how often one followed on another in the lookback."""

    current_regime: Literal["BULL", "BEAR", "SIDEWAYS"] | None
    confidence: Share | None = Field(
        None, description="Share of the lookback's candles in this regime that were followed by the same."
    )
    regime_history: tuple[RegimeAt, ...] = Field((), description="Changes in the lookback, oldest first.")
    indicators: Indicators
    next_regime_prob: dict[str, float] = Field(
        default_factory=dict, description="Of the next candle, by the frequencies of the lookback."
    )


class LiveModel(Message):
    """The model that answers for a series."""

    model_id: Name
    model_type: Name
    trained_at: EpochMs | None
    expires_at: EpochMs | None
    age_ms: int = Field(description="Since trainedAt, by the worker's clock.")
    stale: bool


class TrainingState(Message):
    """What is done about a series' next model."""

    state: Literal["idle", "queued", "running", "waits to try again"]
    place: int | None = Field(None, ge=0, description="Trainings before it on its worker.")


class Description(OfSeries):
    """`describe`: what one asks first about a series."""

    worker_id: Name
    topic: Name
    partition: int = Field(ge=0)
    candles: int = Field(ge=0, description="Closed candles since the beginning or the last long gap.")
    needed: int = Field(ge=1, description="Closed candles before the first prediction.")
    last_close: EpochMs | None = Field(None, description="Close time of the newest candle.")
    horizons: tuple[Length, ...] = ()
    paused: bool = False
    model: LiveModel | None = None
    training: TrainingState
    last_error: str | None = Field(None, description="Of its last training on this worker.")
    experiment: ExperimentRow | None = Field(None, description="The one that runs, or the last that ran.")


DATA: Final[dict[str, type[Message]]] = {
    "list-models": ModelList,
    "model-stats": ModelStats,
    "delete-model": Deleted,
    "cleanup-models": Deleted,
    "retrain": Retraining,
    "pause": Paused,
    "resume": Paused,
    "regime": RegimeReport,
    "describe": Description,
    "start-experiment": ExperimentSeries,
    "stop-experiment": ExperimentSeries,
    "list-experiments": ExperimentList,
}
"""What `data` of a successful reply holds, by command. That of `predict` is a `Prediction`."""
