"""A worker process from its settings to its end: starts the parts, watches them, stops them in time."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import Final

from threadpoolctl import threadpool_limits

from stream_lstm.errors import SettingsError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.topics import TopicNames
from stream_lstm.observability.logging import announce
from stream_lstm.observability.metrics import Metrics, build_info
from stream_lstm.observability.progress import Progress
from stream_lstm.observability.server import HealthServer
from stream_lstm.observability.watchdog import Watchdog
from stream_lstm.settings import Settings, describe
from stream_lstm.settings.tree import DEFAULT
from stream_lstm.streaming.assembly import assemble, connection_of
from stream_lstm.streaming.worker import Worker

log = logging.getLogger(__name__)

EXIT_STUCK: Final = 70
"""Exit code of a process that the watchdog ended."""
_PATIENCE_SECONDS: Final = 86_400.0
"""How long a start waits for Kafka; it says so every few seconds meanwhile."""
_FOR_THE_PARTS: Final = 0.3
"""Share of the time to stop that is left for the parts when the loop has given its partitions up."""
_ALWAYS_TOLD: Final = {"kafka.bootstrap_servers", "kafka.group", "inputs", "store.url", "model", "horizons"}


async def run(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT. Raises our errors for what cannot be started or go on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    facts = [(one.name, one.value) for one in describe(settings) if _is_told(one.name, one.source)]
    announce(log, f"stream-lstm {version('stream-lstm')}: worker", [*facts, *build_info().items()])
    metrics = Metrics.create(per_series=settings.metrics.per_series)
    progress = Progress(stall_timeout_s=settings.worker.stall_timeout, clock=time.monotonic)
    with threadpool_limits(1), _watched(settings, metrics, progress):
        working = asyncio.create_task(_work(settings, metrics, progress, stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await _ended(working, settings.worker.shutdown_timeout)
        finally:
            stopping.cancel()


def _is_told(name: str, source: str) -> bool:
    return source != DEFAULT or name in _ALWAYS_TOLD


async def _ended(working: asyncio.Task[None], seconds: float) -> None:
    """Wait for a worker that ends by itself, cut it off at the deadline; raises what it raised."""
    await asyncio.wait({working}, timeout=seconds)
    if not working.done():
        log.error("not stopped within worker.shutdown_timeout = %g s: cut off", seconds)
        working.cancel()
        await asyncio.wait({working}, timeout=1)
    if working.done() and not working.cancelled():
        working.result()


@contextmanager
def _watched(settings: Settings, metrics: Metrics, progress: Progress) -> Iterator[None]:
    """Health, metrics and the watchdog, from before the start to after the end."""
    health = HealthServer(
        settings.metrics.host,
        settings.metrics.port,
        metrics.registry,
        livez=progress.livez,
        readyz=progress.readyz,
    )
    watchdog = Watchdog(
        progress,
        call_soon=asyncio.get_running_loop().call_soon_threadsafe,
        on_lag=metrics.stream.event_loop_lag_seconds.observe,
        on_stuck=lambda reason: os._exit(EXIT_STUCK),
    )
    health.start()
    log.info("health and metrics on http://%s:%d", health.host, health.port)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()
        health.stop()


async def _work(settings: Settings, metrics: Metrics, progress: Progress, stop: asyncio.Event) -> None:
    async with _started(settings, metrics, progress, stop) as worker:
        if worker is None:
            return
        _spare_the_collector()
        reason = "told to stop"
        try:
            await worker.run(stop)
        except BaseException as error:
            reason = str(error) or type(error).__name__
            raise
        finally:
            log.info("stopping: %s", reason)
            worker.publisher.publish_soon([worker.encoder.own("worker.stopped", {"reason": reason})])


def _spare_the_collector() -> None:
    """Messages make hundreds of objects per candle and no cycles: looking for those often costs a third."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@asynccontextmanager
async def _started(
    settings: Settings, metrics: Metrics, progress: Progress, stop: asyncio.Event
) -> AsyncIterator[Worker | None]:
    """A worker whose parts are started, and stopped by the deadline; None if told to stop before that."""
    worker = assemble(settings, metrics, progress)
    try:
        starting = asyncio.create_task(_start(worker, settings))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if starting.done():
            starting.result()
        else:
            starting.cancel()
            await asyncio.wait({starting})
        yield None if starting.cancelled() else worker
    finally:
        await _stop(worker, Deadline(settings.worker.shutdown_timeout * _FOR_THE_PARTS))


async def _stop(worker: Worker, deadline: Deadline) -> None:
    """Stop every part, whatever becomes of the others; the publisher last, it takes what they say."""
    parts = (
        worker.restorer.stop(),
        worker.claiming.stop(),
        worker.commands.stop(),
        worker.trainer.stop(),
        worker.group.stop(deadline),
    )
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("a part of the worker does not stop cleanly: %r", outcome)
    await worker.checkpointer.stop(deadline.remaining() / 2)
    await worker.publisher.stop(deadline)


def _check_partitions(partitions: int, most: int) -> None:
    if partitions > most:
        raise SettingsError(
            f"the inputs have {partitions} partitions, and delivery = 'exactly_once' takes a producer for "
            f"each that a worker owns: at most max_transactional_partitions = {most}; raise it, or use "
            "topics with several series in a partition, or 'at_least_once'"
        )


async def _start(worker: Worker, settings: Settings) -> None:
    patience = Deadline(_PATIENCE_SECONDS)
    topics = [each.topic for each in settings.inputs if each.topic is not None]
    patterns = [each.pattern for each in settings.inputs if each.pattern is not None]
    names = TopicNames(settings.topics.prefix)
    found = await topic_admin.check(connection_of(settings), names, topics, patterns, patience)
    log.info("inputs: %s", ", ".join(f"{topic} ({count} partitions)" for topic, count in found.items()))
    if settings.delivery == "exactly_once":
        _check_partitions(sum(found.values()), settings.max_transactional_partitions)
    await worker.publisher.start(patience)
    await worker.group.start(patience)
    worker.trainer.start()
    worker.claiming.start()
    worker.commands.start()
    started = worker.encoder.own("worker.started", {"version": version("stream-lstm")})
    worker.publisher.publish_soon([started])
