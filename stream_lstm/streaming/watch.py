"""What a worker says, as it comes: a live view on a terminal, or a line of JSON per prediction."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import orjson
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.live import Live

from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.tail import Begin, Tail
from stream_lstm.kafka.topics import DEAD_LETTERS, PREDICTIONS, TopicNames
from stream_lstm.terminal.board import Board
from stream_lstm.terminal.live_table import LiveTable

log = logging.getLogger(__name__)

_DRAW_SECONDS: Final = 0.25
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which symbols, in whatever case, and which horizons are watched; all where none is named."""

    symbols: Collection[str] = ()
    horizons: Collection[str] = ()

    def has(self, topic: str, record: ConsumerRecord) -> bool:
        """Whether a record is of a chosen symbol, by its key; dead letters are of no symbol."""
        if not self.symbols or topic == DEAD_LETTERS:
            return True
        symbol = (record.key or b"").decode(errors="replace").casefold()
        return symbol in {chosen.casefold() for chosen in self.symbols}


async def watch(
    connection: KafkaConnection,
    names: TopicNames,
    *,
    symbols: Sequence[str] = (),
    horizons: Sequence[str] = (),
    since_seconds: float | None = None,
    as_json: bool = False,
    console: Console | None = None,
    out: BinaryIO | None = None,
) -> None:
    """Follow what is said from now on, or since so many seconds ago, until Ctrl-C or SIGTERM.

    Draws on `console` if that is a terminal; with `as_json` or without a terminal it writes each prediction
    as a line to `out` (standard output), repeats once, until nobody reads them any more.
    Raises `TopicMissing` and `BrokerError` like `Tail`.
    """
    console = console or Console(highlight=False)
    choice = Choice(symbols, horizons)
    begin: Begin = "now" if since_seconds is None else int((time.time() - since_seconds) * 1000)
    if as_json or not console.is_terminal:
        work = _write(Tail(connection, {PREDICTIONS: names[PREDICTIONS]}, begin), choice, out)
    else:
        work = _draw(Tail(connection, names.produced, begin), choice, console)
    working = asyncio.create_task(work)
    with _cancelled_by_signals(working):
        try:
            await asyncio.wait({working})
        finally:
            working.cancel()
            await asyncio.wait({working})
    if not working.cancelled():
        working.result()


@contextmanager
def _cancelled_by_signals(task: "asyncio.Task[None]") -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@contextmanager
def _quiet_client() -> Iterator[None]:
    """While Kafka is away its client logs hundreds of lines, and the view says since when nothing comes."""
    client = logging.getLogger("aiokafka")
    level = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(level)


async def _draw(tail: Tail, choice: Choice, console: Console) -> None:
    board = Board()
    view = LiveTable(board, horizons=list(choice.horizons))
    async with tail:
        with _quiet_client(), Live(view, console=console, auto_refresh=False) as live:
            drawn = time.monotonic()
            while True:
                for topic, record in await tail.poll(_DRAW_SECONDS):
                    if choice.has(topic, record):
                        board.offer(topic, record.value, record.headers)
                if time.monotonic() - drawn >= _DRAW_SECONDS:
                    live.refresh()
                    drawn = time.monotonic()


async def _write(tail: Tail, choice: Choice, out: BinaryIO | None) -> None:
    stream, lines = out or sys.stdout.buffer, Lines(choice.horizons)
    async with tail:
        async for batch in tail:
            chosen = (record.value for topic, record in batch if choice.has(topic, record))
            try:
                stream.writelines(line for value in chosen if (line := lines.line(value)) is not None)
                stream.flush()
            except BrokenPipeError:
                if out is None:
                    # Python would flush once more at its end, and complain.
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


class Lines:
    """Predictions as lines of JSON; a repeat makes none.

    >>> body = {"exchange": "x", "symbol": "A", "interval": "1h", "horizon": "1h", "asOf": 1, "revision": 0}
    >>> lines = Lines()
    >>> lines.line(orjson.dumps(body)) is None, lines.line(orjson.dumps(body)) is None
    (False, True)
    """

    def __init__(self, horizons: Collection[str] = ()) -> None:
        self._horizons = horizons
        self._newest: dict[tuple[str, str, str, str], tuple[int, int]] = {}

    def line(self, value: bytes | None) -> bytes | None:
        """The message with its line end; None for a repeat, another horizon, and what is no prediction."""
        try:
            body = orjson.loads(value or b"")
            name = (body["exchange"], body["symbol"], body["interval"], body["horizon"])
            place = (int(body["asOf"]), int(body["revision"]))
            if place <= self._newest.get(name, (-1, -1)) or (
                self._horizons and name[3] not in self._horizons
            ):
                return None
        except (ValueError, KeyError, TypeError) as error:
            log.warning("skipped what is no prediction: %r", error)
            return None
        self._newest[name] = place
        return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
