"""`classic`: the original service's model, trained as it was documented.

One input, the close scaled to [0, 1] over the training span; 32 hidden units; one output, the next close;
squared error, Adam at 0.001, up to 100 epochs, ended by a loss below 0.001; the last 500 candles. Longer
horizons feed predictions back. Its volatility is the EWMA of returns: it has none of its own.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.models import naive
from stream_lstm.models.epochs import run_epoch, shuffled
from stream_lstm.models.live import HeadSteps, ModelType, Outcome, grown
from stream_lstm.models.lstm_layer import LstmEncoder
from stream_lstm.models.lstm_rows import LstmRows
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Arrays, Config, Model, fitted
from stream_lstm.models.network import Network
from stream_lstm.models.shape import Shape
from stream_lstm.models.stacking import fit_stacked
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

NAME: Final = "classic"
HIDDEN: Final = 32
STEPS: Final = 20
EPOCHS: Final = 100
BATCH: Final = 32
RATE: Final = 1e-3
GOOD_ENOUGH: Final = 1e-3
CANDLES: Final = 500
CONFIG: Final[Config] = {
    "hiddenSize": HIDDEN,
    "sequenceLength": STEPS,
    "learningRate": RATE,
    "epochs": EPOCHS,
    "batchSize": BATCH,
}

_LARGEST_LOG: Final = 5.0


class Scaled(NamedTuple):
    """The training span of one series."""

    data: TrainingSet
    closes: Floats  # (N, 1) in [0, 1]
    windows: Index
    """(W,) window n ends at close n + 19; close n + 20 is its target, and real."""
    scaler: Floats
    """(2,) lowest close and range, as ratios to the reference price."""


def fit(sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series, those with equally many windows side by side."""
    return fit_stacked(
        sets,
        prepare=_prepare,
        shape=lambda job: len(job.windows),
        train=_train,
        finish=_model,
    )


def _prepare(data: TrainingSet) -> Scaled:
    data.check()
    closes = data.candles[-CANDLES:, 3:4].astype(np.float64)
    windows = np.flatnonzero(~data.synthetic[-CANDLES:][STEPS:])
    if len(windows) < BATCH:
        raise TrainingFailed(f"{data.series}: {len(windows)} real candles to learn from, {BATCH} are needed")
    lowest, width = float(closes.min()), float(np.ptp(closes))
    if not width > 0:
        raise TrainingFailed(
            f"{data.series}: its last {len(closes)} closes are all the same: nothing to scale"
        )
    scaled = (closes - lowest) / width
    return Scaled(data, scaled, windows[len(windows) % BATCH :], np.array([lowest, width]))


def _train(jobs: Sequence[Scaled]) -> list[Arrays]:
    """Train a stack; each series keeps the parameters of the epoch in which its loss was good enough."""
    network = Network(
        Shape(len(jobs), 1, HIDDEN, 1, BATCH, STEPS),
        [job.closes for job in jobs],
        [job.closes[STEPS:] for job in jobs],
        encoder=LstmEncoder,
    )
    true = network.parameters.true
    rngs = [np.random.default_rng(job.data.seed) for job in jobs]
    for series, rng in enumerate(rngs):
        network.initialise(series, rng, zero_heads=False)
    windows = [job.windows for job in jobs]
    rates = [RATE] * (len(windows[0]) // BATCH)
    arrays: list[Arrays] = [{} for _ in jobs]
    running = np.ones(len(jobs), np.bool_)
    for epoch in range(EPOCHS):
        loss = run_epoch(network, shuffled(windows, rngs), rates)
        ending = running & ((loss < GOOD_ENOUGH) | (epoch == EPOCHS - 1))
        for at in np.flatnonzero(ending):
            arrays[at] = {name: block.copy() for name, block in true.of(int(at)).items()}
        running &= ~ending
        if not running.any():
            break
    return arrays


def _model(job: Scaled, arrays: Arrays) -> Model:
    config = CONFIG | {"reference": job.data.reference}
    return fitted(NAME, job.data, job.data.heads, arrays | {"scaler": job.scaler}, config)


class LiveClassic:
    """Live models with J heads, which are horizons of one recursion."""

    def __init__(self, heads: int) -> None:
        self._steps = HeadSteps(heads)
        self._rows = LstmRows(1, HIDDEN, 1)
        self._scaler = np.zeros((0, 2))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._steps.grow(slots)
        self._rows.grow(slots)
        self._scaler = grown(self._scaler, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        arrays = model.arrays
        self._steps.put(slot, model)
        self._rows.put(slot, arrays)
        self._scaler[slot] = arrays["scaler"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """Predicted closes as locations, beyond the longest head that head's; EWMA scale."""
        lowest, width = self._scaler[slots, :1], self._scaler[slots, 1:]
        windows = ((view.closes - lowest) / width)[:, :, None]
        owner, own = self._steps.owner(slots, view.steps)
        ahead = self._steps.of(slots, owner)
        path = self._rows.continued(slots, windows, int(ahead.max())) * width + lowest
        predicted = np.take_along_axis(path, ahead - 1, axis=1)
        last = view.closes[:, -1:]
        smallest = last * np.exp(-_LARGEST_LOG)
        location = np.minimum(np.log(np.maximum(predicted, smallest) / last), _LARGEST_LOG)
        return BankForecast(location, np.zeros(location.shape), naive.forecast(view).log_scale, own)


TYPE: Final = ModelType(NAME, fit, lambda model: LiveClassic(len(model.heads)))
