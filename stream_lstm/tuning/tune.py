"""`stream-lstm tune`: the course once, trials on it, and the verdict of the hold-out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple, Protocol

from threadpoolctl import threadpool_limits

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.course import chart
from stream_lstm.evaluation.objective import Objective
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.tuning.period import Period
from stream_lstm.tuning.search import Search
from stream_lstm.tuning.space import Space
from stream_lstm.tuning.study import Found, Study, stored
from stream_lstm.tuning.trials import ABREAST, Crew
from stream_lstm.tuning.verdict import Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for."""

    files: Sequence[CandleFile]
    """Each series once."""
    period: Period
    config: EngineConfig
    """With the hyper-parameters that there are before."""
    objective: Objective
    space: Space
    trials: int
    jobs: int
    seed: int
    storage: str | None
    study: str


class Watcher(Protocol):
    """Told how far it is. `best` is the value of the best trial so far."""

    def charted(self, done: int, total: int) -> None:
        """Candles whose course is known."""

    def tried(self, done: float, total: int, best: float | None) -> None:
        """Trials that are done, those under way in part."""

    def judged(self, done: int, total: int) -> None:
        """Candles of the hold-out's walks."""


class Tuned(NamedTuple):
    """What was found, and whether it pays."""

    found: Found
    verdict: Verdict

    def row(self, wanted: Wanted) -> dict[str, Any]:
        """For machines."""
        found = self.found
        return {
            "model": wanted.config.model,
            "objective": wanted.objective,
            "period": wanted.period.told(),
            "study": wanted.study,
            "trials": {"ended": found.trials, "pruned": found.pruned, "failed": found.failed},
            "search": {"tuned": found.value, "before": found.before},
            "found": found.hyperparameters.given,
            "holdout": self.verdict.row(),
        }


def tune(wanted: Wanted, watcher: Watcher) -> Tuned:
    """Search, and judge what was found. Raises `SettingsError` and `TrainingFailed`."""
    period, config = wanted.period, wanted.config
    search = Search(
        files=period.searched(wanted.files),
        config=config,
        objective=wanted.objective,
        from_ms=period.from_ms,
        space=wanted.space,
    )
    with stored(wanted.storage):
        study = Study(search, storage=wanted.storage, name=wanted.study, seed=wanted.seed)
        left = wanted.trials - study.ended
        if left > 0:
            with threadpool_limits(1):
                legs = chart(search.files, config, watcher.charted)
            with Crew(search, legs, min(wanted.jobs, ceil(left / ABREAST))) as crew:
                study.run(crew, wanted.trials, watcher.tried)
        found = study.found()
    span = (period.holdout_ms, period.to_ms)
    verdict = judge(
        wanted.files, config, found.hyperparameters, wanted.objective, span, wanted.jobs, watcher.judged
    )
    return Tuned(found, verdict)
