"""Claims of a worker's partitions to their series, asked beside the loop until the store answers."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import StoreError
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.registry.claims import Claims
from stream_lstm.streaming.ends import abandonable
from stream_lstm.streaming.partition import Partition

log = logging.getLogger(__name__)

_AT_ONCE: Final = 64
"""Claims that a thread makes one after the other."""
_BACK_OFF: Final = (0.5, 10.0)  # seconds: first and longest wait while the store refuses


Tell = Callable[[str, dict[str, Any], SeriesKey | None, str], None]
"""Says an event: type, data, the series that it is about, or else what."""
Asked = tuple[TopicPartition, SeriesKey]


class Claiming:
    """Claims series in the order of the calls, and tells the partitions what came of it.

    `on_answer` is called when there is something for `take`.
    """

    def __init__(
        self,
        claims: Claims,
        partitions: Mapping[TopicPartition, Partition],
        *,
        tell: Tell,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self.claims = claims
        self._partitions = partitions
        self._tell = tell
        self._on_answer = on_answer
        self._asked: list[Asked] = []
        self._answered: list[tuple[Asked, TopicPartition]] = []
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._ask_for_ever(), name="claims")

    async def stop(self) -> None:
        """Ask no more; whoever has the partition next asks again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Claims that are not answered, or whose answer is not taken."""
        return len(self._asked) + len(self._answered)

    def ask(self, place: TopicPartition, series: Iterable[SeriesKey]) -> None:
        """Claim series for a partition."""
        self._asked += [(place, one) for one in series]
        if self._asked:
            self._came.set()

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Partitions that are not ours any more, or begin anew."""
        leaving = set(places)
        self._asked = [one for one in self._asked if one[0] not in leaving]
        self._answered = [one for one in self._answered if one[0][0] not in leaving]

    def take(self) -> list[TopicPartition]:
        """Tell the partitions whose the series are; those that must be restored to have all their candles."""
        answered, self._answered = self._answered, []
        behind = []
        for (place, series), owner in answered:
            partition = self._partitions.get(place)
            if partition is None:
                continue
            if not partition.claimed(series, owner):
                behind.append(place)
            if owner != place:
                self._refused(place, series, owner)
        return behind

    def _refused(self, place: TopicPartition, series: SeriesKey, owner: TopicPartition) -> None:
        log.error(
            "%s-%d has candles of %s, which belongs to %s-%d: they are not used; key the candles by symbol, "
            "or let the series move with `stream-lstm resume --take-over`",
            *(*place, series, *owner),
        )
        data = {
            "topic": place[0],
            "partition": place[1],
            "ownerTopic": owner[0],
            "ownerPartition": owner[1],
        }
        self._tell("series.split", data, series, f"{series}:{place[0]}-{place[1]}")

    async def _ask_for_ever(self) -> None:
        wait = _BACK_OFF[0]
        while True:
            await self._came.wait()
            asked = self._asked[:_AT_ONCE]
            try:
                owners = await abandonable(partial(self._claim, asked))
            except StoreError as error:
                log.warning("%d series wait for their claims, again in %.1f s: %s", len(asked), wait, error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _BACK_OFF[1])
                continue
            wait = _BACK_OFF[0]
            done, still = set(asked), set(self._asked)  # without those of partitions that have left meanwhile
            self._answered += [one for one in zip(asked, owners, strict=True) if one[0] in still]
            self._asked = [one for one in self._asked if one not in done]
            if not self._asked:
                self._came.clear()
            self._on_answer()

    def _claim(self, asked: list[Asked]) -> list[TopicPartition]:
        return [self.claims.claim(str(series), place) for place, series in asked]
