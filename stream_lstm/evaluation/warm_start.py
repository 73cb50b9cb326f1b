"""`lstm-warm`: `lstm` trained on from the weights of the model before it, one epoch a time. Never live.

It forecasts worse than a cold start, the more often it is trained; see docs/models.md. So nothing live has to
know which model came before, and a fit stays a function of (candles, seed).
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from stream_lstm.models import lstm, residual
from stream_lstm.models.live import ModelType, Outcome
from stream_lstm.models.model import Arrays, Model, fitted
from stream_lstm.models.network import Network
from stream_lstm.models.residual import Job
from stream_lstm.models.stacking import fit_stacked
from stream_lstm.models.training_set import TrainingSet

NAME: Final = "lstm-warm"
EPOCHS: Final = 1
"""Of every fit but a series' first, which is that of `lstm`."""


def fit(sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series, those with equally many windows, heads and a beginning of one kind side by side."""
    return fit_stacked(
        sets,
        prepare=residual.prepare,
        shape=lambda job: (*residual.alike(job), _is_warm(job)),
        train=_train,
        finish=_model,
    )


def _is_warm(job: Job) -> bool:
    """Whether the model before has a network, for the same heads: in a young series it has none."""
    previous = job.data.previous
    if previous is None or len(previous["heads"]) != len(job.part.heads):
        return False
    return bool(previous["lstm"].any())


def _train(jobs: Sequence[Job]) -> list[Arrays]:
    if _is_warm(jobs[0]):
        return residual.train(lstm.NETWORK, jobs, epochs=EPOCHS, begin=_begin_warm)
    return residual.train(lstm.NETWORK, jobs)


def _begin_warm(stack: Network, series: int, job: Job, rng: np.random.Generator) -> None:
    assert job.data.previous is not None
    for name, block in stack.parameters.true.of(series).items():
        block[:] = job.data.previous[name]


def _model(job: Job, arrays: Arrays) -> Model:
    told = job.data.hyperparameters
    config = lstm.NETWORK.tuned(told).described(told) | {"warmEpochs": EPOCHS}
    return fitted(NAME, job.data, job.part.heads, job.part.arrays | arrays | job.scaling, config)


TYPE: Final = ModelType(NAME, fit, partial(residual.live, lstm.NETWORK), lstm.NETWORK.own, warm=True)
