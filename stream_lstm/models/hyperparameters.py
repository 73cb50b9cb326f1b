"""Hyper-parameters: what of a model may be set. Each type reads some of them, and has values of its own."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

T = TypeVar("T", int, float)

_IN_CONFIG: Final = {
    "ridge": "ridge",
    "hidden": "hiddenSize",
    "epochs": "epochs",
    "learning_rate": "learningRate",
    "l2": "l2",
    "l2_heads": "l2Heads",
}


def chosen(given: T | None, own: T) -> T:
    """A value that was given, or else the model's own."""
    return own if given is None else given


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """None is the model's own value; in what a type has of its own, None is what it does not read."""

    ridge: float | None = None
    """Strength of the ridge: its penalty λ is this over the rows, on standardised features."""
    hidden: int | None = None
    """Hidden units of a network."""
    epochs: int | None = None
    """Passes over the windows."""
    learning_rate: float | None = None
    """Of the first update, falling by a cosine."""
    l2: float | None = None
    """Penalty on the weights of a network's layers."""
    l2_heads: float | None = None
    """Penalty on the weights of its heads."""

    @property
    def given(self) -> dict[str, float]:
        """Those that are not None, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def over(self, own: "Hyperparameters") -> "Hyperparameters":
        """What a type that has `own` values makes of these: what it reads, as given or else its own.

        >>> Hyperparameters(ridge=1.0, hidden=8).over(Hyperparameters(ridge=2.0, epochs=4)).given
        {'ridge': 1.0, 'epochs': 4}
        """
        read = {name: self.given.get(name, value) for name, value in own.given.items()}
        return Hyperparameters(**read)  # type: ignore[arg-type]  # of mixed types, each under its own name

    @classmethod
    def of(cls, config: Mapping[str, object], own: "Hyperparameters") -> "Hyperparameters":
        """Those that a model was trained with, from its metadata: what it does not tell were its own."""
        told = {name: config.get(_IN_CONFIG[name], value) for name, value in own.given.items()}
        return cls(**told)  # type: ignore[arg-type]  # a file's numbers, each under its own name


UNSET: Final = Hyperparameters()
"""Every model with its own values."""
