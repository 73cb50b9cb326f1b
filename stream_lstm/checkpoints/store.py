"""Where checkpoints live: `checkpoints/<group>/<topic>/<partition>/`, tails and segments by offset.

A tail names the segments that it needs and is written after them, so that what is there can be read. The
offset in a name is that of the state: whoever was cut off from its partition writes older ones than its
successor, and deletes nothing that is newer than the newest tail that it sees.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import uuid4

from stream_lstm.checkpoints.codec import (
    Checkpoint,
    decode_segment,
    decode_tail,
    encode_segment,
    encode_tail,
    header_bytes,
    segments_of,
)
from stream_lstm.errors import CheckpointUnusable, ObjectMissing
from stream_lstm.forecasting.history import BLOCK, Block
from stream_lstm.registry.objects import Objects, encoded

_FOLDER: Final = "checkpoints"
_TAIL: Final = "tail-"
_SEGMENT: Final = "segment-"
_SUFFIX: Final = ".safetensors"
_SEGMENT_BLOCKS: Final = 8
"""Full blocks that make a segment worth a file; fewer are written again with every tail."""

Partition = tuple[str, int]


class Saved(NamedTuple):
    """What one `save` wrote."""

    size: int
    """Bytes."""
    stored: list[tuple[Block, str, int]]
    """Blocks that are in a segment now, and where."""


class CheckpointStore:
    """The checkpoints of one consumer group. Methods block and belong into a thread.

    All raise `StoreError` if the store refuses or cannot be reached.
    """

    def __init__(self, objects: Objects, group: str, *, keep: int = 3) -> None:
        """`keep` tails of a partition stay."""
        self.keep = keep
        self._objects = objects
        self._group = group
        self._needs: dict[str, set[str]] = {}  # segments by the path of a tail

    def offsets(self, place: Partition) -> list[int]:
        """The offsets of the checkpoints that there are, newest first."""
        return sorted((_offset(name) for name in self._names(place) if name.startswith(_TAIL)), reverse=True)

    def load(self, place: Partition, offset: int) -> Checkpoint:
        """One checkpoint. Raises `CheckpointUnusable`."""
        folder = self._folder(place)
        try:
            data = self._objects.get(f"{folder}/{_tail(offset)}")
            return decode_tail(data, lambda name: decode_segment(self._objects.get(f"{folder}/{name}")))
        except ObjectMissing as error:
            raise CheckpointUnusable(str(error)) from error

    def save(self, checkpoint: Checkpoint) -> Saved:
        """Write a checkpoint whole or not at all, and delete what is too old.

        The blocks of the result may be marked as stored (`Block.saved_in`), so that they are not written
        again.
        """
        origin = checkpoint.origin
        folder = self._folder((origin.topic, origin.partition))
        stored = {
            id(block): (block.saved_in, block.saved_at)
            for blocks in checkpoint.state.histories
            for block in blocks
            if block.saved_in is not None
        }
        full = [
            block
            for blocks in checkpoint.state.histories
            for block in blocks
            if block.count == BLOCK and id(block) not in stored
        ]
        size, new = 0, []
        if len(full) >= _SEGMENT_BLOCKS:
            name = f"{_SEGMENT}{origin.offset:020d}-{uuid4().hex[:8]}{_SUFFIX}"
            data = encode_segment(full)
            self._objects.put(f"{folder}/{name}", data)
            size += len(data)
            new = [(block, name, at) for at, block in enumerate(full)]
            stored |= {id(block): (name, at) for block, name, at in new}
        data = encode_tail(checkpoint, stored)
        path = f"{folder}/{_tail(origin.offset)}"
        self._objects.put(path, data)
        self._needs[path] = segments_of(data)
        self._prune((origin.topic, origin.partition), origin.offset)
        return Saved(size + len(data), new)

    def discard(self, place: Partition, offset: int) -> None:
        """Delete the tail of a checkpoint that cannot be used."""
        self._objects.delete(f"{self._folder(place)}/{_tail(offset)}")

    def _prune(self, place: Partition, written: int) -> None:
        """Keep the newest tails up to the one just written, and the segments that they need."""
        folder, names = self._folder(place), self._names(place)
        offsets = sorted((_offset(name) for name in names if name.startswith(_TAIL)), reverse=True)
        kept = [offset for offset in offsets if offset <= written][: self.keep]
        for offset in set(offsets) - set(kept):
            self._objects.delete(f"{folder}/{_tail(offset)}")
        needed = set().union(*(self._needed(f"{folder}/{_tail(offset)}") for offset in kept))
        for name in names:
            if name.startswith(_SEGMENT) and name not in needed and _offset(name) <= written:
                self._objects.delete(f"{folder}/{name}")
        paths = {f"{folder}/{_tail(offset)}" for offset in kept}
        self._needs = {
            path: segments
            for path, segments in self._needs.items()
            if path in paths or not path.startswith(f"{folder}/")
        }

    def _needed(self, path: str) -> Iterable[str]:
        if path not in self._needs:
            try:
                length = header_bytes(self._objects.get_start(path, 8))
                self._needs[path] = segments_of(self._objects.get_start(path, length))
            except (CheckpointUnusable, ObjectMissing):
                self._needs[path] = set()  # nothing can be read by it anyway
        return self._needs[path]

    def _folder(self, place: Partition) -> str:
        topic, partition = place
        return f"{_FOLDER}/{encoded(self._group)}/{encoded(topic)}/{partition}"

    def _names(self, place: Partition) -> list[str]:
        folder = self._folder(place)
        return [entry.path.removeprefix(f"{folder}/") for entry in self._objects.list(folder)]


def _tail(offset: int) -> str:
    return f"{_TAIL}{offset:020d}{_SUFFIX}"


def _offset(name: str) -> int:
    """The offset in a tail's or a segment's name."""
    return int(name.split("-")[1].removesuffix(_SUFFIX))
