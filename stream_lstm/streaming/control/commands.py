"""Every command gets an answer: from the owner of its series, else from one leader.

A command waits until the replies that were there before are read, so that nothing is done twice; it is
forgotten when a reply is in the log, whoever has written it.
"""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import DELETES, Command, Unreadable
from stream_lstm.errors import CommandRefused
from stream_lstm.forecasting.series import Series
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.registry.catalog import Catalog
from stream_lstm.streaming.control import listing
from stream_lstm.streaming.control.answers import Answers
from stream_lstm.streaming.control.deletions import Deletions
from stream_lstm.streaming.control.desk import REMEMBERED, Desk, Pending
from stream_lstm.streaming.control.directory import Directory
from stream_lstm.streaming.control.inbox import Inbox
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.control.steering import Steering
from stream_lstm.streaming.control.take_over import TakeOver
from stream_lstm.streaming.ends import abandonable

_LAST_WORD_MS: Final = 2_000
"""How long before a command expires the leader says that its owner does not answer."""
_FORGET_SECONDS: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Commands:
    """The worker's part of the control topic. The loop calls `take` when the engine has nothing half done."""

    inbox: Inbox
    desk: Desk
    directory: Directory
    roles: Roles
    outbox: Outbox
    answers: Answers
    steering: Steering
    deletions: Deletions
    take_over: TakeOver
    catalog: Catalog
    grace_s: float
    _forgotten_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Begin to read."""
        self.inbox.start()

    async def stop(self) -> None:
        """Answer no more."""
        await asyncio.gather(self.outbox.stop(), self.inbox.stop(), self.directory.stop())

    @property
    def waiting(self) -> int:
        """Commands that are not answered as far as is known, and records about them."""
        return len(self.desk.pending) + self.inbox.waiting

    async def take(self) -> Collection[TopicPartition]:
        """Answer what can be answered now; the partitions that must be restored."""
        now, now_ms = time.monotonic(), int(time.time() * 1000)
        arrived, replied = self.inbox.take()
        for one in arrived:
            self.desk.arrive(one, now, now_ms)
        for reply in replied:
            self.desk.reply(reply, now_ms)
        self.roles.look()
        for pending in [*self.desk.pending.values()]:
            self._look(pending, now, now_ms)
        lost = {*await self.steering.come_true(), *self.take_over.moved}
        self.take_over.moved.clear()
        if now - self._forgotten_at > _FORGET_SECONDS:
            self._forgotten_at = now
            self.desk.forget(now_ms)
            self.deletions.forget((), self.desk.pending)
            self.steering.forget(now - (REMEMBERED + 1) * self.desk.ttl_ms / 1000)
        return lost

    def restored(self, executed: Iterable[tuple[str, SeriesKey]]) -> None:
        """Note the commands whose facts a partition was restored with, by id and series."""
        self.steering.executed.update(dict.fromkeys(executed, time.monotonic()))

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Partitions that are not ours any more, or begin anew."""
        places = list(places)
        self.roles.forget(places)
        self.deletions.forget(places, self.desk.pending)

    def _look(self, one: Pending, now: float, now_ms: int) -> None:
        """Do what this worker has to do about a command."""
        command = one.command
        if isinstance(command, Command) and command.command in DELETES and now_ms <= one.expires_ms:
            self.deletions.let_go(one)
        if one.works:
            return
        if isinstance(command, Unreadable):
            if self.roles.leads():
                code = "UNKNOWN_COMMAND" if command.is_unknown else "INVALID_REQUEST"
                self.outbox.refuse(one, CommandRefused(code, str(command)), rejected=True)
        elif now_ms > one.expires_ms:
            if self.roles.leads():
                self.outbox.refuse(one, _expired(command, now_ms), rejected=True)
        elif command.command in DELETES:
            if self.roles.leads():
                self.outbox.answer_beside(one, self._delete(one, command))
        elif command.command == "list-models":
            if self.roles.leads():
                self.outbox.answer_beside(one, self._list(one))
        else:
            self._look_at_series(one, command, now, now_ms)

    def _look_at_series(self, one: Pending, command: Command, now: float, now_ms: int) -> None:
        matches = self.directory.matches(command, one.seen)
        if matches is None:
            return
        if len(matches) > 1:
            if self.roles.leads():
                self.outbox.refuse(one, _ambiguous(command, matches), rejected=True)
            return
        if matches and command.take_over and self.take_over.begin(one, matches[0]):
            return
        series = self.roles.series(matches[0]) if matches else None
        if series is not None and not command.take_over:
            self._answer(one, command, series)
            return
        patience = one.seen + self.grace_s
        if now >= patience and self.roles.leads() and self.inbox.has_read(patience):
            self._answer_for_owner(one, command, matches, patience, now_ms)

    def _answer(self, one: Pending, command: Command, series: Series) -> None:
        """What the owner of a series answers."""
        try:
            if command.command == "predict":
                self.outbox.reply(one, self.answers.predict(command, series))
            elif command.command == "regime":
                self.outbox.reply(one, self.answers.regime(command, series))
            elif command.command == "describe":
                self.outbox.reply(one, self.answers.describe(series))
            elif command.command == "model-stats":
                self.outbox.answer_beside(one, self._stats(one, command, series.key))
            else:
                self.steering.steer(one, command, series)
        except CommandRefused as refused:
            self.outbox.refuse(one, refused)

    def _answer_for_owner(
        self, one: Pending, command: Command, matches: list[SeriesKey], patience: float, now_ms: int
    ) -> None:
        """What the leader answers about a series that nobody has answered for."""
        if command.command == "model-stats":
            self.outbox.answer_beside(one, self._stats(one, command, matches[0] if matches else None))
            return
        known = self.directory.knows(matches[0], patience) if matches else False
        if known is None:
            return
        if not known:
            self.outbox.refuse(one, _unknown(command))
        elif now_ms > one.expires_ms - _LAST_WORD_MS:
            told = f"no worker has {matches[0]} now: they are restarting, or too few; try again"
            if command.take_over:
                told = f"{matches[0]} is refused in no partition that is live now: there is nothing to move"
            self.outbox.refuse(one, CommandRefused("OWNER_UNAVAILABLE", told))

    # -- what takes time ---------------------------------------------------------------------------

    async def _list(self, one: Pending) -> None:
        rows = await abandonable(partial(listing.rows, self.catalog))
        self.outbox.reply(one, {"models": rows, "count": len(rows)})

    async def _stats(self, one: Pending, command: Command, key: SeriesKey | None) -> None:
        stored = await abandonable(partial(listing.row, self.catalog, key))
        if stored is None:
            raise CommandRefused("MODEL_NOT_FOUND", f"No model found for {command.symbol}")
        series = self.roles.series(key) if key is not None else None
        data = stored if series is None else self.answers.model_stats(series, stored)
        self.outbox.reply(one, data | {"age": int(time.time() * 1000) - stored["trainedAt"]})

    async def _delete(self, one: Pending, command: Command) -> None:
        claimed = await abandonable(self.directory.claims.directory)
        data = await self.deletions.lead(one, claimed)
        self.outbox.reply(one, data)
        if command.command == "cleanup-models":
            told = {name: data[name] for name in ("deletedCount", "maxAgeDays")} | {"commandId": one.key}
            self.outbox.event("models.cleaned_up", told, one.key)


def _expired(command: Command, now_ms: int) -> CommandRefused:
    age = (now_ms - command.issued_at) / 1000
    return CommandRefused(
        "COMMAND_EXPIRED",
        f"issued {age:.0f} s ago by its sender's clock, and not answered in time: send it again; if it was "
        "not that long ago, the clocks differ",
    )


def _ambiguous(command: Command, matches: list[SeriesKey]) -> CommandRefused:
    names = ", ".join(map(str, matches[:20])) + (" …" if len(matches) > 20 else "")
    return CommandRefused(
        "INVALID_REQUEST", f"{command.symbol} may be {names}: say which, with exchange and interval"
    )


def _unknown(command: Command) -> CommandRefused:
    if command.command == "predict":
        untrained = (command.model_type or "").lower() == "hybrid"
        code = "PREDICTION_FAILED" if untrained else "LSTM_PREDICTION_FAILED"
        return CommandRefused(code, f"No historical data found for {command.symbol}")
    told = f"no partition has candles of {command.symbol}"
    parts = [part for part in (command.exchange, command.interval) if part is not None]
    return CommandRefused("SERIES_NOT_FOUND", " ".join([told, *parts]))
