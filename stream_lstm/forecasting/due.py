"""When the next model of a series is due, and what it is trained on."""

import zlib

from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.forecasting.series import Series
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import CANDLES_PER_STEP, TrainingSet

UNTRAINED: str = "hybrid"
"""The model type that answers without a training."""


def expiry_of(config: EngineConfig, series: Series, model: Model, own: Hyperparameters) -> int:
    """Stream time at which a model of the series is to be replaced, epoch ms.

    One that was trained with other hyper-parameters than those of today is due at once; `own` are those of
    its type.
    """
    if Hyperparameters.of(model.metadata.config, own) != config.hyperparameters.over(own):
        return model.metadata.trained_at
    share = zlib.crc32(series.name.encode()) / 2**32
    lifetime_ms = config.expiry_ms * (1 + config.expiry_jitter * share)
    return model.metadata.trained_at + int(lifetime_ms)


def has_enough(config: EngineConfig, series: Series) -> bool:
    """Whether a series has the candles and a horizon that a model could learn."""
    if not series.steps:
        return False
    return series.count >= max(config.warm_up, CANDLES_PER_STEP * series.steps[0])


def request_of(config: EngineConfig, series: Series, now_ms: int) -> TrainingRequest | None:
    """Ask once for the training of what answers a series: no model, or one that has expired or drifted."""
    expires = series.expires_ms
    if expires is not None and now_ms < expires and not series.retrain and not series.drifted:
        return None
    if series.requested or series.paused or series.model_type == UNTRAINED:
        return None
    if not has_enough(config, series):
        return None
    if series.deleted_ms is not None and now_ms <= series.deleted_ms:
        return None
    series.requested = True
    if series.retrain:
        return TrainingRequest(series.key, series.partition, "asked for", now_ms, series.model_type)
    if expires is None:
        return TrainingRequest(series.key, series.partition, "no model", now_ms, series.model_type)
    if series.drifted:
        return TrainingRequest(series.key, series.partition, "drift", now_ms, series.model_type)
    return TrainingRequest(series.key, series.partition, "expired", expires, series.model_type)


def training_set(config: EngineConfig, series: Series) -> TrainingSet | None:
    """A copy of what the next model of a series is trained on; None if it is too young."""
    if series.last is None or not has_enough(config, series):
        return None
    history = series.history
    return TrainingSet(
        series=series.name,
        step_ms=series.step_ms,
        candles=history.candles(),
        open_ms=series.first_open_ms + history.steps() * series.step_ms,
        synthetic=history.synthetic(),
        state=history.blocks[0].state,
        reference=series.reference,
        horizons=series.steps,
        seed=zlib.crc32(f"{series.name}:{config.seed}".encode()),
        hyperparameters=config.hyperparameters,
        features=config.features,
    )


def by_drift(config: EngineConfig, series: Series, at_ms: int) -> bool:
    """Whether a drift that was found at `at_ms` makes a training due: one per expiry at most."""
    if not config.drift.retrain or series.model is None:
        return False
    asked_ms = series.drift_asked_ms
    if asked_ms is not None and at_ms < asked_ms + config.expiry_ms:
        return False
    series.drifted, series.drift_asked_ms = True, at_ms
    return True
