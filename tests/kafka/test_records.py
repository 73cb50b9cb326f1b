from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.kafka.records import CloudEvents, rfc3339


def test_an_event_carries_the_attributes_of_cloudevents_binary_mode() -> None:
    headers = dict(CloudEvents("stream-lstm/w1").headers("a:0", "prediction", "BTCUSDT", 1_700_000_000_123))
    assert headers == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_source": b"stream-lstm/w1",
        "ce_type": b"prediction",
        "ce_id": b"a:0",
        "ce_subject": b"BTCUSDT",
        "ce_time": b"2023-11-14T22:13:20.123Z",
    }


def test_the_trace_of_the_cause_is_passed_on_and_nothing_else_of_it() -> None:
    cause = [("traceparent", b"00-1-2-01"), ("ce_id", b"theirs"), ("tracestate", b"a=b")]
    headers = CloudEvents("s").headers("ours", "score", "X", 0, cause)
    assert ("traceparent", b"00-1-2-01") in headers
    assert ("tracestate", b"a=b") in headers
    assert [content for name, content in headers if name == "ce_id"] == [b"ours"]


def test_types_do_not_mix() -> None:
    events = CloudEvents("s")
    types = [dict(events.headers("i", type, "X", 0))["ce_type"] for type in ("a", "b", "a")]
    assert types == [b"a", b"b", b"a"]


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_can_be_read_back(time_ms: int) -> None:
    read = datetime.fromisoformat(rfc3339(time_ms).decode())
    assert read.tzinfo == UTC
    assert round(read.timestamp() * 1000) == time_ms
