"""The course of a walk: all of it that no hyper-parameter changes, so that a search does it once.

Which candles are answered, when a training is due and on what, and what each candle has shown. N candles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.evaluation.backtest import EXCHANGE
from stream_lstm.features import Features, FeatureSet
from stream_lstm.forecasting import seats
from stream_lstm.forecasting.columns import WINDOW
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.history import History
from stream_lstm.forecasting.outputs import Seat
from stream_lstm.forecasting.recorder import Forecasts
from stream_lstm.forecasting.series import Series
from stream_lstm.models import naive
from stream_lstm.models.bank import Bank
from stream_lstm.models.live import ModelType, Untrained, one_by_one
from stream_lstm.models.market_view import Index, MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

Times = NDArray[np.int64]

_PLACE: Final = "course"
_LOOK_EVERY: Final = 64
"""Candles after which a history is read: less than the shortest one holds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """N candles of a series in a row, gap fills among them, from one new beginning to the next."""

    candles: NDArray[np.float32]  # (N, 5)
    open_ms: Times  # (N,)
    synthetic: NDArray[np.bool_]  # (N,)
    seen: Features

    def view(self, rows: Index, steps: Sequence[int]) -> MarketView:
        """The market at the close of n of its candles, none of them among its first 19."""
        begins = rows - WINDOW + 1
        windows = sliding_window_view(self.seen.inputs, WINDOW, axis=0)[begins].swapaxes(1, 2)
        closes = sliding_window_view(self.candles[:, 3], WINDOW)[begins]
        return MarketView(
            skip=self.seen.skip[rows],
            window=np.ascontiguousarray(windows),
            closes=closes.astype(np.float64),
            log_base=self.seen.log_base[rows],
            log_slow=self.seen.log_slow[rows],
            log_ewma=self.seen.log_sigma[rows],
            steps=np.tile(np.array(steps, np.int64), (len(rows), 1)),
        )


class Due(NamedTuple):
    """A training that a candle makes due: on candles `first` … `end` − 1 of a stretch."""

    candle: int
    """Row of the file."""
    stretch: int
    first: int
    end: int
    state: NDArray[np.float64]
    """Feature state before the first candle."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The course of one file of N candles."""

    file: CandleFile
    steps: tuple[int, ...]
    """Horizons in candles, shortest first, and 0 where another file has more: (K,)."""
    seed: int
    numbers: Times
    """(N,) of the candles in their series; they jump over gaps."""
    asked: NDArray[np.bool_]
    """(N,) whether a forecast is made at the candle."""
    stretch: Index
    """(N,) where the candle is: its stretch, and its row there."""
    row: Index
    stretches: tuple[Stretch, ...]
    realigned: frozenset[int]
    """Candles with which the series began in another phase."""
    dues: tuple[Due, ...]

    @property
    def key(self) -> SeriesKey:
        """The series."""
        return SeriesKey(EXCHANGE, self.file.symbol, self.file.interval)

    def training_set(self, due: Due, config: EngineConfig) -> TrainingSet:
        """What the training learns from, its features included."""
        part, stretch = slice(due.first, due.end), self.stretches[due.stretch]
        return TrainingSet(
            series=str(self.key),
            step_ms=self.file.step_ms,
            candles=stretch.candles[part],
            open_ms=stretch.open_ms[part],
            synthetic=stretch.synthetic[part],
            state=due.state,
            reference=float(self.file.ohlcv[0, 3]),
            horizons=tuple(steps for steps in self.steps if steps),
            seed=self.seed,
            hyperparameters=config.hyperparameters,
            seen=Features(*(column[part] for column in stretch.seen)),
        )


def chart(
    files: Sequence[CandleFile],
    config: EngineConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Leg]:
    """Walk the engine through files with a model that learns nothing, and note the course of each."""
    asked = _Asked()
    whole = replace(config, expiry_jitter=0.0, model=_CHECKED.name)
    engine = Engine(whole, bank=Bank(lambda name: _CHECKED), recorder=asked)
    keys = [SeriesKey(EXCHANGE, file.symbol, file.interval) for file in files]
    noted = {key: _Noted(file) for key, file in zip(keys, files, strict=True)}
    total, done = sum(len(file.open_ms) for file in files), 0
    for moment in moments.of_files(files, EXCHANGE):
        due = [candle.series for candle in moment if _admit(engine, candle, noted[candle.series])]
        engine.advance(0)
        for key in due:
            _train(engine, key, noted[key])
        done += len(moment)
        progress(done, total)
    legs = []
    for key, one in noted.items():
        series = _series(engine, key)
        one.look(series)
        steps = (*series.steps, *[0] * (len(config.horizons) - len(series.steps)))
        legs.append(one.leg(steps, asked.open_ms.get(key, [])))
    return legs


def _admit(engine: Engine, candle: Closed, noted: "_Noted") -> bool:
    """Admit and note a candle; whether it makes a training due."""
    before = engine.series(candle.series)
    first_ms = candle.open_ms if before is None else before.first_open_ms
    admitted = engine.admit(_PLACE, candle, None, live=True)
    noted.take(_series(engine, candle.series), candle, first_ms)
    return bool(admitted.requests)


