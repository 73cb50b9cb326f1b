"""Where a search looks: a range for each hyper-parameter, wide enough for the model's own value."""

from typing import TYPE_CHECKING, Final, NamedTuple

from stream_lstm.errors import SettingsError
from stream_lstm.models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from optuna.trial import Trial


class Range(NamedTuple):
    """Values from `low` to `high`, both included."""

    low: float
    high: float
    step: int | None = None
    """Of whole numbers; None for all numbers, drawn by their logarithm."""

    def draw(self, trial: "Trial", name: str) -> None:
        """Let a trial have a value."""
        if self.step is None:
            trial.suggest_float(name, self.low, self.high, log=True)
        else:
            trial.suggest_int(name, int(self.low), int(self.high), step=self.step)

    def tidy(self, value: float) -> float:
        """The value that is tried: a number has four digits, so that a settings file says it whole."""
        return float(f"{value:.4g}") if self.step is None else int(value)


RANGES: Final = {
    "ridge": Range(1e3, 1e7),
    "hidden": Range(4, 64, 4),
    "epochs": Range(1, 12, 1),
    "learning_rate": Range(2e-4, 2e-2),
    "l2": Range(1e-6, 1e-2),
    "l2_heads": Range(1e-5, 1e-1),
}

Space = dict[str, Range]


def space_of(model: str, own: Hyperparameters, names: list[str], base: Hyperparameters) -> Space:
    """The ranges of `names`, by default of all that the model reads; each reaches to the `base` value.

    Raises `SettingsError` for a name that it does not read, or if it reads none.
    """
    read = list(own.given)
    if not read:
        raise SettingsError(f"model {model!r} has nothing to tune; choose har or a network")
    for name in names:
        if name not in read:
            raise SettingsError(f"model {model!r} reads no {name!r}: choose from {', '.join(read)}")
    space = {name: RANGES[name] for name in names or read}
    now = base.over(own).given
    return {
        name: known._replace(low=min(known.low, now[name] or known.low), high=max(known.high, now[name]))
        for name, known in space.items()
    }
