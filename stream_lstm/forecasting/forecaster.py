"""From features to published numbers: the bank, the calibrators, open predictions and their scores.

All the numeric state that is learned from outcomes lives here, in columns over all series.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features import Features
from stream_lstm.forecasting.admission import CORRECTIONS, Item
from stream_lstm.forecasting.by_row import Arrays, ByRow, gathered, scattered
from stream_lstm.forecasting.calibration import Calibrators
from stream_lstm.forecasting.columns import Columns
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.distribution import Distribution, distribution, half_widths
from stream_lstm.forecasting.drift_share import DriftShare
from stream_lstm.forecasting.messages import Answerer, Outcome, score_body
from stream_lstm.forecasting.open_predictions import OpenPredictions, Said
from stream_lstm.forecasting.outcomes import Outcomes
from stream_lstm.forecasting.outputs import Notice, Prediction, Score
from stream_lstm.forecasting.quality import quality_of
from stream_lstm.forecasting.quantile_tracker import QuantileTracker
from stream_lstm.forecasting.ranges import RangeCalibrators
from stream_lstm.forecasting.recorder import Forecasts, Recorder
from stream_lstm.forecasting.saying import Numbers, say
from stream_lstm.forecasting.scoring import Verdicts, judge
from stream_lstm.forecasting.stand_in import in_place, said_as_such
from stream_lstm.forecasting.supervision import Matured, Supervision
from stream_lstm.forecasting.track_record import Errors, Record, TrackRecord, unknown_coverage
from stream_lstm.models import hybrid, naive
from stream_lstm.models.bank import Bank
from stream_lstm.models.market_view import BankForecast, MarketView
from stream_lstm.models.model import Model

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

UNTRAINED: Final = Answerer("hybrid", None, None)
"""Who answers a series that has no model yet."""

_LEARNED: Final = ("calibrators", "record", "ranges", "drift")
"""What belongs to the model that answers: the plain interval beside it is that of the series."""


class Forecaster:
    """Answers for rows of `Columns`, and learns from what comes."""

    def __init__(
        self,
        config: EngineConfig,
        columns: Columns,
        bank: Bank,
        recorder: Recorder | None = None,
        *,
        beside: bool = False,
    ) -> None:
        """One `beside` another has columns that are copies: what candles have made is not its to export."""
        self.config = config
        self.columns = columns
        self.bank = bank
        self._recorder = recorder
        horizons = len(config.horizons)
        self._calibrators = Calibrators(horizons)
        self._open = OpenPredictions(horizons)
        self._record = TrackRecord(horizons)
        self._ranges = RangeCalibrators(horizons)
        self._drift = DriftShare(horizons)
        start = NormalDist().inv_cdf((1 + config.confidence) / 2)
        self._naive = QuantileTracker(horizons, config.confidence, start)
        self._supervision = Supervision(config)
        self._answerers = np.zeros(0, np.object_)
        self._parts: dict[str, ByRow] = {
            "calibrators": self._calibrators,
            "record": self._record,
            "ranges": self._ranges,
            "naive": self._naive,
            "drift": self._drift,
        }
        if not beside:
            self._parts |= {
                "supervision": self._supervision,
                "columns": columns,
                "indicators": columns.indicators,
                "regimes": columns.regimes,
            }

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        for part in (self._calibrators, self._open, self._record, self._ranges, self._naive, self._drift):
            part.grow(rows)
        self._supervision.grow(rows)
        more = np.empty(rows - len(self._answerers), np.object_)
        self._answerers = np.concatenate([self._answerers, more])

    def begin(self, row: int, steps: tuple[int, ...]) -> None:
        """Start a series with horizons of `steps` candles on a row."""
        for at, step in enumerate(steps):
            self._calibrators.begin(row * self._calibrators.horizons + at, step)
        self._open.begin(row, steps)
        self._record.begin(row)
        self._ranges.begin(row, steps)
        self._naive.begin(row, steps)
        self._drift.begin(row)
        self._supervision.begin(row)
        self._answerers[row] = UNTRAINED

    def forget_open(self, row: int, steps: tuple[int, ...]) -> None:
        """Drop the open predictions of a row: their targets will not come."""
        self._open.end(row)
        self._open.begin(row, steps)

    def end(self, row: int) -> None:
        """Forget the series of a row."""
        self._open.end(row)
        self.bank.remove(row)

    def install(self, row: int, model: Model) -> None:
        """Let a model answer for a row. Its own out-of-sample scores replace those of another model type.

        So they do those of one that was demoted; and a horizon that the previous model had no head for takes
        the new head's scores as well.
        """
        previous: Model | None = self.bank.model(row)
        same_type = previous is not None and previous.model_type == model.model_type
        anew = self._supervision.install(row, same_type=same_type)
        kept = 0 if previous is None or anew else len(previous.heads)
        for at in range(kept, len(model.heads)):
            place = row * self._calibrators.horizons + at
            scores = model.warm_scores(at)
            if len(scores):
                self._calibrators.replace(place, scores)
            else:
                self._calibrators.begin(place, model.heads[at])
        if not same_type:
            self._drift.begin(row)
            self._ranges.begin(row, tuple(self.columns.steps[row][self.columns.steps[row] > 0].tolist()))
        self.bank.install(row, model)
        self._answerers[row] = Answerer(
            model.model_type, model.model_id, model.metadata.version, model.metadata.trained_at
        )

    def export(self, rows: Index) -> tuple[Arrays, list[Answerer | None]]:
        """All that was learned of S rows, and who answers and has answered."""
        opened, known = self._open.export(rows)
        arrays = gathered(self._parts, rows) | {f"open.{name}": array for name, array in opened.items()}
        arrays["answerer"] = np.arange(len(known), len(known) + len(rows), dtype=np.int32)
        return arrays, [*known, *self._answerers[rows]]

    def restore(self, rows: Index, arrays: Arrays, known: Sequence[Answerer | None]) -> None:
        """Put what `export` took into S rows that were begun with the same horizons; models come after."""
        scattered(self._parts, rows, arrays)
        prefix = "open."
        opened = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
        self._open.restore(rows, opened, known)
        for row, at in zip(rows.tolist(), arrays["answerer"].tolist(), strict=True):
            self._answerers[row] = known[at]

    def resume(self, row: int, model: Model | None) -> None:
        """Give a restored row its model again; without the one that answered, nobody's is there."""
        if model is not None and model.model_id == self._answerers[row].id:
            self.bank.install(row, model)
        else:
            self._answerers[row] = UNTRAINED
            self._supervision.begin(row)

    def succeed(self, row: int, other: "Forecaster", its_row: int) -> None:
        """Let the model of another forecaster of the same series answer for a row, with all that it learned.

        What this one has said stays open, and is scored as its own.
        """
        parts = {name: part for name, part in self._parts.items() if name in _LEARNED}
        theirs = {name: part for name, part in other._parts.items() if name in _LEARNED}
        scattered(parts, np.array([row]), gathered(theirs, np.array([its_row])))
        model = other.bank.model(its_row)
        assert model is not None
        self.bank.install(row, model)
        self._answerers[row] = other._answerers[its_row]
        self._supervision.begin(row)

    def remove(self, row: int) -> None:
        """Take the model of a row away: the forecaster that needs none answers, and knows nothing yet."""
        self.bank.remove(row)
        self._answerers[row] = UNTRAINED
        steps = self.columns.steps[row][self.columns.steps[row] > 0].tolist()
        for at, step in enumerate(steps):
            self._calibrators.begin(row * self._calibrators.horizons + at, step)
        self._drift.begin(row)
        self._supervision.begin(row)
        self._ranges.begin(row, tuple(steps))

    def record(self, rows: Index) -> Record:
        """How well the forecasts of S rows have done lately."""
        return self._record.read(rows)

    def errors(self, rows: Index) -> Errors:
        """How far off the forecasts of S rows were lately."""
        return self._record.errors(rows)

    def learn(self, rows: Index, steps: NDArray[np.int64], high: Floats, low: Floats) -> Outcomes | None:
        """Judge what was said of the candles `steps` (S,) of S rows, and learn from it; None if nothing was.

        `high` and `low` (S,) of the candles count for the ranges of all that are open.
        """
        if self._recorder is None:
            self._open.widen(rows, high, low)
        which, horizon, said, spread = self._open.matured(rows, steps)
        if not len(which):
            return None
        verdicts = judge(said, self.columns.last_close[rows][which], self.config.confidence)
        own = self._own(rows[which], said)
        self._learn(rows[which], horizon, said, verdicts, spread, own)
        return Outcomes(which, horizon, said, verdicts, own)

    def supervise(
        self, items: list[Item], rows: Index, steps: NDArray[np.int64], outcomes: Outcomes | None
    ) -> list[Notice]:
        """What has come shows about S series, of the live candles and of the others."""
        if outcomes is None:
            return []
        which, horizon, _, verdicts, own = outcomes
        trained = np.array([self._answerers[row].id is not None for row in rows[which]], np.bool_)
        matured = Matured(which, horizon, own & trained)
        return self._supervision.observe(items, rows, steps, self.columns.steps[rows], matured, verdicts)

    def scores(self, items: list[Item], outcomes: Outcomes | None) -> list[Score]:
        """Count what has come for S items, and say the live."""
        if outcomes is None:
            return []
        which, horizon = outcomes.which.tolist(), outcomes.horizon.tolist()
        for at in which:
            items[at].series.scores += 1
        if self._recorder is not None:
            return []
        return [
            self._score(items[at], k, told)
            for at, k, told in zip(which, horizon, outcomes.told(), strict=True)
            if items[at].live
        ]

    def _own(self, rows: Index, said: Said) -> NDArray[np.bool_]:
        """Which of n forecasts are of the model type that answers now: another's errors are not its own."""
        now = self._answerers[rows]
        return np.array([a.type == b.type for a, b in zip(now, said.model, strict=True)], np.bool_)

    def _score(self, item: Item, horizon: int, outcome: Outcome) -> Score:
        write = partial(score_body, item, horizon, outcome, self.config)
        quality = quality_of(item, horizon, outcome)
        return Score(item.series.key, item.series.horizons[horizon].name, item.cause, write, quality)

    def _learn(
        self,
        rows: Index,
        horizon: Index,
        said: Said,
        verdicts: Verdicts,
        spread: Floats,
        own: NDArray[np.bool_],
    ) -> None:
        places = rows * self._calibrators.horizons + horizon
        self._calibrators.update(places[own], verdicts.relative_error[own])
        moved = np.log(verdicts.actual[own] / said.close[own])
        self._drift.update(rows[own], horizon[own], said.drift[own], moved)
        if self._recorder is not None:
            return
        self._ranges.update(rows[own], horizon[own], spread[own] / said.scale[own])
        outcome = np.stack([verdicts.predicted, verdicts.actual, said.close])
        winkler = np.stack([verdicts.winkler, verdicts.naive_winkler])
        self._record.update(rows, horizon, verdicts.inside, outcome, winkler)
        self._naive.update(rows, horizon, verdicts.outside_naive)

    def predict(
        self, items: list[Item], rows: Index, steps: NDArray[np.int64], seen: Features, now_ms: int
    ) -> list[Prediction]:
        """Forecast for S distinct rows, all corrections or none; says the live ones in their order."""
        view = self._view(rows, seen)
        answer = self._answer(rows, view)
        if self._recorder is not None:
            self._record_answer(self._recorder, items, rows, steps, answer)
            return []
        forecast = self._distribution(rows, answer, self.config)
        scale, who = np.exp(answer.log_scale), self._answerers[rows]
        plain, demoted = self._naive_half_width(rows, view), self._supervision.demoted(rows)
        published = in_place(forecast, demoted, plain, self.config.confidence, self.config)
        if items[0].kind not in CORRECTIONS:
            said = self._unpublished(rows, answer, forecast.half_width)
            beyond, regime = published.beyond_median(), self.columns.regimes.volatility(rows)
            said = said._replace(naive=plain, beyond=beyond, regime=regime, demoted=demoted)
            self._open.put(rows, steps, said)
        live = np.array([at for at, item in enumerate(items) if item.live], np.intp)
        if not len(live):
            return []
        numbers = self._numbers(rows, seen, published, answer.heads, who, scale)
        return say(items, live, said_as_such(numbers, demoted), self.config, now_ms)

    def foresee(self, rows: Index, steps: NDArray[np.int64], seen: Features) -> None:
        """Forecast for S distinct rows, and say nothing: only what comes of it is learned."""
        view = self._view(rows, seen)
        answer = self._answer(rows, view)
        forecast = self._distribution(rows, answer, self.config)
        said = self._unpublished(rows, answer, forecast.half_width)
        self._open.put(rows, steps, said._replace(naive=self._naive_half_width(rows, view)))

    def _unpublished(self, rows: Index, answer: BankForecast, half_width: Floats) -> Said:
        close, scale, who = self.columns.last_close[rows], np.exp(answer.log_scale), self._answerers[rows]
        return Said.unpublished(close, answer.location, answer.drift, half_width, scale, who)

    def predict_again(
        self, items: list[Item], rows: Index, seen: Features, config: EngineConfig, now_ms: int
    ) -> list[Prediction]:
        """What S rows would say now of their newest candles, by `config`; nothing is learned or opened."""
        view = self._view(rows, seen)
        answer = self._answer(rows, view)
        forecast = self._distribution(rows, answer, config)
        demoted, plain = self._supervision.demoted(rows), self._naive_half_width(rows, view)
        forecast = in_place(forecast, demoted, plain, self.config.confidence, config)
        scale, who = np.exp(answer.log_scale), self._answerers[rows]
        numbers = self._numbers(rows, seen, forecast, answer.heads, who, scale)
        numbers = said_as_such(numbers, demoted)
        if config.confidence != self.config.confidence:
            numbers = numbers._replace(record=unknown_coverage(numbers.record))
        return say(items, np.arange(len(items)), numbers, config, now_ms)

    def predict_untrained(
        self, items: list[Item], rows: Index, seen: Features, config: EngineConfig, now_ms: int
    ) -> list[Prediction]:
        """As `predict_again`, by the forecaster that needs no model; how well it does is not known."""
        view = self._view(rows, seen)
        answer = hybrid.forecast(view)
        unproved = Forecaster(config, self.columns, Bank())
        unproved.grow(len(rows))
        for at, steps in enumerate(view.steps):
            unproved.begin(at, tuple(steps[steps > 0].tolist()))
        own = np.arange(len(rows))
        forecast = unproved._distribution(own, answer, config)
        scale, who = np.exp(answer.log_scale), unproved._answerers[own]
        numbers = self._numbers(rows, seen, forecast, answer.heads, who, scale)
        numbers = numbers._replace(record=unproved.record(own), ranges=unproved._ranges.forecast(own, scale))
        return say(items, own, numbers, config, now_ms)

    def _view(self, rows: Index, seen: Features) -> MarketView:
        columns = self.columns
        return MarketView(
            skip=seen.skip,
            window=columns.window[rows],
            closes=columns.closes[rows],
            log_base=seen.log_base,
            log_slow=seen.log_slow,
            log_ewma=seen.log_sigma,
            steps=columns.steps[rows],
        )

    def _answer(self, rows: Index, view: MarketView) -> BankForecast:
        answer = self.bank.forecast(rows, view)
        share = self._drift.read(rows, view.steps)
        return replace(answer, location=answer.location + share * answer.drift)

    def _numbers(
        self,
        rows: Index,
        seen: Features,
        forecast: Distribution,
        heads: NDArray[np.int64],
        who: NDArray[np.object_],
        scale: Floats,
    ) -> Numbers:
        columns = self.columns
        return Numbers(
            columns.last_close[rows],
            forecast,
            heads,
            self._record.read(rows),
            np.exp(seen.log_base),
            columns.momentum(rows),
            columns.technical(rows),
            columns.regimes.read(rows),
            who,
            self._ranges.forecast(rows, scale),
        )

    def _naive_half_width(self, rows: Index, view: MarketView) -> Floats:
        """EWMA volatility · √h times the quantile of its own errors: (S, K)."""
        multiple = self._naive.read(rows)
        half_width: Floats = multiple * np.exp(naive.forecast(view).log_scale)
        return half_width

    def _record_answer(
        self,
        recorder: Recorder,
        items: list[Item],
        rows: Index,
        steps: NDArray[np.int64],
        answer: BankForecast,
    ) -> None:
        """Open the predictions; give the live ones to the recorder. Nobody reads the widths of the others."""
        live = np.array([at for at, item in enumerate(items) if item.live], np.intp)
        scale = np.exp(answer.log_scale)
        half = np.full((*scale.shape, 1 + len(recorder.coverages)), np.nan)
        if len(live):
            places = self._places(rows, answer)[live]
            wanted = (self.config.confidence, *recorder.coverages)
            tail = self._calibrators.tail(places)
            half[live] = half_widths(self._calibrators, places, scale[live], wanted, tail)
        said = self._unpublished(rows, answer, half[..., 0])
        self._open.put(rows, steps, said)
        if len(live):
            recorder.record(
                Forecasts(
                    items=[items[at] for at in live],
                    close=said.close[live],
                    location=answer.location[live],
                    half_width=half[live, :, 0],
                    half_widths=half[live, :, 1:],
                    answerers=said.model[live],
                )
            )

    def _places(self, rows: Index, answer: BankForecast) -> Index:
        """The calibrator of each horizon, the longest head's for those beyond it: (S, K)."""
        horizons = self._calibrators.horizons
        owner = np.minimum(np.arange(horizons), np.maximum(answer.heads[:, None], 1) - 1)
        places: Index = rows[:, None] * horizons + owner
        return places

    def _distribution(self, rows: Index, answer: BankForecast, config: EngineConfig) -> Distribution:
        return distribution(
            self._calibrators,
            self._places(rows, answer),
            answer.location,
            answer.log_scale,
            confidence=config.confidence,
            neutral_band=config.neutral_band,
        )
