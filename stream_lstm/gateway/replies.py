"""What clients are told: the contract's messages under the names of the original service, v1 and v2."""

from typing import Any, Literal

from pydantic import Field

from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import Deleted, ModelList, ModelNamed, ModelStats
from stream_lstm.contracts.wire import EpochMs, Message


class PredictionData(Prediction):
    """A prediction as it is published."""

    include_sentiment: bool = Field(description="As it was asked; sentimentScore is always 0.")


class FailedSymbol(Message):
    """A symbol that has no prediction."""

    symbol: str
    code: str
    message: str


class BatchData(Message):
    """The predictions that there are, and why the others are not."""

    predictions: tuple[PredictionData, ...]
    count: int = Field(ge=0)
    failed: tuple[FailedSymbol, ...]


class DeletedData(Message):
    """What was deleted of one symbol: perhaps nothing."""

    message: str
    symbol: str
    deleted_count: int = Field(ge=0, description="Series whose model is gone.")
    models: tuple[ModelNamed, ...]


class CleanupData(Message):
    """What was deleted because of its age."""

    message: str
    deleted_count: int = Field(ge=0)
    deleted: int = Field(ge=0, description="deletedCount, under the name that the original's UI reads.")
    max_age_days: float
    models: tuple[ModelNamed, ...]


class Components(Message):
    """What can be told of each part. Those of the original live in the worker: they are as it is."""

    kafka: bool = Field(description="The brokers answer.")
    worker: bool | None = Field(
        description="True: a command was answered in the last five minutes; false: the last one was not; "
        "null: nobody has asked."
    )
    feature_engineering: bool | None
    market_regime: bool | None
    price_prediction: bool | None
    lstm: bool | None
    model_persistence: bool | None


class HealthData(Message):
    """The state of the service."""

    status: Literal["healthy", "unhealthy"]
    service: Literal["ml-service"] = "ml-service"
    components: Components
    worker_answered_at: EpochMs | None = Field(description="When a worker last answered anybody.")
    reason: str | None = Field(description="What keeps the gateway from Kafka; null while it is healthy.")


class Health(Message):
    """In the envelope as in v2 of the original, and with the fields of its v1 beside it."""

    success: bool
    status: Literal["healthy", "unhealthy"]
    service: Literal["ml-service"] = "ml-service"
    data: HealthData
    timestamp: int


def as_json(message: Message) -> dict[str, Any]:
    """A message as it goes out."""
    return message.model_dump(mode="json", by_alias=True)


def prediction(told: Prediction, include_sentiment: bool) -> dict[str, Any]:
    """The data of a prediction."""
    return as_json(told) | {"includeSentiment": include_sentiment}


def models(told: ModelList) -> dict[str, Any]:
    """The data of the list of models, the type of each in upper case as in the original."""
    data = as_json(told)
    return data | {"models": [_upper(row) for row in data["models"]]}


def stats(told: ModelStats) -> dict[str, Any]:
    """The data of a model's statistics."""
    return _upper(as_json(told))


def deleted(symbol: str, told: Deleted | None) -> dict[str, Any]:
    """The data of a deletion; None where there was nothing to delete."""
    named = DeletedData(
        message=f"Model for {symbol} deleted",
        symbol=symbol,
        deleted_count=told.deleted_count if told is not None else 0,
        models=told.deleted if told is not None else (),
    )
    return as_json(named)


def cleaned_up(told: Deleted, max_age_days: float) -> dict[str, Any]:
    """The data of a clean-up."""
    count = told.deleted_count
    data = CleanupData(
        message=f"Deleted {count} old models",
        deleted_count=count,
        deleted=count,
        max_age_days=max_age_days,
        models=told.deleted,
    )
    days = int(max_age_days) if max_age_days == int(max_age_days) else max_age_days
    return as_json(data) | {"maxAgeDays": days}


def _upper(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"modelType": row["modelType"].upper()}
