"""The clock columns against the standard library's calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.features.clock import clock_columns, hour_slot, new_york_offset_ms, week_slot

instants = st.integers(600_000_000, 2_100_000_000).map(lambda seconds: seconds * 1000)


@given(instants)
def test_slots_are_the_hours_of_the_utc_day_and_week(at_ms: int) -> None:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    times = np.array([at_ms])
    assert hour_slot(times)[0] == moment.hour
    assert week_slot(times)[0] == moment.weekday() * 24 + moment.hour


@given(instants)
def test_new_york_changes_its_clocks_when_the_tz_database_says_so(at_ms: int) -> None:
    try:
        zone = ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no tz database")
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset()
    assert timedelta(milliseconds=int(new_york_offset_ms(np.array([at_ms]))[0])) == offset


def test_a_friday_noon_in_utc_is_a_working_morning_in_new_york() -> None:
    noon = int(datetime(2021, 1, 8, 12, tzinfo=UTC).timestamp() * 1000)
    row = clock_columns(np.array([noon]))[0]
    np.testing.assert_allclose(row[:2], [0, -1], atol=1e-12)
    np.testing.assert_allclose(row[6:8], [np.sin(2 * np.pi * 7 / 24), np.cos(2 * np.pi * 7 / 24)])
    assert row[10:].tolist() == [0, 1, 0]


def test_new_york_columns_are_zero_at_its_weekend_only() -> None:
    sunday_evening_utc = int(datetime(2021, 1, 11, 2, tzinfo=UTC).timestamp() * 1000)  # still Sunday there
    row = clock_columns(np.array([sunday_evening_utc]))[0]
    assert row[6:10].tolist() == [0, 0, 0, 0]
    assert row[10:].tolist() == [0, 0, 0]
