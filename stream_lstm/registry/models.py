"""Where models live: one object per model, in a folder or a bucket.

Layout: `models/<series>/<model id>.safetensors`, and `quarantine/…` for what must not be loaded. Every
part of a path is percent-encoded, so that no symbol can leave its folder; a series whose encoded name is
too long for one folder goes on in a folder below.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from stream_lstm.errors import ModelError, StoreError
from stream_lstm.registry.local import write_whole

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_MODELS: Final = "models"
_QUARANTINE: Final = "quarantine"
_SUFFIX: Final = ".safetensors"
_LONGEST_PART: Final = 200  # file systems take 255 bytes, and a Chinese character is nine once encoded
# The client's own default tries for three minutes: a worker must know sooner that its store is down.
_RETRIES: "Final[RetryConfig]" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


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
        self._folder: Path | None = None
        with self._told("cannot open it"):
            self._store = self._open()

    def save(self, series: str, model_id: str, data: bytes) -> str:
        """Save a model whole or not at all, on disk when this returns; gives its path in the store."""
        path = path_of(series, model_id)
        with self._told(f"cannot save {path}"):
            if self._folder is not None:
                write_whole(self._folder, path, data)
            else:
                obstore.put(self._store, path, data, use_multipart=False)
        return path

    def load(self, path: str) -> bytes:
        """The bytes saved at `path`. Raises `ModelError` if there is nothing."""
        with self._told(f"cannot load {path}"), _missing(path, self.url):
            return bytes(obstore.get(self._store, path).bytes())

    async def load_async(self, path: str) -> bytes:
        """As `load`, without blocking the event loop."""
        with self._told(f"cannot load {path}"), _missing(path, self.url):
            result = await obstore.get_async(self._store, path)
            return bytes(await result.bytes_async())

    def models(self, series: str | None = None) -> list[StoredModel]:
        """All models, or those of one series; per series the newest first. Not the quarantined ones."""
        prefix = _MODELS if series is None else _folder_of(series)
        with self._told(f"cannot list {prefix}"):
            found = [entry for page in obstore.list(self._store, prefix) for entry in page]
        stored = [
            _stored(entry["path"], entry["size"], entry["last_modified"])
            for entry in found
            if entry["path"].endswith(_SUFFIX)
        ]
        wanted = [model for model in stored if series is None or model.series == series]
        return sorted(wanted, key=lambda model: (model.series, -model.saved_ms, model.path))

    def delete(self, path: str) -> None:
        """Delete a model; one that is not there is deleted already."""
        with self._told(f"cannot delete {path}"), suppress(FileNotFoundError):
            obstore.delete(self._store, path)

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
        with self._told(f"cannot quarantine {path}"), suppress(FileNotFoundError):
            obstore.rename(self._store, path, aside)
            obstore.put(self._store, f"{aside}.reason.txt", reason.encode())
        return aside

    def _open(self) -> ObjectStore:
        parts = urlsplit(self.url)
        if parts.scheme == "memory":
            return MemoryStore()
        if parts.scheme == "file":
            self._folder = Path(url2pathname(parts.path))
            if parts.netloc or not self._folder.is_absolute():
                raise ValueError("file:// needs three slashes and the whole path")
            return LocalStore(self._folder, mkdir=True, automatic_cleanup=False)
        return from_url(self.url, retry_config=_RETRIES)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            cause = str(error).partition("\n")[0]
            raise StoreError(
                f"model store {self.url}: {what}: {cause}; check store.url (file:///folder, "
                "s3://bucket/prefix, gs://…, az://…), that it can be reached, and permissions or credentials"
            ) from error


@contextmanager
def _missing(path: str, url: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ModelError(f"model store {url} has no {path}: it was deleted; retrain the series") from error


def path_of(series: str, model_id: str) -> str:
    """Where a model is, relative to the store."""
    return f"{_folder_of(series)}/{_encode(model_id)}{_SUFFIX}"


def _folder_of(series: str) -> str:
    name = _encode(series)
    parts = (name[start : start + _LONGEST_PART] for start in range(0, len(name), _LONGEST_PART))
    return "/".join((_MODELS, *parts))


def _encode(name: str) -> str:
    """One part of a path; dots too, since `.` and `..` are folders."""
    return quote(name, safe="").replace(".", "%2E")


def _stored(path: str, size: int, saved: datetime) -> StoredModel:
    _, *series, file = path.split("/")
    model_id = unquote(file.removesuffix(_SUFFIX))
    return StoredModel(path, unquote("".join(series)), model_id, size, int(saved.timestamp() * 1000))
