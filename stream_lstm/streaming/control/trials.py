"""Experiments by command: on a series that is named, or on a share of all, each worker on its own.

Where no series is named every worker does its part and says so in `model-events`: a fact for each series on
which it starts or stops, and `experiments.told` for what it has. The leader answers with what it has heard,
when for a while nothing more has come.
"""

import asyncio
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import Command
from stream_lstm.contracts.reply import PAGE
from stream_lstm.errors import CommandRefused
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.trial import ALPHA, MAX_OUTCOMES, Plan
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.models.registry import MODEL_TYPES
from stream_lstm.streaming.changes import STARTED, STOPPED
from stream_lstm.streaming.control.desk import Pending
from stream_lstm.streaming.control.directory import canonical
from stream_lstm.streaming.control.inbox import TOLD, Heard
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.control.steering import Steering

Data = dict[str, Any]

_LOOK_SECONDS: Final = 0.2
_DONE: Final = {"start-experiment": STARTED, "stop-experiment": STOPPED, "list-experiments": TOLD}
"""What workers say when they have done their part of a command."""


@dataclass(slots=True, kw_only=True)
class Trials:
    """What one worker does about commands on experiments."""

    engine: Engine
    roles: Roles
    steering: Steering
    outbox: Outbox
    grace_s: float
    _done: dict[str, set[TopicPartition]] = field(default_factory=dict, init=False)
    _heard: defaultdict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list), init=False)
    _unknown: set[str] = field(default_factory=set, init=False)
    """Commands that were heard of and were not known when it was last looked."""

    def hear(self, heard: Iterable[Heard]) -> None:
        """Note what workers have done, this one among them."""
        for one in heard:
            self._heard[one.command_id].append(one)

    def forget(self, places: Iterable[TopicPartition], known: Iterable[str]) -> None:
        """Partitions that are not ours any more, and commands that are not among the `known`."""
        leaving, kept = set(places), set(known)
        self._done = {key: done - leaving for key, done in self._done.items() if key in kept}
        unknown = self._heard.keys() - kept
        for key in unknown & self._unknown:  # not at once: others may have read a command before us
            del self._heard[key]
        self._unknown = unknown

    # -- one series ----------------------------------------------------------------------------------

    def steer(self, one: Pending, command: Command, series: Series) -> None:
        """Start or stop an experiment on a series that this worker owns. Raises `CommandRefused`."""
        if command.command == "start-experiment":
            if not self._has_started(one, series):
                if (why := self._why_not(command, series)) is not None:
                    raise CommandRefused("INVALID_REQUEST", why)
                self.steering.wish(
                    one, series, STARTED, self._plan(one, command, series).told(), answers=True
                )
                return
        elif not self.steering.has_done(one, series):
            if (report := self.engine.experiments.report(series)) is None:
                raise CommandRefused("INVALID_REQUEST", f"no experiment runs on {series.name}")
            self.steering.wish(one, series, STOPPED, report | {"outcome": "stopped"}, answers=True)
            return
        self.steering.answer_experiment(one, series)

    def _why_not(self, command: Command, series: Series) -> str | None:
        """Why an experiment cannot be started on a series; None if it can."""
        if (why := _unknown(command)) is not None:
            return why
        if _challenger(command) == series.model_type:
            return f"{series.name} is answered by {series.model_type} already: name another challenger"
        if not series.steps:
            return f"{series.name} has no horizon: see the setting `horizons`"
        if (trial := self.engine.experiments.of(series)) is not None:
            return f"experiment {trial.plan.id} runs on {series.name}: stop it first"
        return None

    def _has_started(self, one: Pending, series: Series) -> bool:
        """Whether the fact of a command is in the log already."""
        running, ended = self.engine.experiments.of(series), self.engine.experiments.last_ended(series)
        known = {running.plan.id if running is not None else "", (ended or {}).get("experimentId", "")}
        return experiment_id(one.key) in known or self.steering.has_done(one, series)

    def _plan(self, one: Pending, command: Command, series: Series) -> Plan:
        return Plan(
            experiment_id(one.key),
            _challenger(command),
            ALPHA if command.alpha is None else command.alpha,
            command.max_candles or MAX_OUTCOMES * series.steps[0],
            None if command.symbol is not None else _share(command),
        )

    # -- as many as there are ------------------------------------------------------------------------

    def take_part(self, one: Pending) -> None:
        """Do what a command asks for our own series, once per partition: also of those that come later."""
        command, done = _asked(one), self._done.setdefault(one.key, set())
        for place in self.roles.own():
            if place in done:
                continue
            own = [series for series in self.engine.all_series() if series.partition == place]
            meant = [series for series in own if _is_meant(command, series.key)]
            if command.command == "list-experiments":
                left = self._tell(one, meant)
            elif command.command == "start-experiment":
                left = self._start(one, command, meant)
            else:
                left = self._stop(one, command, meant)
            if not left:
                done.add(place)

    def _start(self, one: Pending, command: Command, series: list[Series]) -> bool:
        """Whether some are left that are wished for."""
        id = experiment_id(one.key)
        chosen = [
            each
            for each in series
            if is_chosen(id, each.key, _share(command))
            and not self._has_started(one, each)
            and self._why_not(command, each) is None
        ]
        for each in chosen:
            self.steering.wish(one, each, STARTED, self._plan(one, command, each).told())
        return bool(chosen)

    def _stop(self, one: Pending, command: Command, series: list[Series]) -> bool:
        chosen = []
        for each in series:
            report = self.engine.experiments.report(each)
            if report is not None and report["experimentId"] == command.experiment_id:
                chosen.append(each)
                self.steering.wish(one, each, STOPPED, report | {"outcome": "stopped"})
        return bool(chosen)

    def _tell(self, one: Pending, series: list[Series]) -> bool:
        rows = [row for each in series for row in rows_of(self.engine, each)]
        for first in range(0, len(rows), PAGE):
            told = {"commandId": one.key, "experiments": rows[first : first + PAGE]}
            self.outbox.event(TOLD, told, f"{one.key}/{rows[first]['symbol']}")
        return False

    async def lead(self, one: Pending) -> None:
        """Answer when the workers have done their part. Raises `CommandRefused`."""
        command, count, newest = _asked(one), 0, one.seen
        if command.command == "start-experiment" and (why := _unknown(command)) is not None:
            raise CommandRefused("INVALID_REQUEST", why)
        while time.monotonic() - newest < self.grace_s:
            await asyncio.sleep(_LOOK_SECONDS)
            if len(self._heard[one.key]) > count:
                count, newest = len(self._heard[one.key]), time.monotonic()
        heard = [each for each in self._heard[one.key] if each.kind == _DONE[command.command]]
        if command.command == "list-experiments":
            self.outbox.reply(one, _listed(heard))
        elif heard:
            self.outbox.reply(one, _series_of(heard))
        else:
            raise CommandRefused("INVALID_REQUEST", _nothing(command))


