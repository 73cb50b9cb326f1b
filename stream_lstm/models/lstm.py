"""`lstm`: the ridge of `har`, frozen, and an LSTM over the last 20 candles on the residual that it leaves.

Always cold, and a function of (candles, seed): more epochs or a warm start forecast worse.
Axes: N candles, F inputs, J heads, H hidden units.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features import FeatureSet
from stream_lstm.models.adam import Penalty, cosine
from stream_lstm.models.epochs import run_epoch, shuffled
from stream_lstm.models.har import CONFIG as HAR_CONFIG
from stream_lstm.models.har import LinearPart, LiveHar, linear_part
from stream_lstm.models.initialisation import initialise
from stream_lstm.models.live import ModelType, Outcome, grown
from stream_lstm.models.lstm_rows import LstmRows
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Arrays, Config, Model, fitted
from stream_lstm.models.network import Network
from stream_lstm.models.shape import Shape
from stream_lstm.models.stacking import fit_stacked
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

NAME: Final = "lstm"
HIDDEN: Final = 32
STEPS: Final = 20
EPOCHS: Final = 4
BATCH: Final = 128
FIRST_RATE: Final = 2e-3
LAST_RATE: Final = 1e-5
CLIP: Final = 1.0
PENALTY: Final = Penalty(lstm=6e-5, heads=2e-3)
MOST_PASSES: Final = 40_000
LEAST_WINDOWS: Final = 500
CONFIG: Final[Config] = HAR_CONFIG | {
    "hiddenSize": HIDDEN,
    "sequenceLength": STEPS,
    "learningRate": FIRST_RATE,
    "epochs": EPOCHS,
    "batchSize": BATCH,
}

_MOST_WINDOWS: Final = MOST_PASSES // EPOCHS // BATCH * BATCH
_LEAST_VARIATION: Final = 1e-9


class Residual(NamedTuple):
    """What the LSTM of one series learns."""

    data: TrainingSet
    part: LinearPart
    windows: Index
    """(W,) window n ends at candle n + 19; newest last; empty if there are too few."""
    mean: Floats  # (F,)
    scale: Floats
    """(F,) 1 / deviation over the training rows, 0 for an input without variance."""


def fit(sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series, those with equally many windows and heads side by side."""
    return fit_stacked(
        sets,
        prepare=_prepare,
        shape=lambda job: (len(job.windows), len(job.part.heads)),
        train=_train,
        finish=_model,
    )


def _prepare(data: TrainingSet) -> Residual:
    part = linear_part(data)
    known = np.isfinite(part.targets[STEPS - 1 :]).all(axis=1)
    windows = np.flatnonzero(known)[-_MOST_WINDOWS:]
    if len(windows) < LEAST_WINDOWS:
        nothing = np.zeros(FeatureSet.F)
        return Residual(data, part, windows[:0], nothing, nothing)
    windows = windows[len(windows) % BATCH :]
    rows = part.seen.inputs[windows[0] : windows[-1] + STEPS]
    deviation = rows.std(axis=0)
    scale = np.where(deviation > _LEAST_VARIATION, 1 / np.maximum(deviation, _LEAST_VARIATION), 0.0)
    return Residual(data, part, windows, rows.mean(axis=0), scale)


def _train(jobs: Sequence[Residual]) -> list[Arrays]:
    """The LSTM arrays of a stack of series."""
    outputs = len(jobs[0].part.heads)
    shape = Shape(len(jobs), FeatureSet.F, HIDDEN, outputs, BATCH, STEPS)
    inputs = [(job.part.seen.inputs - job.mean) * job.scale for job in jobs]
    network = Network(shape, inputs, [_residual(job.part) for job in jobs], penalty=PENALTY, clip=CLIP)
    if len(jobs[0].windows):
        rngs = [np.random.default_rng(job.data.seed) for job in jobs]
        for series, rng in enumerate(rngs):
            initialise(network.parameters.true, series, FeatureSet.F, rng, zero_heads=True)
        _run(network, [job.windows for job in jobs], rngs)
    _, *segments = network.parameters.true
    names = ("lstm", "heads", "heads_bias")
    return [
        {name: segment[at].copy() for name, segment in zip(names, segments, strict=True)}
        for at in range(len(jobs))
    ]


def _run(network: Network, windows: Sequence[Index], rngs: Sequence[np.random.Generator]) -> None:
    updates = EPOCHS * len(windows[0]) // BATCH
    rates = [cosine(update, updates, FIRST_RATE, LAST_RATE) for update in range(updates)]
    for epoch_rates in np.split(np.array(rates), EPOCHS):
        run_epoch(network, shuffled(windows, rngs), epoch_rates.tolist())


def _residual(part: LinearPart) -> Floats:
    """What the ridge leaves, for each window: (N − 19, J); 0 where unknown, which no window asks for."""
    left: Floats = part.targets - (part.seen.skip @ part.ridge.weights + part.ridge.bias)
    return np.nan_to_num(left[STEPS - 1 :])


def _model(job: Residual, arrays: Arrays) -> Model:
    scaling = {"input_mean": job.mean, "input_scale": job.scale}
    return fitted(NAME, job.data, job.part.heads, job.part.arrays | arrays | scaling, CONFIG)


class LiveLstm:
    """Live models with J heads: what `har` says plus the LSTM's correction."""

    def __init__(self, heads: int) -> None:
        self._har = LiveHar(heads)
        self._rows = LstmRows(FeatureSet.F, HIDDEN, heads)
        self._mean = np.zeros((0, FeatureSet.F))
        self._scale = np.zeros((0, FeatureSet.F))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._har.grow(slots)
        self._rows.grow(slots)
        self._mean, self._scale = grown(self._mean, slots), grown(self._scale, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        arrays = model.arrays
        self._har.put(slot, model)
        self._rows.put(slot, arrays["lstm"], arrays["heads"], arrays["heads_bias"])
        self._mean[slot], self._scale[slot] = arrays["input_mean"], arrays["input_scale"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """As `har`, with the scale of ridge + LSTM."""
        inputs = (view.window - self._mean[slots, None]) * self._scale[slots, None]
        correction = self._rows.last_outputs(slots, inputs)
        return self._har.ranged(slots, view, self._har.linear(slots, view) + correction)


TYPE: Final = ModelType(NAME, fit, LiveLstm)
