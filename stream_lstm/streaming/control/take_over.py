"""`resume` with `takeOver`: a series goes on in the partition that was refused it, and nowhere else."""

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.registry.claims import Claims
from stream_lstm.streaming.control.desk import Pending
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.ends import abandonable

_LOOK_SECONDS: Final = 1.0


@dataclass(slots=True, kw_only=True)
class TakeOver:
    """Moves the claim where the series is refused; lets the series go where it was."""

    claims: Claims
    roles: Roles
    outbox: Outbox
    moved: set[TopicPartition] = field(default_factory=set)
    """Partitions that must be restored, with one series more or less."""
    _watched: set[str] = field(default_factory=set, init=False)

    def begin(self, one: Pending, key: SeriesKey) -> bool:
        """Do this worker's part; false if the series is refused in none of its partitions."""
        partitions = self.roles.partitions
        place = next((place for place in self.roles.own() if key in partitions[place].refused), None)
        if one.key not in self._watched and self.roles.series(key) is not None:
            self._watched.add(one.key)
            self.outbox.beside(self._watch(one, key), f"claim of {key}")
        if place is not None:
            self.outbox.answer_beside(one, self._move(one, key, place))
        return place is not None

    async def _move(self, one: Pending, key: SeriesKey, place: TopicPartition) -> None:
        await abandonable(partial(self.claims.take_over, str(key), place))
        self._restore(place)
        self.outbox.reply(one, key._asdict() | {"paused": False})

    async def _watch(self, one: Pending, key: SeriesKey) -> None:
        try:
            await self._let_go(one, key)
        finally:
            self._watched.discard(one.key)

    async def _let_go(self, one: Pending, key: SeriesKey) -> None:
        """Wait until another partition has taken it over."""
        while int(time.time() * 1000) < one.expires_ms:
            await asyncio.sleep(_LOOK_SECONDS)
            series = self.roles.series(key)
            if series is None:
                return
            place = self.roles.place(series)
            if await abandonable(partial(self.claims.owner, str(key))) != place:
                self._restore(place)
                return

    def _restore(self, place: TopicPartition) -> None:
        self.moved.add(place)
        self.roles.group.wake()
