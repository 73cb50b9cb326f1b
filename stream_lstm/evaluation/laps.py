"""The walk along a course with models of some hyper-parameters, to the bit as `walk_forward` walks.

Only what depends on them is done: fits, forecasts, and what the calibrators learn of them. A walk goes in
laps, so that a search can leave one that leads nowhere. N candles of all legs, K horizons, L coverages.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles import moments
from stream_lstm.candles.series import Closed
from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation.backtest import EXCHANGE
from stream_lstm.evaluation.course import Due, Leg
from stream_lstm.evaluation.references import forecaster
from stream_lstm.evaluation.track import Track
from stream_lstm.features import Features, FeatureSet
from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.columns import Columns
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.forecaster import Forecaster
from stream_lstm.forecasting.horizons import Horizon, horizons_of
from stream_lstm.forecasting.recorder import Forecasts
from stream_lstm.forecasting.scoring import prices
from stream_lstm.forecasting.series import Series
from stream_lstm.models import hybrid
from stream_lstm.models.bank import Bank
from stream_lstm.models.live import LiveModels
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Model

Floats = NDArray[np.float64]
Tracks = dict[str, Track]
"""What was published for a file, by horizon."""

_PLACE: Final = "course"
_AT_ONCE: Final = 512
"""Candles that a model is asked about in one call."""


class Walker:
    """Walks legs together. The same legs can be walked again and again."""

    def __init__(self, legs: Sequence[Leg], config: EngineConfig, coverages: tuple[float, ...]) -> None:
        """Tracks have the half-widths of these `coverages`."""
        self.legs, self.config = legs, config
        self._types = forecaster(config.model)
        self._said = _Said(coverages)
        self._bank = _Answers(legs)
        self._columns = Columns(FeatureSet(), len(config.horizons), described=False)
        self._forecaster = Forecaster(config, self._columns, self._bank, self._said)
        self._series: list[Series] = []
        self._models: dict[tuple[int, int], Model] = {}
        self._dues = [{due.candle: due for due in leg.dues} for leg in legs]
        for place, leg in enumerate(legs):
            self._begin(place, leg)

    def _begin(self, place: int, leg: Leg) -> None:
        if self._columns.full():
            rows = max(len(self.legs), 1)
            self._columns.grow(rows)
            self._forecaster.grow(rows)
        file, config = leg.file, self.config
        horizons = horizons_of(config.horizons, file.step_ms, config.max_horizon_candles)
        steps = tuple(horizon.steps for horizon in horizons)
        row = self._columns.take(float(file.ohlcv[0, 3]), file.step_ms, steps)
        assert row == place
        self._forecaster.begin(row, steps)
        first = Closed(leg.key, file.step_ms, int(file.open_ms[0]), *file.ohlcv[0].tolist())
        self._series.append(Series(_PLACE, first, row, horizons, config.history_candles))

    def laps(self, from_ms: int, ends: Sequence[int]) -> Iterator[list[Tracks]]:
        """After each of the times `ends`, what was published since the last; aligned with the legs.

        Times are closes of candles, epoch ms; what closes before `from_ms` is not published. Raises
        `TrainingFailed` where a fit does: all that can be said against the candles was found on the course.
        """
        places = {leg.key: at for at, leg in enumerate(self.legs)}
        at = [0] * len(self.legs)
        walk = moments.of_files([leg.file for leg in self.legs], EXCHANGE)
        moment = next(walk, None)
        for begin, end in zip((-1, *ends[:-1]), ends, strict=True):
            self._fit(begin, end)
            while moment is not None and moment[0].close_ms <= end:
                rows = [places[candle.series] for candle in moment]
                self._work(moment, rows, at, live=moment[0].close_ms >= from_ms)
                moment = next(walk, None)
            yield self._said.take([series.horizons for series in self._series], self.config.confidence)

    def _fit(self, begin_ms: int, end_ms: int) -> None:
        """Fit all that is due in a lap, side by side: a fit depends on its candles alone."""
        jobs = [
            (place, due)
            for place, leg in enumerate(self.legs)
            for due in leg.dues
            if begin_ms < int(leg.file.open_ms[due.candle]) + leg.file.step_ms - 1 <= end_ms
        ]
        sets = [self.legs[place].training_set(due, self.config) for place, due in jobs]
        self._models = {}
        for (place, due), outcome in zip(jobs, self._types.fit(sets), strict=True):
            if isinstance(outcome, TrainingFailed):
                raise outcome
            self._models[place, due.candle] = outcome

    def _work(self, moment: Sequence[Closed], rows: list[int], at: list[int], *, live: bool) -> None:
        candles = [at[row] for row in rows]
        items = [
            self._item(row, candle, number, live=live)
            for row, candle, number in zip(rows, moment, candles, strict=True)
        ]
        for row in rows:
            at[row] += 1
        where: Index = np.array(rows, np.intp)
        numbers = np.array([item.number for item in items], np.int64)
        self._columns.last_close[where] = [candle.close for candle in moment]
        self._forecaster.mature(items, where, numbers, _NOTHING, _NOTHING)
        asked = [n for n, row in enumerate(rows) if self.legs[row].asked[candles[n]]]
        if asked:
            chosen = where[asked]
            self._bank.candles = np.array([candles[n] for n in asked])
            seen = _unseen(len(asked))
            self._forecaster.predict([items[n] for n in asked], chosen, numbers[asked], seen, 0)
        for row, candle in zip(rows, candles, strict=True):
            due = self._dues[row].get(candle)
            if due is not None:
                self._install(row, due)

    def _item(self, row: int, candle: Closed, at: int, *, live: bool) -> Item:
        leg, series = self.legs[row], self._series[row]
        if at in leg.realigned:
            self._forecaster.forget_open(row, series.steps)
        return Item(series, candle, int(leg.numbers[at]), 0, 0, "next", live, None)

    def _install(self, row: int, due: Due) -> None:
        model = self._models[row, due.candle]
        self._forecaster.install(row, model)
        later = [each.candle for each in self.legs[row].dues if each.candle > due.candle]
        until = later[0] if later else len(self.legs[row].numbers) - 1
        self._bank.fill(row, self._types.live(model), model, due.candle + 1, until + 1)


class _Answers(Bank):
    """A bank whose answers are there before it is asked: a model's, for all of its candles in a few calls."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        super().__init__(forecaster)
        self._legs = legs
        counts = [len(leg.numbers) for leg in legs]
        self._begins = np.cumsum([0, *counts[:-1]])
        shape = sum(counts), len(legs[0].steps)
        heads = np.zeros(shape[0], np.int64)
        self._whole = BankForecast(np.zeros(shape), np.zeros(shape), np.zeros(shape), heads)
        self.candles: Index = np.zeros(0, np.intp)
        """Of the rows that are asked next."""
        for row, leg in enumerate(legs):
            first = leg.dues[0].candle + 1 if leg.dues else len(leg.numbers)
            self._answer_ahead(row, 0, first, hybrid.forecast)

    def forecast(self, rows: Index, view: MarketView) -> BankForecast:
        at = self._begins[rows] + self.candles
        return BankForecast(*(column[at] for column in self._columns()))

    def fill(self, row: int, live: LiveModels, model: Model, begin: int, end: int) -> None:
        """Let a model answer from candle `begin` of a leg until `end`."""
        live.grow(1)
        live.put(0, model)
        self._answer_ahead(
            row, begin, end, lambda view: live.forecast(np.zeros(len(view.skip), np.intp), view)
        )

    def _answer_ahead(
        self, row: int, begin: int, end: int, ask: Callable[[MarketView], BankForecast]
    ) -> None:
        leg = self._legs[row]
        asked = begin + np.flatnonzero(leg.asked[begin:end])
        for stretch in np.unique(leg.stretch[asked]).tolist():
            own = asked[leg.stretch[asked] == stretch]
            for first in range(0, len(own), _AT_ONCE):
                part = own[first : first + _AT_ONCE]
                said = ask(leg.stretches[stretch].view(leg.row[part], leg.steps))
                for column, field in zip(self._columns(), fields(BankForecast), strict=True):
                    column[self._begins[row] + part] = getattr(said, field.name)

    def _columns(self) -> tuple[NDArray[Any], ...]:
        whole = self._whole
        return whole.location, whole.drift, whole.log_scale, whole.heads


