"""Walk forward through files of candles: the engine that runs live, retrained and calibrated in stream time.

With every candle the engine scores what has matured, answers, and is given a new model where one is due,
trained on the candles up to then: what is published at a candle rests on nothing that came later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation.references import forecaster
from stream_lstm.evaluation.track import COVERAGES, Track
from stream_lstm.forecasting import seats
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.horizons import Horizon, horizons_of
from stream_lstm.forecasting.outputs import Seat, TrainingRequest
from stream_lstm.forecasting.recorder import Forecasts
from stream_lstm.forecasting.scoring import prices
from stream_lstm.forecasting.series import Series
from stream_lstm.models.bank import Bank
from stream_lstm.models.live import ModelType
from stream_lstm.models.training_set import TrainingSet

EXCHANGE: Final = "file"
_PLACE: Final = "backtest"

Floats = NDArray[np.float64]

Progress = Callable[[int, int], None]
"""Told how many candles are done, and of how many."""

Clock = Callable[[], tuple[float, float]]
"""Seconds by the wall, and of the processor; only their differences count."""


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
    """What was published for one file, by horizon, and what it cost.

    Seconds are those of the clock, and 0 without one. What files share is divided among them.
    """

    tracks: dict[str, Track] = field(default_factory=dict)
    fits: int = 0
    failed_fits: int = 0
    seconds: float = 0.0
    """By the wall, of the whole walk: trainings included."""
    fit_seconds: float = 0.0
    """By the wall, of trainings, failed ones included."""
    fit_cpu_seconds: float = 0.0


class _Row(NamedTuple):
    """One candle of one series, K horizons."""

    as_of: int
    model: str
    close: float
    location: Floats  # (K,)
    half_width: Floats  # (K,)
    half_widths: Floats  # (K, 9)


class _Published:
    """What the engine forecasts, kept by series: a `forecasting.recorder.Recorder`."""

    coverages = COVERAGES

    def __init__(self) -> None:
        self._rows: dict[SeriesKey, list[_Row]] = {}

    def record(self, forecasts: Forecasts) -> None:
        """Keep what one round forecasts."""
        numbers = (forecasts.close, forecasts.location, forecasts.half_width, forecasts.half_widths)
        for item, answerer, *row in zip(forecasts.items, forecasts.answerers, *numbers, strict=True):
            rows = self._rows.setdefault(item.series.key, [])
            rows.append(_Row(item.candle.close_ms, answerer.type, *row))

    def tracks(self, key: SeriesKey, horizons: Sequence[Horizon], confidence: float) -> dict[str, Track]:
        """By horizon, shortest first."""
        if key not in self._rows:
            return {}
        as_of, models, closes, *columns = zip(*self._rows[key], strict=True)
        close = np.array(closes)
        location, half, widths = (np.array(column) for column in columns)  # (N, K), (N, K), (N, K, 9)
        tracks = {}
        for at, horizon in enumerate(horizons):
            predicted, lower, upper = prices(close, location[:, at], half[:, at])
            tracks[horizon.name] = Track(
                horizon=horizon.name,
                steps=horizon.steps,
                as_of=np.array(as_of, np.int64),
                last_close=close,
                predicted=predicted,
                lower=lower,
                upper=upper,
                half_widths=widths[:, at],
                model=models,
                confidence=confidence,
            )
        return tracks


def walk_forward(
    files: Sequence[CandleFile],
    walk: Walk,
    progress: Progress = lambda done, total: None,
    clock: Clock = lambda: (0.0, 0.0),
) -> list[Walked]:
    """Publish for every file, as the engine would have done live; aligned with `files`.

    Files share an engine, so that its work is done for all of them at once, and trainings that are due
    together are stacked. Neither changes a bit of what is published.
    """
    published, types = _Published(), forecaster(walk.config.model)
    engine = Engine(replace(walk.config, expiry_jitter=0.0), bank=Bank(forecaster), recorder=published)
    keys = [SeriesKey(EXCHANGE, file.symbol, file.interval) for file in files]
    walked = {key: Walked() for key in keys}
    total, done = sum(len(file.open_ms) for file in files), 0
    began, _ = clock()
    for moment in moments.of_files(files, EXCHANGE):
        close_ms = moment[0].close_ms
        if walk.to_ms is not None and close_ms > walk.to_ms:
            break
        live = walk.from_ms is None or close_ms >= walk.from_ms
        admitted = [engine.admit(_PLACE, candle, None, live=live, asks=True) for candle in moment]
        engine.advance(0)
        _train(engine, types, [request for one in admitted for request in one.requests], walked, clock)
        done += len(moment)
        progress(done, total)
    progress(total, total)
    seconds = clock()[0] - began
    for key, file in zip(keys, files, strict=True):
        horizons = horizons_of(walk.config.horizons, file.step_ms, walk.config.max_horizon_candles)
        walked[key].tracks = published.tracks(key, horizons, walk.config.confidence)
        walked[key].seconds = seconds * len(file.open_ms) / total
    return [walked[key] for key in keys]


def _train(
    engine: Engine,
    types: ModelType,
    requests: Sequence[TrainingRequest],
    walked: dict[SeriesKey, Walked],
    clock: Clock,
) -> None:
    """Train what is due and install it: the next candle is answered by it."""
    due = [(request.series, engine.training_set(request.series)) for request in requests]
    jobs = [(key, data) for key, data in due if data is not None]
    if not jobs:
        return
    if types.warm:
        jobs = [(key, _after(engine.series(key), data)) for key, data in jobs]
    before = clock()
    outcomes = types.fit([data for _, data in jobs])
    seconds, cpu_seconds = (after - begun for after, begun in zip(clock(), before, strict=True))
    for (key, _), outcome in zip(jobs, outcomes, strict=True):
        walked[key].fit_seconds += seconds / len(jobs)
        walked[key].fit_cpu_seconds += cpu_seconds / len(jobs)
        if isinstance(outcome, TrainingFailed):
            walked[key].failed_fits += 1
            seats.give_up(engine, Seat(key))
        else:
            walked[key].fits += 1
            engine.install(key, outcome)


def _after(series: Series | None, data: TrainingSet) -> TrainingSet:
    """With the arrays of the model that answers, if one does."""
    model = series.model if series is not None else None
    return data if model is None else replace(data, previous=model.arrays)
