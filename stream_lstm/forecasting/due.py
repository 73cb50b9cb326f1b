"""When a series is to be trained: it has no model, its model has expired or drifted, somebody has asked."""

import zlib

from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.forecasting.series import Series
from stream_lstm.models.model import Model


def expiry_of(config: EngineConfig, series: Series, model: Model) -> int:
    """Stream time at which a model of the series is to be replaced, epoch ms."""
    share = zlib.crc32(series.name.encode()) / 2**32
    lifetime_ms = config.expiry_ms * (1 + config.expiry_jitter * share)
    return model.metadata.trained_at + int(lifetime_ms)


def trainable(config: EngineConfig, series: Series) -> bool:
    """Whether it has enough candles, and there is anything to train."""
    if config.model == "hybrid" or not series.steps:
        return False
    return series.count >= max(config.warm_up, 20 * series.steps[0])


def request(config: EngineConfig, series: Series, now_ms: int) -> TrainingRequest | None:
    """Ask for a training once, when one is due."""
    expires = series.expires_ms
    if expires is not None and now_ms < expires and not series.retrain and not series.drifted:
        return None
    if series.requested or series.paused or not trainable(config, series):
        return None
    if series.deleted_ms is not None and now_ms <= series.deleted_ms:
        return None
    series.requested = True
    if series.retrain:
        return TrainingRequest(series.key, series.partition, "asked for", now_ms)
    if expires is None:
        return TrainingRequest(series.key, series.partition, "no model", now_ms)
    if series.drifted:
        return TrainingRequest(series.key, series.partition, "drift", now_ms)
    return TrainingRequest(series.key, series.partition, "expired", expires)


def by_drift(config: EngineConfig, series: Series, at_ms: int) -> bool:
    """Whether a drift that was found at `at_ms` makes a training due: one per expiry at most."""
    if not config.drift.retrain or series.model is None:
        return False
    asked_ms = series.drift_asked_ms
    if asked_ms is not None and at_ms < asked_ms + config.expiry_ms:
        return False
    series.drifted, series.drift_asked_ms = True, at_ms
    return True
