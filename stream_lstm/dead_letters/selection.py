"""Which dead letters are meant."""

from dataclasses import dataclass

from stream_lstm.dead_letters.log import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Letters by reason, time and the record that they are about; all where nothing is said.

    Times are those of the records themselves, epoch ms, `until_ms` not included; `offsets` are the first
    and the last.
    """

    reasons: frozenset[str] = frozenset()
    topic: str | None = None
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def covers(self, entry: Entry) -> bool:
        """Whether the record that a letter or a marker is about is meant, but for the reason."""
        origin, time_ms = entry.origin, entry.timestamp_ms
        return (
            self.topic in (None, origin.topic)
            and self.partition in (None, origin.partition)
            and (self.offsets is None or self.offsets[0] <= origin.offset <= self.offsets[1])
            and (self.since_ms is None or self.since_ms <= time_ms)
            and (self.until_ms is None or time_ms < self.until_ms)
        )

    def has(self, entry: Entry) -> bool:
        """Whether a letter, or the letter of a marker, is meant."""
        return self.covers(entry) and (not self.reasons or entry.reason in self.reasons)
