"""`stream-lstm verify`: workers under fire, and a process of its own that reads what came of it."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final
from uuid import uuid4

import orjson

from stream_lstm.candles import moments
from stream_lstm.candles.moments import Moment
from stream_lstm.errors import SettingsError, StreamLstmError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.group_offsets import committed
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.topics import FOR_EVER, TopicNames, specs
from stream_lstm.settings import load
from stream_lstm.streaming.ends import signals, told, unless, until, watching
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.replay import BEGINNING_MS
from stream_lstm.verification.fleet import Fleet
from stream_lstm.verification.plan import Action, Chaos, plan

_ANSWER_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 300.0
_JUDGE_SECONDS: Final = 1_800.0
_HISTORY: Final = 100
"""Candles per series that are in the topic before the chaos begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be put to the test."""

    chaos: Chaos
    seed: int
    partitions: int = 6
    series: int = 24
    candles: int = 400
    """Per series."""
    install: str = "barrier"
    bootstrap: str | None = None
    """An existing Kafka, instead of one that is started for this."""
    overrides: Sequence[str] = ()
    """Settings of the workers, `KEY=VALUE`."""

    def __post_init__(self) -> None:
        if self.bootstrap is not None and self.chaos.broker_kills:
            raise SettingsError("--broker-kills kills our own broker: leave --bootstrap out")
        if self.candles <= _HISTORY:
            raise SettingsError(f"--candles {self.candles}: write more than {_HISTORY}")


async def run(wanted: Wanted, step: Callable[[str], None]) -> dict[str, Any]:
    """Everything, from the broker to the judgement, for machines.

    `step` is told what is being done. Raises `Stopped` when told to stop, `StreamLstmError` with the folder
    of the logs if it does not come to an end. Leaves no process behind; the folder only if it fails.
    """
    folder = Path(mkdtemp(prefix="stream-lstm-verify-"))
    with signals() as stop:
        async with watching(told(stop)) as (stopped,):
            try:
                found = await unless(_verify(wanted, folder, step), stopped)
            except StreamLstmError as error:
                raise StreamLstmError(f"{error}\nThe logs are in {folder}") from error
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    if found["first"] is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        step(f"The logs are in {folder}")
    return found


async def _verify(wanted: Wanted, folder: Path, step: Callable[[str], None]) -> dict[str, Any]:
    step(f"seed {wanted.seed}")
    if wanted.bootstrap is not None:
        return await _Run(wanted, folder, step, wanted.bootstrap, None).run()
    async with EmbeddedKafka(folder / "kafka") as kafka:
        return await _Run(wanted, folder, step, kafka.bootstrap_servers, kafka).run()


class _Run:
    """One run, once Kafka runs."""

    def __init__(
        self,
        wanted: Wanted,
        folder: Path,
        step: Callable[[str], None],
        bootstrap: str,
        kafka: EmbeddedKafka | None,
    ) -> None:
        self.wanted, self.folder, self.step, self.kafka = wanted, folder, step, kafka
        self.prefix = f"verify-{uuid4().hex[:8]}."
        self.topic = f"{self.prefix}candles"
        self.settings = self._settings(bootstrap)
        options = [f"{name}={_text(value)}" for name, value in self.settings.items()]
        settings = load(None, options, os.environ)  # what is impossible is said here, not in a worker's log
        self.connection = KafkaConnection(bootstrap, "stream-lstm-verify", settings.kafka.security)
        self.trainers = 0

    async def run(self) -> dict[str, Any]:
        wanted, kept = self.wanted, {"candle_retention_ms": FOR_EVER, "output_retention_ms": FOR_EVER}
        names = TopicNames(self.prefix)
        made = specs(names, [self.topic], partitions=wanted.partitions, **kept)
        await topic_admin.create(self.connection, made, Deadline(_ANSWER_SECONDS))
        symbols = moments.symbols(wanted.series)
        market = moments.of_market(symbols, interval="1h", start_ms=BEGINNING_MS, seed=wanted.seed)
        candles = list(islice(market, wanted.candles))
        async with Feeder(self.connection, self.topic) as feeder, Fleet(self.settings, self.folder) as fleet:
            await feeder.pour(candles[:_HISTORY])
            for number in range(1, wanted.chaos.workers + 1):
                fleet.start(number)
            await self._storm(fleet, feeder, candles[_HISTORY:])
            await self._settled(fleet)
            await fleet.stop_all()
        self.step("Comparing what was said with what the engine alone says")
        found = await self._judged()
        return found | {
            "kills": wanted.chaos.kills,
            "trainerKills": self.trainers,
            "brokerKills": wanted.chaos.broker_kills,
            "seed": wanted.seed,
        }

    async def _storm(self, fleet: Fleet, feeder: Feeder, candles: list[Moment]) -> None:
        """Feed candles, and strike as soon as some are in the log: so there is work under every blow."""
        actions = plan(self.wanted.chaos, self.wanted.seed)
        seconds = max((action.at for action in actions), default=1.0)
        speed, sent, now = len(candles) / seconds, 0, 0.0
        for action in actions:
            due = int(action.at * speed)
            down = self.kafka is not None and self.kafka.pid is None
            if due > sent and not down:
                await feeder.play(candles[sent:due], speed)
                sent = due
            else:
                await asyncio.sleep(action.at - now)
            now = action.at
            fleet.check()
            self.step(f"{action.at:6.1f} s  {action.kind} {action.worker or ''}")
            await self._do(action, fleet)
        await feeder.pour(candles[sent:])

    async def _do(self, action: Action, fleet: Fleet) -> None:
        kind, worker = action.kind, action.worker
        if kind in ("kill", "stop"):
            await (fleet.kill(worker) if kind == "kill" else fleet.stop(worker))
        elif kind == "kill trainer":
            self.trainers += await asyncio.to_thread(fleet.kill_trainers, worker)
        elif kind in ("kill broker", "start broker"):
            assert self.kafka is not None
            await asyncio.to_thread(self.kafka.kill if kind == "kill broker" else self.kafka.start)
        else:
            {"start": fleet.start, "freeze": fleet.freeze, "thaw": fleet.thaw}[kind](worker)

    async def _settled(self, fleet: Fleet) -> None:
        """Wait until every candle's messages are said and its offset is committed."""
        self.step("Waiting until all offsets are committed")
        deadline, behind = Deadline(_SETTLE_SECONDS), {}
        while deadline.remaining():
            fleet.check()
            reached = await committed(self.connection, self.prefix, Deadline(_ANSWER_SECONDS))
            async with LogReader(self.connection, Deadline(_ANSWER_SECONDS)) as reader:
                spans = await reader.spans(await reader.partitions(self.topic))
            behind = {
                at.partition: (reached.get((at.topic, at.partition), 0), span.stop)
                for at, span in spans.items()
                if reached.get((at.topic, at.partition), 0) < span.stop
            }
            if not behind:
                return
            await asyncio.sleep(0.5)
        raise StreamLstmError(f"not settled after {_SETTLE_SECONDS:g} s: (committed, end) {behind}")

    async def _judged(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "stream_lstm", "compare", "--json", "--recount"]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={_text(value)}"]
        log = self.folder / "compare.log"
        judge = BoundProcess(command, log)
        try:
            await until(lambda: judge.exit_code is not None, _JUDGE_SECONDS)
        except TimeoutError:
            raise StreamLstmError(f"the comparison did not end in {_JUDGE_SECONDS:g} s") from None
        finally:
            await asyncio.to_thread(judge.kill)
        lines = log.read_text().splitlines()
        if not lines or not lines[-1].startswith("{"):
            raise StreamLstmError("the comparison failed:\n" + "\n".join(lines[-15:]))
        found: dict[str, Any] = orjson.loads(lines[-1])
        return found

    def _settings(self, bootstrap: str) -> dict[str, object]:
        """Many checkpoints; a worker that finds none reads everything again, so its state is the engine's."""
        wanted = self.wanted
        records = 2 * wanted.candles * wanted.series + 1_000
        given: dict[str, object] = {
            "kafka.bootstrap_servers": bootstrap,
            "kafka.group": self.prefix,
            "kafka.session_timeout": f"{wanted.chaos.session_s:g}s",
            "kafka.heartbeat_interval": "1s",
            "topics.prefix": self.prefix,
            "inputs": [{"topic": self.topic}],
            "start_at": "earliest",
            "store.url": (self.folder / "store").as_uri(),
            "store.checkpoint_interval": "3s",
            "metrics.host": "127.0.0.1",
            "metrics.port": "0",
            "commit_interval": "1s",
            "history.rewind_candles": str(2 * wanted.candles + 1_000),
            "history.rewind_max_records": str(records),
            "training.install": wanted.install,
            "worker.shutdown_timeout": "8s",
        }
        return given | dict(_pair(text) for text in wanted.overrides)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text}: write KEY=VALUE")
    return name, value


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
