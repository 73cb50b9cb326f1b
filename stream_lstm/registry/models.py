"""Where models live: one object per model, in a folder or a bucket.

Layout: `models/<series>/<model id>.safetensors`, and `quarantine/…` for what must not be loaded. Every
part of a path is percent-encoded, so that no symbol can leave its folder; a series whose encoded name is
too long for one folder goes on in a folder below.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple
from urllib.parse import unquote

from stream_lstm.errors import ModelError, ObjectMissing
from stream_lstm.registry.objects import Entry, Objects, encoded, folders

_MODELS: Final = "models"
_QUARANTINE: Final = "quarantine"
_SUFFIX: Final = ".safetensors"


class StoredModel(NamedTuple):
    """One model file of the store."""

    path: str
    series: str
    """`exchange:symbol:interval`."""
    model_id: str
    size: int
    """Bytes."""
    saved_ms: int
    """When it was saved, epoch ms by the store's clock."""


class ModelStore:
    """The models of one store: `file:///folder`, `memory://` (for this object only), or a bucket's URL.

    Methods block and belong into a thread or the trainer's process; `load_async` is for the event loop.
    All raise `StoreError` if the store refuses or cannot be reached. Whether the bytes are a model is
    checked by `models.files`.

    >>> store = ModelStore("memory://")
    >>> path = store.save("binance:BTC/USDT:1h", "4f2a", b"weights")
    >>> path
    'models/binance%3ABTC%2FUSDT%3A1h/4f2a.safetensors'
    >>> store.load(path)
    b'weights'
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._objects = Objects(url)

    def save(self, series: str, model_id: str, data: bytes) -> str:
        """Save a model whole or not at all, on disk when this returns; gives its path in the store."""
        path = path_of(series, model_id)
        self._objects.put(path, data)
        return path

    def load(self, path: str) -> bytes:
        """The bytes saved at `path`. Raises `ModelError` if there is nothing."""
        with _missing():
            return self._objects.get(path)

    def load_start(self, path: str, length: int) -> bytes:
        """The first bytes saved at `path`. Raises `ModelError` if there is nothing."""
        with _missing():
            return self._objects.get_start(path, length)

    async def load_async(self, path: str) -> bytes:
        """As `load`, without blocking the event loop."""
        with _missing():
            return await self._objects.get_async(path)

    def models(self, series: str | None = None) -> list[StoredModel]:
        """All models, or those of one series; per series the newest first. Not the quarantined ones."""
        found = self._objects.list(_MODELS if series is None else _folder_of(series))
        stored = [_stored(entry) for entry in found if entry.path.endswith(_SUFFIX)]
        wanted = [model for model in stored if series is None or model.series == series]
        return sorted(wanted, key=lambda model: (model.series, -model.saved_ms, model.path))

    def delete(self, path: str) -> None:
        """Delete a model; one that is not there is deleted already."""
        self._objects.delete(path)

    def prune(self, series: str, keep: int) -> list[str]:
        """Delete all but the `keep` newest models of a series; gives the paths that are gone."""
        old = [model.path for model in self.models(series)[keep:]]
        for path in old:
            self.delete(path)
        return old

    def quarantine(self, path: str, reason: str) -> str:
        """Move a bad model to where nothing loads it, the reason in a text beside it; gives the new path.

        One that another worker has moved already is no error.
        """
        aside = f"{_QUARANTINE}/{path.removeprefix(f'{_MODELS}/')}"
        self._objects.put_aside(path, aside, reason)
        return aside


@contextmanager
def _missing() -> Iterator[None]:
    try:
        yield
    except ObjectMissing as error:
        raise ModelError(f"{error}; retrain the series") from error


def path_of(series: str, model_id: str) -> str:
    """Where a model is, relative to the store."""
    return f"{_folder_of(series)}/{encoded(model_id)}{_SUFFIX}"


def _folder_of(series: str) -> str:
    return f"{_MODELS}/{folders(series)}"


def _stored(entry: Entry) -> StoredModel:
    _, *series, file = entry.path.split("/")
    model_id = unquote(file.removesuffix(_SUFFIX))
    return StoredModel(entry.path, unquote("".join(series)), model_id, entry.size, entry.saved_ms)
