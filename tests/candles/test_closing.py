import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import reasons
from stream_lstm.candles.closing import Closing
from stream_lstm.candles.series import Closed, SeriesKey, Update
from stream_lstm.errors import BadCandle

MINUTE = 60_000
START = 1_700_000_040_000
A = SeriesKey("binance", "AUSDT", "1m")
B = SeriesKey("binance", "BUSDT", "1m")
HOURLY = SeriesKey("binance", "AUSDT", "1h")


def bar(
    number: int,
    close: float = 100.0,
    *,
    series: SeriesKey = A,
    closed: bool | None = None,
    event_ms: int | None = None,
    start: int = START,
    step: int = MINUTE,
) -> Update:
    return Update(series, step, start + number * step, 100.0, 200.0, 50.0, close, 1.0, closed, event_ms)


def opens(closings: Iterable[Closed]) -> list[tuple[str, int]]:
    return [(closing.series.symbol[0], (closing.open_ms - START) // closing.step_ms) for closing in closings]


def at(number: float) -> int:
    """The moment `number` minutes after the first open time."""
    return START + int(number * MINUTE)


def outcome(closing: Closing, update: Update, record_ms: int) -> list[Closed] | str:
    try:
        return closing.offer(update, record_ms)
    except BadCandle as bad:
        return str(bad)


def test_a_bar_closes_with_its_last_update_when_a_later_one_opens() -> None:
    closing = Closing()
    assert closing.offer(bar(0, 101), at(0.1)) == []
    assert closing.offer(bar(0, 102), at(0.9)) == []
    (closed,) = closing.offer(bar(1, 103), at(1.0))
    assert (closed.open_ms, closed.close, closed.close_ms) == (START, 102, START + MINUTE - 1)


def test_a_flag_confirms_from_one_second_before_the_close() -> None:
    close_ms = at(1) - 1
    assert Closing().offer(bar(0, closed=True), close_ms - 1_001) == []
    assert opens(Closing().offer(bar(0, closed=True), close_ms - 1_000)) == [("A", 0)]


def test_a_bar_flagged_closed_while_it_forms_stays_pending() -> None:
    closing = Closing()
    for second in range(0, 58):
        assert closing.offer(bar(0, 100 + second, closed=True), START + second * 1_000, "cryptofeed") == []
    assert closing.contradictions == {"cryptofeed": 58}
    (closed,) = closing.offer(bar(1, 1.0, closed=True), at(1), "cryptofeed")
    assert closed.close == 157


def test_a_flag_that_says_open_after_the_close_time_loses_and_is_counted() -> None:
    closing = Closing(close_grace_ms=5_000)
    assert closing.offer(bar(0, closed=False), at(1) - 1, "bybit") == []
    assert not closing.contradictions
    assert closing.offer(bar(0, closed=False), at(1), "bybit") == []
    assert opens(closing.offer(bar(0, closed=False), at(1) + 5_000, "bybit")) == [("A", 0)]
    assert closing.contradictions == {"bybit": 2}


def test_the_partition_clock_closes_strictly_after_the_grace() -> None:
    closing = Closing(close_grace_ms=5_000)
    closing.offer(bar(0), at(0))
    assert closing.offer(bar(1, series=B), at(1) - 1 + 5_000) == []
    assert opens(closing.offer(bar(1, series=B), at(1) + 5_000)) == [("A", 0)]


def test_one_record_closes_all_overdue_bars_by_close_time_then_series() -> None:
    closing = Closing()
    names = [SeriesKey("okx", f"{letter}USDT", "1m") for letter in "DCBA"]
    for number, name in enumerate(names):
        closing.offer(bar(0 if number < 3 else 1, series=name), at(0.5))
    late = bar(9, series=SeriesKey("okx", "ZUSDT", "1m"))
    assert opens(closing.offer(late, at(9))) == [("B", 0), ("C", 0), ("D", 0), ("A", 1)]


def test_a_series_alone_closes_with_its_next_record() -> None:
    closing = Closing()
    closing.offer(bar(0), at(0))
    assert opens(closing.offer(bar(7), at(7))) == [("A", 0)]


def test_the_last_update_counts_even_when_it_brings_the_time_that_closes() -> None:
    closing = Closing()
    closing.offer(bar(0, 101), at(0.5))
    (closed,) = closing.offer(bar(0, 102), at(1.5))
    assert closed.close == 102


def test_the_messages_own_time_counts_up_to_five_seconds_ahead_of_the_record() -> None:
    closing = Closing()
    closing.offer(bar(0, event_ms=at(1_000_000)), at(0))
    assert closing.clock_ms == at(0) + 5_000
    closing.offer(bar(0, event_ms=at(0.5)), at(0.25))
    assert closing.clock_ms == at(0.25) + 5_000
    closing.offer(bar(0, event_ms=at(0.1)), at(0.9))
    assert closing.clock_ms == at(0.9)


def test_the_clock_never_goes_back() -> None:
    closing = Closing()
    closing.offer(bar(3), at(3))
    closing.offer(bar(3, series=B), at(2))
    assert closing.clock_ms == at(3)


def test_an_update_of_a_closed_bar_comes_out_at_once() -> None:
    closing = Closing()
    closing.offer(bar(0, 101), at(0))
    closing.offer(bar(1), at(1))
    (repeated,) = closing.offer(bar(0, 105), at(1.1))
    assert (repeated.open_ms, repeated.close) == (START, 105)
    assert opens(closing.offer(bar(2), at(2))) == [("A", 1)]


def test_a_bar_that_its_flag_has_closed_is_not_pending_again() -> None:
    closing = Closing()
    assert opens(closing.offer(bar(0, 101, closed=True), at(1))) == [("A", 0)]
    (repeated,) = closing.offer(bar(0, 102), at(1))
    assert repeated.close == 102
    assert closing.offer(bar(1), at(1)) == []


def test_a_bar_older_than_the_pending_and_newer_than_the_last_closed_closes_in_order() -> None:
    closing = Closing()
    closing.offer(bar(0), at(0))
    assert opens(closing.offer(bar(3), at(3))) == [("A", 0)]
    assert opens(closing.offer(bar(1), at(3))) == [("A", 1)]
    assert opens(closing.offer(bar(2), at(3))) == [("A", 2)]
    assert opens(closing.offer(bar(4), at(4))) == [("A", 3)]


def test_intervals_of_one_symbol_are_series_of_their_own() -> None:
    closing = Closing()
    closing.offer(bar(0, series=HOURLY, step=60 * MINUTE), at(0))
    closing.offer(bar(0), at(0))
    (closed,) = closing.offer(bar(1), at(1))
    assert closed.series == A


@pytest.mark.parametrize("phase", [0, 17, 57_600])
def test_any_phase_is_a_phase(phase: int) -> None:
    closing = Closing()
    closing.offer(bar(0, start=START + phase), at(0))
    assert len(closing.offer(bar(1, start=START + phase), at(1))) == 1


def test_a_bar_out_of_step_is_refused_and_moves_nothing() -> None:
    closing = Closing()
    closing.offer(bar(0), at(0))
    with pytest.raises(BadCandle, match="7 ms out of step") as refused:
        closing.offer(bar(1, start=START + 7), at(60))
    assert refused.value.reason == reasons.PHASE_BROKEN
    assert closing.clock_ms == at(0)
    assert opens(closing.offer(bar(1), at(1))) == [("A", 0)]


def test_three_consecutive_bars_that_agree_show_that_the_first_was_wrong() -> None:
    closing = Closing()
    closing.offer(bar(0, start=START + 7), at(0))
    for number in (1, 1, 2, 2, 2):
        with pytest.raises(BadCandle):
            closing.offer(bar(number), at(number))
    assert closing.offer(bar(3), at(3)) == []
    assert opens(closing.offer(bar(4), at(4))) == [("A", 3)]
    with pytest.raises(BadCandle):
        closing.offer(bar(5, start=START + 7), at(5))


@pytest.mark.parametrize("numbers", [(1, 3, 4), (1, 1, 1), (3, 2, 1)])
def test_bars_that_do_not_follow_each_other_agree_on_nothing(numbers: tuple[int, ...]) -> None:
    closing = Closing()
    closing.offer(bar(0, start=START + 7), at(0))
    for number in numbers:
        with pytest.raises(BadCandle):
            closing.offer(bar(number), at(number))


def test_a_bar_in_step_ends_the_doubt() -> None:
    closing = Closing()
    closing.offer(bar(0, start=START + 7), at(0))
    for number in (1, 2):
        with pytest.raises(BadCandle):
            closing.offer(bar(number), at(number))
    closing.offer(bar(3, start=START + 7), at(3))
    with pytest.raises(BadCandle):
        closing.offer(bar(3), at(3))


# Any updates of one series: (bar's number, close, flag, minutes between the bar's opening and the record).
UPDATES = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.floats(60, 190),
        st.sampled_from([None, False, True]),
        st.floats(0, 3),
    ),
    max_size=60,
)


