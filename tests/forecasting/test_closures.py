"""Markets that close: a closure is one step and no outage; `auto` knows it from an outage by itself."""

import itertools
from datetime import datetime

import numpy as np
import pytest

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.closures import Closure, Closures, is_weekend
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.models.registry import fit
from stream_lstm.settings.sections import Gaps
from stream_lstm.settings.tree import Settings

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_609_718_400_000
HALF_PAST = HOUR // 2


def fx(weeks: int) -> list[Closed]:
    """Hourly candles from Sunday 22:00 to Friday 22:00, UTC."""
    return [row for row in hourly(weeks, 0) if not 118 <= (row.open_ms - MONDAY) // HOUR % 168 < 166]


def exchange(weeks: int) -> list[Closed]:
    """Seven candles a day on the half hour from 13:30 on, Monday to Friday."""
    days = [(row, (row.open_ms - MONDAY) // HOUR) for row in hourly(weeks, HALF_PAST)]
    return [row for row, hour in days if 13 <= hour % 24 < 20 and hour % 168 < 120]


def hourly(weeks: int, phase_ms: int) -> list[Closed]:
    opens, bars = market(["EURUSD"], step_ms=HOUR, start_ms=MONDAY, candles=168 * weeks, seed=3)["EURUSD"]
    key = SeriesKey("fx", "EURUSD", "1h")
    rows = zip((opens + phase_ms).tolist(), *bars.T.tolist(), strict=True)
    return [Closed(key, HOUR, *row) for row in rows]


def engine(policy: str = "calendar") -> Engine:
    return Engine(EngineConfig(horizons=("1h", "4h", "1d"), gap_policy=policy, model="har"))


def starts(said: Outputs) -> int:
    """How often the series began anew, its beginning included."""
    return [event.type for event in said.events].count("series.warming_up")


def feed(to: Engine, rows: list[Closed]) -> Outputs:
    said = Outputs()
    for row in rows:
        to.admit(0, row, None, live=True)
        for part in to.advance(0).values():
            said.predictions += part.predictions
            said.scores += part.scores
            said.events += part.events
    return said


def test_it_is_a_setting() -> None:
    assert Settings(gaps=Gaps(policy="calendar")).engine().gap_policy == "calendar"


@pytest.mark.parametrize("rows", [fx(4), exchange(12)])
def test_no_closure_restarts_the_series_and_every_candle_is_answered(rows: list[Closed]) -> None:
    said = feed(engine(), rows)
    assert starts(said) == 1
    answered = {one.body["asOf"] for one in said.predictions}
    assert answered == {row.close_ms for row in rows[99:]}


def test_without_being_told_it_never_restarts_at_a_weekend() -> None:
    rows = fx(4)
    said = feed(engine("auto"), rows)
    assert starts(said) == 1
    assert {one.body["asOf"] for one in said.predictions} == {row.close_ms for row in rows[99:]}
    assert [event.data["missing"] for event in said.events if event.type == "series.gap"] == [48]


def test_without_being_told_it_learns_a_night_from_the_first_one() -> None:
    rows = exchange(12)
    said = feed(engine("auto"), rows)
    assert starts(said) == 2
    assert {one.body["asOf"] for one in said.predictions} == {row.close_ms for row in rows[106:]}


@pytest.mark.parametrize(("missing", "began"), [(5, 1), (6, 2), (24, 2), (70, 2)])
def test_without_being_told_a_gap_in_the_week_that_is_long_is_an_outage(missing: int, began: int) -> None:
    rows = hourly(4, 0)
    assert starts(feed(engine("auto"), rows[:200] + rows[200 + missing :])) == began


def test_with_restart_every_long_gap_is_an_outage() -> None:
    assert starts(feed(engine("restart"), fx(4))) == 5


@pytest.mark.parametrize(
    ("closes", "opens", "is_it"),
    [
        ("2024-03-08T22:00", "2024-03-10T22:00", True),  # FX
        ("2024-03-08T21:00", "2024-03-11T13:30", True),  # New York
        ("2024-03-08T06:00", "2024-03-11T00:00", True),  # Tokyo
        ("2024-03-07T12:00", "2024-03-10T07:00", True),  # Riyadh
        ("2024-03-28T20:00", "2024-04-02T07:00", True),  # London at Easter
        ("2024-03-09T00:00", "2024-03-11T00:00", True),  # daily candles of weekdays
        ("2024-03-09T07:00", "2024-03-10T22:00", False),
        ("2024-03-08T22:00", "2024-03-09T12:00", False),
        ("2024-03-05T00:00", "2024-03-06T00:00", False),
        ("2024-03-04T00:00", "2024-03-11T00:00", False),
    ],
)
def test_a_weekend_holds_a_saturday_and_hardly_more(closes: str, opens: str, is_it: bool) -> None:
    times = [datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000 for text in (closes, opens)]
    assert is_weekend(Closure(int(times[0]), int(times[1]))) is is_it


def test_a_closure_that_recurs_is_expected_to_last_as_long_as_the_one_it_repeats() -> None:
    closures = Closures()
    for day, hours in enumerate((18, 18, 18, 18, 66)):
        closes = MONDAY + day * DAY + 20 * HOUR
        closures.note(Closure(closes, closes + hours * HOUR))
    monday, friday = MONDAY + 7 * DAY + 20 * HOUR, MONDAY + 11 * DAY + 20 * HOUR
    assert closures.expected_ms(monday) == 18 * HOUR
    assert closures.expected_ms(friday - HOUR) == 66 * HOUR
    assert closures.expected_ms(monday + 3 * HOUR) == 0
    assert closures.expected_ms(monday + 21 * DAY) == 0


def test_a_closure_is_told_once_and_the_same_one_a_week_later_is_not() -> None:
    gaps = [event for event in feed(engine(), fx(4)).events if event.type == "series.gap"]
    assert [(gap.data["missing"], gap.data["filled"], gap.data["bridged"]) for gap in gaps] == [
        (48, False, True)
    ]


def test_a_closure_that_moves_by_an_hour_with_the_clocks_is_the_same() -> None:
    rows = fx(4)
    third_friday = MONDAY + 14 * DAY + 117 * HOUR
    earlier = [row for row in rows if row.open_ms != third_friday]
    events = feed(engine(), earlier).events
    assert [event.type for event in events].count("series.gap") == 1


def test_an_outage_at_another_hour_is_told() -> None:
    rows = fx(4)
    del rows[200:203]
    gaps = [event.data["missing"] for event in feed(engine(), rows).events if event.type == "series.gap"]
    assert gaps == [48, 3]


def test_what_lasts_longer_than_any_holiday_begins_the_series_anew() -> None:
    rows = fx(6)
    said = feed(engine(), rows[:240] + rows[520:])
    assert starts(said) == 2


def test_only_candles_that_come_at_their_time_by_the_clock_are_scored() -> None:
    rows = fx(4)
    said = feed(engine(), rows)
    closes = {row.close_ms: row.close for row in rows}
    targets = {
        one.body["id"]: one.body["predictions"][-1]["timestamp"]
        for one in said.predictions
        if one.body["predictions"][-1]["timestamp"] in closes
    }
    scored = {score.body["id"]: score.body["target"] for score in said.scores}
    assert scored == targets
    assert all(score.body["actualPrice"] == closes[score.body["target"]] for score in said.scores)


def test_nothing_is_filled_and_a_model_learns_from_the_rows_as_they_are() -> None:
    made, rows = engine(), fx(4)
    feed(made, rows)
    data = made.training_set(rows[0].series)
    assert data is not None
    assert not data.synthetic.any()
    assert data.open_ms.tolist() == [row.open_ms for row in rows]
    (model,) = fit("har", [data])
    assert made.install(rows[0].series, model)


def test_warm_scores_are_of_the_candles_that_live_scores_would_be_of() -> None:
    made, rows = engine(), fx(9)
    feed(made, rows)
    data = made.training_set(rows[0].series)
    assert data is not None
    (model,) = fit("har", [data])
    opens = data.open_ms[int(0.5 * len(data)) :]
    for head, steps in enumerate((1, 4, 24)):
        assert len(model.warm_scores(head)) == np.isin(opens + steps * HOUR, opens).sum()


def test_candles_on_the_half_hour_know_their_hour() -> None:
    said = feed(engine(), exchange(12))
    as_of = sorted({one.body["asOf"] for one in said.predictions})
    assert {(at + 1) % HOUR for at in as_of} == {HALF_PAST}
    assert {later - earlier for earlier, later in itertools.pairwise(as_of)} == {
        HOUR,
        18 * HOUR,
        66 * HOUR,
    }
