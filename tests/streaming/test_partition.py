"""One input partition: how records are cut into turns changes nothing, and it stops where it must."""

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field, replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.candles import reasons
from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit
from stream_lstm.streaming.changes import TRAINED, Change, Position
from stream_lstm.streaming.partition import Partition, Taken

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR
PLACE = ("candles", 0)
KEY = SeriesKey("binance", "AAA", "1h")


@dataclass
class Record:
    offset: int
    value: bytes | None
    timestamp: int
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def records(count: int, symbols: tuple[str, ...] = ("AAA",), first: int = 0) -> list[Record]:
    """Closed candles of all symbols, hour by hour, at offsets from `first`."""
    drawn = market(symbols, step_ms=HOUR, start_ms=START, candles=count, seed=3)
    made = []
    for at in range(count):
        for symbol in symbols:
            opens, bars = drawn[symbol]
            body = dict(zip(("open", "high", "low", "close", "volume"), bars[at].tolist(), strict=True))
            body |= {"exchange": "binance", "symbol": symbol, "interval": "1h", "closed": True}
            body["openTime"] = int(opens[at])
            made.append(Record(first + len(made), orjson.dumps(body), int(opens[at]) + HOUR - 1))
    return made


def drain(partition: Partition, engine: Engine, limit: int = 10_000) -> tuple[Outputs, list[Taken]]:
    """Turn after turn until nothing is ready; what is said and what was met."""
    said, turns = Outputs(), []
    while partition.ready:
        turns.append(partition.turn(limit))
        for part in engine.advance(0).values():
            said.predictions += part.predictions
            said.scores += part.scores
            said.events += part.events
    return said, turns


def told(said: Outputs) -> list[str]:
    return sorted(json.dumps(one.body) for one in [*said.predictions, *said.scores])


def opened(**changes: object) -> tuple[Partition, Engine]:
    engine = Engine(EngineConfig(horizons=("1h", "4h"), model=str(changes.pop("model", "hybrid"))))
    return Partition(PLACE, engine, **{"seek": 0, "live_from": 0, **changes}), engine  # type: ignore[arg-type]


def a_model(rows: list[Record]) -> Model:
    """A model that the first of these records could have trained."""
    partition, engine = opened(model="har")
    partition.feed(rows, 0.0)
    drain(partition, engine)
    data = engine.training_set(KEY)
    assert data is not None
    return fit("naive", [data])[0]


def test_closed_candles_become_predictions_and_the_next_offset_follows() -> None:
    partition, engine = opened()
    partition.feed(records(105), 1.5)
    said, turns = drain(partition, engine)
    assert len(said.predictions) == 6 * 2
    assert partition.next_offset == 105
    assert sum(turn.closed for turn in turns) == 105
    assert turns[0].outcomes["canonical", "new"] == 105


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 60), st.lists(st.integers(1, 239), max_size=5))
def test_how_records_are_cut_into_polls_and_turns_changes_nothing(limit: int, cuts: list[int]) -> None:
    rows = records(120, ("AAA", "BBB"))
    whole, engine = opened()
    whole.feed(rows, 0.0)
    expected = told(drain(whole, engine)[0])
    partition, engine = opened()
    parts = Outputs()
    edges = sorted({0, *cuts, len(rows)})
    for start, end in itertools.pairwise(edges):
        partition.feed(rows[start:end], 0.0)
        said, _ = drain(partition, engine, limit)
        parts.predictions += said.predictions
        parts.scores += said.scores
    assert told(parts) == expected


def test_records_before_live_from_say_nothing_not_even_that_they_are_bad() -> None:
    rows = records(110)
    rows.insert(50, Record(50, b"rubbish", rows[50].timestamp))
    for offset, row in enumerate(rows):
        row.offset = offset
    partition, engine = opened(live_from=108)
    partition.feed(rows, 0.0)
    said, turns = drain(partition, engine)
    assert {one.body["asOf"] for one in said.predictions} == {row.timestamp for row in rows[108:]}
    assert sum(turns[0].outcomes.values()) == 3
    assert turns[0].dead == []
    assert partition.live


