"""Which partition a series belongs to: the first that had candles of it, until somebody moves it.

Layout: `claims/<group>/series/<series>`, and a note under `moved/` for every series that was taken over.
"""

from typing import Final
from urllib.parse import unquote

import orjson

from stream_lstm.errors import StoreError
from stream_lstm.registry.objects import Objects, encoded, folders

_FOLDER: Final = "claims"

Place = tuple[str, int]
"""A topic and its partition."""


class Claims:
    """The claims of one consumer group. Methods block and belong into a thread; all raise `StoreError`.

    >>> claims = Claims(Objects("memory://"), "g")
    >>> claims.claim("binance:BTC:1h", ("candles", 2)), claims.claim("binance:BTC:1h", ("candles", 5))
    (('candles', 2), ('candles', 2))
    """

    def __init__(self, objects: Objects, group: str) -> None:
        self._objects = objects
        self._root = f"{_FOLDER}/{encoded(group)}"

    def claim(self, series: str, place: Place) -> Place:
        """Claim a series for a partition; gives the partition that has it, this one if nobody had it."""
        path = self._path("series", series)
        if self._objects.create(path, _written(place)):
            return place
        return self.owner(series)

    def owner(self, series: str) -> Place:
        """The partition that has a series. Raises `ObjectMissing` if none has."""
        path = self._path("series", series)
        try:
            told = orjson.loads(self._objects.get(path))
            return str(told["topic"]), int(told["partition"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"store {self._objects.url}: {path} is no claim ({error!r}); delete it"
            ) from error

    def take_over(self, series: str, place: Place) -> None:
        """Give a series to a partition, whoever had it."""
        self._objects.put(self._path("moved", series), _written(place))
        self._objects.put(self._path("series", series), _written(place))

    def moved(self) -> dict[str, Place]:
        """Where the series are that were ever taken over."""
        return {series: self.owner(series) for series in self._names("moved")}

    def directory(self) -> list[str]:
        """Every series that any partition has."""
        return self._names("series")

    def _names(self, kind: str) -> list[str]:
        folder = f"{self._root}/{kind}/"
        entries = self._objects.list(folder.removesuffix("/"))
        return sorted(unquote(entry.path.removeprefix(folder).replace("/", "")) for entry in entries)

    def _path(self, kind: str, series: str) -> str:
        return f"{self._root}/{kind}/{folders(series)}"


def _written(place: Place) -> bytes:
    return orjson.dumps({"topic": place[0], "partition": place[1]})
