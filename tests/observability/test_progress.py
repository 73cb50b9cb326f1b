from threading import Thread

import pytest

from stream_lstm.observability.progress import Progress
from stream_lstm.observability.watchdog import Watchdog

PLACE = ("candles", 0)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(stall_timeout_s=60, clock=clock)


def turn(progress: Progress, clock: Clock, seconds: float) -> None:
    """Time passes while loop and broker are well."""
    clock.now += seconds
    progress.beat()
    progress.heard(silence_s=0)


def test_lag_without_movement_for_the_stall_timeout_is_stuck(progress: Progress, clock: Clock) -> None:
    progress.observe(PLACE, position=5, lag=10)
    for _ in range(2):
        turn(progress, clock, 30.5)
        progress.observe(PLACE, position=5, lag=12)

    assert progress.stuck() == "candles-0 has 12 records to read and has stood at offset 5 for 61 s"
    well, detail = progress.livez()
    assert not well
    assert detail["reason"] == progress.stuck()


def test_it_is_not_stuck_before_the_timeout(progress: Progress, clock: Clock) -> None:
    progress.observe(PLACE, position=5, lag=10)
    turn(progress, clock, 60)

    assert progress.livez()[0]


def test_lag_that_grows_while_the_position_moves_is_slow_not_stuck(progress: Progress, clock: Clock) -> None:
    for position in range(5):
        progress.observe(PLACE, position=position, lag=1000 * position)
        turn(progress, clock, 50)

    assert progress.stuck() is None


def test_an_idle_partition_is_not_stuck_and_a_new_record_has_its_whole_time(
    progress: Progress, clock: Clock
) -> None:
    progress.observe(PLACE, position=5, lag=0)
    turn(progress, clock, 3600)
    progress.observe(PLACE, position=5, lag=0)
    progress.observe(PLACE, position=5, lag=1)
    turn(progress, clock, 59)

    assert progress.stuck() is None


def test_an_idle_partition_need_not_be_observed(progress: Progress, clock: Clock) -> None:
    progress.observe(PLACE, position=5, lag=0)
    turn(progress, clock, 3600)

    assert progress.stuck() is None


def test_one_stuck_partition_is_seen_beside_one_that_moves(progress: Progress, clock: Clock) -> None:
    for position in range(3):
        progress.observe(PLACE, position=position, lag=1)
        progress.observe(("candles", 1), position=7, lag=1)
        turn(progress, clock, 31)

    assert "candles-1" in (progress.stuck() or "")


def test_a_partition_that_waits_on_purpose_is_not_stuck(progress: Progress, clock: Clock) -> None:
    for _ in range(3):
        progress.observe(PLACE, position=5, lag=10, waiting=True)
        turn(progress, clock, 50)

    assert progress.stuck() is None


def test_a_partition_that_is_given_up_is_not_watched_any_more(progress: Progress, clock: Clock) -> None:
    progress.observe(PLACE, position=5, lag=10)
    progress.forget(PLACE)
    progress.forget(PLACE)
    turn(progress, clock, 3600)

    assert progress.livez()[0]


def test_a_loop_that_does_not_turn_is_stuck_even_without_partitions(progress: Progress, clock: Clock) -> None:
    clock.now += 61

    assert progress.stuck() == "the event loop has not turned for 61 s"


def test_a_silent_broker_is_stuck_on_an_idle_topic_too(progress: Progress, clock: Clock) -> None:
    progress.phase(joined=True)
    progress.observe(PLACE, position=5, lag=0)
    clock.now += 100
    progress.beat()
    progress.heard(silence_s=61)

    assert progress.stuck() == "no broker has answered for 61 s"


def test_joining_a_group_may_take_its_time(progress: Progress, clock: Clock) -> None:
    clock.now += 600
    progress.beat()

    assert progress.stuck() is None


def test_ready_is_joined_assigned_and_restored(progress: Progress) -> None:
    assert progress.readyz() == (False, {"joined": False, "assigned": False, "restored": False})
    progress.phase(joined=True, assigned=True)
    assert not progress.readyz()[0]
    progress.phase(restored=True)
    assert progress.readyz() == (True, {"joined": True, "assigned": True, "restored": True})
    progress.phase(joined=False)
    assert progress.readyz() == (False, {"joined": False, "assigned": True, "restored": True})


def test_a_check_tells_lag_and_partitions(progress: Progress, clock: Clock) -> None:
    progress.observe(PLACE, position=5, lag=10)
    progress.observe(("candles", 1), position=5, lag=2)
    clock.now += 1.5

    assert progress.livez() == (
        True,
        {"reason": None, "loopSeconds": 1.5, "brokerSeconds": 1.5, "partitions": 2, "lagRecords": 12},
    )


def test_it_may_be_written_and_read_from_any_thread(progress: Progress) -> None:
    failures = []

    def use(number: int) -> None:
        try:
            for position in range(300):
                progress.observe(("candles", position % 7 + number), position=position, lag=1)
                progress.livez()
                progress.forget(("candles", position % 5 + number))
        except RuntimeError as error:
            failures.append(error)

    threads = [Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures


class Loop:
    """An event loop that turns when told to."""

    def __init__(self) -> None:
        self.calls: list = []
        self.lags: list[float] = []
        self.reasons: list[str] = []

    def call_soon(self, call: object) -> None:
        self.calls.append(call)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()

    def watchdog(self, progress: Progress, interval_s: float = 1.0) -> Watchdog:
        return Watchdog(
            progress,
            call_soon=self.call_soon,
            on_lag=self.lags.append,
            on_stuck=self.reasons.append,
            interval_s=interval_s,
        )


def test_the_loops_lag_is_the_time_until_it_answers(progress: Progress, clock: Clock) -> None:
    loop = Loop()
    watchdog = loop.watchdog(progress)

    watchdog.look()
    clock.now += 0.25
    loop.turn()

    assert loop.lags == [0.25]
    assert progress.livez()[1]["loopSeconds"] == 0


def test_a_loop_that_owes_an_answer_is_not_asked_again(progress: Progress, clock: Clock) -> None:
    loop = Loop()
    watchdog = loop.watchdog(progress)

    for _ in range(5):
        watchdog.look()
        clock.now += 10
    assert len(loop.calls) == 1
    loop.turn()

    assert loop.lags == [50]


def test_a_blocked_loop_ends_the_process_through_one_call(progress: Progress, clock: Clock) -> None:
    loop = Loop()
    clock.now += 61
    watchdog = loop.watchdog(progress, interval_s=0.001)
    watchdog.start()
    watchdog._thread.join(5)

    assert loop.reasons == ["the event loop has not turned for 61 s"]


def test_a_worker_that_is_well_is_left_alone(progress: Progress) -> None:
    loop = Loop()
    watchdog = loop.watchdog(progress, interval_s=0.001)
    watchdog.start()
    watchdog.stop()

    assert loop.reasons == []
    assert not watchdog._thread.is_alive()


def test_a_closed_loop_ends_the_watch_without_a_word(progress: Progress, clock: Clock) -> None:
    loop = Loop()

    def closed(_: object) -> None:
        raise RuntimeError("Event loop is closed")

    watchdog = Watchdog(
        progress,
        call_soon=closed,
        on_lag=loop.lags.append,
        on_stuck=loop.reasons.append,
        interval_s=0.001,
    )
    clock.now += 3600
    watchdog.start()
    watchdog._thread.join(5)

    assert not watchdog._thread.is_alive()
    assert loop.reasons == []
