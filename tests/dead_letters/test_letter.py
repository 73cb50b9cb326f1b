from dataclasses import dataclass

import pytest

from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.errors import BadCandle
from stream_lstm.kafka.records import Record

LETTERS = DeadLetters("stream-lstm", "w1")
PLACE = ("candles", 3)


@dataclass
class Received:
    value: bytes | None
    key: bytes | None = b"BTCUSDT"
    offset: int = 42
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


def letter(received: Received, message: str = "close is -1") -> Record:
    return LETTERS.letter(PLACE, received, BadCandle("NEGATIVE", message))


@pytest.mark.parametrize("value", [b"", b"\x00\xff{", None])
def test_the_bytes_the_key_and_the_time_are_those_of_the_record(value: bytes | None) -> None:
    dead = letter(Received(value))
    assert dead[:3] == ("candles.dlq", b"BTCUSDT", value)
    assert dead.timestamp_ms == 1_700_000_000_000


def test_the_headers_are_those_of_connect_and_the_reason() -> None:
    assert dict(letter(Received(b"x")).headers) == {
        "__connect.errors.topic": b"candles",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"42",
        "__connect.errors.connector.name": b"stream-lstm",
        "__connect.errors.task.id": b"w1",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.class.name": b"stream_lstm.candles.decode",
        "__connect.errors.exception.class.name": b"BadCandle",
        "__connect.errors.exception.message": b"close is -1",
        "stream-lstm.reason": b"NEGATIVE",
    }


def test_of_the_original_headers_only_the_content_type_stays() -> None:
    received = Received(b"x", headers=(("content-type", b"text/csv"), ("ce_id", b"1"), ("ce_type", b"t")))
    headers = dict(letter(received).headers)
    assert headers["content-type"] == b"text/csv"
    assert not [name for name in headers if name.startswith("ce_")]


def test_a_letter_of_the_largest_size_is_whole() -> None:
    value = b"v" * (LETTERS.max_bytes - len(b"BTCUSDT"))
    dead = letter(Received(value))
    assert dead.value == value
    assert "stream-lstm.truncated" not in dict(dead.headers)


def test_a_larger_one_keeps_its_beginning_and_says_its_size() -> None:
    dead = letter(Received(b"v" * 900_001))
    assert dead.value == b"v" * 65_536
    assert dict(dead.headers)["stream-lstm.truncated"] == b"900001"


def test_neither_a_huge_key_nor_a_huge_message_makes_a_letter_that_kafka_refuses() -> None:
    dead = letter(Received(None, key=b"k" * 2_000_000), message="m" * 2_000_000)
    size = len(dead.key or b"") + sum(len(name) + len(content) for name, content in dead.headers)
    assert size < 1_000_000
    assert dead.value is None
