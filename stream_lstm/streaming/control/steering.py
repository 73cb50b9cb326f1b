"""What commands change: said as facts, in the log, and only then taking effect and answered."""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import Command
from stream_lstm.errors import CommandRefused, PartitionLost
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.series import Series
from stream_lstm.kafka.records import Record, TopicPartition
from stream_lstm.streaming.changes import DELETED, PAUSED, RESUMED, RETRAIN, Change
from stream_lstm.streaming.control.desk import Pending
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.facts import Fact
from stream_lstm.training.trainer import Trainer

log = logging.getLogger(__name__)

_KINDS: Final = {"retrain": RETRAIN, "pause": PAUSED, "resume": RESUMED}


class _Wish(NamedTuple):
    """A change of a series that a command asks for."""

    one: Pending
    series: Series
    kind: str


@dataclass(slots=True, kw_only=True)
class Steering:
    """Collects wishes, and lets them come true together: one publication however many."""

    engine: Engine
    trainer: Trainer
    roles: Roles
    outbox: Outbox
    executed: dict[tuple[str, SeriesKey], float] = field(default_factory=dict)
    """Commands, by id and series, whose facts were in the log when a partition was restored; and when it was,
    `time.monotonic`."""
    _wishes: defaultdict[TopicPartition, list[_Wish]] = field(
        default_factory=lambda: defaultdict(list), init=False
    )

    def steer(self, one: Pending, command: Command, series: Series) -> None:
        """`retrain`, `pause` or `resume`: wished for, or answered where it holds already.

        Raises `CommandRefused`.
        """
        kind = _KINDS[command.command]
        if kind == RETRAIN:
            self._check_trainable(series)
        holds = series.requested if kind == RETRAIN else series.paused == (kind == PAUSED)
        done = self.has_done(one, series)
        if done or holds:
            self._answer(one, series, kind, asked=done)
        else:
            self._wish(_Wish(one, series, kind))

    def delete(self, one: Pending, series: Series) -> None:
        """Wish a model away."""
        self._wish(_Wish(one, series, DELETED))

    def has_done(self, one: Pending, series: Series) -> bool:
        """Whether the effect of a command on a series was in the log when it was restored."""
        return (one.key, series.key) in self.executed

    def forget(self, before: float) -> None:
        """Forget what was executed by a restoration before that: no command that old waits any more."""
        self.executed = {one: at for one, at in self.executed.items() if at >= before}

    async def come_true(self) -> Collection[TopicPartition]:
        """Say the facts and let them hold; the partitions that were lost, where nothing of it holds."""
        wishes = {place: [*some] for place, some in self._wishes.items()}
        self._wishes.clear()
        if not wishes:
            return ()
        partitions = self.roles.partitions
        said = {
            place: ([self._fact(wish, place) for wish in some], partitions[place].next_offset)
            for place, some in wishes.items()
        }
        lost: Collection[TopicPartition] = ()
        try:
            await self.outbox.publisher.publish_all(said)
        except PartitionLost as error:
            log.error("restoring: %s", error)
            lost = error.partitions
        for place in wishes.keys() - lost:
            for one, series, kind in wishes[place]:
                request = partitions[place].change(Change(partitions[place].position, series.key, kind))
                if request is not None:
                    self.trainer.submit(request)
                if kind != DELETED:  # a deletion is answered when the files are gone too
                    self._answer(one, series, kind, asked=True)
        return lost

    def _wish(self, wish: _Wish) -> None:
        place = self.roles.place(wish.series)
        if not self.roles.partitions[place].waiting:  # else once the model that it waits for is there
            self._wishes[place].append(wish)

    def _check_trainable(self, series: Series) -> None:
        config = self.engine.config
        needed = max(config.warm_up, 20 * series.steps[0]) if series.steps else 0
        if series.paused:
            raise CommandRefused("RETRAIN_FAILED", f"{series.name} is paused: resume it first")
        if config.model == "hybrid" or not series.steps:
            raise CommandRefused("RETRAIN_FAILED", f"{series.name} is answered without a model: see `model`")
        if series.count < needed:
            told = (
                f"Insufficient data for model training of {series.name}: {series.count} of {needed} candles"
            )
            raise CommandRefused("RETRAIN_FAILED", told)

    def _answer(self, one: Pending, series: Series, kind: str, *, asked: bool) -> None:
        data = series.key._asdict()
        if kind == RETRAIN:
            data |= {"queued": asked, "place": self.trainer.state(series.key).place or 0}
        else:
            data |= {"paused": kind == PAUSED}
        self.outbox.reply(one, data)

    def _fact(self, wish: _Wish, place: TopicPartition) -> Record:
        at, series = self.roles.partitions[place].position, wish.series
        assert series.last is not None
        body: dict[str, Any] = {"commandId": wish.one.key}
        if wish.kind == DELETED and series.model is not None:
            body["modelId"] = series.model.model_id
        fact = Fact(
            kind=wish.kind,
            series=series.key,
            topic=place[0],
            partition=place[1],
            offset=at.offset,
            candles=at.candles,
            body=body,
        )
        return self.outbox.encoder.fact(fact, series.last.close_ms)