def test_rubbish_is_handed_out_with_its_reason_and_stops_nothing() -> None:
    rows = records(3)
    rows.insert(1, Record(0, b"{", rows[0].timestamp))
    for offset, row in enumerate(rows):
        row.offset = offset
    partition, engine = opened()
    partition.feed(rows, 0.0)
    _, turns = drain(partition, engine)
    assert [(record.offset, bad.reason) for record, bad in turns[0].dead] == [(1, "not_json")]
    assert turns[0].closed == 3
    assert partition.next_offset == 4


def test_a_turn_reads_no_more_records_than_it_may_though_none_closes_a_bar() -> None:
    rows = records(5)
    for row in rows:
        row.timestamp -= HOUR // 2  # forming
    partition, _ = opened()
    partition.feed([replace(row, offset=at) for at, row in enumerate(rows[:1] * 40)], 0.0)
    assert partition.turn(10, most_records=15).records == 15
    assert partition.next_offset == 15
    assert partition.ready
    assert partition.turn(10).records == 25


def test_a_record_that_was_taken_already_is_not_taken_again() -> None:
    rows = records(5)
    partition, engine = opened()
    partition.feed(rows, 0.0)
    partition.feed(rows[2:], 0.0)
    _, turns = drain(partition, engine)
    assert sum(turn.closed for turn in turns) == 5


def test_an_installation_takes_effect_at_its_offset_and_not_before() -> None:
    rows = records(130)
    model = a_model(rows[:110])
    partition, engine = opened(changes=[Change(Position(120, 0), KEY, TRAINED, model)])
    partition.feed(rows, 0.0)
    said, turns = drain(partition, engine)
    assert len(turns) == 2  # the candles before it are worked on first
    by = {one.body["asOf"]: one.model_type for one in said.predictions}
    assert by[rows[119].timestamp] == "hybrid"
    assert by[rows[120].timestamp] == "naive"


def test_an_installation_from_before_the_rewind_waits_for_its_series() -> None:
    rows = records(130)
    model = a_model(rows[:110])
    changes = [Change(Position(5, 0), KEY, TRAINED, model)]
    partition, engine = opened(seek=10, live_from=120, changes=changes)
    partition.feed(rows[10:], 0.0)
    said, _ = drain(partition, engine)
    assert {one.model_type for one in said.predictions} == {"naive"}


def test_a_barrier_holds_the_partition_until_the_model_is_installed() -> None:
    rows = records(120)
    partition, engine = opened(model="har", barrier=True)
    partition.feed(rows, 0.0)
    said, turns = drain(partition, engine)
    assert [request.series for turn in turns for request in turn.requests] == [KEY]
    assert partition.waiting == {KEY}
    assert partition.next_offset == 100
    data = engine.training_set(KEY)
    assert data is not None
    assert data.trained_at == rows[99].timestamp
    partition.install(KEY, fit("naive", [data])[0])
    more, _ = drain(partition, engine)
    assert {one.body["asOf"] for one in said.predictions} == {rows[99].timestamp}
    assert {one.model_type for one in more.predictions} == {"naive"}
    assert partition.next_offset == 120


def test_a_failed_training_lets_the_partition_go_on() -> None:
    partition, engine = opened(model="har", barrier=True)
    partition.feed(records(130), 0.0)
    drain(partition, engine)
    partition.give_up(KEY)
    said, turns = drain(partition, engine)
    assert len(said.predictions) == 30 * 2
    assert not any(turn.requests for turn in turns)


def test_without_a_barrier_the_partition_goes_on_and_asks_once() -> None:
    partition, engine = opened(model="har")
    partition.feed(records(130), 0.0)
    said, turns = drain(partition, engine, limit=7)
    assert len(said.predictions) == 31 * 2
    assert len([request for turn in turns for request in turn.requests]) == 1


