"""What a record of the dead-letter topic is: a letter, a marker, or somebody else's."""

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.dead_letters.log import Letter, Origin, Place, Replayed, checksum, entry_of, marker
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.errors import BadCandle

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass
class Received:
    value: bytes | None = b"x"
    key: bytes | None = b"BTC"
    headers: Headers = ()
    partition: int = 0
    offset: int = 17
    timestamp: int = 1_700_000_000_000


def a_letter(received: Received, *, topic: str = "candles", max_bytes: int = 900_000) -> Received:
    """The letter about a record, as it is read."""
    maker = DeadLetters("stream-lstm", "w1", max_bytes=max_bytes)
    made = maker.letter((topic, 3), received, BadCandle("not_json", "no JSON"))  # type: ignore[arg-type]
    return Received(made.value, made.key, made.headers, 2, 88, made.timestamp_ms or 0)


def without(headers: Headers, name: str) -> Headers:
    return tuple(header for header in headers if header[0] != name)


names = st.from_regex(r"[a-zA-Z0-9._-]{1,60}", fullmatch=True)
contents = st.none() | st.binary(max_size=60) | st.from_regex(rb"\d{0,30}(/\d{0,30})?", fullmatch=True)
headers = st.sampled_from(
    [
        *("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset"),
        *("stream-lstm.reason", "stream-lstm.replays", "stream-lstm.truncated"),
        *("stream-lstm.replayed", "stream-lstm.crc32", "stream-lstm.timestamp", "ce_id"),
    ]
)
bytes_or_none = st.none() | st.binary(max_size=200)


@given(
    key=bytes_or_none, value=bytes_or_none, topic=names, offset=st.integers(0, 2**50), max_bytes=st.just(40)
)
def test_a_letter_is_read_as_it_was_written_and_so_is_its_marker(
    key: bytes | None, value: bytes | None, topic: str, offset: int, max_bytes: int
) -> None:
    letter = a_letter(Received(value, key, offset=offset), topic=topic, max_bytes=max_bytes)
    read = entry_of(letter)  # type: ignore[arg-type]
    size = len(value or b"") + len(key or b"")
    origin = Origin(topic, 3, offset, checksum(letter.key, letter.value))
    cut = len(value or b"") if size > max_bytes else None
    assert read == Letter(Place(2, 88), origin, "not_json", letter.timestamp, 0, cut, size)
    name, said = marker(read)
    mark = entry_of(Received(None, name, tuple(said), 2, 99, 1_800_000_000_000))  # type: ignore[arg-type]
    assert mark == Replayed(Place(2, 88), origin, "not_json", letter.timestamp)


@given(st.lists(st.tuples(headers, contents), max_size=12), bytes_or_none)
@example([("stream-lstm.replayed", b"1/")], None)
@example([("__connect.errors.offset", b"9" * 5000)], None)
def test_nothing_that_somebody_writes_raises(
    said: list[tuple[str, bytes | None]], value: bytes | None
) -> None:
    entry = entry_of(Received(value, None, tuple(said)))  # type: ignore[arg-type]
    if entry is not None:
        assert entry.origin.partition >= 0
        assert entry.origin.offset >= 0


@pytest.mark.parametrize(
    "header",
    [
        "__connect.errors.topic",
        "__connect.errors.partition",
        "__connect.errors.offset",
        "stream-lstm.reason",
    ],
)
def test_a_letter_without_what_it_needs_is_somebody_elses(header: str) -> None:
    letter = a_letter(Received())
    assert entry_of(letter) is not None  # type: ignore[arg-type]
    letter.headers = without(letter.headers, header)
    assert entry_of(letter) is None  # type: ignore[arg-type]


def test_a_letter_about_a_replayed_record_says_how_often_it_was() -> None:
    letter = a_letter(Received(headers=(("stream-lstm.replays", b"2"),)))
    entry = entry_of(letter)  # type: ignore[arg-type]
    assert isinstance(entry, Letter)
    assert entry.replays == 2


def test_a_selection_is_of_records_by_place_and_time_and_of_letters_by_reason() -> None:
    entry = Letter(Place(0, 0), Origin("candles", 3, 17, 1), "not_json", 1_000, 0, None, 1)
    for fits in (
        Selection(),
        Selection(reasons=frozenset({"absurd", "not_json"})),
        Selection(topic="candles", partition=3, offsets=(17, 17)),
        Selection(since_ms=1_000, until_ms=1_001),
    ):
        assert fits.has(entry), fits
    for other in (
        Selection(reasons=frozenset({"absurd"})),
        Selection(topic="other"),
        Selection(partition=0),
        Selection(offsets=(18, 20)),
        Selection(since_ms=1_001),
        Selection(until_ms=1_000),
    ):
        assert not other.has(entry), other
