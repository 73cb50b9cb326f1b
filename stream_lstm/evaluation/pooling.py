"""`pooled`: the ridge of `har`, one for all series of an interval that are trained together. Never live.

What a series says then depends on which others share its worker, and a replay of its partition alone would
not say the same: docs/adr/0002-pooled-models.md.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_lstm.errors import TrainingFailed
from stream_lstm.models.har import LinearPart, LiveHar, Ridge, described, fit_ridge, linear_part
from stream_lstm.models.hyperparameters import UNSET
from stream_lstm.models.live import ModelType, Outcome, attempt
from stream_lstm.models.model import Model, fitted
from stream_lstm.models.training_set import TrainingSet

NAME: Final = "pooled"

Pool = tuple[int, tuple[int, ...]]
"""Interval and heads."""


def fit(sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit every series: one ridge for those of one interval with the same heads, all else as `har`."""
    parts = [attempt(linear_part, data) for data in sets]
    pools: dict[Pool, list[LinearPart]] = {}
    for data, part in zip(sets, parts, strict=True):
        if not isinstance(part, TrainingFailed):
            pools.setdefault((data.step_ms, part.heads), []).append(part)
    ridges = {pool: _ridge(members) for pool, members in pools.items()}
    return [
        part if isinstance(part, TrainingFailed) else attempt(_model, data, part, ridges)
        for data, part in zip(sets, parts, strict=True)
    ]


def _ridge(members: Sequence[LinearPart]) -> Ridge:
    """One ridge on the candles of all, each a row of the same weight."""
    skip = np.concatenate([part.seen.skip for part in members])
    return fit_ridge(NAME, skip, np.concatenate([part.targets for part in members]))


def _model(data: TrainingSet, part: LinearPart, ridges: dict[Pool, Ridge]) -> Model:
    ridge = ridges[data.step_ms, part.heads]
    arrays = part.arrays | {"skip_weights": ridge.weights, "skip_bias": ridge.bias}
    return fitted(NAME, data, part.heads, arrays, described(UNSET))


TYPE: Final = ModelType(NAME, fit, lambda model: LiveHar(len(model.heads)), pooled=True)
