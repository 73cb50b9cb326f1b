"""Walk forward through files of candles: the engine that runs live, retrained and calibrated in stream time.

With every candle the engine scores what has matured, answers, and is given a new model where one is due,
trained on the candles up to then: what is published at a candle rests on nothing that came later.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation.track import Track
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.horizons import horizons_of
from stream_lstm.forecasting.outputs import Prediction, TrainingRequest
from stream_lstm.models.registry import fit_each

EXCHANGE: Final = "file"
_PLACE: Final = "backtest"

Progress = Callable[[int, int], None]
"""Told how many candles are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What is to be published. Times are close times of candles, epoch ms, both included."""

    config: EngineConfig
    """`expiry_ms` is the time between two trainings of a series."""
    from_ms: int | None = None
    to_ms: int | None = None
    """Everything before `from_ms` warms up, trains and calibrates; nothing after `to_ms` is looked at."""


@dataclass(slots=True)
class Walked:
    """What was published for one file, by horizon, and what it cost."""

    tracks: dict[str, Track] = field(default_factory=dict)
    fits: int = 0
    failed_fits: int = 0


@dataclass(slots=True)
class _Columns:
    """A track that grows."""

    rows: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    model: list[str] = field(default_factory=list)

    def add(self, prediction: Prediction) -> None:
        body = prediction.body
        point = body["predictions"][-1]
        self.rows.append(
            (
                body["asOf"],
                body["lastClose"],
                point["predictedPrice"],
                point["lowerBound"],
                point["upperBound"],
            )
        )
        self.model.append(prediction.model_type)

    def track(self, horizon: str, steps: int, confidence: float) -> Track:
        as_of, *prices = np.array(self.rows, np.float64).reshape(-1, 5).T
        close, predicted, lower, upper = prices
        return Track(
            horizon=horizon,
            steps=steps,
            as_of=as_of.astype(np.int64),  # epoch ms have 41 bits, exact in a double
            last_close=close,
            predicted=predicted,
            lower=lower,
            upper=upper,
            model=tuple(self.model),
            confidence=confidence,
        )


def walk_forward(
    files: Sequence[CandleFile], walk: Walk, progress: Progress = lambda done, total: None
) -> list[Walked]:
    """Publish for every file, as the engine would have done live; aligned with `files`.

    Files share an engine, so that its work is done for all of them at once, and trainings that are due
    together are stacked. Neither changes a bit of what is published.
    """
    # Only the answer at the horizon is judged: a path of one point.
    engine = Engine(replace(walk.config, expiry_jitter=0.0, max_path_points=1))
    keys = [SeriesKey(EXCHANGE, file.symbol, file.interval) for file in files]
    published: dict[tuple[SeriesKey, str], _Columns] = {}
    walked = {key: Walked() for key in keys}
    total, done = sum(len(file.open_ms) for file in files), 0
    for moment in moments.of_files(files, EXCHANGE):
        close_ms = moment[0].close_ms
        if walk.to_ms is not None and close_ms > walk.to_ms:
            break
        live = walk.from_ms is None or close_ms >= walk.from_ms
        admitted = [engine.admit(_PLACE, candle, None, live=live, asks=True) for candle in moment]
        for outputs in engine.advance(0).values():
            for prediction in outputs.predictions:
                place = (prediction.series, prediction.horizon)
                published.setdefault(place, _Columns()).add(prediction)
        _train(engine, [one.request for one in admitted if one.request is not None], walked)
        done += len(moment)
        progress(done, total)
    progress(total, total)
    for key, file in zip(keys, files, strict=True):
        walked[key].tracks = _tracks(key, file, walk.config, published)
    return [walked[key] for key in keys]


def _train(engine: Engine, requests: Iterable[TrainingRequest], walked: dict[SeriesKey, Walked]) -> None:
    """Train what is due and install it: the next candle is answered by it."""
    due = [(request.series, engine.training_set(request.series)) for request in requests]
    jobs = [(key, data) for key, data in due if data is not None]
    outcomes = fit_each(engine.config.model, [data for _, data in jobs])
    for (key, _), outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, TrainingFailed):
            walked[key].failed_fits += 1
            engine.give_up(key)
        else:
            walked[key].fits += 1
            engine.install(key, outcome)


def _tracks(
    key: SeriesKey,
    file: CandleFile,
    config: EngineConfig,
    published: dict[tuple[SeriesKey, str], _Columns],
) -> dict[str, Track]:
    horizons = horizons_of(config.horizons, file.step_ms, config.max_horizon_candles)
    return {
        horizon.name: published[key, horizon.name].track(horizon.name, horizon.steps, config.confidence)
        for horizon in horizons
        if (key, horizon.name) in published
    }
