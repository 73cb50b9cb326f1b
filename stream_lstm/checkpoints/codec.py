"""A checkpoint as bytes: segments of full history blocks, written once, and a tail with everything else.

Both are safetensors files with a description in their header, and a SHA-256 over it all at their end.
S series, U blocks; a block has up to `BLOCK` candles.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stream_lstm.errors import CheckpointUnusable
from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.history import BLOCK, Block
from stream_lstm.forecasting.messages import Answerer
from stream_lstm.forecasting.partition_state import PartitionState, Shadows

FORMAT: Final = 1
"""Changes when an older reader would misread a file."""

Plain = dict[str, Any]

_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_ENTRY: Final = "checkpoint"
_BLOCKS: Final = "blocks."
_SHADOWS: Final = "shadow."


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which state of which log a checkpoint is."""

    topic: str
    partition: int
    offset: int
    """The first record that is not in it."""
    partitions: int
    """How many the topic had."""
    last_offset: int
    """Of the last record that is in it, −1 if there is none."""
    last_crc: int
    """CRC-32 of that record's value: another log has another one."""
    fingerprint: str
    """Of the settings and formulas that shape the state."""
    events: dict[str, int] | None = None
    """First offset of each partition of `model-events` whose facts may not be in it; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A partition between two records."""

    origin: Origin
    state: PartitionState
    closing: Plain
    """`candles.closing.Closing.state`."""


def encode_segment(blocks: Sequence[Block]) -> bytes:
    """Full blocks as a file."""
    return _framed(_packed(blocks), {"format": FORMAT})


def decode_segment(data: bytes) -> list[Block]:
    """The blocks of `encode_segment`, in their order. Raises `CheckpointUnusable`."""
    arrays, _ = _unframed(data)
    return _unpacked(arrays)


def encode_tail(checkpoint: Checkpoint, stored: Mapping[int, tuple[str, int]]) -> bytes:
    """Everything but the blocks that are in segments: `stored` has their place, by the block's id()."""
    loose: list[Block] = []
    histories = []
    for blocks in checkpoint.state.histories:
        places: list[Any] = []
        for block in blocks:
            place = stored.get(id(block))
            if place is None:
                places.append(len(loose))
                loose.append(block)
            else:
                places.append(place)
        histories.append(places)
    origin = checkpoint.origin
    described = {
        "format": FORMAT,
        "origin": {name: getattr(origin, name) for name in Origin.__slots__},
        "segments": sorted({segment for segment, _ in stored.values()}),
        "series": checkpoint.state.series,
        "answerers": [who and list(who) for who in checkpoint.state.answerers],
        "histories": histories,
        "closing": checkpoint.closing,
    }
    shadows = checkpoint.state.shadows
    if shadows.arrays:
        described["shadowAnswerers"] = [who and list(who) for who in shadows.answerers]
    of_shadows = {f"{_SHADOWS}{name}": array for name, array in shadows.arrays.items()}
    return _framed(checkpoint.state.arrays | of_shadows | _packed(loose), described)


def decode_tail(data: bytes, segment: Callable[[str], list[Block]]) -> Checkpoint:
    """The checkpoint of `encode_tail`; `segment` loads one by its name. Raises `CheckpointUnusable`."""
    arrays, described = _unframed(data)
    segments = {name: segment(name) for name in described["segments"]}
    try:
        own = _unpacked(arrays)
        histories = [
            [own[place] if isinstance(place, int) else _placed(segments, *place) for place in places]
            for places in described["histories"]
        ]
        state = PartitionState(
            series=described["series"],
            arrays={name: arrays[name] for name in arrays if not name.startswith((_BLOCKS, _SHADOWS))},
            answerers=_answerers(described["answerers"]),
            histories=histories,
            shadows=Shadows(
                {name.removeprefix(_SHADOWS): arrays[name] for name in arrays if name.startswith(_SHADOWS)},
                _answerers(described.get("shadowAnswerers", [])),
            ),
        )
        return Checkpoint(origin=Origin(**described["origin"]), state=state, closing=described["closing"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointUnusable(f"not a checkpoint: {error!r}") from error


def header_bytes(start: bytes) -> int:
    """How many bytes of a file `segments_of` needs, from its first 8."""
    return _LENGTH_BYTES + int.from_bytes(start[:_LENGTH_BYTES], "little")


def segments_of(start: bytes) -> set[str]:
    """The segments that a tail needs, from its first `header_bytes`. Raises `CheckpointUnusable`."""
    return set(_described(start)["segments"])


def _answerers(told: Sequence[Any]) -> list[Answerer | None]:
    return [None if who is None else Answerer(*who) for who in told]


def _placed(segments: Mapping[str, list[Block]], name: str, at: int) -> Block:
    block = segments[name][at]
    block.saved_in, block.saved_at = name, at
    return block


def _packed(blocks: Sequence[Block]) -> Arrays:
    """Blocks end to end."""
    counts = np.array([block.count for block in blocks], np.int32)
    parts: dict[str, list[NDArray[Any]]] = {
        "states": [block.state for block in blocks],
        "candles": [block.candles[: block.count] for block in blocks],
        "steps": [block.steps[: block.count] for block in blocks],
        "synthetic": [block.synthetic[: block.count] for block in blocks],
    }
    packed = {f"{_BLOCKS}{name}": np.concatenate(part) for name, part in parts.items() if part}
    return {f"{_BLOCKS}counts": counts, **packed}


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> list[Block]:
    counts = arrays[f"{_BLOCKS}counts"].tolist()
    if not counts:
        return []
    states, candles, steps, synthetic = (
        arrays[f"{_BLOCKS}{name}"] for name in ("states", "candles", "steps", "synthetic")
    )
    width, blocks, begin = len(states) // len(counts), [], 0
    for at, count in enumerate(counts):
        if not 0 < count <= BLOCK:
            raise CheckpointUnusable(f"not a checkpoint: a block of {count} candles")
        block, end = Block(states[at * width : (at + 1) * width].copy()), begin + count
        block.candles[:count], block.steps[:count] = candles[begin:end], steps[begin:end]
        block.synthetic[:count], block.count = synthetic[begin:end], count
        blocks.append(block)
        begin = end
    return blocks


def _framed(arrays: Arrays, described: Plain) -> bytes:
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    data = save(contiguous, {_ENTRY: orjson.dumps(described).decode()})
    return data + hashlib.sha256(data).digest()


def _unframed(data: bytes) -> tuple[Arrays, Plain]:
    content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise CheckpointUnusable("its bytes are not what was saved: cut or changed since")
    described = _described(content)
    try:
        return load(content), described
    except (SafetensorError, ValueError) as error:
        raise CheckpointUnusable(f"not a checkpoint: {error}") from error


def _described(start: bytes) -> Plain:
    try:
        header = orjson.loads(start[_LENGTH_BYTES : header_bytes(start)])
        described: Plain = orjson.loads(header["__metadata__"][_ENTRY])
        found = described["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointUnusable(f"not a checkpoint: {error!r}") from error
    if found != FORMAT:
        raise CheckpointUnusable(
            f"format {found}, this version reads {FORMAT}: it is read from the candles again; or run the "
            "version that saved it"
        )
    return described
