"""Objects by path, in a folder or a bucket: whole or not at all, and every error says which store."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from stream_lstm.errors import ObjectMissing, StoreError
from stream_lstm.registry.local import write_whole

if TYPE_CHECKING:
    from obstore.store import RetryConfig

# The client's own default tries for three minutes: a worker must know sooner that its store is down.
_RETRIES: "Final[RetryConfig]" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}

_LONGEST_PART: Final = 200  # file systems take 255 bytes, and a Chinese character is nine once encoded


class Entry(NamedTuple):
    """One object that is there."""

    path: str
    size: int
    """Bytes."""
    saved_ms: int
    """When it was saved, epoch ms by the store's clock."""


class Objects:
    """`file:///folder`, `memory://` (for this object only), or a bucket's URL.

    Methods block and belong into a thread; `get_async` is for the event loop. All raise `StoreError` if the
    store refuses or cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._folder: Path | None = None
        with self._told("cannot open it"):
            self._store = self._open()

    def put(self, path: str, data: bytes) -> None:
        """Save whole or not at all, on disk when this returns."""
        with self._told(f"cannot save {path}"):
            if self._folder is not None:
                write_whole(self._folder, path, data)
            else:
                obstore.put(self._store, path, data, use_multipart=False)

    def create(self, path: str, data: bytes) -> bool:
        """As `put`, but only where nothing is; false if something is. Of several at once one succeeds."""
        try:
            with self._told(f"cannot create {path}"):
                if self._folder is not None:
                    write_whole(self._folder, path, data, fresh=True)
                else:
                    obstore.put(self._store, path, data, mode="create", use_multipart=False)
        except StoreError as error:
            if isinstance(error.__cause__, FileExistsError | AlreadyExistsError):
                return False
            raise
        return True

    def get(self, path: str) -> bytes:
        """What was saved at `path`. Raises `ObjectMissing` if there is nothing."""
        with self._told(f"cannot load {path}"), self._missing(path):
            return bytes(obstore.get(self._store, path).bytes())

    async def get_async(self, path: str) -> bytes:
        """As `get`, without blocking the event loop."""
        with self._told(f"cannot load {path}"), self._missing(path):
            result = await obstore.get_async(self._store, path)
            return bytes(await result.bytes_async())

    def get_start(self, path: str, length: int) -> bytes:
        """The first `length` bytes, or all if it has fewer. Raises `ObjectMissing` if there is nothing."""
        with self._told(f"cannot load {path}"), self._missing(path):
            return bytes(obstore.get_range(self._store, path, start=0, length=length))

    def list(self, prefix: str) -> list[Entry]:
        """Everything below a folder, in no order."""
        with self._told(f"cannot list {prefix}"):
            return [
                Entry(entry["path"], entry["size"], int(entry["last_modified"].timestamp() * 1000))
                for page in obstore.list(self._store, prefix)
                for entry in page
            ]

    def delete(self, path: str) -> None:
        """Delete; what is not there is deleted already."""
        with self._told(f"cannot delete {path}"), suppress(FileNotFoundError):
            obstore.delete(self._store, path)

    def put_aside(self, path: str, aside: str, reason: str) -> None:
        """Move to `aside`, the reason in a text beside it. What another worker has moved is no error."""
        with self._told(f"cannot quarantine {path}"), suppress(FileNotFoundError):
            obstore.rename(self._store, path, aside)
            obstore.put(self._store, f"{aside}.reason.txt", reason.encode())

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
                f"store {self.url}: {what}: {cause}; check store.url (file:///folder, "
                "s3://bucket/prefix, gs://…, az://…), that it can be reached, and permissions or credentials"
            ) from error

    @contextmanager
    def _missing(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissing(f"store {self.url} has no {path}: it was deleted") from error


def encoded(name: str) -> str:
    """A name as one part of a path, so that it cannot leave its folder; dots too: `.` and `..` are folders.

    >>> encoded("BTC/USDT.P")
    'BTC%2FUSDT%2EP'
    """
    return quote(name, safe="").replace(".", "%2E")


def folders(name: str) -> str:
    """A name of any length as a path: what is too long for one folder goes on in a folder below."""
    whole = encoded(name)
    return "/".join(whole[start : start + _LONGEST_PART] for start in range(0, len(whole), _LONGEST_PART))
