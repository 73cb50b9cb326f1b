"""Walks along a course with models of some hyper-parameters, to the bit as `walk_forward` walks.

Only what depends on them is done: fits, forecasts, and what the calibrators learn of them. A walk goes in
laps, so that a search can leave one that leads nowhere. N candles of all legs, K horizons, L coverages.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
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
from stream_lstm.models.hyperparameters import Hyperparameters
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
    """Walks legs together, for several sets of hyper-parameters abreast: that costs little more than for one.

    What is published for one set does not depend, bit for bit, on those beside it. L legs, R = sets × L rows.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        config: EngineConfig,
        tried: Sequence[Hyperparameters],
        coverages: tuple[float, ...],
    ) -> None:
        """Tracks have the half-widths of these `coverages`."""
        self._legs, self._config = legs, config
        self._configs = [replace(config, hyperparameters=each) for each in tried]
        self.failures: dict[int, TrainingFailed] = {}
        """Of the sets with which a training has failed: they have been left."""
        self._going = list(range(len(tried)))
        self._types = forecaster(config.model)
        self._said = _Said(coverages)
        self._bank = _Answers(legs, len(tried))
        self._columns = Columns(FeatureSet(), len(config.horizons), described=False)
        self._forecaster = Forecaster(config, self._columns, self._bank, self._said)
        self._models: dict[tuple[int, int], Model] = {}
        self._dues = [{due.candle: due for due in leg.dues} for leg in legs]
        rows = len(tried) * len(legs)
        self._columns.grow(rows)
        self._forecaster.grow(rows)
        self._series = [self._begin(row, legs[row % len(legs)]) for row in range(rows)]

    def _begin(self, row: int, leg: Leg) -> Series:
        file, config = leg.file, self._config
        horizons = horizons_of(config.horizons, file.step_ms, config.max_horizon_candles)
        steps = tuple(horizon.steps for horizon in horizons)
        taken = self._columns.take(float(file.ohlcv[0, 3]), file.step_ms, steps)
        assert taken == row
        self._forecaster.begin(row, steps)
        first = Closed(leg.key, file.step_ms, int(file.open_ms[0]), *file.ohlcv[0].tolist())
        return Series(_PLACE, first, row, horizons, limit=config.history_candles, model_type=config.model)

    def leave(self, at: int) -> None:
        """Go on without a set of hyper-parameters."""
        self._going.remove(at)

    def laps(self, from_ms: int, ends: Sequence[int]) -> Iterator[dict[int, list[Tracks]]]:
        """After each of the times `ends`, what was published since the last, by set; aligned with the legs.

        Times are closes of candles, epoch ms; what closes before `from_ms` is not published. Ends where all
        sets have been left.
        """
        places = {leg.key: at for at, leg in enumerate(self._legs)}
        at = [0] * len(self._legs)
        walk = moments.of_files([leg.file for leg in self._legs], EXCHANGE)
        moment = next(walk, None)
        for begin, end in zip((-1, *ends[:-1]), ends, strict=True):
            self._fit(begin, end)
            if not self._going:
                return
            while moment is not None and moment[0].close_ms <= end:
                self._work(
                    moment, [places[each.series] for each in moment], at, moment[0].close_ms >= from_ms
                )
                moment = next(walk, None)
            tracks = self._said.take(self._series, self._config.confidence)
            legs = len(self._legs)
            yield {each: tracks[each * legs : (each + 1) * legs] for each in self._going}

    def _fit(self, begin_ms: int, end_ms: int) -> None:
        """Fit all that is due in a lap, side by side: a fit depends on its candles alone."""
        jobs = [
            (each, place, due)
            for each in self._going
            for place, leg in enumerate(self._legs)
            for due in leg.dues
            if begin_ms < int(leg.file.open_ms[due.candle]) + leg.file.step_ms - 1 <= end_ms
        ]
        sets = [self._legs[place].training_set(due, self._configs[each]) for each, place, due in jobs]
        self._models = {}
        for (each, place, due), outcome in zip(jobs, self._types.fit(sets), strict=True):
            if not isinstance(outcome, TrainingFailed):
                self._models[each * len(self._legs) + place, due.candle] = outcome
            elif each not in self.failures:
                self.failures[each] = outcome
                self.leave(each)

    def _work(self, moment: Sequence[Closed], places: list[int], at: list[int], live: bool) -> None:
        """One candle of each of some legs, for all sets that are going."""
        legs, sets = len(self._legs), self._going
        candles = [at[place] for place in places]
        items, asked = [], []
        for n, (place, candle, closed) in enumerate(zip(places, candles, moment, strict=True)):
            at[place] += 1
            leg = self._legs[place]
            number = int(leg.numbers[candle])
            items.append(Item(self._series[place], closed, number, 0, 0, "next", live, None))
            if leg.asked[candle]:
                asked.append(n)
            if candle in leg.realigned:
                for each in sets:
                    row = each * legs + place
                    self._forecaster.forget_open(row, self._series[row].steps)
        rows = _rows(sets, places, legs)
        numbers = np.array([item.number for item in items] * len(sets), np.int64)
        self._columns.last_close[rows] = [candle.close for candle in moment] * len(sets)
        self._forecaster.learn(rows, numbers, _NOTHING, _NOTHING)
        if asked:
            chosen = _rows(sets, [places[n] for n in asked], legs)
            self._bank.candles = np.array([candles[n] for n in asked] * len(sets))
            self._said.rows = chosen
            numbers = np.array([items[n].number for n in asked] * len(sets), np.int64)
            said_at = [items[n] for n in asked] * len(sets)
            self._forecaster.predict(said_at, chosen, numbers, self._bank.seen(chosen), 0)
        for place, candle in zip(places, candles, strict=True):
            due = self._dues[place].get(candle)
            if due is not None:
                self._install(place, due)

    def _install(self, place: int, due: Due) -> None:
        leg = self._legs[place]
        until = min(
            (each.candle for each in leg.dues if each.candle > due.candle), default=len(leg.numbers) - 1
        )
        for each in self._going:
            row = each * len(self._legs) + place
            model = self._models[row, due.candle]
            self._forecaster.install(row, model)
            self._bank.fill(row, self._types.live(model), model, due.candle + 1, until + 1)


