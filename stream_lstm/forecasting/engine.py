"""The engine: closed candles in; predictions, scores, events and training requests out.

One engine holds every series of a worker, in columns, and works in rounds: a round takes at most one
candle per series and does each step of the work for all of them at once. It has no clock, no I/O and no
randomness; what it says depends on the candles, the installed models and its settings alone.
"""

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting import due
from stream_lstm.forecasting.admission import (
    CORRECTIONS,
    SYNTHETIC,
    Item,
    Kind,
    Outcome,
    bridges_gap,
    flat_after,
    gap_before,
    outcome_of,
    relative,
)
from stream_lstm.forecasting.columns import Columns
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.drift_watch import DRIFT
from stream_lstm.forecasting.experiments import Experiments
from stream_lstm.forecasting.forecaster import Forecaster
from stream_lstm.forecasting.horizons import horizons_of
from stream_lstm.forecasting.inquiry import Inquiry
from stream_lstm.forecasting.outputs import Body, Event, Notice, Outputs, TrainingRequest
from stream_lstm.forecasting.partition_state import PartitionState, described, last_candle, take_up
from stream_lstm.forecasting.recorder import Recorder
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.track_record import Record
from stream_lstm.models.bank import Bank
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

_FIRST_ROWS: Final = 64
_PHASE_CHANGED: Final[Body] = {"missing": None, "reason": "phase changed"}


class Admitted(NamedTuple):
    """What became of a closed candle."""

    outcome: Outcome
    requests: list[TrainingRequest]
    """The trainings that the candle makes due and that were not asked for yet."""


