"""Training sets out of the synthetic market, and what a market looks like to a bank."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from stream_lstm.candles.synthetic import market
from stream_lstm.features import FeatureSet
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.training_set import TrainingSet

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR
STEPS = 20


def _training_set(name: str = "A", candles: int = 700, **changed: Any) -> TrainingSet:
    open_ms, bars = market([name], step_ms=HOUR, start_ms=START, candles=candles, seed=7)[name]
    ratios = bars / np.array([*[bars[0, 0]] * 4, 1.0])
    whole = {
        "series": f"test:{name}:1h",
        "step_ms": HOUR,
        "candles": ratios.astype(np.float32),
        "open_ms": open_ms,
        "synthetic": np.zeros(candles, np.bool_),
        "state": FeatureSet().start(),
        "reference": float(bars[0, 0]),
        "horizons": (1, 4, 24, 168),
        "seed": 11,
    }
    return TrainingSet(**(whole | changed))


def _view(data: TrainingSet, at: int = -1, horizons: tuple[int, ...] = (1, 4, 24, 168)) -> MarketView:
    seen = FeatureSet().run(data.state, data.candles, data.open_ms, data.step_ms)
    end = range(len(data))[at] + 1
    window = slice(end - STEPS, end)
    return MarketView(
        skip=seen.skip[end - 1 : end],
        window=seen.inputs[None, window],
        closes=data.candles[None, window, 3].astype(np.float64),
        log_base=seen.log_base[end - 1 : end],
        log_slow=seen.log_slow[end - 1 : end],
        log_ewma=seen.log_sigma[end - 1 : end],
        steps=np.array([horizons], np.int64),
    )


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """As in every process of the product: bits are promised for one thread."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def training_set() -> Callable[..., TrainingSet]:
    """`training_set(name, candles, **changed)`: hourly candles of one symbol of the synthetic market."""
    return _training_set


@pytest.fixture(scope="session")
def view_of() -> Callable[..., MarketView]:
    """`view_of(data, at)`: the market of one series at the close of a candle of its training set."""
    return _view
