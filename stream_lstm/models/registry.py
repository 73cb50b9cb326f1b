"""Which models there are. A new one is one file and one entry here: a type, or a network on the residual."""

from collections.abc import Sequence
from typing import Final

from stream_lstm.errors import ModelMismatch, TrainingFailed
from stream_lstm.models import attention, bilstm, classic, ensemble, har, hybrid, lstm, naive, transformer
from stream_lstm.models.live import ModelType, Outcome
from stream_lstm.models.model import Model
from stream_lstm.models.residual import type_of
from stream_lstm.models.training_set import TrainingSet

NETWORKS: Final = {
    each.name: each for each in (lstm.NETWORK, bilstm.NETWORK, attention.NETWORK, transformer.NETWORK)
}
"""On the residual of `har`."""

MODEL_TYPES: Final = {name: type_of(network) for name, network in NETWORKS.items()} | {
    each.name: each for each in (ensemble.TYPE, har.TYPE, classic.TYPE, hybrid.TYPE, naive.TYPE)
}


def model_type(name: str) -> ModelType:
    """The model type of that name; `ModelMismatch` if there is none."""
    if name not in MODEL_TYPES:
        raise ModelMismatch(f"unknown model type {name!r}; set `model` to one of {', '.join(MODEL_TYPES)}")
    return MODEL_TYPES[name]


def fit_each(name: str, sets: Sequence[TrainingSet]) -> list[Outcome]:
    """Fit a model to each set, stacked where that is faster; a failed set does not stop the others."""
    return model_type(name).fit(sets)


def fit(name: str, sets: Sequence[TrainingSet]) -> list[Model]:
    """Fit a model to each set; raises the first `TrainingFailed` when all are done."""
    models = []
    for outcome in fit_each(name, sets):
        if isinstance(outcome, TrainingFailed):
            raise outcome
        models.append(outcome)
    return models
