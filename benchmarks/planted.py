"""Model types that are better, equal or worse by construction: `har` whose widths are blurred by noise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models import har
from stream_lstm.models.live import LiveModels, ModelType, Outcome
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet


class _Blurred:
    """`har`, its log scale off by a normal error of deviation `amount` that nobody can foresee."""

    def __init__(self, inner: LiveModels, amount: float, seed: int) -> None:
        self._inner, self._amount, self._seed = inner, amount, seed

    def grow(self, slots: int) -> None:
        self._inner.grow(slots)

    def put(self, slot: int, model: Model) -> None:
        self._inner.put(slot, model)

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        answer = self._inner.forecast(slots, view)
        noise = _normal(np.ascontiguousarray(view.closes[:, -1]).view(np.uint64), self._seed)
        return replace(answer, log_scale=answer.log_scale + self._amount * noise[:, None])


def _normal(bits: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """A standard normal number for each of n patterns of bits: always the same one (Box & Muller 1958)."""
    first, second = (_uniform(bits ^ np.uint64(2 * seed + at)) for at in (0, 1))
    normal: NDArray[np.float64] = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    return normal


def _uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """In (0, 1), by the finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA)."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53 + 2**-54


def blurred(name: str, amount: float, seed: int = 0) -> ModelType:
    """A type of that name; its models are those of `har`."""

    def fit(sets: Sequence[TrainingSet]) -> list[Outcome]:
        def named(model: Model) -> Model:
            told = replace(
                model.metadata, model_type=name, config=model.metadata.config | {"modelType": name}
            )
            return replace(model, model_type=name, metadata=told)

        return [named(one) if isinstance(one, Model) else one for one in har.TYPE.fit(sets)]

    return ModelType(name, fit, lambda model: _Blurred(har.TYPE.live(model), amount, seed))


TYPES: Final = {
    one.name: one
    for one in (
        blurred("sharp", 0.0),
        blurred("blurred", 0.5, seed=1),
        blurred("blurred too", 0.5, seed=2),
    )
}
