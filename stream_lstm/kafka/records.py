"""Records: what is read of one, one on its way out, and the CloudEvents headers that it carries."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

Header = tuple[str, bytes]
TopicPartition = tuple[str, int]
"""Topic and partition."""

_TRACE: Final = frozenset({"traceparent", "tracestate"})
_CONTENT_TYPE: Final[Header] = ("content-type", b"application/json")
_SPEC_VERSION: Final[Header] = ("ce_specversion", b"1.0")


class KafkaRecord(Protocol):
    """What is read of a record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One record to be produced."""

    topic: str
    """Logical name, such as `predictions` or `candles.dlq`; the publisher knows the real one."""
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    timestamp_ms: int | None = None
    """Epoch ms; None for the time of sending."""


class CloudEvents:
    """Headers of the CloudEvents Kafka binding 1.0, binary mode, for events of one source.

    >>> events = CloudEvents("stream-lstm/a")
    >>> events.headers("x:0", "prediction", "BTCUSDT", 1_700_000_000_000)[-1]
    ('ce_time', b'2023-11-14T22:13:20.000Z')
    """

    def __init__(self, source: str) -> None:
        self._source: Header = ("ce_source", source.encode())
        self._constant: dict[str, tuple[Header, ...]] = {}

    def headers(
        self, id: str, type: str, subject: str, time_ms: int, caused_by: Iterable[Header] = ()
    ) -> tuple[Header, ...]:
        """The headers of one event.

        `id` is unique within the source, revision included; `time_ms` is epoch ms, written as RFC 3339.
        `caused_by` are the headers of the record that caused it: its trace context is passed on.
        """
        constant = self._constant.get(type)
        if constant is None:
            constant = (_CONTENT_TYPE, _SPEC_VERSION, self._source, ("ce_type", type.encode()))
            self._constant[type] = constant
        trace = tuple(header for header in caused_by if header[0] in _TRACE) if caused_by else ()
        own = (("ce_id", id.encode()), ("ce_subject", subject.encode()), ("ce_time", rfc3339(time_ms)))
        return constant + trace + own


@lru_cache(4096)
def rfc3339(time_ms: int) -> bytes:
    """Epoch ms as RFC 3339 in UTC, to the millisecond.

    >>> rfc3339(1)
    b'1970-01-01T00:00:00.001Z'
    """
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z".encode()
