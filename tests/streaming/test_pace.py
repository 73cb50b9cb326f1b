"""How many candles a turn may take."""

import time

from stream_lstm.streaming.pace import Pace


def work(pace: Pace, candles: int, seconds_per_candle: float) -> None:
    """One turn that takes some CPU time."""
    with pace.measure():
        pace.took(candles)
        end = time.thread_time() + candles * seconds_per_candle
        while time.thread_time() < end:
            pass


def test_expensive_candles_make_the_turns_smaller() -> None:
    pace = Pace()
    before = pace.candles
    for _ in range(4):
        work(pace, pace.candles, 0.001)
    assert pace.candles < before / 2


def test_cheap_candles_make_them_larger_up_to_a_bound() -> None:
    pace = Pace()
    for _ in range(20):
        work(pace, pace.candles, 0)
    assert pace.candles == 2_048


def test_a_turn_with_few_candles_teaches_nothing() -> None:
    pace = Pace()
    before = pace.candles
    work(pace, 1, 0.02)
    assert pace.candles == before
    assert pace.seconds >= 0.02
