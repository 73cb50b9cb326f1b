"""What the examples say: the moment after one candle of one series, told by every kind of message."""

from typing import Any, Final

from stream_lstm.contracts import event, experiment, reply
from stream_lstm.contracts.candle import Candle
from stream_lstm.contracts.prediction import (
    Direction,
    Features,
    ModelInfo,
    PathPoint,
    Prediction,
    Range,
    TechnicalIndicators,
)
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import Message, OfSeries

_HOUR: Final = 3_600_000
_AS_OF: Final = 1_728_125_999_999
NOW: Final = _AS_OF + 1_500
WORKER: Final = "worker-0"
SERIES: Final[dict[str, Any]] = {"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h"}
SERIES_ID: Final = "binance:BTCUSDT:1h"
ID: Final = f"{SERIES_ID}:{_AS_OF}:4h"
_MODEL_ID: Final = "4f2a9c1e"
_PATH: Final = f"models/binance/BTCUSDT/1h/{_MODEL_ID}.safetensors"
_TRAINED_AT: Final = _AS_OF - 2 * _HOUR
_EXPIRES_AT: Final = _TRAINED_AT + 24 * _HOUR
COMMAND_ID: Final = "6f1c0e9a"
EXPERIMENT_ID: Final = "c81f02d4"

CANDLE: Final = Candle(
    **SERIES,
    open_time=_AS_OF - _HOUR + 1,
    close_time=_AS_OF,
    open=65432.1,
    high=65999.2,
    low=65000.1,
    close=65500.5,
    volume=1234.5,
    closed=True,
)

PREDICTION: Final = Prediction(
    **SERIES,
    id=ID,
    revision=0,
    horizon="4h",
    as_of=_AS_OF,
    last_close=65500.5,
    predictions=tuple(
        PathPoint(
            timestamp=_AS_OF + step * _HOUR,
            predicted_price=65500.5,
            lower_bound=65500.5 - width,
            upper_bound=65500.5 + width,
            confidence=0.9,
        )
        for step, width in ((1, 500.0), (2, 710.5), (3, 870.0), (4, 1000.5))
    ),
    direction=Direction(down=0.32, neutral=0.36, up=0.32),
    target_pct=0.0093,
    valid_until=_AS_OF + _HOUR,
    quantiles={"0.01": 63890.2, "0.05": 64500.0, "0.5": 65500.5, "0.95": 66501.0, "0.99": 67150.8},
    range=Range(expected_pct=0.021, q90_pct=0.039),
    features=Features(
        technical_indicators=TechnicalIndicators(
            rsi=55.1, macd=-12.0, ema20=65400.0, ema50=65100.0, bb_upper=66100.0, bb_lower=64700.0
        ),
        on_chain_metrics={},
        sentiment_score=0.0,
        market_regime="SIDEWAYS",
        volatility_regime="NORMAL",
        volatility=0.0041,
        momentum=-0.003,
    ),
    model_info=ModelInfo(
        model_type="lstm",
        model_id=_MODEL_ID,
        version="1",
        last_trained=_TRAINED_AT,
        accuracy=0.993,
        confidence=0.9,
        skill=-0.002,
        interval_skill=0.06,
        coverage=0.899,
        stale=False,
        expires_at=_EXPIRES_AT,
        reason=None,
    ),
    generated_at=NOW,
)

SCORE: Final = Score(
    **SERIES,
    id=ID,
    revision=0,
    horizon="4h",
    as_of=_AS_OF,
    target=_AS_OF + 4 * _HOUR,
    predicted_price=65500.5,
    lower_bound=64500.0,
    upper_bound=66501.0,
    confidence=0.9,
    actual_price=65000.0,
    error=-500.5,
    inside=True,
    winkler=2001.0,
    model_type="lstm",
    model_id=_MODEL_ID,
)

_PLAN: Final[dict[str, Any]] = {
    "experiment_id": EXPERIMENT_ID,
    "challenger": "har",
    "alpha": 0.05,
    "max_candles": 2_000,
    "share": 0.1,
}
_FIGURES: Final[dict[str, Any]] = _PLAN | {
    "champion": "lstm",
    "model_id": "90d1f6ab23ce",
    "since": _AS_OF - 412 * _HOUR,
    "candles": 412,
    "horizons": (
        experiment.ExperimentHorizon(
            horizon="1h",
            e_better=20.4,
            e_worse=0.03,
            outcomes=411,
            winkler=0.0191,
            challenger_winkler=0.0183,
            difference=0.0008,
            coverage=0.951,
            challenger_coverage=0.949,
            diebold_mariano=experiment.DieboldMariano(statistic=2.9, p_value=0.004),
        ),
    ),
}
_TRIED: Final = experiment.ExperimentRow(**SERIES, **_FIGURES, outcome="running")

