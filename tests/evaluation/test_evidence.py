"""The numbers behind the pictures, on forecasts whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.chance import chance_band, independent
from stream_lstm.evaluation.coverage import STRETCH, coverage_over_time
from stream_lstm.evaluation.evidence import duel, evidence_of
from stream_lstm.evaluation.misses import days_of, worst_forecasts
from stream_lstm.evaluation.outcomes import Outcomes, outcomes_of
from stream_lstm.evaluation.pit import PIT_BINS, coverages, pit_counts
from stream_lstm.evaluation.track import COVERAGES, Track
from stream_lstm.evaluation.yardstick import yardstick
from tests.evaluation.planted import HOUR, START, told, walk

DAY = 24 * HOUR


@pytest.fixture(scope="module")
def candles() -> CandleFile:
    return walk()


def outcomes(candles: CandleFile, track: Track) -> Outcomes:
    return outcomes_of(track, yardstick(candles, track.steps, track.confidence))


def pit(candles: CandleFile, track: Track) -> np.ndarray:
    seen = outcomes(candles, track)
    counts = pit_counts(seen.error, seen.half_widths)
    assert counts.sum() == len(seen.at)
    return counts / counts.sum()


def test_the_pit_of_a_true_forecaster_is_flat(candles: CandleFile) -> None:
    low, high = chance_band(1 / PIT_BINS, 3_800)
    shares = pit(candles, told(candles))
    assert shares.shape == (PIT_BINS,)
    assert ((shares >= low) & (shares <= high)).sum() >= 17


def test_the_pit_shows_what_is_wrong(candles: CandleFile) -> None:
    wide, narrow = pit(candles, told(candles, width=2)), pit(candles, told(candles, width=0.5))
    assert wide[9:11].min() > 0.08 > 0.02 > wide[[0, -1]].max()
    assert narrow[[0, -1]].min() > 0.15
    below = pit(candles, told(candles, shift=0.5))
    assert below[:10].sum() > 0.65


def test_an_outcome_on_an_edge_counts_half_to_either_side() -> None:
    widths = np.linspace(0.9, 0.1, 9)[None]
    assert pit_counts(np.array([0.0]), widths)[9:11].tolist() == [0.5, 0.5]
    assert pit_counts(np.array([0.5]), widths)[14:16].tolist() == [0.5, 0.5]
    flat = pit_counts(np.zeros(3), np.zeros((3, 9)))  # a market that stands still, known for sure
    assert flat[[0, -1]].tolist() == [1.5, 1.5]


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=40), st.integers(0, 2**31))
def test_counts_of_stretches_add_up_and_mirror(errors: list[float], seed: int) -> None:
    error = np.array(errors)
    widths = np.sort(np.random.default_rng(seed).uniform(0, 2, (len(error), 9)), axis=1)[:, ::-1]
    whole, cut = pit_counts(error, widths), len(error) // 2
    assert (whole == pit_counts(error[:cut], widths[:cut]) + pit_counts(error[cut:], widths[cut:])).all()
    assert (whole[::-1] == pit_counts(-error, widths)).all()
    assert whole.sum() == len(error)


def test_coverages_are_those_of_the_nine_intervals(candles: CandleFile) -> None:
    seen = outcomes(candles, told(candles))
    assert coverages(seen.error, seen.half_widths) == pytest.approx(np.array(COVERAGES), abs=0.025)
    assert coverages(np.array([0.0, 0.35]), np.linspace(0.9, 0.1, 9)[None]).tolist() == [1] * 6 + [0.5] * 3


def test_coverage_over_time_has_the_worst_stretch_among_its_points() -> None:
    inside = np.ones(4_000, bool)
    inside[1_200:1_400:2] = False
    seen = coverage_over_time(inside, points=20)
    assert len(seen.last) <= 21
    assert (seen.last[0], seen.last[-1]) == (STRETCH - 1, 3_999)
    assert seen.share.min() == 0.8
    worst = int(seen.last[seen.share.argmin()])
    assert inside[worst - STRETCH + 1 : worst + 1].mean() == 0.8
    assert len(coverage_over_time(inside[:499], points=20).last) == 0


def test_chance_is_what_it_is_in_a_simulation() -> None:
    shares = np.random.default_rng(0).binomial(500, 0.9, 20_000) / 500
    low, high = chance_band(0.9, 500)
    assert (low, high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.0021)
    wide = chance_band(0.9, independent(500, 24))
    assert wide[0] < low < 0.9 < high < wide[1]


@given(st.floats(0.01, 0.99), st.integers(1, 3_000))
def test_a_band_of_chance_has_what_it_is_about_in_it(probability: float, count: int) -> None:
    low, high = chance_band(probability, count)
    assert 0 <= low <= probability + 1 / count
    assert probability - 1 / count <= high <= 1


def test_overlap_is_seen_in_the_band(candles: CandleFile) -> None:
    """Of true forecasts for 24 candles far more stretches leave the band of 500 than that of 500 / 24."""
    inside = outcomes(candles, told(candles, 24)).inside
    shares = coverage_over_time(inside, points=10_000).share

    def outside(count: int) -> float:
        low, high = chance_band(0.9, count)
        return float(((shares < low) | (shares > high)).mean())

    assert outside(independent(STRETCH, 24)) < 0.15 < 0.3 < outside(STRETCH)


def crashed(candles: CandleFile, *rows: int) -> CandleFile:
    ohlcv = candles.ohlcv.copy()
    for row in rows:
        ohlcv[row:, :4] *= 0.7
    return candles._replace(ohlcv=ohlcv)


def test_the_worst_forecast_is_told_with_what_was_said_and_what_came(candles: CandleFile) -> None:
    fallen = crashed(candles, 2_000)
    track = told(fallen)
    (worst, second, *_) = worst_forecasts(outcomes(fallen, track))
    assert worst.as_of == START + 2_000 * HOUR - 1
    assert worst.target == worst.as_of + HOUR
    assert (worst.last_close, worst.actual) == pytest.approx((fallen.ohlcv[1_999, 3], fallen.ohlcv[2_000, 3]))
    assert (worst.lower, worst.upper) == pytest.approx((track.lower[1_999], track.upper[1_999]))
    assert worst.actual < worst.lower
    assert worst.cost > 50 > 15 > second.cost
    assert worst.unit_cost == pytest.approx(worst.cost, rel=0.2)


def test_of_forecasts_that_overlap_only_the_dearest_is_told(candles: CandleFile) -> None:
    fallen = crashed(candles, 1_000, 3_000)
    found = worst_forecasts(outcomes(fallen, told(fallen, 24)))
    assert len(found) == 10
    times = sorted(miss.as_of for miss in found)
    assert min(np.diff(times)) >= DAY
    assert sorted((miss.as_of + 1 - START) // HOUR // 1_000 for miss in found[:2]) in (
        [0, 2],
        [0, 3],
        [1, 2],
        [1, 3],
    )


def test_days_have_all_forecasts_and_what_they_cost(candles: CandleFile) -> None:
    fallen = crashed(candles, 2_000)
    seen = outcomes(fallen, told(fallen))
    days = days_of(seen)
    assert days.forecasts.sum() == len(seen.at)
    assert days.inside.sum() == seen.inside.sum()
    assert days.unit_cost.sum() == pytest.approx(len(seen.at))
    assert days.cost.sum() / days.unit_cost.sum() == pytest.approx(seen.score.mean() / seen.unit_score.mean())
    assert days.day[days.cost.argmax()] == (START + 2_000 * HOUR) // DAY * DAY


def test_a_duel_is_decided_over_the_forecasts_that_both_made(candles: CandleFile) -> None:
    measure, track = yardstick(candles, 1, 0.9), told(candles)
    late = {
        name: getattr(track, name)[500:] for name in ("as_of", "last_close", "predicted", "lower", "upper")
    }
    right = evidence_of(replace(track, half_widths=track.half_widths[500:], **late), measure)
    wide = evidence_of(told(candles, width=2), measure)
    gain, verdict = duel(right, wide)
    assert gain > 0.2
    assert verdict is not None
    assert verdict.statistic < -5
    assert duel(wide, right)[0] == pytest.approx(-gain)
    assert duel(right, right) == (0, None)
