import os
from pathlib import Path
from urllib.request import pathname2url

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles.validation import MAX_SYMBOL
from stream_lstm.errors import ModelError, StoreError
from stream_lstm.registry.models import ModelStore, path_of

SERIES = "binance:BTC/USDT:1h"


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    return ModelStore(url_of(tmp_path / "a store") if request.param == "file" else "memory://")


def url_of(folder: Path) -> str:
    return f"file://{pathname2url(str(folder))}"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_was_saved_is_loaded(store: ModelStore) -> None:
    path = store.save(SERIES, "4f2a", b"weights")

    assert path == "models/binance%3ABTC%2FUSDT%3A1h/4f2a.safetensors"
    assert store.load(path) == b"weights"


async def test_it_is_loaded_from_the_event_loop_too(store: ModelStore) -> None:
    path = store.save(SERIES, "4f2a", b"weights")

    assert await store.load_async(path) == b"weights"


async def test_a_model_that_is_gone_is_said_to_be_gone(store: ModelStore) -> None:
    path = path_of(SERIES, "4f2a")

    with pytest.raises(ModelError, match=r"has no models/binance.*4f2a.*retrain"):
        store.load(path)
    with pytest.raises(ModelError, match="retrain"):
        await store.load_async(path)


def test_saving_again_replaces(store: ModelStore) -> None:
    store.save(SERIES, "4f2a", b"a longer first version")
    path = store.save(SERIES, "4f2a", b"second")

    assert store.load(path) == b"second"
    assert len(store.models()) == 1


def test_the_list_names_series_model_and_size(store: ModelStore) -> None:
    store.save("okx:BTC-USDT:1h", "b", b"12345")
    path = store.save(SERIES, "a.1", b"123")

    (one,) = store.models(SERIES)
    assert (one.path, one.series, one.model_id, one.size) == (path, SERIES, "a.1", 3)
    assert [model.series for model in store.models()] == [SERIES, "okx:BTC-USDT:1h"]


def test_a_series_whose_name_begins_like_another_is_another(store: ModelStore) -> None:
    store.save("x:BTC:1h", "long", b"")
    store.save("x:BTC:1", "short", b"")

    assert [model.model_id for model in store.models("x:BTC:1")] == ["short"]


def test_an_empty_store_lists_nothing(store: ModelStore) -> None:
    assert store.models() == []


def test_a_deleted_model_is_gone_and_deleting_it_again_is_no_error(store: ModelStore) -> None:
    path = store.save(SERIES, "4f2a", b"weights")

    store.delete(path)
    store.delete(path)

    assert store.models() == []


def test_pruning_keeps_the_newest_of_that_series_only(tmp_path: Path) -> None:
    store = ModelStore(url_of(tmp_path))
    other = store.save("okx:BTC-USDT:1h", "other", b"")
    paths = [store.save(SERIES, name, b"") for name in ("c", "a", "b")]
    for age, path in enumerate(reversed(paths)):
        os.utime(tmp_path / path, (1_700_000_000 - age, 1_700_000_000 - age))

    gone = store.prune(SERIES, keep=2)

    assert gone == [paths[0]]
    assert {model.path for model in store.models()} == {other, *paths[1:]}


def test_a_quarantined_model_is_kept_with_its_reason_and_not_listed(store: ModelStore) -> None:
    path = store.save(SERIES, "4f2a", b"broken")

    aside = store.quarantine(path, "checksum 1 is not 2")

    assert store.models() == []
    assert store.load(aside) == b"broken"
    assert store.load(f"{aside}.reason.txt") == b"checksum 1 is not 2"
    with pytest.raises(ModelError):
        store.load(path)


def test_quarantining_what_another_worker_moved_already_changes_nothing(store: ModelStore) -> None:
    path = store.save(SERIES, "4f2a", b"broken")
    aside = store.quarantine(path, "first")

    assert store.quarantine(path, "second") == aside
    assert store.load(f"{aside}.reason.txt") == b"first"