EVENTS: Final[dict[str, Message]] = {
    "model.trained": event.ModelTrained(
        model_id=_MODEL_ID,
        path=_PATH,
        model_type="lstm",
        trained_at=_TRAINED_AT,
        expires_at=_EXPIRES_AT,
        data_points=8760,
        training_duration=830,
    ),
    "model.training_failed": event.TrainingFailed(error="120 candles are too few", retry_in_seconds=4.0),
    "model.expired": event.ModelExpired(expires_at=_EXPIRES_AT),
    "model.quarantined": event.ModelQuarantined(path=f"quarantine/{_PATH}", reason="checksum"),
    "model.demoted": event.ModelDemoted(model_id=_MODEL_ID, horizon="1h", winkler_ratio=1.31, outcomes=402.5),
    "model.restored": event.ModelRestored(
        model_id=_MODEL_ID, horizon="1h", winkler_ratio=0.96, outcomes=100.0
    ),
    "drift.detected": event.DriftDetected(
        detector="page_hinkley",
        horizon="1h",
        direction="wider",
        statistic=2.61,
        threshold=2.5,
        since=_AS_OF - 20 * _HOUR,
        retrain=False,
    ),
    "model.deleted": event.ModelDeleted(model_id=_MODEL_ID, command_id=COMMAND_ID),
    "models.cleaned_up": event.ModelsCleanedUp(deleted_count=2, max_age_days=30.0, command_id=COMMAND_ID),
    "model.retrain_requested": event.RetrainRequested(command_id=COMMAND_ID),
    "experiment.started": experiment.ExperimentStarted(**_PLAN, command_id=COMMAND_ID),
    "experiment.stopped": experiment.ExperimentStopped(**_FIGURES, command_id=COMMAND_ID),
    "experiment.result": experiment.ExperimentResult(**_FIGURES, outcome="promoted"),
    "experiments.told": experiment.ExperimentsTold(command_id=COMMAND_ID, experiments=(_TRIED,)),
    "series.paused": event.SeriesPaused(command_id=COMMAND_ID),
    "series.resumed": event.SeriesResumed(command_id=COMMAND_ID),
    "series.split": event.SeriesSplit(topic="candles", partition=2, owner_topic="candles", owner_partition=0),
    "series.warming_up": event.SeriesWarmingUp(candles=1, needed=100),
    "series.gap": event.SeriesGap.model_validate(
        {"missing": 7, "filled": False, "from": _AS_OF - 7 * _HOUR + 1, "to": _AS_OF}
    ),
    "series.stale": event.SeriesStale(last_close=_AS_OF - 3 * _HOUR, intervals=3),
    "partition.restored": event.PartitionRestored(topic="candles", partition=3, offset=12, seconds=1.5),
    "partition.rebuilt": event.PartitionRebuilt(
        topic="candles", partition=3, offset=12, seconds=1.5, reason="the offset is not in the log"
    ),
    "partition.full": event.PartitionFull(topic="candles", partition=3, series=10_000),
    "topic.resized": event.TopicResized(topic="candles", partition=3, before=3, partitions=6),
    "worker.started": event.WorkerStarted(version="0.1.0"),
    "worker.stopped": event.WorkerStopped(reason="SIGTERM"),
}
"""`data` of events, by type."""

_MODEL: Final[dict[str, Any]] = {
    **SERIES,
    "model_id": _MODEL_ID,
    "model_type": "lstm",
    "version": "1",
    "trained_at": _TRAINED_AT,
    "last_trained": _TRAINED_AT,
    "accuracy": 0.993,
    "training_duration": 830,
    "data_points": 8760,
    "config": {"hidden": 16},
    "size": 72_104,
}
_GONE: Final = reply.ModelNamed(**SERIES, model_id=_MODEL_ID, trained_at=_TRAINED_AT)

REPLIES: Final[dict[str, Message]] = {
    "predict": PREDICTION,
    "list-models": reply.ModelList(models=(reply.ModelRow(**_MODEL),), count=1),
    "model-stats": reply.ModelStats(
        **_MODEL,
        age=2 * _HOUR,
        expires_at=_EXPIRES_AT,
        mae=212.4,
        rmse=301.9,
        mape=0.33,
        r2_score=0.98,
        directional_accuracy=0.51,
        skill=-0.002,
        coverage=0.899,
    ),
    "delete-model": reply.Deleted(
        message="Model for BTCUSDT deleted",
        symbol="BTCUSDT",
        deleted_count=1,
        deleted=(_GONE,),
    ),
    "cleanup-models": reply.Deleted(
        message="Deleted 1 old models", max_age_days=30.0, deleted_count=1, deleted=(_GONE,)
    ),
    "retrain": reply.Retraining(**SERIES, queued=True, place=0),
    "pause": reply.Paused(**SERIES, paused=True),
    "resume": reply.Paused(**SERIES, paused=False),
    "regime": reply.RegimeReport(
        **SERIES,
        current_regime="SIDEWAYS",
        confidence=0.93,
        regime_history=(reply.RegimeAt(timestamp=_AS_OF - 40 * _HOUR, regime="SIDEWAYS"),),
        indicators=reply.Indicators(trend=0.004, volatility=0.0041, volume=1.1, momentum=-0.003),
        next_regime_prob={"BULL": 0.04, "BEAR": 0.03, "SIDEWAYS": 0.93},
    ),
    "describe": reply.Description(
        **SERIES,
        worker_id=WORKER,
        topic="candles",
        partition=3,
        candles=8760,
        needed=100,
        last_close=_AS_OF,
        horizons=("1h", "4h"),
        paused=False,
        model=reply.LiveModel(
            model_id=_MODEL_ID,
            model_type="lstm",
            trained_at=_TRAINED_AT,
            expires_at=_EXPIRES_AT,
            age_ms=2 * _HOUR,
            stale=False,
        ),
        training=reply.TrainingState(state="queued", place=2),
        last_error=None,
        experiment=_TRIED,
    ),
    "start-experiment": experiment.ExperimentSeries(
        experiment_id=EXPERIMENT_ID, challenger="har", series=(OfSeries(**SERIES),), count=1
    ),
    "stop-experiment": experiment.ExperimentSeries(
        experiment_id=EXPERIMENT_ID, challenger="har", series=(OfSeries(**SERIES),), count=1
    ),
    "list-experiments": experiment.ExperimentList(experiments=(_TRIED,), count=1),
}
"""`data` of successful replies, by command."""
