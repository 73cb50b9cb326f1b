"""A model as bytes and back, bit for bit: safetensors for the store, JSON for people. No pickle.

Both carry the same description: the metadata under the names of the original service, the format version,
the fingerprint of the feature set, and a SHA-256 over the description and every array. What was saved for
another format or feature set is a `ModelMismatch`, what is not what was saved a `ModelDamaged`.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stream_lstm.errors import ModelDamaged, ModelMismatch
from stream_lstm.features import FeatureSet
from stream_lstm.models.model import Arrays, Model, ModelMetadata

T = TypeVar("T")

FORMAT: Final = 2
"""Changes when an older reader would misread a file."""

_LENGTH_BYTES: Final = 8
_LONGEST_HEADER: Final = 1_000_000
_ENTRY: Final = "model"
_DTYPES: Final = frozenset({"float32", "float64"})


def to_safetensors(model: Model) -> bytes:
    """The model as a safetensors file, its description in the header."""
    # One entry, since safetensors writes several in an order of its own: equal models are equal files.
    header = {_ENTRY: _dumped(_described(model)).decode()}
    return save({name: np.ascontiguousarray(array) for name, array in model.arrays.items()}, header)


def from_safetensors(data: bytes) -> Model:
    """The model of `to_safetensors`; raises `ModelDamaged` or `ModelMismatch`."""

    def read() -> tuple[bytes, str, Arrays]:
        length = int.from_bytes(data[:_LENGTH_BYTES], "little")
        header = orjson.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])["__metadata__"]
        told = orjson.loads(header[_ENTRY])
        return _dumped(told["description"]), told["sha256"], load(data)

    return _restore(*_parsed(read))


def description_of(start: bytes) -> dict[str, Any]:
    """What the first bytes of a safetensors file say of its model, nothing of it checked.

    Raises `Incomplete` if they end before the header, and `ModelDamaged` if there is none.
    """
    length = _LENGTH_BYTES + int.from_bytes(start[:_LENGTH_BYTES], "little")
    if _LENGTH_BYTES <= len(start) < length <= _LONGEST_HEADER:
        raise Incomplete(length)

    def read() -> dict[str, Any]:
        header = orjson.loads(start[_LENGTH_BYTES:length])["__metadata__"]
        return dict(orjson.loads(header[_ENTRY])["description"])

    return _parsed(read)


class Incomplete(Exception):
    """The header has `length` bytes."""

    def __init__(self, length: int) -> None:
        super().__init__(f"the header has {length} bytes")
        self.length = length


def to_json(model: Model) -> bytes:
    """The model as JSON: every number in full, arrays as flat lists with shape and dtype."""
    arrays = {
        name: {"dtype": str(array.dtype), "shape": array.shape, "values": array.ravel().tolist()}
        for name, array in model.arrays.items()
    }
    return orjson.dumps({**_described(model), "arrays": arrays}, option=orjson.OPT_INDENT_2)


def from_json(data: bytes) -> Model:
    """The model of `to_json`; raises `ModelDamaged` or `ModelMismatch`."""

    def read() -> tuple[bytes, str, Arrays]:
        whole = orjson.loads(data)
        arrays = {name: _array(**entry) for name, entry in whole["arrays"].items()}
        return _dumped(whole["description"]), whole["sha256"], arrays

    return _restore(*_parsed(read))


def _array(dtype: str, shape: list[int], values: list[float]) -> np.ndarray[Any, Any]:
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}")
    with np.errstate(over="ignore"):  # a number too large for float32 is found by the checksum
        return np.array(values, dtype).reshape(shape)


def _described(model: Model) -> dict[str, Any]:
    """The model's description, and the checksum over it and the arrays."""
    metadata = model.metadata
    description = {
        "format": FORMAT,
        "features": metadata.features,
        "series": model.series,
        "heads": model.heads,
        **metadata.described(),
    }
    return {"description": description, "sha256": _checksum(_dumped(description), model.arrays)}


def _dumped(description: object) -> bytes:
    return orjson.dumps(description, option=orjson.OPT_SORT_KEYS)


def _checksum(description: bytes, arrays: Arrays) -> str:
    digest = hashlib.sha256(description)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype}:{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _parsed(read: Callable[[], T]) -> T:
    try:
        return read()
    except (
        SafetensorError,
        orjson.JSONDecodeError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        raise ModelDamaged(
            f"not a model file: {type(error).__name__}: {error}; retrain the series, or restore the file"
        ) from error


def _restore(description: bytes, checksum: str, arrays: Arrays) -> Model:
    found = _checksum(description, arrays)
    if found != checksum:
        raise ModelDamaged(
            f"a model's content has SHA-256 {found[:12]}…, its header says {str(checksum)[:12]}…: it was cut "
            "or changed after it was saved; retrain the series, or restore the file"
        )
    told = orjson.loads(description)
    _check_format(told)
    metadata = ModelMetadata(
        symbol=told["symbol"],
        model_type=told["modelType"],
        trained_at=told["trainedAt"],
        data_points=told["dataPoints"],
        config=told["config"],
        version=told["version"],
        accuracy=told["accuracy"],
        training_duration=told["trainingDuration"],
        features=told["features"],
    )
    return Model(metadata.model_type, told["series"], tuple(told["heads"]), arrays, metadata)


def _check_format(told: dict[str, Any]) -> None:
    if told["format"] != FORMAT:
        raise ModelMismatch(
            f"model of {told.get('series')} has format {told['format']}, this version reads {FORMAT}: "
            "retrain the series, or run the version that saved it"
        )
    expected = FeatureSet().fingerprint
    if told["features"].partition(":")[0] != expected:
        raise ModelMismatch(
            f"model of {told['series']} was trained on feature set {told['features']}, this version computes "
            f"{expected}: retrain the series, or run the version that saved it"
        )
