"""What may end an undertaking before its time: a signal, or the failure of something it rests on."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS: Final = 0.05


class Stopped(Exception):
    """Somebody has told us to stop."""


@contextmanager
def signals() -> Iterator[asyncio.Event]:
    """An event that is set by Ctrl-C, SIGTERM and the closing of the terminal, which end nothing else."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def told(stop: asyncio.Event) -> None:
    """Wait for the event. Raises `Stopped`."""
    await stop.wait()
    raise Stopped


@asynccontextmanager
async def watching(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that run as long as the context."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        await _cancelled(set(tasks))


async def unless(work: Coroutine[Any, Any, T], *ends: asyncio.Task[None]) -> T:
    """The result of `work`, or what the first of `ends` raises before; then `work` is cancelled."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({working, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            for end in ends:
                if end.done():
                    end.result()
        return await working
    finally:
        await _cancelled({working})


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # whoever waited for it has had it


async def until(condition: Callable[[], bool], seconds: float = inf) -> None:
    """Look every now and then whether something is so that nobody tells. Raises `TimeoutError`."""
    async with asyncio.timeout(None if seconds == inf else seconds):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(_LOOK_SECONDS)


async def abandonable(work: Callable[[], T]) -> T:
    """Run what blocks in a thread that nobody waits for when the call is cancelled, not even at our exit."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as raised:  # noqa: BLE001  it is raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await result
