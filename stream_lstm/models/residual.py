"""Networks on what the frozen ridge of `har` leaves: an encoder of the last 20 candles, and linear heads.

What all of them share: data, training, live forecasts. What sets one apart is a `Residual`.
Always cold, and a function of (candles, hyper-parameters, seed): more epochs or a warm start forecast worse.
Axes: N candles, F inputs, J heads, H hidden units.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features import FeatureSet
from stream_lstm.models import har
from stream_lstm.models.adam import Penalty, cosine
from stream_lstm.models.encoder import EncoderType
from stream_lstm.models.epochs import run_epoch, shuffled
from stream_lstm.models.har import LinearPart, LiveHar, linear_part
from stream_lstm.models.hyperparameters import Hyperparameters, chosen
from stream_lstm.models.live import ModelType, Outcome, grown
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Arrays, Config, Model, fitted
from stream_lstm.models.network import Network
from stream_lstm.models.rows import Reading, Rows
from stream_lstm.models.shape import Shape
from stream_lstm.models.stacking import fit_stacked
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

STEPS: Final = 20
EPOCHS: Final = 4
BATCH: Final = 128
FIRST_RATE: Final = 2e-3
LAST_RATE: Final = 1e-5
CLIP: Final = 1.0
PENALTY: Final = Penalty(layers=6e-5, heads=2e-3)
MOST_WINDOWS: Final = 40_000 // EPOCHS // BATCH * BATCH
LEAST_WINDOWS: Final = 500

_LEAST_VARIATION: Final = 1e-9


class Residual(NamedTuple):
    """What sets one of these networks apart: how it is trained, and how it is read live."""

    name: str
    hidden: int
    encoder: EncoderType
    reading: Callable[[int, int], Reading[Any]]
    """How encoders of F inputs and H hidden units are read live."""
    config: Mapping[str, int] = MappingProxyType({})
    """What else is told of it."""
    epochs: int = EPOCHS
    first_rate: float = FIRST_RATE
    penalty: Penalty = PENALTY

    @property
    def own(self) -> Hyperparameters:
        """What it reads, with its own values."""
        return Hyperparameters(
            ridge=har.STRENGTH,
            hidden=self.hidden,
            epochs=self.epochs,
            learning_rate=self.first_rate,
            l2=self.penalty.layers,
            l2_heads=self.penalty.heads,
        )

    def tuned(self, told: Hyperparameters) -> "Residual":
        """The network with the hyper-parameters that are set."""
        layers, heads = self.penalty
        return self._replace(
            hidden=chosen(told.hidden, self.hidden),
            epochs=chosen(told.epochs, self.epochs),
            first_rate=chosen(told.learning_rate, self.first_rate),
            penalty=Penalty(chosen(told.l2, layers), chosen(told.l2_heads, heads)),
        )

    def shape(self, series: int, outputs: int) -> Shape:
        """Of a stack."""
        return Shape(series, FeatureSet.F, self.hidden, outputs, BATCH, STEPS)

    def described(self, told: Hyperparameters) -> Config:
        """The configuration of a model of this network, tuned as `told`; penalties where they were set."""
        penalties = {"l2": self.penalty.layers, "l2Heads": self.penalty.heads}
        return {
            **har.described(told),
            "hiddenSize": self.hidden,
            "sequenceLength": STEPS,
            "learningRate": self.first_rate,
            "epochs": self.epochs,
            "batchSize": BATCH,
            **self.config,
            **(penalties if self.penalty != PENALTY else {}),
        }


def type_of(network: Residual) -> ModelType:
    """Its entry of the registry."""
    return ModelType(network.name, partial(fit, network), partial(live, network), network.own)


class Job(NamedTuple):
    """What the network of one series learns."""

    data: TrainingSet
    part: LinearPart
    windows: Index
    """(W,) window n ends at candle n + 19; newest last; empty if there are too few."""
    mean: Floats  # (F,)
    scale: Floats
    """(F,) 1 / deviation over the training rows, 0 for an input without variance."""

    @property
    def scaling(self) -> Arrays:
        """What live inputs are standardised with."""
        return {"input_mean": self.mean, "input_scale": self.scale}


Beginning = Callable[[Network, int, Job, np.random.Generator], None]
"""Sets the parameters of one series of a stack before its first epoch."""


def fit(network: Residual, sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series, those of one size with equally many windows and heads side by side."""
    return fit_stacked(
        sets,
        prepare=prepare,
        shape=alike,
        train=partial(train, network),
        finish=partial(_model, network),
    )


