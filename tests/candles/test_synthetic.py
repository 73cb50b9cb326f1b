from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.candles.synthetic import blocks, market

HOUR = 3_600_000
START = 1_728_086_400_000
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


@pytest.fixture(scope="module")
def bars() -> dict[str, NDArray[np.float64]]:
    """A long market at one hour: (T, 5) per symbol."""
    drawn = market(SYMBOLS, step_ms=HOUR, start_ms=START, candles=12_000, seed=11)
    return {symbol: ohlcv for symbol, (_, ohlcv) in drawn.items()}


def log_returns(ohlcv: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diff(np.log(ohlcv[:, 3]))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    once, again, other = (
        market(SYMBOLS, step_ms=HOUR, start_ms=START, candles=50, seed=seed)["BTCUSDT"][1].tobytes()
        for seed in (1, 1, 2)
    )
    assert once == again != other


@settings(max_examples=10)
@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_a_longer_run_extends_a_shorter_one(one: int, other: int) -> None:
    short, long = sorted((one, other))
    (first, start), (times, ohlcv) = (
        market(["A"], step_ms=HOUR, start_ms=START, candles=candles, seed=3)["A"] for candles in (short, long)
    )
    assert len(times) == long
    assert times[:short].tobytes() == first.tobytes()
    assert ohlcv[:short].tobytes() == start.tobytes()


def test_a_symbol_does_not_depend_on_its_company() -> None:
    alone = market(["ETHUSDT"], step_ms=HOUR, start_ms=START, candles=1_500, seed=5)["ETHUSDT"][1]
    together = market(SYMBOLS, step_ms=HOUR, start_ms=START, candles=1_500, seed=5)["ETHUSDT"][1]
    assert alone.tobytes() == together.tobytes()


def test_the_endless_market_is_the_same_market() -> None:
    parts = list(islice(blocks(SYMBOLS, step_ms=HOUR, start_ms=START, seed=5), 3))
    open_ms, ohlcv = market(SYMBOLS, step_ms=HOUR, start_ms=START, candles=3_000, seed=5)["SOLUSDT"]
    assert np.concatenate([times for times, _ in parts])[:3_000].tobytes() == open_ms.tobytes()
    assert np.concatenate([part[2] for _, part in parts])[:3_000].tobytes() == ohlcv.tobytes()


@pytest.mark.parametrize("step_ms", [60_000, HOUR, 86_400_000])
def test_bars_are_candles_without_gaps(step_ms: int) -> None:
    drawn = market(SYMBOLS, step_ms=step_ms, start_ms=START + 7, candles=2_500, seed=1)
    for open_ms, ohlcv in drawn.values():
        open_, high, low, close, volume = ohlcv.T
        assert open_ms[0] == START + 7
        assert (np.diff(open_ms) == step_ms).all()
        assert np.isfinite(ohlcv).all()
        assert (low > 0).all()
        assert (volume > 0).all()
        assert (low <= np.minimum(open_, close)).all()
        assert (high >= np.maximum(open_, close)).all()
        assert (open_[1:] == close[:-1]).all()


def kurtosis(values: NDArray[np.float64]) -> float:
    """3 for normal values of mean zero."""
    return float((values**4).mean() / (values**2).mean() ** 2)


def test_returns_have_heavy_tails_even_given_the_volatility_around(
    bars: dict[str, NDArray[np.float64]],
) -> None:
    for ohlcv in bars.values():
        moved, ranges = log_returns(ohlcv), np.log(ohlcv[1:, 1] / ohlcv[1:, 2])
        around = ranges[:-4] + ranges[1:-3] + ranges[3:-1] + ranges[4:]
        assert kurtosis(moved) > 9
        assert kurtosis(moved[2:-2] / around) > 5


def test_volatility_clusters_and_directions_do_not(bars: dict[str, NDArray[np.float64]]) -> None:
    for ohlcv in bars.values():
        moved = log_returns(ohlcv)
        size = np.log(np.abs(moved) + 1e-9)
        assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.05
        assert abs(np.corrcoef(moved[1:], moved[:-1])[0, 1]) < 0.05


def test_volatility_has_a_daily_cycle(bars: dict[str, NDArray[np.float64]]) -> None:
    for ohlcv in bars.values():
        by_hour = np.log(ohlcv[:, 1] / ohlcv[:, 2])[: 24 * 500].reshape(-1, 24).mean(axis=0)
        assert by_hour[14:16].mean() > 1.5 * by_hour[2:4].mean()


def test_ranges_are_those_of_the_volatility(bars: dict[str, NDArray[np.float64]]) -> None:
    for ohlcv in bars.values():
        parkinson = (np.log(ohlcv[:, 1] / ohlcv[:, 2]) ** 2).mean() / (4 * np.log(2))
        assert 0.7 < parkinson / log_returns(ohlcv).var() < 1.1


def test_symbols_move_together_in_part(bars: dict[str, NDArray[np.float64]]) -> None:
    together = np.corrcoef([log_returns(ohlcv) for ohlcv in bars.values()])
    assert (together[np.triu_indices(3, 1)] > 0.25).all()
    assert (together[np.triu_indices(3, 1)] < 0.8).all()
