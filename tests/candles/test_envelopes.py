from base64 import b64encode
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import chatter, reasons
from stream_lstm.candles.decode import NO_PIN, Decoded, Pin, decode

OPEN_MS = 1_728_122_400_000
RECORD_MS = OPEN_MS + 3_600_500
DECIMAL = "org.apache.kafka.connect.data.Decimal"
PRICES = {"open": 62_010.5, "high": 62_400.0, "low": 61_950.25, "close": 62_100.75, "volume": 321.5}
ROW = {"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h", "open_time": OPEN_MS * 1_000, **PRICES}


def sent(message: Any, pin: Pin = NO_PIN) -> Decoded:
    return decode(orjson.dumps(message), record_ms=RECORD_MS, pin=pin)


def base64(value: float, scale: int) -> str:
    unscaled = round(value * 10**scale)
    return b64encode(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)).decode()


def decimals(scale: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row as Debezium writes NUMERIC columns, and its schema."""
    fields = [
        {"type": "bytes", "name": DECIMAL, "parameters": {"scale": str(scale)}, "field": name}
        for name in PRICES
    ]
    return ROW | {name: base64(value, scale) for name, value in PRICES.items()}, {"fields": fields}


def change(row: dict[str, Any] | None, op: str = "c") -> dict[str, Any]:
    return {"before": ROW, "after": row, "source": {"table": "candles"}, "op": op, "ts_ms": RECORD_MS}


PRECISE, SCHEMA = decimals(2)
WRAPPED: dict[str, Any] = {
    "Connect": {"schema": {"type": "struct", "fields": []}, "payload": ROW},
    "Connect with decimals": {"schema": SCHEMA, "payload": PRECISE},
    "Debezium": change(ROW),
    "Debezium with texts": change(ROW | {name: str(value) for name, value in PRICES.items()}, "u"),
    "Debezium with schema": {
        "schema": {"fields": [SCHEMA | {"field": "after"}]},
        "payload": change(PRECISE, "r"),
    },
    "CloudEvents": {"specversion": "1.0", "id": "1", "type": "candle", "data": ROW},
    "CloudEvents around Connect": {"specversion": "1.0", "data": {"schema": None, "payload": ROW}},
}


@pytest.mark.parametrize("pin", [Pin(), Pin("canonical")])
@pytest.mark.parametrize("name", WRAPPED)
def test_a_candle_comes_out_of_its_envelope(name: str, pin: Pin) -> None:
    decoded = sent(WRAPPED[name], pin)
    (update,) = decoded.updates
    assert (decoded.format, decoded.bad) == ("canonical", [])
    assert update[2:8] == (OPEN_MS, *PRICES.values())


def test_confluent_framing_is_taken_off() -> None:
    value = b"\x00\x00\x00\x00\x2a" + orjson.dumps(ROW)
    assert decode(value, record_ms=RECORD_MS).updates == sent(ROW).updates


def test_avro_under_confluent_framing_is_not_json() -> None:
    (bad,) = decode(b"\x00\x00\x00\x00\x2a\x0ebinance", record_ms=RECORD_MS).bad
    assert bad.reason == reasons.NOT_JSON


@pytest.mark.parametrize(
    "message",
    [change(None, "d"), {"schema": None, "payload": None}, {"schema": None, "payload": change(None, "d")}],
)
def test_a_deleted_row_is_skipped_like_a_tombstone(message: dict[str, Any]) -> None:
    assert sent(message) == Decoded("unknown", [], [], chatter.TOMBSTONE)


def test_an_unwrapped_deletion_is_no_candle() -> None:
    assert sent(ROW | {"__op": "d", "__deleted": "true"}).skipped == chatter.EMPTY


def test_a_decimal_without_its_scale_is_refused_with_the_way_out() -> None:
    (bad,) = sent(change(PRECISE)).bad
    assert bad.reason == reasons.UNDECODABLE_DECIMAL
    assert "decimal.handling.mode=double" in str(bad)


@pytest.mark.parametrize(
    ("texts", "clear"), [(["1234"] * 5, False), (["12.5", *["12345678"] * 4], True), (["123"] * 5, True)]
)
def test_digits_that_may_be_base64_are_no_numbers_without_their_schema(texts: list[str], clear: bool) -> None:
    row = ROW | dict(zip(PRICES, texts, strict=True))
    bad = sent(change(row)).bad
    assert (reasons.UNDECODABLE_DECIMAL in [each.reason for each in bad]) != clear


def test_avro_s_error_names_the_serialiser_that_is_read() -> None:
    (bad,) = decode(b"\x00\x00\x00\x00\x2a\x06BTC", record_ms=RECORD_MS).bad
    assert "JSON Schema serialiser" in str(bad)


@pytest.mark.parametrize("broken", [{"scale": "two"}, {}, None])
def test_a_schema_without_a_scale_is_refused(broken: Any) -> None:
    schema = {"fields": [field | {"parameters": broken} for field in SCHEMA["fields"]]}
    (bad,) = sent({"schema": schema, "payload": PRECISE}).bad
    assert bad.reason == reasons.UNDECODABLE_DECIMAL


@given(st.integers(1, 10**12), st.integers(0, 8))
def test_a_decimal_is_what_the_database_holds(unscaled: int, scale: int) -> None:
    text = b64encode(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)).decode()
    row, schema = decimals(scale)
    (update,) = sent({"schema": schema, "payload": row | dict.fromkeys(PRICES, text)}).updates
    assert update.close == update.volume == float(f"{unscaled}e-{scale}")


@pytest.mark.parametrize("inner", [None, 1, "x", [], [ROW]])
@pytest.mark.parametrize("around", ["payload", "after", "data"])
def test_an_envelope_with_something_else_inside_never_crashes(around: str, inner: Any) -> None:
    messages = {
        "payload": {"schema": inner, "payload": inner},
        "after": {"op": inner, "after": inner},
        "data": {"specversion": inner, "data": inner},
    }
    decoded = sent(messages[around])
    assert not decoded.updates
    assert bool(decoded.bad) != bool(decoded.skipped)


def test_envelopes_may_be_nested_as_deeply_as_json() -> None:
    depth = 1_000
    value = b'{"specversion":1,"data":' * depth + orjson.dumps(ROW) + b"}" * depth
    assert decode(value, record_ms=RECORD_MS).updates