def experiment_id(command_id: str) -> str:
    """The same for every repeat of a command: 8 hexadecimal digits."""
    return sha256(command_id.encode()).hexdigest()[:8]


def is_chosen(id: str, series: SeriesKey, share: float) -> bool:
    """Whether a series belongs to the share that an experiment is made on: always the same ones.

    >>> names = [SeriesKey("binance", f"S{at}", "1h") for at in range(1_000)]
    >>> sum(is_chosen("c81f02d4", name, 0.1) for name in names)
    100
    """
    return zlib.crc32(f"{id}:{series}".encode()) < share * 2**32


def rows_of(engine: Engine, series: Series) -> list[Data]:
    """The experiment that runs on a series, and the last that has ended."""
    running, ended = engine.experiments.report(series), engine.experiments.last_ended(series)
    told = [] if running is None else [running | {"outcome": "running"}]
    told += [] if ended is None else [{"outcome": "stopped"} | ended]
    return [series.key._asdict() | one for one in told]


def _listed(heard: list[Heard]) -> Data:
    rows = {
        (row["symbol"], row["exchange"], row["interval"], row["experimentId"]): row
        for one in heard
        for row in one.data["experiments"]
    }
    ordered = sorted(rows.items(), key=lambda pair: (pair[1]["outcome"] != "running", pair[0]))
    return {"experiments": [row for _, row in ordered], "count": len(rows)}


def _series_of(heard: list[Heard]) -> Data:
    series = sorted({one.series for one in heard if one.series is not None})
    data = heard[0].data
    return {
        "experimentId": data["experimentId"],
        "challenger": data["challenger"],
        "series": [key._asdict() for key in series],
        "count": len(series),
    }


def _nothing(command: Command) -> str:
    if command.command == "stop-experiment":
        return f"no experiment {command.experiment_id} runs"
    return (
        f"no series to try {command.challenger} on: in a share of {_share(command):g} none is live that has "
        "a horizon, another model type and no experiment; try a larger share"
    )


def _asked(one: Pending) -> Command:
    assert isinstance(one.command, Command)
    return one.command


def _challenger(command: Command) -> str:
    assert command.challenger is not None
    return command.challenger.lower()


def _share(command: Command) -> float:
    return 1.0 if command.share is None else command.share


def _unknown(command: Command) -> str | None:
    if _challenger(command) in MODEL_TYPES:
        return None
    return f"there is no model type {command.challenger!r}: name one of {', '.join(MODEL_TYPES)}"


def _is_meant(command: Command, series: SeriesKey) -> bool:
    exchange = command.exchange.lower() if command.exchange is not None else series.exchange
    interval = canonical(command.interval) if command.interval is not None else series.interval
    return (exchange, command.symbol or series.symbol, interval) == series