@given(UPDATES)
def test_first_closings_are_in_order_and_once_and_the_last_word_wins(updates: list[tuple]) -> None:
    closing, came, said = Closing(), {}, {}
    first: list[int] = []
    for number, close, flag, delay in updates:
        said[at(number)] = close
        for closed in closing.offer(bar(number, close, closed=flag), at(number + delay)):
            if closed.open_ms not in came:
                first.append(closed.open_ms)
            came[closed.open_ms] = closed.close
    for closed in closing.offer(bar(100), at(100)):
        first.append(closed.open_ms)
        came[closed.open_ms] = closed.close
    assert len(first) == len(set(first))
    assert came == said


@given(UPDATES, st.integers(0, 60), st.integers(0, 10))
def test_a_restored_closing_goes_on_as_the_one_that_was_saved(
    updates: list[tuple], cut: int, wrong: int
) -> None:
    whole, parted = Closing(), Closing()
    for place, (number, close, flag, delay) in enumerate(updates):
        if place == cut:
            saved = json.dumps(parted.state())
            parted = Closing()
            parted.restore(json.loads(saved))
        update = bar(number, close, closed=flag, start=START + 7 * (place < wrong))
        assert outcome(whole, update, at(number + delay)) == outcome(parted, update, at(number + delay))
    assert whole.state() == parted.state()


