"""Verdicts by horizon: the model that is judged, and those beside it."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from stream_lstm.evaluation.chance import independent
from stream_lstm.evaluation.evidence import duel
from stream_lstm.evaluation.significance import Verdict
from stream_lstm.evaluation.summary import Judged


class Ahead(NamedTuple):
    """One horizon."""

    name: str
    """Such as ``1h``; with the interval of the candles where there are several."""
    models: Sequence[str]
    """All of the walk, the one that is judged first."""
    judged: dict[str, Judged]
    """The model that is judged, by symbol."""
    beside: dict[str, dict[str, Judged]]
    """The others of the same walk, by name and symbol."""

    @property
    def model(self) -> str:
        """The one that is judged."""
        return self.models[0]

    @property
    def confidence(self) -> float:
        """The coverage asked for."""
        return self._one.evidence.confidence

    @property
    def forecasts(self) -> int:
        """Judged ones of the series that has the fewest."""
        return min(one.worth.forecasts for one in self.judged.values())

    @property
    def independent(self) -> int:
        """How many of them do not overlap."""
        return independent(self.forecasts, self.steps)

    @property
    def steps(self) -> int:
        """Length in candles."""
        return self._one.evidence.steps

    @property
    def step_ms(self) -> int:
        """Length of a candle."""
        return self._one.evidence.step_ms

    @property
    def skill(self) -> float:
        """1 less the Winkler ratio, mean over the series."""
        return fmean(1 - one.worth.winkler_ratio for one in self.judged.values())

    def duels(self, model: str) -> list[tuple[float, Verdict | None]]:
        """What `evidence.duel` says of it and another model, of each series that both have."""
        others = self.beside.get(model, {})
        return [
            duel(one.evidence, others[name].evidence) for name, one in self.judged.items() if name in others
        ]

    @property
    def _one(self) -> Judged:
        return next(iter(self.judged.values()))


def by_horizon(judged: Sequence[Judged]) -> list[Ahead]:
    """In the order of `judged`, whose first model is the one that is judged; empty if there is none."""
    if not judged:
        return []
    models, intervals = list(dict.fromkeys(one.model for one in judged)), {one.interval for one in judged}
    found: dict[tuple[str, str], Ahead] = {}
    for one in judged:
        name = one.horizon if len(intervals) == 1 else f"{one.horizon} of {one.interval} candles"
        ahead = found.setdefault((one.interval, one.horizon), Ahead(name, models, {}, {}))
        into = ahead.judged if one.model == models[0] else ahead.beside.setdefault(one.model, {})
        into[one.symbol] = one
    return [ahead for ahead in found.values() if ahead.judged]