def prepare(data: TrainingSet) -> Job:
    """The linear part of a series, and what is left to a network; `TrainingFailed` if too young."""
    part = linear_part(data)
    known = np.isfinite(part.targets[STEPS - 1 :]).all(axis=1)
    windows = np.flatnonzero(known)[-MOST_WINDOWS:]
    if len(windows) < LEAST_WINDOWS:
        nothing = np.zeros(FeatureSet.F)
        return Job(data, part, windows[:0], nothing, nothing)
    windows = windows[len(windows) % BATCH :]
    rows = part.seen.inputs[windows[0] : windows[-1] + STEPS]
    deviation = rows.std(axis=0)
    scale = np.where(deviation > _LEAST_VARIATION, 1 / np.maximum(deviation, _LEAST_VARIATION), 0.0)
    return Job(data, part, windows, rows.mean(axis=0), scale)


def alike(job: Job) -> tuple[Hyperparameters, int, int]:
    """What jobs must have in common to be stacked: what they are trained with, W and J."""
    return job.data.hyperparameters, len(job.windows), len(job.part.heads)


def _begin_cold(stack: Network, series: int, job: Job, rng: np.random.Generator) -> None:
    stack.initialise(series, rng, zero_heads=True)


def train(
    network: Residual, jobs: Sequence[Job], *, epochs: int | None = None, begin: Beginning = _begin_cold
) -> list[Arrays]:
    """The arrays of a stack of networks with the same hyper-parameters, each begun by `begin`.

    For so many `epochs`, or as many as the hyper-parameters say.
    """
    network = network.tuned(jobs[0].data.hyperparameters)
    network = network._replace(epochs=chosen(epochs, network.epochs))
    shape = network.shape(len(jobs), len(jobs[0].part.heads))
    inputs = [(job.part.seen.inputs - job.mean) * job.scale for job in jobs]
    targets = [_residual(job.part) for job in jobs]
    stack = Network(shape, inputs, targets, encoder=network.encoder, penalty=network.penalty, clip=CLIP)
    if len(jobs[0].windows):
        rngs = [np.random.default_rng(job.data.seed) for job in jobs]
        for series, rng in enumerate(rngs):
            begin(stack, series, jobs[series], rng)
        _run(network, stack, [job.windows for job in jobs], rngs)
    return [
        {name: block.copy() for name, block in stack.parameters.true.of(series).items()}
        for series in range(len(jobs))
    ]


def _run(
    network: Residual, stack: Network, windows: Sequence[Index], rngs: Sequence[np.random.Generator]
) -> None:
    updates = network.epochs * len(windows[0]) // BATCH
    rates = [cosine(update, updates, network.first_rate, LAST_RATE) for update in range(updates)]
    for epoch_rates in np.split(np.array(rates), network.epochs):
        run_epoch(stack, shuffled(windows, rngs), epoch_rates.tolist())


def _residual(part: LinearPart) -> Floats:
    """What the ridge leaves, for each window: (N − 19, J); 0 where unknown, which no window asks for."""
    left: Floats = part.targets - (part.seen.skip @ part.ridge.weights + part.ridge.bias)
    return np.nan_to_num(left[STEPS - 1 :])


def _model(network: Residual, job: Job, arrays: Arrays) -> Model:
    told = job.data.hyperparameters
    whole = job.part.arrays | arrays | job.scaling
    return fitted(network.name, job.data, job.part.heads, whole, network.tuned(told).described(told))


def live(network: Residual, model: Model) -> "LiveResidual":
    """The store of live models with as many heads and hidden units as this one."""
    hidden = int(model.metadata.config.get("hiddenSize", network.hidden))
    return LiveResidual(network._replace(hidden=hidden), len(model.heads))


class LiveResidual:
    """Live models with J heads: what `har` says plus the network's correction."""

    def __init__(self, network: Residual, heads: int) -> None:
        self._har = LiveHar(heads)
        self._rows = Rows(network.reading(FeatureSet.F, network.hidden), heads)
        self._mean = np.zeros((0, FeatureSet.F))
        self._scale = np.zeros((0, FeatureSet.F))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._har.grow(slots)
        self._rows.grow(slots)
        self._mean, self._scale = grown(self._mean, slots), grown(self._scale, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        self._har.put(slot, model)
        self._rows.put(slot, model.arrays)
        self._mean[slot], self._scale[slot] = model.arrays["input_mean"], model.arrays["input_scale"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """As `har`, with the scale of ridge + network."""
        inputs = (view.window - self._mean[slots, None]) * self._scale[slots, None]
        correction = self._rows.outputs(slots, inputs)
        return self._har.ranged(slots, view, self._har.linear(slots, view) + correction)
