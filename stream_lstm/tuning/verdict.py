"""Whether tuning pays: what was found beside what there was before, on candles that no trial has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Literal, NamedTuple, TypeAlias

from stream_lstm.backtesting import Progress, backtest
from stream_lstm.candles.files import CandleFile
from stream_lstm.errors import SettingsError
from stream_lstm.evaluation.backtest import Walk
from stream_lstm.evaluation.objective import (
    Comparison,
    Losses,
    Objective,
    Place,
    compare,
    losses_of,
    mean_ratio,
)
from stream_lstm.evaluation.yardstick import Yardstick
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.tuning.search import measures

Kind: TypeAlias = Literal["better", "worse", "no difference", "the same"]


class AtHorizon(NamedTuple):
    """Mean over the files of the loss relative to the unit."""

    horizon: str
    tuned: float
    before: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the hold-out says."""

    objective: Objective
    comparison: Comparison | None
    """None where the search has found nothing better than what there was."""
    before: float
    """The objective with what there was before."""
    horizons: list[AtHorizon]

    @property
    def kind(self) -> Kind:
        """`better` and `worse` by more than chance (Diebold–Mariano, 5%)."""
        if self.comparison is None:
            return "the same"
        if self.comparison.better:
            return "better"
        return "worse" if self.comparison.worse else "no difference"

    @property
    def pays(self) -> bool:
        """Whether it is better by more than chance."""
        return self.kind == "better"

    @property
    def sentence(self) -> str:
        """For people."""
        if self.comparison is None:
            return (
                "Tuning does not pay: no trial was better than what there was before, "
                f"{self.before:.4f} on the hold-out."
            )
        ours, difference, test = self.comparison.ours, self.comparison.difference, self.comparison.test
        pays = "Tuning pays" if self.pays else "Tuning does not pay"
        chance = {"better": "more than chance", "worse": "worse by more than chance"}.get(
            self.kind, "no more than chance"
        )
        p = "" if test is None else f", p = {test.p_value:.2g}"
        span = f"{_shown(difference.low)} … {_shown(difference.high)}"
        return (
            f"{pays}: {ours:.4f} on the hold-out, {self.before:.4f} before; the difference of "
            f"{_shown(difference.value)} (nine of ten resamplings: {span}{p}) is {chance}."
        )

    def row(self) -> dict[str, Any]:
        """For machines."""
        compared = self.comparison
        return {
            "verdict": self.kind,
            "tuned": self.before if compared is None else compared.ours,
            "before": self.before,
            "difference": None if compared is None else compared.difference._asdict(),
            "dieboldMariano": compared and compared.test and compared.test._asdict(),
            "horizons": [each._asdict() for each in self.horizons],
        }


def _shown(difference: float) -> str:
    """Four decimals, or as many as a small one needs.

    >>> _shown(-0.01234), _shown(0.0000152)
    ('-0.0123', '+1.5e-05')
    """
    return f"{difference:+.4f}" if abs(difference) >= 5e-4 else f"{difference:+.2g}"


def judge(
    files: Sequence[CandleFile],
    config: EngineConfig,
    found: Hyperparameters,
    objective: Objective,
    span: tuple[int, int | None],
    jobs: int,
    progress: Progress,
) -> Verdict:
    """Walk forward over the hold-out `span`, once with what was found and once with what there was before.

    The walks are those of `stream-lstm backtest`: all earlier candles train, warm up and calibrate. Raises
    `SettingsError` if too few forecasts can be judged.
    """
    before = config.hyperparameters
    tried = [before] if found == before else [before, found]
    units = measures(files, config)
    judged = []
    for number, each in enumerate(tried):
        walk = Walk(config=replace(config, hyperparameters=each), from_ms=span[0], to_ms=span[1])

        def told(done: int, total: int, number: int = number) -> None:
            progress(number * total + done, len(tried) * total)

        tested = backtest(files, walk, [config.model], jobs, told)
        judged.append(
            {
                (place, horizon): losses_of(track, units[place, horizon], objective)
                for place, one in enumerate(tested)
                for horizon, track in one.walked.tracks.items()
            }
        )
    theirs, ours = judged[0], judged[-1]
    value = mean_ratio(theirs.values())
    if value is None:
        raise SettingsError("the hold-out has too few forecasts that can be judged: give a longer one")
    comparison = compare(ours, theirs, _overlap(files, units)) if len(judged) > 1 else None
    return Verdict(objective, comparison, value, _by_horizon(ours, theirs))


def _overlap(files: Sequence[CandleFile], units: Mapping[Place, Yardstick]) -> int:
    """The longest horizon in moments at which something is forecast."""
    longest_ms = max(unit.steps * files[place].step_ms for (place, _), unit in units.items())
    return longest_ms // min(file.step_ms for file in files)


def _by_horizon(ours: dict[Place, Losses], theirs: dict[Place, Losses]) -> list[AtHorizon]:
    names = dict.fromkeys(horizon for (_, horizon), losses in ours.items() if len(losses.ours))
    return [
        AtHorizon(
            name,
            *(
                fmean(of[key].ratio for key in of if key[1] == name and len(of[key].ours))
                for of in (ours, theirs)
            ),
        )
        for name in names
    ]