@given(
    series=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=150),
    model_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_any_name_comes_back_from_a_path_that_every_store_takes(series: str, model_id: str) -> None:
    store = ModelStore("memory://")
    path = store.save(series, model_id, b"x")

    assert path.isascii()
    assert max(map(len, path.split("/"))) <= 255
    assert not {".", ".."} & set(path.split("/"))
    (one,) = store.models()
    assert (one.path, one.series, one.model_id) == (path, series, model_id)


@pytest.mark.parametrize("series", ["..", ".", "../../etc/passwd", "a/b", "%2e%2e", "a#1", "名前:1h"])
def test_no_name_leaves_its_folder_on_disk(tmp_path: Path, series: str) -> None:
    store = ModelStore(url_of(tmp_path / "root"))

    path = store.save(series, "id", b"x")

    assert files(tmp_path) == [f"root/{path}"]
    assert store.load(path) == b"x"
    assert [model.series for model in store.models()] == [series]


def test_a_write_that_fails_leaves_nothing_and_the_old_model_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(url_of(tmp_path))
    path = store.save(SERIES, "4f2a", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stream_lstm.registry.local.os.replace", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.save(SERIES, "4f2a", b"new")

    assert files(tmp_path) == [path]
    assert store.load(path) == b"old"


def test_data_are_on_disk_before_their_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, replace = os.fsync, os.replace

    def traced_fsync(handle: int) -> None:
        steps.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "data")
        fsync(handle)

    def traced_replace(source: str, target: Path) -> None:
        steps.append("name")
        replace(source, target)

    store = ModelStore(url_of(tmp_path))
    monkeypatch.setattr("stream_lstm.registry.local.os.fsync", traced_fsync)
    monkeypatch.setattr("stream_lstm.registry.local.os.replace", traced_replace)
    store.save(SERIES, "4f2a", b"weights")

    assert steps == ["data", "name", "folder", "folder", "folder"]


def test_the_longest_symbol_that_is_accepted_can_be_stored(tmp_path: Path) -> None:
    store = ModelStore(url_of(tmp_path))
    series = f"binance:{'币' * MAX_SYMBOL}:1h"

    path = store.save(series, "id", b"x")

    assert store.load(path) == b"x"
    assert [model.series for model in store.models(series)] == [series]


def test_a_series_whose_folder_lies_below_anothers_is_another(store: ModelStore) -> None:
    short = "x" * 200
    store.save(short, "short", b"")
    store.save(f"{short}y", "long", b"")

    assert [model.model_id for model in store.models(short)] == ["short"]
    assert [model.model_id for model in store.models(f"{short}y")] == ["long"]


def test_a_half_written_file_of_a_process_that_was_killed_is_no_model(tmp_path: Path) -> None:
    store = ModelStore(url_of(tmp_path))
    path = store.save(SERIES, "4f2a", b"weights")
    (tmp_path / path).with_name(".abc.part").write_bytes(b"wei")

    assert [model.path for model in store.models()] == [path]


@pytest.mark.parametrize("url", ["ftp://host/models", "models", "", "file://", "file://var/store"])
def test_a_url_that_is_no_store_is_refused_with_the_setting_and_examples(url: str) -> None:
    with pytest.raises(StoreError, match=r"store\.url \(file:///folder, s3://bucket/prefix"):
        ModelStore(url)


def test_a_folder_that_cannot_be_made_is_refused_with_its_url(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(StoreError, match="taken/models: cannot open it"):
        ModelStore(url_of(tmp_path / "taken" / "models"))


def test_a_folder_that_went_away_is_a_store_error_not_an_empty_answer(tmp_path: Path) -> None:
    store = ModelStore(url_of(tmp_path / "root"))
    (tmp_path / "root").rmdir()
    (tmp_path / "root").write_text("a file")

    with pytest.raises(StoreError, match=r"cannot save models/.*store\.url"):
        store.save(SERIES, "4f2a", b"weights")


def test_a_bucket_that_cannot_be_reached_is_a_store_error_with_its_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    surroundings = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_REGION": "eu",
        "AWS_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(StoreError, match=r"store s3://bucket/prod: cannot load models/a") as refused:
        ModelStore("s3://bucket/prod").load("models/a")

    assert "hidden" not in str(refused.value)
