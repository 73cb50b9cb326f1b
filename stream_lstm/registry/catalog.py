"""What the models of a store say of themselves, read from their headers once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from stream_lstm.errors import ModelError
from stream_lstm.models.files import Incomplete, description_of
from stream_lstm.registry.models import ModelStore, StoredModel

_START: Final = 4_096
"""Bytes that hold most headers."""
_AT_ONCE: Final = 16


class Listed(NamedTuple):
    """A model file and what its header says."""

    stored: StoredModel
    told: dict[str, Any]

    @property
    def trained_at(self) -> int:
        """Close of the last candle that it was trained on, epoch ms."""
        return int(self.told["trainedAt"])


class Catalog:
    """The models of one store. Methods block and belong into a thread; they raise `StoreError`.

    A file never changes, so what was read once is remembered for as long as the file is there.
    """

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self._known: dict[str, dict[str, Any] | None] = {}

    def models(self, series: str | None = None) -> list[Listed]:
        """All models that can be read, or those of one series; per series the last trained first."""
        found = self.store.models(series)
        unknown = [model.path for model in found if model.path not in self._known]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._known |= zip(unknown, pool.map(self._read, unknown), strict=True)
        if series is None:
            self._known = {model.path: self._known[model.path] for model in found}
        listed = [Listed(model, told) for model in found if (told := self._known.get(model.path)) is not None]
        return sorted(listed, key=lambda one: (one.stored.series, -one.trained_at, one.stored.path))

    def newest(self, series: str | None = None) -> list[Listed]:
        """The last trained model of each series."""
        return [*{one.stored.series: one for one in reversed(self.models(series))}.values()][::-1]

    def _read(self, path: str) -> dict[str, Any] | None:
        """None for one that is gone meanwhile, or is none."""
        try:
            try:
                return description_of(self.store.load_start(path, _START))
            except Incomplete as more:
                return description_of(self.store.load_start(path, more.length))
        except ModelError:
            return None
