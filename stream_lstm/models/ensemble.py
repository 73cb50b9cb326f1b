"""`ensemble`: the mean of the log scales of four `lstm` that differ in their seeds and share their ridge.

Hansen & Salamon (1990, IEEE Trans. Pattern Analysis and Machine Intelligence 12). The first of the four is
what `lstm` is. Axes: J heads, F inputs.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features import FeatureSet
from stream_lstm.models import lstm, residual
from stream_lstm.models.har import LiveHar
from stream_lstm.models.live import ModelType, Outcome, grown
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Arrays, Config, Model, fitted
from stream_lstm.models.residual import Job, Residual
from stream_lstm.models.rows import Rows
from stream_lstm.models.stacking import LARGEST, fit_stacked
from stream_lstm.models.training_set import TrainingSet

NAME: Final = "ensemble"
SEEDS: Final = 4


class Ensemble(NamedTuple):
    """Which forecasts are averaged: those of each network with each seed, and of `har` alone."""

    name: str
    networks: tuple[Residual, ...]
    seeds: int
    ridges: int = 0
    """How many times `har` alone counts as a member."""

    @property
    def members(self) -> int:
        """What the mean is of."""
        return len(self.networks) * self.seeds + self.ridges

    @property
    def prefixes(self) -> dict[str, Residual]:
        """What the names of a network's arrays begin with."""
        return {f"{network.name}{seed}.": network for network in self.networks for seed in range(self.seeds)}


def type_of(ensemble: Ensemble) -> ModelType:
    """Its entry of the registry."""
    return ModelType(ensemble.name, partial(fit, ensemble), partial(live, ensemble), ensemble.networks[0].own)


def fit(ensemble: Ensemble, sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series: one ridge each, and its networks beside those of the others."""
    return fit_stacked(
        sets,
        prepare=residual.prepare,
        shape=residual.alike,
        train=partial(_train, ensemble),
        finish=partial(_model, ensemble),
    )


def _train(ensemble: Ensemble, jobs: Sequence[Job]) -> list[Arrays]:
    """The arrays of all networks of each series, prefixed."""
    seeded = [_seeded(job, seed) for job in jobs for seed in range(ensemble.seeds)]
    whole: list[Arrays] = [{} for _ in jobs]
    for network in ensemble.networks:
        trained: list[Arrays] = []
        for first in range(0, len(seeded), LARGEST):
            trained += residual.train(network, seeded[first : first + LARGEST])
        for at, arrays in enumerate(trained):
            series, seed = divmod(at, ensemble.seeds)
            whole[series] |= {f"{network.name}{seed}.{name}": array for name, array in arrays.items()}
    return whole


def _seeded(job: Job, seed: int) -> Job:
    return job._replace(data=replace(job.data, seed=job.data.seed + seed))


def _model(ensemble: Ensemble, job: Job, arrays: Arrays) -> Model:
    config: Config = {}
    told = job.data.hyperparameters
    for network in reversed(ensemble.networks):  # what they differ in is told of the first
        config |= network.tuned(told).described(told)
    config["members"] = ensemble.members
    return fitted(ensemble.name, job.data, job.part.heads, job.part.arrays | arrays | job.scaling, config)


def live(ensemble: Ensemble, model: Model) -> "LiveEnsemble":
    """The store of live models with as many heads and hidden units as this one."""
    hidden = int(model.metadata.config.get("hiddenSize", ensemble.networks[0].hidden))
    if hidden != ensemble.networks[0].hidden:  # it was set, and holds for all
        ensemble = ensemble._replace(
            networks=tuple(each._replace(hidden=hidden) for each in ensemble.networks)
        )
    return LiveEnsemble(ensemble, len(model.heads))


class LiveEnsemble:
    """Live models with J heads: what `har` says plus the mean correction of its members."""

    def __init__(self, ensemble: Ensemble, heads: int) -> None:
        self._har = LiveHar(heads)
        self._rows: dict[str, Rows[Any]] = {
            prefix: Rows(network.reading(FeatureSet.F, network.hidden), heads)
            for prefix, network in ensemble.prefixes.items()
        }
        self._share = 1 / ensemble.members
        self._mean = np.zeros((0, FeatureSet.F))
        self._scale = np.zeros((0, FeatureSet.F))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._har.grow(slots)
        for rows in self._rows.values():
            rows.grow(slots)
        self._mean, self._scale = grown(self._mean, slots), grown(self._scale, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        self._har.put(slot, model)
        for prefix, rows in self._rows.items():
            rows.put(slot, _part(model.arrays, prefix))
        self._mean[slot], self._scale[slot] = model.arrays["input_mean"], model.arrays["input_scale"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """As `har`, with the scale of ridge + mean of the networks."""
        inputs = (view.window - self._mean[slots, None]) * self._scale[slots, None]
        linear = self._har.linear(slots, view)
        total = np.zeros(linear.shape)
        for rows in self._rows.values():
            total += rows.outputs(slots, inputs)
        return self._har.ranged(slots, view, linear + total * self._share)


def _part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays of one network, as it names them."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


LSTMS: Final = Ensemble(NAME, (lstm.NETWORK,), SEEDS)
TYPE: Final = type_of(LSTMS)
