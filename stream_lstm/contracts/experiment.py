"""What is said of an experiment: on one series, a challenger forecasts in the shadow of the champion."""

from typing import Literal

from pydantic import Field

from stream_lstm.contracts.wire import EpochMs, Length, Message, Name, OfSeries, Share


class DieboldMariano(Message):
    """Whether the mean difference of two losses is zero; only valid for who looks once."""

    statistic: float = Field(description="Above 0: the challenger loses less.")
    p_value: Share = Field(description="Two-sided, normal.")


class ExperimentHorizon(Message):
    """How both have done at one horizon. A number that is not known yet is left out or null."""

    horizon: Length
    e_better: float = Field(ge=0, description="Evidence that the challenger is better; 1 is none.")
    e_worse: float = Field(ge=0, description="Evidence that it is worse.")
    outcomes: int = Field(ge=0, description="Matured pairs of forecasts.")
    winkler: float | None = Field(
        None, ge=0, description="Mean interval score of the champion, as a fraction of the last close."
    )
    challenger_winkler: float | None = Field(None, ge=0)
    difference: float | None = Field(None, description="Above 0: the challenger loses less.")
    coverage: Share | None = None
    challenger_coverage: Share | None = None
    diebold_mariano: DieboldMariano | None = None


class ExperimentPlan(Message):
    """What an experiment was started with."""

    experiment_id: Name
    challenger: Name = Field(description="Its model type.")
    alpha: float = Field(gt=0, lt=1, description="How likely one that is not better is promoted, at most.")
    max_candles: int = Field(ge=1, description="Answered candles after which it ends undecided.")
    share: float | None = Field(
        None, gt=0, le=1, description="Of all series that it was started for; null for a named one."
    )


class ExperimentFigures(ExperimentPlan):
    """How far an experiment is."""

    champion: Name | None = Field(None, description="The model type that answered.")
    model_id: str | None = Field(None, description="The challenger's model; null as long as it has none.")
    since: EpochMs | None = Field(None, description="Close of the newest candle when it was started.")
    candles: int = Field(0, ge=0, description="Answered since.")
    horizons: tuple[ExperimentHorizon, ...] = Field((), description="The first, the shortest, decides.")


class ExperimentStarted(ExperimentPlan):
    """`experiment.started`: from now on a challenger forecasts in the shadow of a series' champion."""

    command_id: str | None = None


class ExperimentStopped(ExperimentFigures):
    """`experiment.stopped`: by a command; the champion stays."""

    command_id: str | None = None


class ExperimentResult(ExperimentFigures):
    """`experiment.result`: a promoted challenger answers from `appliedAt` on; else the champion stays."""

    outcome: Literal["promoted", "rejected", "undecided", "failed"]


class ExperimentRow(OfSeries, ExperimentFigures):
    """An experiment on one series."""

    outcome: Literal["running", "stopped", "promoted", "rejected", "undecided", "failed"]


class ExperimentsTold(Message):
    """`experiments.told`: what one worker has, said because of `list-experiments`, for who answers it."""

    command_id: Name
    experiments: tuple[ExperimentRow, ...] = ()


class ExperimentList(Message):
    """`list-experiments`: those that run, and the last one of each series that has ended."""

    experiments: tuple[ExperimentRow, ...] = ()
    count: int = Field(ge=0)


class ExperimentSeries(Message):
    """`start-experiment` and `stop-experiment`: on which series it runs now, or not any more."""

    experiment_id: Name | None = Field(None, description="Null where several were stopped.")
    challenger: str | None = None
    series: tuple[OfSeries, ...] = ()
    count: int = Field(ge=0)
