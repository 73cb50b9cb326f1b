"""A model of some groups of features: blind to the others, and told apart from those of another set."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stream_lstm.errors import ModelMismatch
from stream_lstm.features.groups import ALL, GROUPS, fingerprint
from stream_lstm.models.files import from_safetensors, to_safetensors
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit, model_type
from stream_lstm.models.training_set import TrainingSet

FEW = ("ranges", "hour")
READERS = pytest.mark.parametrize("name", ["har", "lstm", "ensemble"])


def said(model: Model, view: MarketView) -> bytes:
    live = model_type(model.model_type).live(model)
    live.grow(1)
    live.put(0, model)
    answer = live.forecast(np.array([0]), view)
    return answer.log_scale.tobytes() + answer.drift.tobytes()


def changed(view: MarketView, names: tuple[str, ...]) -> MarketView:
    """Another market, in the columns of some groups."""
    skip, window = view.skip.copy(), view.window.copy()
    for name in names:
        skip[:, list(GROUPS[name].skip)] += 1.0
        window[..., list(GROUPS[name].inputs)] -= 1.0
    return replace(view, skip=skip, window=window)


@READERS
def test_it_says_the_same_whatever_the_groups_that_it_leaves_out_say(
    name: str, training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 700, features=FEW)
    (model,), view = fit(name, [data]), view_of(data)
    others = tuple(group for group in ALL if group not in FEW)
    assert said(model, changed(view, others)) == said(model, view)
    assert all(said(model, changed(view, (group,))) != said(model, view) for group in FEW)


def test_its_ridge_is_that_of_the_other_columns_alone(training_set: Callable[..., TrainingSet]) -> None:
    few, whole = (fit("har", [training_set("A", 700, features=each)])[0] for each in (FEW, ALL))
    for name, group in GROUPS.items():
        assert few.arrays["skip_weights"][list(group.skip)].any() == (name in FEW)
        assert whole.arrays["skip_weights"][list(group.skip)].any()
    assert not few.arrays["drift_weights"].any()


@pytest.mark.parametrize("names", [ALL, FEW])
def test_a_file_tells_which_features_its_model_reads(
    names: tuple[str, ...], training_set: Callable[..., TrainingSet]
) -> None:
    (model,) = fit("har", [training_set("A", 300, features=names)])
    loaded = from_safetensors(to_safetensors(model))
    assert loaded.metadata.features == fingerprint(names)
    loaded.check_features(names)
    with pytest.raises(ModelMismatch, match="set `features` as it was"):
        loaded.check_features(FEW if names == ALL else ALL)


def test_models_of_one_moment_and_two_sets_have_two_ids(training_set: Callable[..., TrainingSet]) -> None:
    few, whole = (fit("har", [training_set("A", 300, features=each)])[0] for each in (FEW, ALL))
    assert few.model_id != whole.model_id
    assert few.metadata.config == whole.metadata.config | {"features": "ranges,hour"}
