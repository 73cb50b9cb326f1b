"""What is wrong in what was said is found: so the verifier can fail."""

import itertools
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import moments
from stream_lstm.candles.encode import canonical
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.verification.compare import Comparison, Place, Verdict
from stream_lstm.verification.messages import Message, difference, message_of
from stream_lstm.verification.oracle import Oracle
from stream_lstm.verification.plan import Chaos, plan
from stream_lstm.verification.recount import Recount


class Sent(NamedTuple):
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def candles() -> list[Sent]:
    market = moments.of_market(moments.symbols(2), interval="1h", start_ms=315_532_800_000, seed=4)
    flat = [candle for moment in itertools.islice(market, 140) for candle in moment]
    return [Sent(at, one.close_ms, b"k", canonical(one)) for at, one in enumerate(flat)]


def says(sent: list[Sent]) -> list[Message]:
    oracle = Oracle(EngineConfig(model="har"), ("candles", 0), 0)
    found = [message_of(one.topic, one.value, one.headers) for one in oracle.read(sent)]
    return [message for message in found if message is not None]


@pytest.fixture(scope="module")
def expected() -> list[Message]:
    return says(candles())


def compared(said: list[Message], expected: list[Message], *, repeats_allowed: bool = True) -> Verdict:
    comparison = Comparison(repeats_allowed=repeats_allowed)
    for at, message in enumerate(said):
        comparison.said(message, Place("predictions", 0, at))
    for message in expected:
        comparison.expect(message)
    return comparison.verdict()


def test_the_same_messages_are_no_difference(expected: list[Message]) -> None:
    verdict = compared(expected, says(candles()))
    assert verdict.passed
    assert verdict.sentence == f"ALL-RECORDS-DELIVERED {len(expected)}/{len(expected)}, 0 lost, 0 doubled"
    assert {"prediction", "score", "model.trained", "series.warming_up"} <= {one.kind for one in expected}


def test_a_planted_loss_is_found(expected: list[Message]) -> None:
    verdict = compared(expected[:200] + expected[201:], expected)
    assert verdict.counts == {"lost": 1}
    assert verdict.first is not None
    assert verdict.first.about == expected[200].key
    assert verdict.delivered == verdict.expected - 1


def test_a_planted_double_is_a_repeat_at_least_once_and_a_difference_exactly_once(
    expected: list[Message],
) -> None:
    doubled = [*expected, expected[200]]
    assert compared(doubled, expected).repeats == 1
    assert compared(doubled, expected).passed
    verdict = compared(doubled, expected, repeats_allowed=False)
    assert verdict.counts == {"doubled": 1}
    assert verdict.first is not None
    assert verdict.first.about == expected[200].key


def test_a_skipped_candle_is_found(expected: list[Message]) -> None:
    sent = candles()
    verdict = compared(says(sent[:230] + sent[231:]), expected)
    assert verdict.counts["lost"] > 0
    assert verdict.counts["unexpected"] > 0


def changed(message: Message, **fields: Any) -> Message:
    return message._replace(body=message.body | fields)


def test_a_changed_number_is_found_with_its_field(expected: list[Message]) -> None:
    at = next(at for at, one in enumerate(expected) if one.kind == "prediction")
    other = changed(expected[at], lastClose=1.5)
    verdict = compared([*expected[:at], other, *expected[at + 1 :]], expected)
    assert verdict.counts == {"different": 1}
    assert verdict.first is not None
    assert verdict.first.expected == expected[at]
    told = difference(expected[at].body, other.body)
    assert told == f"lastClose: expected {expected[at].body['lastClose']}, said 1.5"


def test_messages_out_of_order_are_found(expected: list[Message]) -> None:
    assert compared(expected[::-1], expected).counts["disordered"] > 0


def test_a_repeat_with_another_content_is_found(expected: list[Message]) -> None:
    last = next(one for one in reversed(expected) if one.kind == "prediction")
    assert compared([*expected, changed(last, lastClose=1.5)], expected).counts == {"different": 1}


def test_the_state_counted_from_the_topics_is_that_of_the_engine_and_a_lost_candle_shows(
    expected: list[Message],
) -> None:
    whole, lacking = Recount(), Recount()
    for at, sent in enumerate(candles()):
        whole.candle(sent.value)
        if at != 7:
            lacking.candle(sent.value)
    for message in expected:
        if message.kind != "prediction":
            whole.said(message)
            lacking.said(message)
    predictions = [one for one in expected if one.kind == "prediction"]
    assert all(whole.state(one) == one.state for one in predictions)
    symbol = orjson.loads(candles()[7].value)["symbol"]
    assert all((lacking.state(one) == one.state) == (symbol not in one.series) for one in predictions)


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(0, 30), st.integers(0, 3))
def test_a_seed_is_a_plan_that_strikes_who_runs(seed: int, workers: int, kills: int, brokers: int) -> None:
    chaos = Chaos(workers=workers, kills=kills, broker_kills=brokers)
    actions = plan(chaos, seed)
    assert actions == plan(chaos, seed)
    assert sum(action.kind == "kill" for action in actions) == kills
    running, frozen = set(range(1, workers + 1)), set()
    for action in actions:
        if action.kind == "start":
            running.add(action.worker)
            continue
        if not action.worker:
            continue
        assert action.worker in running
        assert (action.worker in frozen) == (action.kind == "thaw")
        if action.kind in ("kill", "stop"):
            running.remove(action.worker)
        (frozen.add if action.kind == "freeze" else frozen.discard)(action.worker)
    assert running
    assert not frozen
