"""What goes out next, whatever an exchange answers, and when."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles.missing import Stretch, last, missing, split
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.succession import RECHECKED, Succession

STEP = 1_000
SETTLE = 300
SERIES = SeriesKey("x", "A", "1m")


def bar(number: int, close: float = 1.5, volume: float = 1.0) -> Closed:
    return Closed(SERIES, STEP, number * STEP, 1.0, 2.0, 0.5, close, volume)


def after(number: int) -> Succession:
    """A series of which everything up to a candle is out."""
    published = [bar(n) for n in range(max(0, number - 2), number + 1)]
    return Succession(SERIES, STEP, settle_ms=SETTLE, published=published)


def just_after_close(number: int) -> int:
    return (number + 1) * STEP + 1


def test_a_candle_goes_out_when_its_time_has_passed_and_a_later_one_is_shown() -> None:
    one = after(4)
    assert one.settle([bar(4), bar(5)], just_after_close(5)) == []
    assert one.settle([bar(4), bar(5), bar(6)], just_after_close(5)) == [bar(5)]
    assert one.settle([bar(4), bar(5), bar(6)], just_after_close(5)) == []


def test_a_clock_that_is_behind_closes_nothing() -> None:
    assert after(4).settle([bar(5), bar(6)], 6 * STEP - 1) == []


def test_the_last_candle_of_a_silent_market_is_final_when_two_answers_agree() -> None:
    one, later = after(4), 6 * STEP + SETTLE
    assert one.settle([bar(5)], later) == []
    assert one.settle([bar(5, close=1.6)], later + 1) == []
    assert one.settle([bar(5, close=1.6)], later + 2) == [bar(5, close=1.6)]


def test_a_candle_that_an_answer_leaves_out_is_waited_for() -> None:
    one = after(4)
    assert one.settle([bar(4), bar(6), bar(7)], 6 * STEP + SETTLE - 1) == []
    assert one.settle([bar(4), bar(5), bar(6), bar(7)], 7 * STEP + 1) == [bar(5), bar(6)]
    assert one.skipped == 0


def test_a_candle_that_there_is_not_is_skipped_after_a_while() -> None:
    one = after(4)
    assert one.settle([bar(4), bar(6), bar(7)], 7 * STEP + 1) == [bar(6)]
    assert one.skipped == 1


def test_a_correction_goes_out_again_and_a_repeat_does_not() -> None:
    one = after(4)
    told = [bar(2), bar(3), bar(4, close=1.7), bar(5)]
    assert one.settle(told, just_after_close(4)) == [bar(4, close=1.7)]
    assert one.settle(told, just_after_close(4)) == []


def test_an_answer_that_is_behind_corrects_nothing() -> None:
    assert after(4).settle([bar(3), bar(4, close=1.2, volume=0.5)], just_after_close(4)) == []


def test_with_nothing_published_the_first_is_what_closed_last() -> None:
    one = Succession(SERIES, STEP, settle_ms=SETTLE)
    assert one.is_due(0)
    assert one.settle([bar(3), bar(4), bar(5)], just_after_close(4)) == [bar(4)]
    assert one.next_ms == 5 * STEP


def test_a_forming_candle_waits_for_all_that_closed_before_it() -> None:
    one = after(4)
    assert one.forming(bar(6), 6 * STEP + 500) is None
    one.settle([bar(5), bar(6)], 6 * STEP + 500)
    shown = one.forming(bar(6), 6 * STEP + 500)
    assert shown is not None
    assert shown.closed is False
    assert one.forming(bar(6), 6 * STEP + 600) is None, "it says nothing new"
    assert one.forming(bar(6, volume=0.5), 6 * STEP + 600) is None, "it is older than what was shown"
    assert one.forming(bar(6, volume=2.0), 7 * STEP) is None, "it has closed"


@st.composite
def answers(draw: st.DrawFn) -> list[tuple[int, list[Closed]]]:
    """What an exchange answers in the course of time: behind, cut off, with late and corrected candles."""
    corrected = draw(st.sets(st.integers(5, 14), max_size=2))
    now, told = 5 * STEP, []
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.integers(1, STEP))
        seen = now - draw(st.sampled_from([0, 0, 0, 50, 400]))
        newest = seen // STEP
        late = newest - 1 if draw(st.booleans()) and seen - newest * STEP < SETTLE - 1 else None
        rows = [
            bar(n, close=1.8 if n in corrected and n + 2 < newest else 1.5)
            if n < newest
            else bar(n, close=1.1, volume=(seen - newest * STEP) / STEP)
            for n in range(3, newest + 1)
            if n != late
        ]
        rows = rows[: draw(st.integers(1, 20))] if draw(st.booleans()) else rows
        rows += draw(st.lists(st.sampled_from(rows), max_size=2)) if rows else []
        told.append((now, rows))
    return told


@given(answers())
def test_whatever_comes_nothing_is_missing_doubled_or_early(told: list[tuple[int, list[Closed]]]) -> None:
    one = after(4)
    said: dict[int, Closed] = {}
    for asked_ms, rows in told:
        for candle in one.settle(rows, asked_ms):
            assert candle.close_ms < asked_ms
            assert candle.volume == 1.0, "the values of a forming candle went out as closed"
            assert said.get(candle.open_ms) != candle
            if candle.open_ms not in said:
                assert candle.open_ms == max(said, default=4 * STEP) + STEP
            said[candle.open_ms] = candle
    # And in the end everything is there that has closed.
    end = told[-1][0] + 2 * STEP
    full = [bar(n) for n in range(max(0, one.since(end) // STEP), end // STEP + 1)]
    for candle in one.settle(full, end):
        said[candle.open_ms] = candle
    assert sorted(said) == [n * STEP for n in range(5, end // STEP)]


@given(st.integers(0, 20), st.integers(0, 20), st.sets(st.integers(0, 30)))
def test_what_is_missing_and_what_is_held_make_up_what_is_wanted(
    start: int, count: int, held: set[int]
) -> None:
    wanted = Stretch(start * STEP, (start + count) * STEP)
    opens = {number * STEP for number in held}
    gaps = list(missing(opens, wanted, STEP))
    found = {open_ms for gap in gaps for open_ms in range(*gap, STEP)}
    assert found | (opens & set(range(*wanted, STEP))) == set(range(*wanted, STEP))
    assert not found & opens
    assert all(before.stop_ms < after.start_ms for before, after in pairwise(gaps))


def test_the_last_candles_end_with_the_newest() -> None:
    assert last(1, 5_000, STEP) == Stretch(5_000, 6_000)


@pytest.mark.parametrize("at", [-5, 0, 150, 400, 900])
def test_a_stretch_is_split_without_loss(at: int) -> None:
    early, late = split(Stretch(100, 400), at)
    assert (early.start_ms, early.stop_ms, late.stop_ms) == (100, late.start_ms, 400)


def test_some_candles_are_asked_for_again() -> None:
    assert after(9).since(0) == (10 - RECHECKED) * STEP
