"""What becomes of a training: its model takes its seat, the champion's or the challenger's, or none."""

from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Seat
from stream_lstm.models.model import Model


def install(engine: Engine, seat: Seat, model: Model) -> bool:
    """Let a model answer for a series, or forecast in its shadow; false if the series is not here.

    A challenger's is of no use any more where its experiment has ended.
    """
    if seat.role == "champion":
        return engine.install(seat.series, model)
    series = engine.series(seat.series)
    if series is not None:
        engine.experiments.install(series, model)
    return series is not None


def is_wanted(engine: Engine, seat: Seat, model_type: str | None = None) -> bool:
    """Whether a training was asked for and is waited for; of that type, if one is given."""
    series = engine.series(seat.series)
    if series is None:
        return False
    if seat.role == "champion":
        return series.requested and model_type in (None, series.model_type)
    trial = engine.experiments.of(series)
    return trial is not None and trial.requested and model_type in (None, trial.plan.challenger)


def give_up(engine: Engine, seat: Seat) -> None:
    """Forget that a training was asked for: it is asked for again when it is due."""
    series = engine.series(seat.series)
    if series is not None and seat.role == "challenger":
        engine.experiments.give_up(series)
    elif series is not None:
        series.requested = False
