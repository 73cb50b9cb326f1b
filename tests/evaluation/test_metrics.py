"""What forecasts are worth, on forecasts whose worth is known."""

from dataclasses import replace

import numpy as np
import pytest

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.evidence import evidence_of
from stream_lstm.evaluation.metrics import Worth, judge
from stream_lstm.evaluation.significance import diebold_mariano
from stream_lstm.evaluation.summary import Judged, summarise
from stream_lstm.evaluation.track import Track
from stream_lstm.evaluation.yardstick import yardstick

HOUR = 3_600_000
COUNT = 3_000


@pytest.fixture(scope="module")
def candles() -> CandleFile:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, COUNT)))
    ohlcv = np.stack([close, close * 1.001, close * 0.999, close, np.ones(COUNT)], axis=1)
    return CandleFile("BTC", "1h", HOUR, HOUR * np.arange(COUNT, dtype=np.int64), ohlcv)


def of_the_unit(candles: CandleFile, steps: int = 1, factor: float = 1.0) -> Track:
    """The unit itself as a forecaster, its width times a factor."""
    close, measure = candles.ohlcv[:, 3], yardstick(candles, steps, 0.9)
    half = measure.half_width * factor
    at = np.flatnonzero(np.isfinite(half))
    return Track(
        horizon=f"{steps}h",
        steps=steps,
        as_of=candles.open_ms[at] + HOUR - 1,
        last_close=close[at],
        predicted=close[at],
        lower=close[at] * np.exp(-half[at]),
        upper=close[at] * np.exp(half[at]),
        half_widths=measure.half_widths[at] * factor,
        model=("unit",) * len(at),
        confidence=0.9,
    )


def worth_of(track: Track, candles: CandleFile) -> Worth:
    worth = judge(track, yardstick(candles, track.steps, track.confidence))
    assert worth is not None
    return worth


def verdict(model: str, symbol: str, worth: Worth, candles: CandleFile) -> Judged:
    evidence = evidence_of(of_the_unit(candles), yardstick(candles, 1, 0.9))
    return Judged(model, symbol, "1h", "1h", worth, evidence)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_unit_is_worth_one_and_as_good_as_itself(candles: CandleFile, steps: int) -> None:
    worth = worth_of(of_the_unit(candles, steps), candles)
    assert worth.winkler_ratio == pytest.approx(1)
    assert worth.rmse_ratio == worth.mae_ratio == worth.mape_ratio == 1
    assert worth.skill == (0, 0, 0)
    assert worth.pinball_ratio == pytest.approx(1)
    assert worth.interval_skill.low == pytest.approx(worth.interval_skill.high, abs=1e-9)
    assert worth.coverage.overall == pytest.approx(0.9, abs=0.02)
    assert worth.answered == 1
    assert worth.better is None or worth.better.p_value > 0.05


def test_intervals_that_are_too_wide_or_too_narrow_cost(candles: CandleFile) -> None:
    right, wide, narrow = (worth_of(of_the_unit(candles, factor=factor), candles) for factor in (1, 2, 0.4))
    assert wide.winkler_ratio > 1.2
    assert narrow.winkler_ratio > 1.2
    assert wide.coverage.overall > right.coverage.overall > narrow.coverage.overall
    assert wide.pinball_ratio > 1.05
    assert wide.interval_skill.high < 0
    assert wide.width == pytest.approx(2 * right.width, rel=0.01)
    assert wide.better is not None
    assert wide.better.statistic > 5


def test_whoever_knows_the_future_is_seen_to(candles: CandleFile) -> None:
    honest = of_the_unit(candles)
    rows = np.searchsorted(candles.open_ms, honest.as_of + 1)
    known = rows < COUNT
    actual = candles.ohlcv[np.minimum(rows, COUNT - 1), 3]
    worth = worth_of(replace(honest, predicted=np.where(known, actual, honest.predicted)), candles)
    assert worth.rmse_ratio < 1e-6


def test_coverage_is_told_where_it_is_worst(candles: CandleFile) -> None:
    track = of_the_unit(candles)
    hours = (track.as_of + 1) // HOUR % 24
    blind = hours == 15
    lower = np.where(blind, track.last_close * 0.9999999, track.lower)
    upper = np.where(blind, track.last_close * 1.0000001, track.upper)
    worth = worth_of(replace(track, lower=lower, upper=upper), candles)
    assert worth.coverage.by_hour[15] < 0.05
    assert min(share for hour, share in worth.coverage.by_hour.items() if hour != 15) > 0.8
    assert worth.coverage.worst_stretch is not None
    assert worth.coverage.worst_stretch <= worth.coverage.overall


def test_few_forecasts_are_not_judged(candles: CandleFile) -> None:
    track = of_the_unit(candles)
    columns = {
        name: getattr(track, name)[:49] for name in ("as_of", "last_close", "predicted", "lower", "upper")
    }
    assert judge(replace(track, **columns), yardstick(candles, 1, 0.9)) is None


def test_diebold_mariano_sees_a_difference_and_only_that() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        verdict = diebold_mariano(rng.normal(0, 1, 400), 1)
        assert verdict is not None
        alarms += verdict.p_value < 0.05
    assert 2 <= alarms <= 22
    better = diebold_mariano(rng.normal(-0.3, 1, 400), 1)
    assert better is not None
    assert better.statistic < -4
    assert diebold_mariano(np.zeros(400), 1) is None
    assert diebold_mariano(np.ones(10), 1) is None


def test_overlapping_forecasts_are_not_taken_for_independent_ones() -> None:
    rng = np.random.default_rng(1)
    overlapping = np.convolve(rng.normal(0, 1, 600), np.ones(24), "valid")
    naive, honest = diebold_mariano(overlapping, 1), diebold_mariano(overlapping, 24)
    assert naive is not None
    assert honest is not None
    assert abs(honest.statistic) < abs(naive.statistic)


def test_a_summary_has_means_and_the_worst(candles: CandleFile) -> None:
    right, wide = worth_of(of_the_unit(candles), candles), worth_of(of_the_unit(candles, factor=2), candles)
    judged = [verdict("m", "A", right, candles), verdict("m", "B", wide, candles)]
    (row,) = summarise(judged)
    assert row["series"] == 2
    assert row["worstSymbol"] == "B"
    assert row["winklerRatio"] == pytest.approx((right.winkler_ratio + wide.winkler_ratio) / 2)
    assert row["coverageRange"] == [right.coverage.overall, wide.coverage.overall]
    assert row["beyondHar"] is None
    assert judged[0].row()["forecasts"] == right.forecasts


def test_a_summary_says_what_a_model_adds_to_har_on_the_series_that_both_have(candles: CandleFile) -> None:
    right, wide = worth_of(of_the_unit(candles), candles), worth_of(of_the_unit(candles, factor=2), candles)
    judged = [verdict("lstm", "A", right, candles), verdict("lstm", "B", right, candles)]
    judged += [verdict("har", "A", wide, candles)]
    ours, linear = summarise(judged)
    assert ours["beyondHar"] == pytest.approx(right.winkler_ratio - wide.winkler_ratio)
    assert linear["beyondHar"] is None
