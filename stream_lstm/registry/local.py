"""Files that are there whole, and still there after a power cut, or not at all.

`obstore` renames into place but forces nothing to disk, so that after a power cut a name may stand for an
empty file. An object store promises more; for a folder we keep the promise ourselves.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(root: Path, name: str, data: bytes, *, fresh: bool = False) -> None:
    """Write `root/name`: data to disk, then the name, then the folders up to `root`.

    Raises `OSError`; `FileExistsError` if it is to be `fresh` and is there already.
    """
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        if fresh:
            os.link(temporary, target)  # unlike a rename it fails where there is something
        else:
            os.replace(temporary, target)
    finally:  # whatever ends the write, nothing else of it stays
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    folder = target.parent
    _sync(folder)
    while folder != root:
        folder = folder.parent
        _sync(folder)


def _sync(folder: Path) -> None:
    """Force a folder's entries to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