@given(UPDATES)
def test_a_closing_without_an_update_of_its_own_happens_once(updates: list[tuple]) -> None:
    closing, came = Closing(), 0
    for offered, (number, close, flag, delay) in enumerate(updates, start=1):
        came += len(closing.offer(bar(number, close, closed=flag), at(number + delay)))
        assert came <= offered


def timely(series: SeriesKey, seed: int) -> list[tuple[int, Update]]:
    """Records of a feed that is never late: each arrives while its bar forms."""
    draw = random.Random(seed)
    delays = [sorted(draw.uniform(0, 0.95) for _ in range(draw.randint(1, 4))) for _ in range(8)]
    return [
        (at(number + delay), bar(number, draw.uniform(60, 190), series=series))
        for number, after in enumerate(delays)
        for delay in after
    ]


@given(st.integers(0, 1_000))
def test_who_shares_the_partition_changes_no_closing(seed: int) -> None:
    a, b = timely(A, seed), timely(B, seed + 1)
    end = bar(50, series=SeriesKey("binance", "ZUSDT", "1m"))

    def closings(records: list[tuple[int, Update]]) -> list[Closed]:
        closing = Closing()
        in_time = sorted(records, key=lambda record: record[0])
        came = [closed for moment, update in in_time for closed in closing.offer(update, moment)]
        return came + closing.offer(end, at(50))

    together = closings(a + b)
    assert [closed for closed in together if closed.series == A] == closings(a)
    assert [closed for closed in together if closed.series == B] == closings(b)


@given(st.integers(0, 1_000), st.data())
def test_any_interleaving_ends_with_the_same_candles(seed: int, data: st.DataObject) -> None:
    a, b = timely(A, seed), timely(B, seed + 1)
    turns = data.draw(st.permutations([0] * len(a) + [1] * len(b)))
    queues, closing = (iter(a), iter(b)), Closing()
    came: dict[tuple[SeriesKey, int], Closed] = {}
    for turn in turns:
        moment, update = next(queues[turn])
        came |= {(closed.series, closed.open_ms): closed for closed in closing.offer(update, moment)}
    last = closing.offer(bar(50, series=SeriesKey("binance", "ZUSDT", "1m")), at(50))
    came |= {(closed.series, closed.open_ms): closed for closed in last}
    said = {(update.series, update.open_ms): Closed(*update[:8]) for _, update in a + b}
    assert came == said


def test_a_series_beyond_the_most_is_refused_and_moves_nothing() -> None:
    closing = Closing(close_grace_ms=5_000, most_series=1)
    closing.offer(bar(0), at(0.1))
    with pytest.raises(BadCandle, match="AUSDT:1h is one series more than the 1 of a partition") as refused:
        closing.offer(bar(0, series=HOURLY, step=60 * MINUTE), at(5))
    assert refused.value.reason == reasons.TOO_MANY_SERIES
    assert closing.clock_ms == at(0.1)
    assert opens(closing.offer(bar(1), at(1))) == [("A", 0)]
