"""A record that could not be used, and why, as a record for the dead-letter topic.

The headers are those of Kafka Connect (`DeadLetterQueueReporter`), so that its tools can read them.
"""

from typing import Final

from stream_lstm.errors import BadCandle
from stream_lstm.kafka.records import Header, KafkaRecord, Record, TopicPartition

TOPIC: Final = "candles.dlq"
DLQ_MAX_BYTES: Final = 900_000
"""Largest key and value together that are kept whole: Kafka refuses batches above 1 MiB."""
TRUNCATED_BYTES: Final = 64 * 1024
"""What is kept of a larger one; the original stays readable at its offset."""

CONNECT: Final = "__connect.errors."
REASON: Final = "stream-lstm.reason"
TRUNCATED: Final = "stream-lstm.truncated"
"""Size of the value, if only its beginning was kept."""
REPLAYS: Final = "stream-lstm.replays"
"""On a record that `dlq replay` has written: how often it was; a letter about it passes it on."""

_KEPT: Final = frozenset({"content-type", "traceparent", "tracestate", REPLAYS})
_LONGEST_HEADER: Final = 4096


class DeadLetters:
    """Makes dead letters for one application and one worker."""

    def __init__(self, application: str, worker: str, max_bytes: int = DLQ_MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._constant: tuple[Header, ...] = (
            (f"{CONNECT}connector.name", application.encode()),
            (f"{CONNECT}task.id", worker.encode()),
            (f"{CONNECT}stage", b"VALUE_CONVERTER"),
            (f"{CONNECT}class.name", b"stream_lstm.candles.decode"),
        )

    def letter(self, place: TopicPartition, record: KafkaRecord, mistake: BadCandle) -> Record:
        """The raw bytes, key and timestamp of a record of `place`, with the reason in the headers."""
        topic, partition = place
        key, value, size = _shortened(record.key, record.value, self.max_bytes)
        headers = (
            *((name, content) for name, content in record.headers if _is_kept(name, content)),
            (f"{CONNECT}topic", topic.encode()),
            (f"{CONNECT}partition", b"%d" % partition),
            (f"{CONNECT}offset", b"%d" % record.offset),
            *self._constant,
            (f"{CONNECT}exception.class.name", type(mistake).__name__.encode()),
            (f"{CONNECT}exception.message", str(mistake).encode(errors="replace")[:_LONGEST_HEADER]),
            (REASON, mistake.reason.encode()),
        )
        if size is not None:
            headers += ((TRUNCATED, b"%d" % size),)
        return Record(TOPIC, key, value, headers, max(record.timestamp, 0))


def _is_kept(name: str, content: bytes | None) -> bool:
    """Whether a letter keeps a header of its record. A producer may write one of any size, or null."""
    return name in _KEPT and content is not None and len(content) <= _LONGEST_HEADER


def _shortened(
    key: bytes | None, value: bytes | None, max_bytes: int
) -> tuple[bytes | None, bytes | None, int | None]:
    """Key and value as they may be sent, and the value's true size if something was cut off."""
    size = len(value or b"")
    if size + len(key or b"") <= max_bytes:
        return key, value, None
    return key and key[:TRUNCATED_BYTES], value and value[:TRUNCATED_BYTES], size