class Engine:
    """All series of a worker. `admit` places candles, `advance` does the work, `install` takes models."""

    def __init__(
        self, config: EngineConfig, *, bank: Bank | None = None, recorder: Recorder | None = None
    ) -> None:
        """With a `recorder`, forecasts go to it as arrays, and no prediction or score is said.

        No record of the series is kept then.
        """
        self.config = config
        self._series: dict[SeriesKey, Series] = {}
        self._columns = Columns(FeatureSet(), len(config.horizons), described=recorder is None)
        self._forecaster = Forecaster(config, self._columns, bank or Bank(), recorder)
        self.inquiry = Inquiry(config, self._columns, self._forecaster)
        """What may be asked between two calls of `advance`, and changes nothing."""
        self.experiments = Experiments(config, self._columns, self._forecaster)
        self._rounds: list[list[Item]] = []
        self._events: list[tuple[Series, Event]] = []

    def __len__(self) -> int:
        return len(self._series)

    def series(self, key: SeriesKey) -> Series | None:
        """The series of that key, to be read only."""
        return self._series.get(key)

    def all_series(self) -> list[Series]:
        """Every series, to be read only."""
        return list(self._series.values())

    def record(self, series: Sequence[Series]) -> Record:
        """How well the forecasts of S series have done lately: (S, K), horizons in each series' own order."""
        return self._forecaster.record(np.array([one.row for one in series], np.intp))

    def admit(
        self,
        partition: Hashable,
        candle: Closed,
        cause: object,
        *,
        live: bool,
        asks: bool | None = None,
    ) -> Admitted:
        """Give a closed candle its place; the work is done by the next `advance`.

        `cause` comes back with everything said because of this candle. With `live` false nothing is
        said because of it, but it counts for everything that follows. `asks` is whether it may ask for a
        training; as `live`, if not given.
        """
        asks = live if asks is None else asks
        series = self._series.get(candle.series)
        if series is not None and (series.partition != partition or series.step_ms != candle.step_ms):
            self._forget(series)
            series = None
        if series is None:
            series = self._begin(partition, candle)
            return self._admit_next(series, candle, "restart", cause, live, asks)
        outcome = outcome_of(series, candle, self._waiting(series, candle.open_ms))
        if outcome == "correction":
            self._correct(series, candle, cause, live)
        if outcome != "new":
            return Admitted(outcome, [])
        kind = self._continue(series, candle, cause, live)
        return self._admit_next(series, candle, kind, cause, live, asks)

    def must_advance(self, key: SeriesKey) -> bool:
        """Whether a series has a candle to be worked on before its next is admitted.

        That one may make a training due, or end an experiment: what the next is admitted with would else
        rest on which share a turn.
        """
        series = self._series.get(key)
        if series is None or not series.placed:
            return False
        return self.config.drift.retrain or self.experiments.of(series) is not None

    def advance(self, now_ms: int) -> dict[Hashable, Outputs]:
        """Do the work of all admitted candles; what is said, by partition. `now_ms` becomes `generatedAt`."""
        said: dict[Hashable, Outputs] = {}
        for series, event in self._events:
            said.setdefault(series.partition, Outputs()).events.append(event)
        rounds, self._rounds, self._events = self._rounds, [], []
        for items in rounds:
            for item in items:
                item.series.placed = 0
        for items in rounds:
            forward = [item for item in items if item.kind not in CORRECTIONS]
            revisions = [item for item in items if item.kind == "revision"]
            for item in items:
                if item.kind in CORRECTIONS:
                    stored = relative(item.candle, item.series.reference)
                    item.series.history.replace(item.number, stored)
            for part in (forward, revisions):
                if part:
                    self._work(part, now_ms, said)
        return said

    def install(self, key: SeriesKey, model: Model) -> bool:
        """Let a model answer for a series from its next candle on; false if the series is not here.

        Raises `ModelMismatch` if it reads other features than `config` says.
        """
        model.check_features(self.config.features)
        series = self._series.get(key)
        if series is None:
            return False
        self._forecaster.install(series.row, model)
        series.answered_by(model, self.expiry_of(series, model))
        return True

    def remove_model(self, key: SeriesKey) -> bool:
        """Go on without a model until the next candle makes one due; false if the series is not here."""
        series = self._series.get(key)
        if series is None:
            return False
        self._forecaster.remove(series.row)
        self.experiments.remove_model(series)
        series.model = series.expires_ms = None
        series.requested = series.drifted = series.said_expired = False
        series.deleted_ms = series.last.close_ms if series.last is not None else None
        return True

    def pause(self, key: SeriesKey, paused: bool) -> bool:
        """Let a series say nothing and not be trained, or again; false if it is not here."""
        series = self._series.get(key)
        if series is None:
            return False
        series.paused = paused
        return True

    def retrain(self, key: SeriesKey) -> bool:
        """Make a training due whatever the age of the model; false if the series is not here."""
        series = self._series.get(key)
        if series is None:
            return False
        series.retrain, series.deleted_ms = True, None
        return True

    def expiry_of(self, series: Series, model: Model) -> int:
        """Stream time at which a model of the series is to be replaced, epoch ms."""
        return due.expiry_of(self.config, series, model, self._forecaster.bank.own_of(model))

    def training_set(self, key: SeriesKey) -> TrainingSet | None:
        """A copy of what the series' next model is trained on; None if it is not here or too young."""
        series = self._series.get(key)
        return None if series is None else due.training_set(self.config, series)

    def requests(self, key: SeriesKey) -> list[TrainingRequest]:
        """The trainings that are due for a series and not asked for."""
        series = self._series.get(key)
        return [] if series is None or series.last is None else self._due(series, series.last.close_ms)

    def all_requests(self, partition: Hashable) -> list[TrainingRequest]:
        """The trainings that are due and not asked for: what silent candles have left, when they are over."""
        members = [series.key for series in self._series.values() if series.partition == partition]
        return [request for key in members for request in self.requests(key)]

    def forget(self, key: SeriesKey) -> None:
        """Forget a series, and its candles that were admitted and not worked on."""
        if key in self._series:
            self._forget(self._series[key])

    def drop(self, partition: Hashable) -> None:
        """Forget every series of a partition, and its candles that were admitted and not worked on."""
        for series in [series for series in self._series.values() if series.partition == partition]:
            self._forget(series)

    def export(self, partition: Hashable) -> PartitionState:
        """All that is known of the series of a partition, between two rounds of work. Changes nothing.

        `restore` in another engine with the same settings goes on from there to the bit.
        """
        assert not self._rounds
        chosen = [series for series in self._series.values() if series.partition == partition]
        arrays, answerers = self._forecaster.export(np.array([series.row for series in chosen], np.intp))
        return PartitionState(
            series=[described(series) | self.experiments.described(series) for series in chosen],
            arrays=arrays,
            answerers=answerers,
            histories=[series.history.export() for series in chosen],
            shadows=self.experiments.export(chosen),
        )

    def restore(
        self,
        partition: Hashable,
        state: PartitionState,
        models: Mapping[SeriesKey, Model],
        challengers: Mapping[SeriesKey, Model] = MappingProxyType({}),
    ) -> None:
        """Go on with what `export` told, in a partition without series, with the models that answered then.

        A series whose model is missing is answered without one and asks for a training. Raises
        `KeyError` or `ValueError` for a state of another shape, with no series of the partition left.
        """
        try:
            begun = []
            for told, blocks in zip(state.series, state.histories, strict=True):
                series = self._begin(partition, last_candle(told)._replace(close=told["reference"]))
                take_up(series, told, blocks)
                begun.append(series)
            rows = np.array([series.row for series in begun], np.intp)
            self._forecaster.restore(rows, state.arrays, state.answerers)
            described_as = [*zip(begun, state.series, strict=True)]
            self.experiments.restore(described_as, state.shadows, challengers)
        except BaseException:
            self.drop(partition)
            raise
        for series in begun:
            self._forecaster.resume(series.row, models.get(series.key))
            series.model = self._forecaster.bank.model(series.row)
            model = series.model
            series.expires_ms = None if model is None else self.expiry_of(series, model)

    # -- admitting ---------------------------------------------------------------------------------

    def _begin(self, partition: Hashable, first: Closed) -> Series:
        if self._columns.full():
            rows = max(_FIRST_ROWS, 2 * self._columns.capacity)
            self._columns.grow(rows)
            self._forecaster.grow(rows)
            self.experiments.grow(rows)
        config = self.config
        horizons = horizons_of(config.horizons, first.step_ms, config.max_horizon_candles)
        steps = tuple(horizon.steps for horizon in horizons)
        row = self._columns.take(first.close, first.step_ms, steps)
        self._forecaster.begin(row, steps)
        series = Series(
            partition, first, row, horizons, limit=config.history_candles, model_type=config.model
        )
        self._series[first.series] = series
        return series

    def _forget(self, series: Series) -> None:
        del self._series[series.key]
        self._rounds = [[item for item in items if item.series is not series] for items in self._rounds]
        self._events = [pair for pair in self._events if pair[0] is not series]
        self.experiments.end(series.row)
        self._forecaster.end(series.row)
        self._columns.give_back(series.row)

    def _waiting(self, series: Series, open_ms: int) -> Closed | None:
        """The newest version of a candle that was admitted and not worked on yet."""
        for items in reversed(self._rounds[: series.placed]):
            for item in items:
                if item.series is series and item.candle.open_ms == open_ms:
                    return item.candle
        return None

    def _continue(self, series: Series, candle: Closed, cause: object, live: bool) -> Kind:
        """How a newer candle goes on: next in line, after fills of a short gap, or as a new beginning."""
        assert series.last is not None
        last = series.last
        if (candle.open_ms - series.first_open_ms) % series.step_ms:
            series.realign(candle.open_ms)
            self._tell(series, "series.gap", candle, cause, live, _PHASE_CHANGED)
            return "realign"
        gap = gap_before(series, candle)
        missing = (gap.to_ms - gap.from_ms) // series.step_ms
        if missing == 0:
            return "next"
        bridge = bridges_gap(self.config, series.step_ms, gap, series.closures)
        data: Body = {
            "missing": missing,
            "filled": bridge == "fill",
            "from": gap.from_ms,
            "to": gap.to_ms - 1,
        }
        if bridge == "step":
            data["bridged"] = True
        if bridge != "step" or series.closures.earlier(gap.from_ms) is None:
            self._tell(series, "series.gap", candle, cause, live, data)
        if bridge != "fill":
            series.closures.note(gap)
        else:
            for index in range(1, missing + 1):
                filled = flat_after(last, last.open_ms + index * series.step_ms)
                self._place(series, filled, "fill", cause, live)
        return "next" if bridge else "restart"

    def _admit_next(
        self, series: Series, candle: Closed, kind: Kind, cause: object, live: bool, asks: bool
    ) -> Admitted:
        if kind in ("restart", "realign"):
            series.count, series.said_warming = 0, False
        series.count += 1
        series.revision = 0
        series.last = candle
        self._place(series, candle, kind, cause, live)
        if series.count < self.config.warm_up and not series.said_warming:
            series.said_warming = True
            needed: Body = {"candles": series.count, "needed": self.config.warm_up}
            self._tell(series, "series.warming_up", candle, cause, live, needed)
        self._look_at_expiry(series, candle, cause, live)
        return Admitted("new", self._due(series, candle.close_ms) if asks else [])

    def _correct(self, series: Series, candle: Closed, cause: object, live: bool) -> None:
        assert series.last is not None
        if candle.open_ms == series.last.open_ms:
            series.last = candle
            series.revision += 1
            self._place(series, candle, "revision", cause, live)
        else:
            self._place(series, candle, "amendment", cause, live)

    def _place(self, series: Series, candle: Closed, kind: Kind, cause: object, live: bool) -> None:
        number = series.number(candle.open_ms)
        item = Item(series, candle, number, series.count, series.revision, kind, live, cause)
        if series.placed == len(self._rounds):
            self._rounds.append([])
        self._rounds[series.placed].append(item)
        series.placed += 1

    def _look_at_expiry(self, series: Series, candle: Closed, cause: object, live: bool) -> None:
        """Say once that the model has expired."""
        expires = series.expires_ms
        if expires is not None and candle.close_ms >= expires and not series.said_expired:
            series.said_expired = True
            self._tell(series, "model.expired", candle, cause, live, {"expiresAt": expires})

    def _due(self, series: Series, now_ms: int) -> list[TrainingRequest]:
        """Ask for each training that is due once."""
        asked = (due.request_of(self.config, series, now_ms), self.experiments.request(series, now_ms))
        return [request for request in asked if request is not None]

    def _tell(self, series: Series, kind: str, candle: Closed, cause: object, live: bool, data: Body) -> None:
        if live:
            self._events.append((series, Event(kind, series.key, candle.close_ms, cause, data)))

    # -- working -----------------------------------------------------------------------------------

    def _work(self, items: list[Item], now_ms: int, said: dict[Hashable, Outputs]) -> None:
        """One candle of each of S distinct series: features, then matured predictions, then new ones."""
        columns = self._columns
        rows: NDArray[np.intp] = np.array([item.series.row for item in items], np.intp)
        prices = np.array([item.candle[3:8] for item in items])  # (S, 5) in quote units
        numbers = np.array([item.number for item in items])
        candles = columns.ratios(rows, prices)
        corrects = items[0].kind in CORRECTIONS
        if not corrects:
            self._remember(items, candles)
        opens = np.array([item.candle.open_ms for item in items])
        seen = columns.step(rows, candles, np.ascontiguousarray(prices[:, 3]), opens, corrects=corrects)
        real = np.array([at for at, item in enumerate(items) if item.kind != SYNTHETIC], np.intp)
        if len(real) and not corrects:
            high, low = prices[real, 1], prices[real, 2]
            matured = [items[at] for at in real]
            came = self._forecaster.learn(rows[real], numbers[real], high, low)
            self.experiments.learn(rows[real], numbers[real], high, low, came)
            for notice in self._forecaster.supervise(matured, rows[real], numbers[real], came):
                self._note(matured[notice.at], notice, said)
            scores = self._forecaster.scores(matured, came)
            for partition, group in groupby(scores, lambda score: self._series[score.series].partition):
                said.setdefault(partition, Outputs()).scores.extend(group)
        ready = np.array([at for at in real if self._answers(items[at])], np.intp)
        if len(ready):
            chosen = [items[at] for at in ready]
            seen = seen if len(ready) == len(items) else seen.rows(ready)
            predictions = self._forecaster.predict(chosen, rows[ready], numbers[ready], seen, now_ms)
            for partition, more in groupby(predictions, lambda one: self._series[one.series].partition):
                said.setdefault(partition, Outputs()).predictions.extend(more)
            if not corrects:
                self.experiments.foresee(rows[ready], numbers[ready], seen)
                for series, event in self.experiments.decide(chosen, rows[ready]):
                    said.setdefault(series.partition, Outputs()).events.append(event)

    def _note(self, item: Item, notice: Notice, said: dict[Hashable, Outputs]) -> None:
        """What outcomes have shown: take the consequences, and say it if its candle is live."""
        series, close_ms, data = item.series, item.candle.close_ms, notice.data
        if notice.type == DRIFT:
            data = {**data, "retrain": due.by_drift(self.config, series, close_ms)}
        if item.live:
            event = Event(notice.type, series.key, close_ms, item.cause, data)
            said.setdefault(series.partition, Outputs()).events.append(event)

    def _answers(self, item: Item) -> bool:
        enough = item.candles >= self.config.warm_up and bool(item.series.steps)
        return enough and not item.series.paused

    def _remember(self, items: list[Item], candles: NDArray[np.float32]) -> None:
        """Put the candles into the histories; a series that restarts begins its columns anew first."""
        for item, candle in zip(items, candles, strict=True):
            series = item.series
            if item.kind in ("restart", "realign"):
                self._columns.restart(series.row)
                series.history.clear()
            if item.kind == "realign":
                self._forecaster.forget_open(series.row, series.steps)
                self.experiments.forget_open(series)
            series.history.append(
                candle, item.number, item.kind == SYNTHETIC, self._columns.state(series.row)
            )