@pytest.mark.parametrize("barrier", [False, True])
def test_one_record_that_closes_many_bars_is_committed_only_when_all_are_taken(barrier: bool) -> None:
    """Ten pending bars of ten series close by the clock with one record; a limit cuts through them."""
    symbols = tuple("ABCDEFGHIJ")
    rows = records(1, symbols)
    for row in rows:
        row.timestamp -= HOUR // 2  # forming: they stay pending
    late = records(2, ("ZZZ",), first=10)[1]
    late.offset, late.timestamp = 10, late.timestamp + HOUR
    partition, engine = opened(barrier=barrier)
    partition.feed([*rows, late], 0.0)
    assert partition.turn(4).closed == 4
    assert partition.next_offset == 10
    assert partition.position == Position(10, 4)
    engine.advance(0)
    _, turns = drain(partition, engine, 4)
    assert sum(turn.closed for turn in turns) == 7
    assert partition.next_offset == 11


def test_a_partition_that_is_full_says_so_once_and_goes_on_with_the_series_that_it_has() -> None:
    partition, engine = opened(most_series=2)
    partition.feed(records(3, ("AAA", "BBB", "CCC", "DDD")), 0.0)
    said, taken = drain(partition, engine, limit=1)
    assert {closed.reason for one in taken for _, closed in one.dead} == {reasons.TOO_MANY_SERIES}
    assert len([one for turn in taken for one in turn.dead]) == 6
    assert sum(turn.filled_up for turn in taken) == 1
    assert {event.series.symbol for event in said.events} == {"AAA", "BBB"}


def test_what_a_silent_replay_has_left_due_is_asked_for_when_it_ends() -> None:
    rows = records(100)
    partition, engine = opened(seek=0, live_from=100, model="har", barrier=True)
    partition.feed(rows, 0.0)
    _, taken = drain(partition, engine)
    assert [request.need for turn in taken for request in turn.requests] == ["no model"]
    assert partition.waiting
    assert not partition.ready


def test_a_newcomer_is_claimed_once_and_learns_until_the_answer_but_says_nothing() -> None:
    partition, engine = opened(claims=True)
    partition.feed(records(120), 0.0)
    said, turns = drain(partition, engine)

    assert [series for turn in turns for series in turn.newcomers] == [KEY]
    assert partition.next_offset == 99
    assert not said.predictions
    assert partition.claimed(KEY, PLACE)
    more, _ = drain(partition, engine)
    assert {one.body["asOf"] for one in more.predictions} == {row.timestamp for row in records(120)[99:]}


def test_other_series_wait_with_it_only_when_it_would_speak() -> None:
    partition, engine = opened(claims=True)
    partition.feed(records(99, ("AAA", "BBB")), 0.0)
    drain(partition, engine)

    assert partition.next_offset == 198


def test_a_silent_replay_waits_for_no_claim() -> None:
    partition, engine = opened(claims=True, live_from=119)
    partition.feed(records(119), 0.0)
    drain(partition, engine)

    assert partition.next_offset == 119


def test_a_series_of_another_partition_is_forgotten_and_its_candles_are_counted() -> None:
    partition, engine = opened(claims=True)
    partition.feed(records(50, ("AAA", "BBB")), 0.0)
    drain(partition, engine)
    assert partition.claimed(KEY, ("candles", 3))
    assert [series.key.symbol for series in engine.all_series()] == ["BBB"]
    partition.feed(records(60, ("AAA", "BBB"))[100:], 0.0)
    _, turns = drain(partition, engine)

    outcomes = sum((turn.outcomes for turn in turns), start=Counter())
    assert outcomes["canonical", "split"] == outcomes["canonical", "new"] == 10


def test_of_two_partitions_of_one_worker_the_second_takes_nothing_from_the_first() -> None:
    partition, engine = opened(claims=True)
    other = Partition(("candles", 1), engine, seek=0, live_from=0, claims=True)
    partition.feed(records(40), 0.0)
    drain(partition, engine)
    other.feed(records(40), 0.0)
    drain(other, engine)

    series = engine.series(KEY)
    assert series is not None
    assert series.partition == PLACE
    # By right it is the second one's, which has lost its candles meanwhile: it must be restored.
    assert partition.claimed(KEY, other.place)
    assert not other.claimed(KEY, other.place)
    assert engine.series(KEY) is None