class _Said:
    """What was published: a `forecasting.recorder.Recorder`."""

    def __init__(self, coverages: tuple[float, ...]) -> None:
        self.coverages = coverages
        self._parts: list[Forecasts] = []

    def record(self, forecasts: Forecasts) -> None:
        self._parts.append(forecasts)

    def take(self, horizons: Sequence[Sequence[Horizon]], confidence: float) -> list[Tracks]:
        """The tracks of all that was said since the last call, by row."""
        parts, self._parts = self._parts, []
        if not parts:
            return [{} for _ in horizons]
        row = np.array([item.series.row for part in parts for item in part.items])
        as_of = np.array([item.candle.close_ms for part in parts for item in part.items], np.int64)
        columns = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("close", "location", "half_width", "half_widths")
        ]
        tracks = []
        for place, known in enumerate(horizons):
            own = row == place
            close, location, half, halves = (column[own] for column in columns)
            tracks.append(
                {
                    horizon.name: _track(
                        horizon, as_of[own], close, location[:, k], half[:, k], halves[:, k], confidence
                    )
                    for k, horizon in enumerate(known)
                }
            )
        return tracks


def _track(
    horizon: Horizon,
    as_of: NDArray[np.int64],
    close: Floats,
    location: Floats,
    half: Floats,
    halves: Floats,
    confidence: float,
) -> Track:
    predicted, lower, upper = prices(close, location, half)
    return Track(
        horizon=horizon.name,
        steps=horizon.steps,
        as_of=as_of,
        last_close=close,
        predicted=predicted,
        lower=lower,
        upper=upper,
        half_widths=halves,
        model=(),
        confidence=confidence,
    )


_NOTHING: Final = np.zeros(0)


def _unseen(rows: int) -> Features:
    """Features of rows for a bank that looks at none."""
    return Features(*(np.zeros((rows, 0)) for _ in Features._fields))
