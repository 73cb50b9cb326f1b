"""What is done about a trained model beside letting it answer: errors are watched, its worth is judged."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.by_row import Arrays, ByRow
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.drift_watch import DRIFT, DriftWatch
from stream_lstm.forecasting.outputs import Notice
from stream_lstm.forecasting.scoring import Verdicts
from stream_lstm.forecasting.standing import Judgement, Standing

Index = NDArray[np.intp]


class Matured(NamedTuple):
    """n forecasts of trained models whose targets are the candles of S items."""

    which: Index
    """(n,) which of the items."""
    horizon: Index
    """(n,)"""
    own: NDArray[np.bool_]
    """(n,) whether it was said by a model of the type that answers now."""


class Supervision:
    """The watch on drifts and the standing of R series."""

    def __init__(self, config: EngineConfig) -> None:
        self._watch = DriftWatch(config.drift)
        self._standing = Standing(len(config.horizons), config.demotion)
        self._parts: dict[str, ByRow] = {"watch": self._watch, "standing": self._standing}

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        self._watch.grow(rows)
        self._standing.grow(rows)

    def begin(self, row: int) -> None:
        """Forget a series."""
        self._watch.begin(row)
        self._standing.begin(row)

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {
            f"{name}.{column}": array
            for name, part in self._parts.items()
            for column, array in part.by_row().items()
        }

    def install(self, row: int, *, same_type: bool) -> bool:
        """A newly trained model: whether the errors of the last one say nothing of its own.

        Those of another type do not, nor those of one that was demoted.
        """
        anew = self._standing.succeed(row) or not same_type
        if anew:
            self._watch.begin(row)
        return anew

    def demoted(self, rows: Index) -> NDArray[np.bool_]:
        """Whether the naive forecast is published for S rows: (S,)."""
        return self._standing.demoted(rows)

    def observe(
        self,
        items: list[Item],
        rows: Index,
        numbers: NDArray[np.int64],
        steps: NDArray[np.int64],
        matured: Matured,
        verdicts: Verdicts,
    ) -> list[Notice]:
        """Learn from n verdicts; what they show of S series with horizons of `steps` (S, K) candles.

        `numbers` (S,) are those of the candles that are the targets.
        """
        first = np.flatnonzero(matured.own & (matured.horizon == 0))
        at = matured.which[first]
        drifts = self._watch.update(rows[at], steps[at, 0], numbers[at], verdicts.relative_error[first])
        noticed = [Notice(int(at[one.at]), DRIFT, one.told(items[at[one.at]])) for one in drifts]
        judged = np.flatnonzero(matured.own & ~np.isnan(verdicts.naive_winkler))
        at, horizon = matured.which[judged], matured.horizon[judged]
        width = verdicts.naive_width[judged]
        own, naive = verdicts.model_winkler[judged] / width, verdicts.naive_winkler[judged] / width
        self._standing.update(rows[at], horizon, steps[at, horizon], own, naive)
        some = np.unique(at)
        for one in self._standing.judge(rows[some], steps[some]):
            place = int(some[one.at])
            noticed.append(Notice(place, one.type, _told(items[place], one)))
        return noticed


def _told(item: Item, judgement: Judgement) -> dict[str, object]:
    model = item.series.model
    assert model is not None
    return {
        "modelId": model.model_id,
        "horizon": item.series.horizons[judgement.horizon].name,
        "winklerRatio": judgement.ratio,
        "outcomes": judgement.outcomes,
    }
