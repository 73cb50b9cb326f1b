"""`pooled`: one ridge for all series that are trained together, and a backtest that does not part them."""

from dataclasses import replace

import numpy as np
import pytest

from stream_lstm import backtesting
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.synthetic import market
from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation import pooling
from stream_lstm.evaluation.backtest import Walk
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.models import har
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR


def history(symbol: str, candles: int = 300) -> TrainingSet:
    open_ms, bars = market([symbol], step_ms=HOUR, start_ms=START, candles=candles, seed=7)[symbol]
    return TrainingSet(
        series=f"file:{symbol}:1h",
        step_ms=HOUR,
        candles=(bars / np.array([*[bars[0, 0]] * 4, 1.0])).astype(np.float32),
        open_ms=open_ms,
        synthetic=np.zeros(candles, np.bool_),
        state=FeatureSet().start(),
        reference=float(bars[0, 0]),
        horizons=(1, 4),
        seed=11,
    )


def models(*sets: TrainingSet) -> list[Model]:
    found = []
    for outcome in pooling.fit(sets):
        assert isinstance(outcome, Model)
        found.append(outcome)
    return found


def test_one_ridge_is_fitted_on_the_candles_of_all() -> None:
    sets = [history("A"), history("B", 400)]
    first, second = models(*sets)
    parts = [har.linear_part(data) for data in sets]
    ridge = har.fit_ridge(
        "both",
        np.concatenate([part.seen.skip for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )
    for model, part in zip((first, second), parts, strict=True):
        np.testing.assert_array_equal(model.arrays["skip_weights"], ridge.weights)
        np.testing.assert_array_equal(model.arrays["skip_bias"], ridge.bias)
        np.testing.assert_array_equal(model.arrays["drift_weights"], part.arrays["drift_weights"])


def test_a_series_alone_is_har() -> None:
    data = history("A")
    (model,) = models(data)
    np.testing.assert_array_equal(model.arrays["skip_weights"], har.fit(data).arrays["skip_weights"])


@pytest.mark.parametrize("other", [{"horizons": (1,)}, {"step_ms": 2 * HOUR}])
def test_series_of_another_interval_or_with_other_heads_have_a_ridge_of_their_own(
    other: dict[str, object],
) -> None:
    data = history("A")
    alone, (first, _) = models(data)[0], models(data, replace(history("B"), **other))
    np.testing.assert_array_equal(first.arrays["skip_weights"], alone.arrays["skip_weights"])


def test_a_series_that_is_too_young_costs_the_others_nothing() -> None:
    data = history("A")
    young, first = pooling.fit([history("B", 50), data])
    assert isinstance(young, TrainingFailed)
    assert isinstance(first, Model)
    np.testing.assert_array_equal(first.arrays["skip_weights"], models(data)[0].arrays["skip_weights"])


def test_a_backtest_with_several_processes_does_not_part_the_pool() -> None:
    files = [CandleFile(symbol, "1h", HOUR, *bars) for symbol, bars in _bars(["A", "B"]).items()]
    walk = Walk(config=EngineConfig(horizons=("1h",), expiry_ms=24 * HOUR))

    def said(jobs: int) -> list[bytes]:
        tested = backtesting.backtest(files, walk, ["pooled"], jobs, lambda done, total: None)
        return [one.walked.tracks["1h"].upper.tobytes() for one in tested]

    assert said(2) == said(1)


def _bars(symbols: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return market(symbols, step_ms=HOUR, start_ms=START, candles=160, seed=3)