def _train(engine: Engine, key: SeriesKey, noted: "_Noted") -> None:
    """Note a training, and let its model be installed."""
    data = engine.training_set(key)
    assert data is not None
    noted.look(_series(engine, key))
    (outcome,) = _CHECKED.fit([data])
    if isinstance(outcome, Model):
        noted.due(data)
        engine.install(key, outcome)
    else:
        seats.give_up(engine, Seat(key))


def _series(engine: Engine, key: SeriesKey) -> Series:
    series = engine.series(key)
    assert series is not None
    return series


def _fit(data: TrainingSet) -> Model:
    """Fails where any model would, for want of candles or because of an absurd one."""
    data.check()
    return naive.fit(data)


_CHECKED: Final = ModelType(naive.NAME, one_by_one(_fit), lambda model: Untrained(naive.forecast))


class _Asked:
    """Which candles are answered: a `forecasting.recorder.Recorder`."""

    coverages = ()

    def __init__(self) -> None:
        self.open_ms: dict[SeriesKey, list[int]] = {}

    def record(self, forecasts: Forecasts) -> None:
        for item in forecasts.items:
            self.open_ms.setdefault(item.series.key, []).append(item.candle.open_ms)


class _Noted:
    """What is noted of one series on the way."""

    def __init__(self, file: CandleFile) -> None:
        self._file = file
        self._numbers: list[int] = []
        self._realigned: set[int] = set()
        self._seed = 0
        self._begins: list[NDArray[np.float64]] = []
        """Feature state before each stretch."""
        self._parts: list[list[tuple[NDArray[np.float32], Times, NDArray[np.bool_]]]] = []
        self._last_ms = -1
        self._anew = True
        self._dues: list[tuple[int, int, int, int, NDArray[np.float64]]] = []

    def take(self, series: Series, candle: Closed, first_ms: int) -> None:
        """A candle that was admitted and not worked on; `first_ms` is where numbers began before it."""
        if series.first_open_ms != first_ms:
            self._realigned.add(len(self._numbers))
        begins = series.count == 1 and bool(self._numbers)
        if begins or (len(self._numbers) % _LOOK_EVERY == 0 and self._numbers):
            self._read(series.history, first_ms)
        self._anew = self._anew or begins  # the history is forgotten by the work that follows
        self._numbers.append(series.number(candle.open_ms))

    def look(self, series: Series) -> None:
        """Note the candles of the history that are new."""
        self._read(series.history, series.first_open_ms)

    def _read(self, history: History, first_ms: int) -> None:
        open_ms = first_ms + history.steps() * self._file.step_ms
        new = open_ms > self._last_ms
        if self._anew or open_ms[0] > self._last_ms:
            self._begins.append(history.blocks[0].state.copy())
            self._parts.append([])
            self._anew = False
        self._parts[-1].append((history.candles()[new], open_ms[new], history.synthetic()[new]))
        self._last_ms = int(open_ms[-1])

    def due(self, data: TrainingSet) -> None:
        """A training on this."""
        self._seed = data.seed
        stretch, last = len(self._parts) - 1, len(self._numbers) - 1
        self._dues.append((last, stretch, int(data.open_ms[0]), int(data.open_ms[-1]), data.state.copy()))

    def leg(self, steps: tuple[int, ...], asked: list[int]) -> Leg:
        """All of it."""
        stretches = tuple(
            self._stretch(state, parts) for state, parts in zip(self._begins, self._parts, strict=True)
        )
        count = len(self._numbers)
        open_ms = self._file.open_ms[:count]
        begins = np.array([stretch.open_ms[0] for stretch in stretches])
        own: Index = np.searchsorted(begins, open_ms, side="right") - 1
        row = np.zeros(count, np.intp)
        for at, stretch in enumerate(stretches):
            row[own == at] = np.searchsorted(stretch.open_ms, open_ms[own == at])
        dues = []
        for candle, at, first_ms, last_ms, state in self._dues:
            first, end = np.searchsorted(stretches[at].open_ms, [first_ms, last_ms + 1]).tolist()
            dues.append(Due(candle, at, first, end, state))
        return Leg(
            file=self._file,
            steps=steps,
            seed=self._seed,
            numbers=np.array(self._numbers, np.int64),
            asked=np.isin(open_ms, asked),
            stretch=own,
            row=row,
            stretches=stretches,
            realigned=frozenset(self._realigned),
            dues=tuple(dues),
        )

    def _stretch(
        self,
        state: NDArray[np.float64],
        parts: list[tuple[NDArray[np.float32], Times, NDArray[np.bool_]]],
    ) -> Stretch:
        candles, open_ms, synthetic = (np.concatenate(column) for column in zip(*parts, strict=True))
        seen = FeatureSet().run(state, candles, open_ms, self._file.step_ms)
        return Stretch(candles, open_ms, synthetic, seen)
