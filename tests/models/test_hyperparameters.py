"""Hyper-parameters: what a model reads changes it and its id, what it does not read changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.models import registry
from stream_lstm.models.files import from_safetensors, to_safetensors
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit
from stream_lstm.models.training_set import TrainingSet

OTHER: dict[str, float] = {
    "ridge": 2_000.0,
    "hidden": 8,
    "epochs": 1,
    "learning_rate": 1e-2,
    "l2": 0.1,
    "l2_heads": 0.1,
}
SMALL = Hyperparameters(hidden=4, epochs=1)
SOME = st.builds(
    Hyperparameters,
    ridge=st.none() | st.floats(1, 1e9),
    hidden=st.none() | st.integers(1, 32).map(lambda n: 4 * n),
    epochs=st.none() | st.integers(1, 100),
    learning_rate=st.none() | st.floats(1e-5, 0.1),
    l2=st.none() | st.floats(0, 1),
    l2_heads=st.none() | st.floats(0, 1),
)


def trained(name: str, data: TrainingSet, told: Hyperparameters) -> Model:
    (model,) = fit(name, [replace(data, hyperparameters=told)])
    return model


def same_arrays(one: Model, other: Model) -> bool:
    return all(np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())


def test_a_model_with_its_own_values_has_the_id_that_it_had_before_they_could_be_set(
    training_set: Callable[..., TrainingSet],
) -> None:
    data = training_set("A", 900)
    ids = {name: trained(name, data, UNSET).model_id for name in ("har", "lstm", "hybrid", "naive")}
    assert ids == {
        "har": "d6ad655ae802",
        "lstm": "11b248946ea7",
        "hybrid": "19d0e361c884",
        "naive": "58f024d18747",
    }


@pytest.mark.parametrize("name", ["har", "lstm"])
def test_own_values_that_are_set_change_nothing(training_set: Callable[..., TrainingSet], name: str) -> None:
    data = training_set("A", 700)
    one, other = trained(name, data, UNSET), trained(name, data, registry.model_type(name).own)
    assert one.model_id == other.model_id
    assert same_arrays(one, other)


@pytest.mark.parametrize("name", ["har", "lstm", "hybrid"])
@pytest.mark.parametrize("parameter", OTHER)
def test_what_a_model_reads_changes_it_and_its_id(
    training_set: Callable[..., TrainingSet], name: str, parameter: str
) -> None:
    data = training_set("A", 700)
    before = trained(name, data, SMALL)
    after = trained(
        name, data, replace(SMALL, **{parameter: OTHER[parameter] * (1 + (parameter == "epochs"))})
    )
    reads = parameter in registry.model_type(name).own.given
    assert (before.model_id != after.model_id) == reads
    if reads:
        shapes = {key: array.shape for key, array in before.arrays.items()}
        assert shapes != {key: array.shape for key, array in after.arrays.items()} or not same_arrays(
            before, after
        )


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_networks_of_different_sizes_are_stacked_apart_with_the_bits_that_they_have_alone(
    training_set: Callable[..., TrainingSet], name: str
) -> None:
    sets = [
        replace(training_set(series, 700), hyperparameters=replace(SMALL, hidden=hidden))
        for series, hidden in (("A", 4), ("B", 8), ("C", 4))
    ]
    for together, data in zip(fit(name, sets), sets, strict=True):
        (alone,) = fit(name, [data])
        assert alone.metadata == together.metadata
        assert same_arrays(alone, together)


@given(SOME)
def test_a_model_tells_what_it_was_trained_with(told: Hyperparameters) -> None:
    for network in registry.NETWORKS.values():
        config = network.tuned(told).described(told)
        assert Hyperparameters.of(config, network.own) == told.over(network.own)


def test_a_file_keeps_them(training_set: Callable[..., TrainingSet]) -> None:
    told = Hyperparameters(hidden=8, epochs=1, l2=0.25)
    model = from_safetensors(to_safetensors(trained("lstm", training_set("A", 700), told)))
    own = registry.model_type("lstm").own
    assert Hyperparameters.of(model.metadata.config, own) == told.over(own)
