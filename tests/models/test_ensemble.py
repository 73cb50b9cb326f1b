"""An ensemble: the models that its members are alone, and live the mean of what they say."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stream_lstm.models import attention, lstm, registry, residual
from stream_lstm.models.ensemble import SEEDS, Ensemble, type_of
from stream_lstm.models.files import to_safetensors
from stream_lstm.models.live import ModelType
from stream_lstm.models.market_view import BankForecast, MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

SLOT = np.array([0])


def fitted(kind: ModelType, *sets: TrainingSet) -> list[Model]:
    models = []
    for outcome in kind.fit(sets):
        assert isinstance(outcome, Model)
        models.append(outcome)
    return models


def said(kind: ModelType, model: Model, view: MarketView) -> BankForecast:
    """What the model says alone."""
    live = kind.live(model)
    live.grow(1)
    live.put(0, model)
    return live.forecast(SLOT, view)


@pytest.fixture(scope="module")
def data(training_set: Callable[..., TrainingSet]) -> TrainingSet:
    return training_set("A", 700)


@pytest.fixture(scope="module")
def ensemble(data: TrainingSet) -> Model:
    return fitted(registry.model_type("ensemble"), data)[0]


@pytest.fixture(scope="module")
def members(data: TrainingSet) -> list[Model]:
    return fitted(registry.model_type("lstm"), *(replace(data, seed=data.seed + at) for at in range(SEEDS)))


def test_its_members_are_lstm_models_with_seeds_of_their_own(ensemble: Model, members: list[Model]) -> None:
    for at, member in enumerate(members):
        for name in ("lstm", "heads", "heads_bias"):
            np.testing.assert_array_equal(ensemble.arrays[f"lstm{at}.{name}"], member.arrays[name])
    assert not np.array_equal(ensemble.arrays["lstm0.lstm"], ensemble.arrays["lstm1.lstm"])
    assert ensemble.metadata.config["members"] == SEEDS


def test_live_it_says_the_mean_of_their_log_scales(
    ensemble: Model, members: list[Model], data: TrainingSet, view_of: Callable[..., MarketView]
) -> None:
    view, each = view_of(data), registry.model_type("lstm")
    scales = [said(each, member, view).log_scale for member in members]
    whole = said(registry.model_type("ensemble"), ensemble, view)
    np.testing.assert_allclose(whole.log_scale, np.mean(scales, axis=0), atol=1e-9)
    assert np.ptp(scales, axis=0).max() > 1e-4


def test_a_fit_does_not_depend_on_who_shares_its_stack(
    ensemble: Model, data: TrainingSet, training_set: Callable[..., TrainingSet]
) -> None:
    others = [training_set(name, 700) for name in "BCD"]
    together = fitted(registry.model_type("ensemble"), *others, data)[-1]
    assert to_safetensors(together) == to_safetensors(ensemble)


def test_ridges_and_networks_of_other_kinds_can_be_members(
    data: TrainingSet, view_of: Callable[..., MarketView]
) -> None:
    view = view_of(data)
    networks = (lstm.NETWORK, attention.NETWORK)
    kind = type_of(Ensemble("mixed", networks, seeds=1, ridges=1))
    whole = said(kind, fitted(kind, data)[0], view)
    types = [*map(residual.type_of, networks), registry.model_type("har")]
    scales = [said(each, fitted(each, data)[0], view).log_scale for each in types]
    np.testing.assert_allclose(whole.log_scale, np.mean(scales, axis=0), atol=1e-9)