def _rows(sets: Sequence[int], places: Sequence[int], legs: int) -> Index:
    """The rows of some legs in all of the sets, set after set."""
    return (np.array(sets, np.intp)[:, None] * legs + np.array(places, np.intp)).ravel()


class _Answers(Bank):
    """A bank whose answers are there before it is asked: a model's, for all of its candles in a few calls."""

    def __init__(self, legs: Sequence[Leg], sets: int) -> None:
        super().__init__(forecaster)
        self._legs = legs
        counts = [len(leg.numbers) for leg in legs] * sets
        self._begins = np.cumsum([0, *counts[:-1]])
        shape = sum(counts), len(legs[0].steps)
        heads = np.zeros(shape[0], np.int64)
        self._whole = BankForecast(np.zeros(shape), np.zeros(shape), np.zeros(shape), heads)
        self._levels = np.zeros((3, shape[0]))  # log_base, log_slow, log_sigma
        self.candles: Index = np.zeros(0, np.intp)
        """Of the rows that are asked next."""
        for row in range(len(counts)):
            leg = legs[row % len(legs)]
            first = leg.dues[0].candle + 1 if leg.dues else len(leg.numbers)
            self._answer_ahead(row, 0, first, hybrid.forecast)

    def seen(self, rows: Index) -> Features:
        """What the candles have shown, but for what only models read: it was read ahead."""
        nothing = np.zeros((len(rows), 0))
        base, slow, sigma = self._levels[:, self._begins[rows] + self.candles]
        return Features(nothing, nothing, base, slow, sigma, np.zeros(len(rows)))

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
        leg = self._legs[row % len(self._legs)]
        asked = begin + np.flatnonzero(leg.asked[begin:end])
        for stretch in np.unique(leg.stretch[asked]).tolist():
            own = asked[leg.stretch[asked] == stretch]
            for first in range(0, len(own), _AT_ONCE):
                part = own[first : first + _AT_ONCE]
                view, at = leg.stretches[stretch].view(leg.row[part], leg.steps), self._begins[row] + part
                self._levels[:, at] = view.log_base, view.log_slow, view.log_ewma
                said = ask(view)
                for column, field in zip(self._columns(), fields(BankForecast), strict=True):
                    column[at] = getattr(said, field.name)

    def _columns(self) -> tuple[NDArray[Any], ...]:
        whole = self._whole
        return whole.location, whole.drift, whole.log_scale, whole.heads


class _Said:
    """What was published: a `forecasting.recorder.Recorder`."""

    def __init__(self, coverages: tuple[float, ...]) -> None:
        self.coverages = coverages
        self.rows: Index = np.zeros(0, np.intp)
        """Of what is recorded next."""
        self._parts: list[tuple[Index, Forecasts]] = []

    def record(self, forecasts: Forecasts) -> None:
        self._parts.append((self.rows, forecasts))

    def take(self, series: Sequence[Series], confidence: float) -> list[Tracks]:
        """The tracks of all that was said since the last call, by row."""
        parts, self._parts = self._parts, []
        if not parts:
            return [{} for _ in series]
        row = np.concatenate([rows for rows, _ in parts])
        said = [forecasts for _, forecasts in parts]
        as_of = np.array([item.candle.close_ms for part in said for item in part.items], np.int64)
        columns = [
            np.concatenate([getattr(part, name) for part in said])
            for name in ("close", "location", "half_width", "half_widths")
        ]
        tracks: list[Tracks] = []
        for one in series:
            own = np.flatnonzero(row == one.row)
            close, location, half, halves = (column[own] for column in columns)
            tracks.append(
                {
                    horizon.name: _track(
                        horizon, as_of[own], close, location[:, k], half[:, k], halves[:, k], confidence
                    )
                    for k, horizon in enumerate(one.horizons)
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
