"""The checkpoint that a partition may go on from: the newest that fits log, offset and settings."""

import logging
import zlib
from dataclasses import dataclass, field
from functools import partial

from stream_lstm.checkpoints.codec import Checkpoint, Origin
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.errors import CheckpointUnusable
from stream_lstm.kafka.log_reader import LogReader, Place, Span
from stream_lstm.streaming.ends import abandonable

log = logging.getLogger(__name__)


class _AnotherLog(CheckpointUnusable):
    """The topic has been deleted and made again since."""


@dataclass(slots=True)
class Found:
    """What is there for a partition."""

    checkpoint: Checkpoint | None = None
    unusable: list[str] = field(default_factory=list)
    """Why newer ones were passed over."""
    another_log: bool = False
    """The offsets of the group are those of a topic that is no more."""


class SavedStates:
    """Finds checkpoints. A worker whose checkpoints are turned off has no `store`, and finds none."""

    def __init__(self, store: CheckpointStore | None, fingerprint: str) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._refused: set[tuple[Place, int]] = set()

    def refuse(self, place: Place, offset: int) -> None:
        """Never find that checkpoint again: it could not be taken up."""
        self._refused.add((place, offset))

    async def find(self, reader: LogReader, place: Place, committed: int) -> Found:
        """What fits the group's committed offset. Raises `StoreError` and `BrokerError`."""
        found = Found()
        if self._store is None:
            return found
        inside = (await reader.spans([place])).popitem()[1]
        if not inside.start <= committed <= inside.stop:
            return found
        store = self._store
        for offset in await abandonable(lambda: store.offsets(place)):
            if offset > committed or (place, offset) in self._refused:
                continue
            try:
                checkpoint = await abandonable(partial(store.load, place, offset))
                self._check_settings(checkpoint.origin)
                await _check_log(checkpoint.origin, inside, reader, place)
            except CheckpointUnusable as error:
                log.warning("%s-%d: the checkpoint at %d cannot be used: %s", *place, offset, error)
                found.unusable.append(f"checkpoint at {offset}: {error}")
                found.another_log = found.another_log or isinstance(error, _AnotherLog)
            else:
                found.checkpoint = checkpoint
                break
        return found

    def _check_settings(self, origin: Origin) -> None:
        if origin.fingerprint != self._fingerprint:
            raise CheckpointUnusable(
                f"it was made with other settings or another version ({origin.fingerprint}, now "
                f"{self._fingerprint})"
            )


async def _check_log(origin: Origin, inside: Span, reader: LogReader, place: Place) -> None:
    """Raise `CheckpointUnusable` unless the log still holds what comes after it, and is the same log."""
    if origin.offset < inside.start:
        raise CheckpointUnusable(f"the log begins at {inside.start}: what came in between is gone")
    if not inside.start <= origin.last_offset < inside.stop:
        return
    stretch = Span(origin.last_offset, origin.last_offset + 1)
    crcs = [zlib.crc32(record.value or b"") async for record in reader.read({place: stretch})]
    if not crcs:  # a marker or an aborted record of another log, or else compacted: nobody can tell
        raise CheckpointUnusable(f"there is no record at {origin.last_offset} any more")
    if crcs != [origin.last_crc]:
        raise _AnotherLog(f"the record at {origin.last_offset} is another one: the topic was made again")
