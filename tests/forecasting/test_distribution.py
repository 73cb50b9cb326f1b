"""The distribution: its parts agree with each other; paths run through the horizons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.forecasting.calibration import Calibrators
from stream_lstm.forecasting.distribution import (
    LEVELS,
    Distribution,
    distribution,
    path_half_width,
    path_location,
)


def made(
    location: float, log_scale: list[float], scores: list[float], confidence: float = 0.9
) -> Distribution:
    horizons = len(log_scale)
    calibrators = Calibrators(horizons)
    calibrators.grow(1)
    for place in range(horizons):
        calibrators.begin(place, 1 + place)
        for score in scores:
            calibrators.update(np.array([place]), np.array([score]))
    return distribution(
        calibrators,
        np.arange(horizons).reshape(1, horizons),
        np.full((1, horizons), location),
        np.array([log_scale]),
        confidence=confidence,
        neutral_band=0.001,
    )


everything = given(
    st.floats(-0.02, 0.02),
    st.lists(st.floats(-9, -1), min_size=1, max_size=4),
    st.lists(st.floats(0.001, 50), max_size=150),
)


@settings(max_examples=60)
@everything
def test_quantiles_bounds_and_direction_are_of_one_distribution(
    location: float, log_scale: list[float], scores: list[float]
) -> None:
    forecast = made(location, log_scale, scores)
    quantiles = forecast.quantiles[0]
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_array_equal(quantiles[:, LEVELS.index(0.95)], location + forecast.half_width[0])
    np.testing.assert_array_equal(quantiles[:, LEVELS.index(0.05)], location - forecast.half_width[0])
    np.testing.assert_array_equal(quantiles[:, LEVELS.index(0.5)], np.full(len(log_scale), location))
    assert (np.diff(forecast.half_width[0]) >= 0).all()
    np.testing.assert_allclose(forecast.direction.sum(axis=-1), 1, atol=1e-12)
    assert (forecast.direction >= 0).all()


def test_direction_is_symmetric_when_the_forecast_is_the_last_close() -> None:
    down, neutral, up = made(0.0, [-4.0], [0.5, 1.0, 2.0]).direction[0, 0]
    assert down == pytest.approx(up, abs=0.001)
    assert neutral > 0


def test_a_rising_location_makes_up_more_likely() -> None:
    down, _, up = made(0.02, [-4.0], []).direction[0, 0]
    assert up > 0.6 > down


def test_the_path_goes_through_the_horizons_and_is_log_linear_between() -> None:
    heads, half = np.array([1.0, 4.0, 24.0]), np.array([[0.01, 0.02, 0.06]])
    widths = path_half_width(np.array([1.0, 2.0, 4.0, 24.0]), heads, half)[0]
    np.testing.assert_allclose(widths, [0.01, np.sqrt(0.01 * 0.02), 0.02, 0.06])


def test_before_the_first_horizon_the_path_grows_with_the_root_of_time() -> None:
    widths = path_half_width(np.array([1.0, 4.0, 16.0]), np.array([16.0]), np.array([[0.08]]))[0]
    np.testing.assert_allclose(widths, [0.02, 0.04, 0.08])
    widths = path_half_width(np.array([4.0]), np.array([16.0, 64.0]), np.array([[0.08, 0.2]]))[0]
    np.testing.assert_allclose(widths, [0.04])


def test_the_location_of_a_path_is_linear_from_zero() -> None:
    got = path_location(np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0]), np.array([[0.2, 0.6]]))
    np.testing.assert_allclose(got, [[0.1, 0.2, 0.6]])
