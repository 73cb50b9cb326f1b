"""What the bank asks of a model type: hold many live models, and answer for some of them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

Steps = NDArray[np.int64]
T = TypeVar("T")

Outcome = Model | TrainingFailed
"""What became of one training set: a bad series must not cost its stack mates their models."""


class LiveModels(Protocol):
    """Live models of one type and shape, J heads each, each in a slot of the bank's choice."""

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""

    def put(self, slot: int, model: Model) -> None:
        """Place a model, over whatever was in its slot."""

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """Answer for n distinct slots, aligned with the n rows of `view`."""


class ModelType(NamedTuple):
    """One entry of the registry: a model is one file that offers these."""

    name: str
    fit: Callable[[Sequence[TrainingSet]], list[Outcome]]
    live: Callable[[Model], LiveModels]
    """Makes the store of live models that have heads and arrays like this one."""
    own: Hyperparameters = UNSET
    """The hyper-parameters that it reads, with its own values."""
    warm: bool = False
    """Whether `fit` is a function of the model before as well: `TrainingSet.previous`."""
    pooled: bool = False
    """Whether the model of a set depends on the other sets as well."""


class Untrained:
    """Live models of a type without arrays: every answer comes from the market alone."""

    def __init__(self, forecast: Callable[[MarketView], BankForecast]) -> None:
        self._forecast: Final = forecast

    def grow(self, slots: int) -> None:
        """Nothing to keep."""

    def put(self, slot: int, model: Model) -> None:
        """Nothing to keep."""

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """The same function for every slot."""
        return self._forecast(view)


def one_by_one(fit: Callable[[TrainingSet], Model]) -> Callable[[Sequence[TrainingSet]], list[Outcome]]:
    """The `fit` of a type that has nothing to gain from stacking."""

    def fit_all(sets: Sequence[TrainingSet]) -> list[Outcome]:
        return [attempt(fit, data) for data in sets]

    return fit_all


def attempt(work: Callable[..., T], *given: object) -> T | TrainingFailed:
    """The result of `work`, or the failure that it raised."""
    try:
        return work(*given)
    except TrainingFailed as failure:
        return failure


def grown(array: NDArray[Any], slots: int) -> NDArray[Any]:
    """The array with its first axis extended to `slots`, new entries zero."""
    more = np.zeros((slots - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, more])


class HeadSteps:
    """The horizons in candles of each live model: which head answers which horizon."""

    def __init__(self, heads: int) -> None:
        self._steps: Steps = np.zeros((0, heads), np.int64)

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._steps = grown(self._steps, slots)

    def put(self, slot: int, model: Model) -> None:
        """Note a model's heads."""
        self._steps[slot] = model.heads

    def of(self, slots: Index, owner: Index) -> Steps:
        """Horizon in candles of the heads `owner` (n, K) of n slots: (n, K)."""
        return np.take_along_axis(self._steps[slots], owner, axis=1)

    def owner(self, slots: Index, steps: Steps) -> tuple[Index, Steps]:
        """Which head answers each horizon of `steps` (n, K), and how many leading horizons have their own.

        The longest head that is not beyond the horizon; the shortest where all are. (n, K) and (n,).
        """
        own = self._steps[slots]
        reached = (own[:, None, :] <= steps[:, :, None]).sum(axis=2)
        owner = np.maximum(reached - 1, 0)
        exact = np.take_along_axis(own, owner, axis=1) == steps
        return owner, np.logical_and.accumulate(exact, axis=1).sum(axis=1)
