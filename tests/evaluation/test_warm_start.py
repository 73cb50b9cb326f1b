"""`lstm-warm` begins where the model before it ended, and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.synthetic import market
from stream_lstm.evaluation import backtest, warm_start
from stream_lstm.evaluation.backtest import Walk, walk_forward
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.models import har
from stream_lstm.models.live import Outcome
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit
from stream_lstm.models.training_set import TrainingSet

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR
NETWORK = ("lstm", "heads", "heads_bias")


def history(candles: int, **changed: object) -> TrainingSet:
    open_ms, bars = market(["A"], step_ms=HOUR, start_ms=START, candles=candles, seed=7)["A"]
    whole = TrainingSet(
        series="file:A:1h",
        step_ms=HOUR,
        candles=(bars / np.array([*[bars[0, 0]] * 4, 1.0])).astype(np.float32),
        open_ms=open_ms,
        synthetic=np.zeros(candles, np.bool_),
        state=FeatureSet().start(),
        reference=float(bars[0, 0]),
        horizons=(1, 4),
        seed=11,
    )
    return replace(whole, **changed)


def only(outcomes: list[Outcome]) -> Model:
    (model,) = outcomes
    assert isinstance(model, Model)
    return model


def assert_same_network(one: Model, other: Model) -> None:
    for name in NETWORK:
        np.testing.assert_array_equal(one.arrays[name], other.arrays[name])


def distance(one: Model, other: Model) -> float:
    return float(np.abs(one.arrays["lstm"] - other.arrays["lstm"]).mean())


def test_the_first_fit_is_that_of_lstm() -> None:
    data = history(700)
    assert_same_network(only(warm_start.fit([data])), fit("lstm", [data])[0])


def test_later_fits_begin_at_the_weights_of_the_model_before() -> None:
    data = history(700)
    (cold,), (elsewhere,) = fit("lstm", [data]), fit("lstm", [replace(data, seed=12)])
    warm = only(warm_start.fit([replace(data, previous=elsewhere.arrays)]))
    assert 0 < distance(warm, elsewhere) < distance(warm, cold) / 10


@pytest.mark.parametrize("before", [400, 700])
def test_a_model_without_a_network_or_with_other_heads_is_no_beginning(before: int) -> None:
    previous = only(warm_start.fit([history(before, horizons=(1,) if before == 700 else (1, 4))]))
    data = history(700)
    assert_same_network(
        only(warm_start.fit([replace(data, previous=previous.arrays)])), fit("lstm", [data])[0]
    )


def test_a_walk_gives_each_fit_the_model_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[Model] = []
    given: list[Mapping[str, NDArray[Any]] | None] = []

    def watched(sets: Sequence[TrainingSet]) -> list[Outcome]:
        outcomes = har.TYPE.fit(sets)
        given.extend(data.previous for data in sets)
        models.extend(only([outcome]) for outcome in outcomes)
        return outcomes

    kind = har.TYPE._replace(fit=watched, warm=True)
    monkeypatch.setattr(backtest, "forecaster", lambda name: kind)
    open_ms, bars = market(["A"], step_ms=HOUR, start_ms=START, candles=200, seed=7)["A"]
    config = EngineConfig(horizons=("1h",), model="har", expiry_ms=24 * HOUR)
    walk_forward([CandleFile("A", "1h", HOUR, open_ms, bars)], Walk(config=config))
    assert len(given) == 5
    assert given[0] is None
    assert all(previous is model.arrays for previous, model in zip(given[1:], models, strict=False))
