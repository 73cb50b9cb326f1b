"""A model as a file: back to the bit, and anything that is not what was saved is refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.errors import ModelDamaged, ModelError, ModelMismatch
from stream_lstm.models import files, registry
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet


class Format(NamedTuple):
    """A way to write a model, and to read it."""

    save: Callable[[Model], bytes]
    load: Callable[[bytes], Model]


SAFETENSORS = Format(files.to_safetensors, files.from_safetensors)
JSON = Format(files.to_json, files.from_json)
BOTH = pytest.mark.parametrize("format", [SAFETENSORS, JSON], ids=["safetensors", "json"])


@pytest.fixture(scope="module")
def models(training_set: Callable[..., TrainingSet]) -> Iterator[dict[str, Model]]:
    """One fitted model of each type."""
    data = training_set("A/ü", 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream_lstm.models.classic.EPOCHS", 2)
        yield {name: registry.fit(name, [data])[0].trained_in(12) for name in registry.MODEL_TYPES}


def assert_same(one: Model, other: Model) -> None:
    """Equal in every field, and in every bit of every array."""
    for name in ("model_type", "series", "heads", "metadata", "model_id"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        assert array.shape == other.arrays[name].shape
        assert array.tobytes() == other.arrays[name].tobytes(), name


@BOTH
@pytest.mark.parametrize("name", list(registry.MODEL_TYPES))
def test_what_is_saved_comes_back_to_the_bit(name: str, format: Format, models: dict[str, Model]) -> None:
    assert_same(format.load(format.save(models[name])), models[name])


def test_equal_models_are_equal_files(models: dict[str, Model]) -> None:
    for model in models.values():
        data = SAFETENSORS.save(model)
        assert SAFETENSORS.save(SAFETENSORS.load(data)) == data


@BOTH
def test_numbers_that_are_hard_to_write_come_back_to_the_bit(
    format: Format, models: dict[str, Model]
) -> None:
    hard = np.array([-0.0, 5e-324, 1 / 3, 1.7976931348623157e308, -1e-300])
    narrow = np.array([-0.0, 1e-45, 1 / 3, 3.4028235e38], np.float32)
    arrays = {"hard": hard, "narrow": narrow, "transposed": np.arange(6.0).reshape(2, 3).T}
    model = replace(models["har"], arrays=arrays)
    assert_same(format.load(format.save(model)), model)


def test_both_formats_hold_the_same_model(models: dict[str, Model]) -> None:
    for model in models.values():
        assert_same(
            files.from_json(files.to_json(model)), files.from_safetensors(files.to_safetensors(model))
        )


def test_the_metadata_have_the_names_of_the_original_service(models: dict[str, Model]) -> None:
    told = orjson.loads(files.to_json(models["lstm"]))["description"]
    assert {name: told[name] for name in ("symbol", "modelType", "version", "trainingDuration")} == {
        "symbol": "test:A/ü:1h",
        "modelType": "lstm",
        "version": "1.0.0",
        "trainingDuration": 12,
    }
    assert told["dataPoints"] == 1000
    assert told["accuracy"] is None
    assert told["config"]["hiddenSize"] == 32
    assert told["config"]["sequenceLength"] == 20


@pytest.fixture(scope="module")
def saved(models: dict[str, Model]) -> dict[Format, bytes]:
    return {each: each.save(models["lstm"]) for each in (SAFETENSORS, JSON)}


@BOTH
@settings(max_examples=150)
@given(part=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), start=st.booleans())
def test_a_flipped_bit_is_never_loaded_as_another_model(
    format: Format, part: float, bit: int, start: bool, saved: dict[Format, bytes], models: dict[str, Model]
) -> None:
    data = bytearray(saved[format])
    data[int(part * (900 if start else len(data)))] ^= 1 << bit
    try:
        loaded = format.load(bytes(data))
    except ModelError:
        return
    # The last digit of a number may change without changing the number.
    assert_same(loaded, models["lstm"])


@BOTH
@settings(max_examples=60)
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(format: Format, part: float, saved: dict[Format, bytes]) -> None:
    data = saved[format]
    with pytest.raises(ModelDamaged):
        format.load(data[: int(part * len(data))])


@BOTH
@pytest.mark.parametrize("more", [b"\0", b"x" * 100], ids=["a byte", "many"])
def test_bytes_after_the_end_are_refused(format: Format, more: bytes, saved: dict[Format, bytes]) -> None:
    with pytest.raises(ModelDamaged):
        format.load(saved[format] + more)


@BOTH
@settings(max_examples=60)
@given(data=st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(format: Format, data: bytes) -> None:
    with pytest.raises(ModelDamaged):
        format.load(data)


NO_ARRAYS = [
    [],
    {"a": [1.0]},
    {"a": {"dtype": "float32", "values": [1.0]}},
    {"a": {"dtype": "object", "shape": [1], "values": [1.0]}},
    {"a": {"dtype": ["float64"], "shape": [1], "values": [1.0]}},
    {"a": {"dtype": "float32", "shape": [2], "values": [1.0]}},
    {"a": {"dtype": "float32", "shape": [1], "values": [1e99]}},
    {"a": {"dtype": "float32", "shape": [1], "values": [{}]}},
    {"a": {"dtype": "float64", "shape": [-5, -5], "values": []}},
    {"a": {"dtype": "float64", "shape": [9e99], "values": []}},
    {"a": {"dtype": "float64", "shape": [2**63 - 1, 2**63 - 1, 2**64 - 1], "values": []}},
]
NO_MODELS = [
    b"null",
    b"[]",
    b"{}",
    b'{"__metadata__": {}}',
    b'{"__metadata__": {"model": "{}"}}',
    b'{"__metadata__": {"model": 1}}',
    *(orjson.dumps({"arrays": arrays, "description": {"format": 1}, "sha256": 1}) for arrays in NO_ARRAYS),
]


@pytest.mark.parametrize("data", NO_MODELS)
def test_json_that_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelDamaged):
        files.from_json(data)
    with pytest.raises(ModelDamaged):
        files.from_safetensors(len(data).to_bytes(8, "little") + data)


@BOTH
def test_a_file_of_another_format_version_is_a_mismatch(
    format: Format, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "FORMAT", files.FORMAT + 1)
        data = format.save(models["har"])
    with pytest.raises(ModelMismatch, match="format 3, this version reads 2"):
        format.load(data)


@BOTH
def test_a_model_of_another_feature_set_is_a_mismatch(format: Format, models: dict[str, Model]) -> None:
    model = models["har"]
    other = replace(model, metadata=replace(model.metadata, features="0123456789ab"))
    with pytest.raises(ModelMismatch, match="feature set 0123456789ab"):
        format.load(format.save(other))


def test_a_file_of_unknown_model_type_is_a_mismatch_when_it_is_installed(models: dict[str, Model]) -> None:
    model = models["naive"]
    stranger = replace(model, model_type="oracle", metadata=replace(model.metadata, model_type="oracle"))
    loaded = files.from_safetensors(files.to_safetensors(stranger))
    with pytest.raises(ModelMismatch, match="oracle"):
        registry.model_type(loaded.model_type)
