"""Challengers: forecasters in the shadow of those that answer, on the same candles, and saying nothing.

A challenger has a row (a *slot*) in columns of its own, with calibrators and open predictions, as a champion
has. At each candle the market as the engine knows it is copied there, both are judged by the same outcomes,
and `betting` weighs the difference. The last word is `experiment.result`. In a silent replay nothing is
decided: the log says what was, and both come to the same state. A series without an experiment has no slot.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import SeriesKey
from stream_lstm.features import Features
from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.betting import Capitals, Edge, edge
from stream_lstm.forecasting.by_row import ByRow, gathered, scattered
from stream_lstm.forecasting.columns import Columns
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.due import expiry_of, has_enough
from stream_lstm.forecasting.forecaster import Forecaster
from stream_lstm.forecasting.loss_tally import LossTally
from stream_lstm.forecasting.outcomes import Outcomes
from stream_lstm.forecasting.outputs import Body, Event, TrainingRequest
from stream_lstm.forecasting.partition_state import Plain, Shadows
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.trial import Plan, Trial, told_of_horizon
from stream_lstm.models.bank import Bank
from stream_lstm.models.model import Model

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

RESULT: Final = "experiment.result"
_FIRST_SLOTS: Final = 8


class Experiments:
    """The experiments of an engine, at most one per series."""

    def __init__(self, config: EngineConfig, columns: Columns, champions: Forecaster) -> None:
        self._config = config
        self._columns = columns
        self._champions = champions
        horizons = len(config.horizons)
        self._copies = Columns(columns.features, horizons, described=False)
        self._shadow = Forecaster(config, self._copies, Bank(), beside=True)
        self._capitals = Capitals(horizons)
        self._tally = LossTally(horizons)
        self._parts: dict[str, ByRow] = {"capitals": self._capitals, "tally": self._tally}
        self._slot_of: NDArray[np.intp] = np.full(0, -1)
        self._trials: dict[int, Trial] = {}
        self._ended: dict[int, Body] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def of(self, series: Series) -> Trial | None:
        """The one that runs on a series."""
        return self._trials.get(series.row)

    def model(self, series: Series) -> Model | None:
        """The challenger's model, if it has one yet."""
        trial = self.of(series)
        return None if trial is None else self._shadow.bank.model(trial.slot)

    # -- what facts change ---------------------------------------------------------------------------

    def start(self, series: Series, plan: Plan) -> None:
        """Begin an experiment; one that runs or has ended already is not begun again."""
        ended = self._ended.get(series.row)
        if self.of(series) is not None or (ended is not None and ended["experimentId"] == plan.id):
            return
        assert series.last is not None
        self._begin(series, Trial(plan, series.model_type, series.last.close_ms, self._slot(series)))

    def install(self, series: Series, model: Model) -> bool:
        """Let a model be the challenger's from the next candle on; false if none is wanted."""
        trial = self.of(series)
        if trial is None or trial.plan.challenger != model.model_type:
            return False
        self._shadow.install(trial.slot, model)
        trial.requested = False
        return True

    def remove_model(self, series: Series) -> None:
        """Take the challenger's model away: files of a series are deleted together."""
        if (trial := self.of(series)) is not None:
            self._shadow.remove(trial.slot)
            trial.requested = False

    def conclude(self, series: Series, result: Body) -> None:
        """End an experiment as the log says; what has ended so already is left alone."""
        trial, id = self.of(series), result["experimentId"]
        if trial is not None and trial.plan.id == id:
            self._finish(series, trial, result)
        elif self._ended.get(series.row, {}).get("experimentId") != id:
            self._ended[series.row] = result
            if result.get("outcome") == "promoted":
                self._change_type(series, str(result["challenger"]))

    def end(self, row: int) -> None:
        """Forget a row's experiments."""
        self._ended.pop(row, None)
        self._leave(row)

    def forget_open(self, series: Series) -> None:
        """Drop the open predictions of a challenger: their targets will not come."""
        if (trial := self.of(series)) is not None:
            self._shadow.forget_open(trial.slot, series.steps)

    # -- trainings -----------------------------------------------------------------------------------

    def request(self, series: Series, now_ms: int) -> TrainingRequest | None:
        """Ask for a challenger's model, once: at the beginning, and whenever the champion's would be due."""
        trial = self.of(series)
        if trial is None or trial.requested or series.paused or not has_enough(self._config, series):
            return None
        if series.deleted_ms is not None and now_ms <= series.deleted_ms:
            return None
        model, expires = self.model(series), series.expires_ms
        if model is not None:
            overtaken = expires is not None and model.metadata.trained_at < expires <= now_ms
            if not overtaken and now_ms < self._expiry_of(series, model):
                return None
        trial.requested = True
        return TrainingRequest(
            series.key,
            series.partition,
            "no model" if model is None else "expired",
            now_ms,
            trial.plan.challenger,
            "challenger",
        )

    def give_up(self, series: Series) -> None:
        """Forget that a training was asked for."""
        if (trial := self.of(series)) is not None:
            trial.requested = False

    # -- candles -------------------------------------------------------------------------------------

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more: NDArray[np.intp] = np.full(rows - len(self._slot_of), -1)
        self._slot_of = np.concatenate([self._slot_of, more])

    def learn(
        self, rows: Index, numbers: NDArray[np.int64], high: Floats, low: Floats, said: Outcomes | None
    ) -> None:
        """Judge the challengers among S rows at candles `numbers`, beside what came of what was `said`."""
        at = self._members(rows)
        if not len(at):
            return
        slots = self._slot_of[rows[at]]
        self._copies.last_close[slots] = self._columns.last_close[rows[at]]
        theirs = self._shadow.learn(slots, numbers[at], high[at], low[at])
        if said is None or theirs is None:
            return
        horizons = len(self._config.horizons)
        places = (said.which * horizons + said.horizon, at[theirs.which] * horizons + theirs.horizon)
        _, mine, other = np.intersect1d(*places, assume_unique=True, return_indices=True)
        trials = [self._trials[row] for row in rows[said.which[mine]].tolist()]
        whose = zip(trials, said.said.model[mine], theirs.said.model[other], strict=True)
        fair = np.array([_is_fair(trial, a.type, b.type, b.id) for trial, a, b in whose], np.bool_)
        if fair.any():
            self._compare(rows, numbers, said.at(mine[fair]), theirs.at(other[fair]))

    def _compare(self, rows: Index, numbers: NDArray[np.int64], said: Outcomes, theirs: Outcomes) -> None:
        """Weigh n pairs of outcomes."""
        row, horizon = rows[said.which], said.horizon
        slots = self._slot_of[row]
        mine, other = said.verdicts, theirs.verdicts
        losses = np.stack([mine.winkler, other.winkler]) / said.said.close
        self._tally.update(slots, horizon, losses, np.stack([mine.inside, other.inside]))
        steps = self._columns.steps[row, horizon]
        apart = (numbers[said.which] - steps) % steps == 0  # made when the one before was settled
        difference = edge(
            (mine.lower, mine.upper), (other.lower, other.upper), mine.actual, self._config.confidence
        )
        self._capitals.update(slots[apart], horizon[apart], Edge(*(part[apart] for part in difference)))

    def foresee(self, rows: Index, numbers: NDArray[np.int64], seen: Features) -> None:
        """Let the challengers among S distinct rows forecast; what the rows' candles have shown is `seen`."""
        at = self._members(rows)
        if not len(at):
            return
        chosen = rows[at]
        slots = self._slot_of[chosen]
        self._copies.window[slots] = self._columns.window[chosen]
        self._copies.closes[slots] = self._columns.closes[chosen]
        self._copies.last_close[slots] = self._columns.last_close[chosen]
        self._shadow.foresee(slots, numbers[at], seen.rows(at))

    def decide(self, items: Sequence[Item], rows: Index) -> list[tuple[Series, Event]]:
        """Count an answered candle of each item; end the experiments that it decides, and say so.

        Those promoted answer from the next candle on.
        """
        at = self._members(rows)
        if not len(at):
            return []
        evidence = self._capitals.evidence(self._slot_of[rows[at]])
        ended = []
        for item, weighed in zip((items[one] for one in at.tolist()), evidence, strict=True):
            series = item.series
            trial = self._trials[series.row]
            trial.candles += 1
            first = self._tally.read(trial.slot, 0)
            pairs = 0 if first is None else first.outcomes
            has_model = self.model(series) is not None
            outcome = trial.outcome(weighed[: len(series.steps)], pairs=pairs, has_model=has_model)
            if outcome is None or not item.live:
                continue
            result = {"outcome": outcome} | self._figures(series, trial)
            self._finish(series, trial, result)
            ended.append((series, Event(RESULT, series.key, item.candle.close_ms, item.cause, result)))
        return ended

    # -- what is asked -------------------------------------------------------------------------------

    def report(self, series: Series) -> Body | None:
        """The figures of the experiment that runs on a series."""
        trial = self.of(series)
        return None if trial is None else self._figures(series, trial)

    def last_ended(self, series: Series) -> Body | None:
        """What the last one that has ended said: its result, or the fact that stopped it."""
        return self._ended.get(series.row)

    # -- states --------------------------------------------------------------------------------------

    def described(self, series: Series) -> Plain:
        """What a checkpoint holds beside the arrays."""
        trial = self.of(series)
        plain: Plain = {} if trial is None else {"experiment": trial.described()}
        return plain | ({"ended": ended} if (ended := self.last_ended(series)) is not None else {})

    def export(self, chosen: Sequence[Series]) -> Shadows:
        """The challengers of some series, in their order."""
        slots = np.array([trial.slot for one in chosen if (trial := self.of(one)) is not None], np.intp)
        if not len(slots):
            return Shadows()
        arrays, known = self._shadow.export(slots)
        return Shadows(arrays | gathered(self._parts, slots), known)

    def restore(
        self, begun: Sequence[tuple[Series, Plain]], shadows: Shadows, models: Mapping[SeriesKey, Model]
    ) -> None:
        """Go on with what `described` and `export` told, with the challengers' models.

        Raises `KeyError` or `ValueError` for arrays of another shape.
        """
        running = []
        for series, told in begun:
            if (ended := told.get("ended")) is not None:
                self._ended[series.row] = ended
            if (one := told.get("experiment")) is not None:
                plan, slot = Plan.of(one), self._slot(series)
                self._begin(series, Trial(plan, one["champion"], one["since"], slot, one["candles"]))
                running.append((series, slot))
        if not running:
            return
        slots = np.array([slot for _, slot in running], np.intp)
        self._shadow.restore(slots, shadows.arrays, shadows.answerers)
        scattered(self._parts, slots, shadows.arrays)
        for series, slot in running:
            self._shadow.resume(slot, models.get(series.key))

    # -- slots ---------------------------------------------------------------------------------------

    def _members(self, rows: Index) -> Index:
        """Which of the rows have an experiment."""
        if not self._trials:
            return np.zeros(0, np.intp)
        return np.flatnonzero(self._slot_of[rows] >= 0)

    def _slot(self, series: Series) -> int:
        if self._copies.full():
            slots = max(_FIRST_SLOTS, 2 * self._copies.capacity)
            self._copies.grow(slots)
            for part in (self._shadow, self._capitals, self._tally):
                part.grow(slots)
        return self._copies.take(series.reference, series.step_ms, series.steps)

    def _begin(self, series: Series, trial: Trial) -> None:
        self._shadow.begin(trial.slot, series.steps)
        self._capitals.begin(trial.slot)
        self._tally.begin(trial.slot, series.steps)
        self._trials[series.row], self._slot_of[series.row] = trial, trial.slot

    def _leave(self, row: int) -> None:
        if (trial := self._trials.pop(row, None)) is not None:
            self._slot_of[row] = -1
            self._shadow.end(trial.slot)
            self._copies.give_back(trial.slot)

    def _finish(self, series: Series, trial: Trial, result: Body) -> None:
        """End an experiment; a promoted challenger answers from the next candle on."""
        if result.get("outcome") == "promoted":
            model = self.model(series)
            if model is None:  # the partition was rebuilt, and nobody knows what it had learned
                self._change_type(series, trial.plan.challenger)
            else:
                self._champions.succeed(series.row, self._shadow, trial.slot)
                series.model_type = trial.plan.challenger
                series.answered_by(model, self._expiry_of(series, model))
        self._leave(series.row)
        self._ended[series.row] = result

    def _expiry_of(self, series: Series, model: Model) -> int:
        return expiry_of(self._config, series, model, self._shadow.bank.own_of(model))

    def _change_type(self, series: Series, model_type: str) -> None:
        """Have another model type trained from now on."""
        if series.model_type != model_type:
            series.model_type = model_type
            series.retrain = series.model is not None and series.model.model_type != model_type

    def _figures(self, series: Series, trial: Trial) -> Body:
        (evidence,) = self._capitals.evidence(np.array([trial.slot]))
        model = self.model(series)
        return trial.plan.told() | {
            "champion": trial.champion,
            "modelId": None if model is None else model.model_id,
            "since": trial.since_ms,
            "candles": trial.candles,
            "horizons": [
                told_of_horizon(horizon.name, evidence[k], self._tally.read(trial.slot, k))
                for k, horizon in enumerate(series.horizons)
            ],
        }


def _is_fair(trial: Trial, champion: str, challenger: str, model_id: str | None) -> bool:
    """Whether both sides of a pair were who they are to be, and not who answers until a model is trained."""
    return (champion, challenger) == (trial.champion, trial.plan.challenger) and model_id is not None
