"""Models that are to go: out of the memory of whoever has them, then out of the store, then out of sight.

A worker says a fact for each series of its own, saves the partition as it is without the models, and only
then deletes the files: a replay before that still finds them. What belongs to no worker the leader deletes.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import Command
from stream_lstm.errors import StoreError
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.series import Series
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.registry.catalog import Catalog, Listed
from stream_lstm.streaming.checkpointing import Checkpointer
from stream_lstm.streaming.control.desk import Pending
from stream_lstm.streaming.control.directory import canonical
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.control.steering import Steering
from stream_lstm.streaming.ends import abandonable

log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
_OLDEST_DAYS: Final = 30.0
_SAVE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2
_PATIENCE: Final = 10.0
"""How much longer than for a series that nobody has the leader waits for an owner, in graces."""


@dataclass(slots=True, kw_only=True)
class Deletions:
    """What one worker does about `delete-model` and `cleanup-models`."""

    engine: Engine
    catalog: Catalog
    checkpointer: Checkpointer
    roles: Roles
    steering: Steering
    outbox: Outbox
    grace_s: float
    _done: dict[str, set[TopicPartition]] = field(default_factory=dict, init=False)
    _gone: set[tuple[str, TopicPartition]] = field(default_factory=set, init=False)
    """Commands and partitions in which they have cost a model."""

    def let_go(self, one: Pending) -> None:
        """Wish the models of our own series away that a command names, and delete the files when they are.

        Once per partition: also of those that come to this worker later.
        """
        done = self._done.setdefault(one.key, set())
        for place in self.roles.own():
            if place in done:
                continue
            series = self._series(one, place)
            for each in series:
                self.steering.delete(one, each)
            if series:
                self._gone.add((one.key, place))
            else:
                done.add(place)
                self.outbox.beside(self._clear(one, place), f"delete {one.key}")

    def forget(self, places: Iterable[TopicPartition], known: Iterable[str]) -> None:
        """Partitions that are not ours any more, and commands that are not among the `known`."""
        leaving, kept = set(places), set(known)
        self._done = {key: done - leaving for key, done in self._done.items() if key in kept}
        self._gone = {(key, place) for key, place in self._gone if place not in leaving and key in kept}

    def _series(self, one: Pending, place: TopicPartition) -> list[Series]:
        """The series of a partition whose model is to go."""
        command = _asked(one)
        return [
            series
            for series in self.engine.all_series()
            if series.partition == place
            and series.model is not None
            and not self.steering.has_done(one, series)
            and _is_meant(command, series.key, series.model.model_type, series.model.metadata.trained_at)
        ]

    async def _clear(self, one: Pending, place: TopicPartition) -> None:
        """Save a partition that has lost models without them, and delete the files of its series."""
        own = {
            series.name: series.deleted_ms for series in self.engine.all_series() if series.partition == place
        }
        if (one.key, place) in self._gone:
            await self.checkpointer.save_soon(place, _SAVE_SECONDS)
        try:
            await abandonable(partial(self._delete, one, own))
        except StoreError as error:
            log.warning("models of %s-%d stay in the store for now: %s", *place, error)

    async def lead(self, one: Pending, claimed: Iterable[str]) -> dict[str, Any]:
        """Wait until the owners have deleted their own, delete the rest; the `data` of the reply.

        `claimed` are the series that partitions have. Raises `StoreError`.
        """
        command, owned = _asked(one), set(claimed)
        files = await abandonable(partial(self._meant, one))
        left = {listed.stored.path: listed.stored.series for listed in files}
        patience = self.grace_s
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            there = {stored.path for stored in await abandonable(self.catalog.store.models)}
            left = {path: series for path, series in left.items() if path in there}
            waited = time.monotonic() - one.seen
            if any(series in owned for series in left.values()):
                patience = _PATIENCE * self.grace_s
            if waited >= self.grace_s and (not left or waited >= patience):
                break
        for path in left:
            await abandonable(partial(self.catalog.store.delete, path))
        return _told(command, files)

    def _meant(self, one: Pending) -> list[Listed]:
        """The files that were there when the command was given: what was trained since stays."""
        return [
            listed
            for listed in self.catalog.models()
            if listed.stored.saved_ms <= one.at_ms
            and _is_meant(
                _asked(one),
                SeriesKey.parse(listed.stored.series),
                str(listed.told["modelType"]),
                listed.trained_at,
            )
        ]

    def _delete(self, one: Pending, own: Mapping[str, int | None]) -> None:
        """`own` are the series of a partition, and the close of the last candle of the model each lost."""
        for listed in self._meant(one):
            name = listed.stored.series
            # By the candle too: the clocks of the store and of whoever gave the command may be apart.
            if name in own and ((lost_ms := own[name]) is None or listed.trained_at <= lost_ms):
                self.catalog.store.delete(listed.stored.path)


def _asked(one: Pending) -> Command:
    assert isinstance(one.command, Command)
    return one.command


def _is_meant(command: Command, series: SeriesKey, model_type: str, trained_at: int) -> bool:
    """Whether a model is among those that a command names: by its series, its type and its age."""
    exchange = command.exchange.lower() if command.exchange is not None else series.exchange
    interval = canonical(command.interval) if command.interval is not None else series.interval
    if (exchange, command.symbol or series.symbol, interval) != series:
        return False
    if command.model_type is not None and command.model_type.lower() != model_type:
        return False
    if command.command == "delete-model":
        return True
    days = command.max_age_days if command.max_age_days is not None else _OLDEST_DAYS
    return command.issued_at - trained_at > days * _DAY_MS


def _told(command: Command, files: list[Listed]) -> dict[str, Any]:
    gone = [
        SeriesKey.parse(listed.stored.series)._asdict()
        | {"modelId": listed.stored.model_id, "trainedAt": listed.trained_at}
        for listed in files
    ]
    if command.command == "delete-model":
        return {
            "message": f"Model for {command.symbol} deleted",
            "symbol": command.symbol,
            "maxAgeDays": None,
            "deletedCount": len(gone),
            "deleted": gone,
        }
    days = command.max_age_days if command.max_age_days is not None else _OLDEST_DAYS
    return {
        "message": f"Deleted {len(gone)} old models",
        "symbol": None,
        "maxAgeDays": days,
        "deletedCount": len(gone),
        "deleted": gone,
    }
