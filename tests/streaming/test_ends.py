import asyncio
import os
import signal
import threading

import pytest

from stream_lstm.streaming.ends import Stopped, abandonable, signals, told, unless, until, watching


async def value(of: int) -> int:
    await asyncio.sleep(0)
    return of


async def broken() -> None:
    raise ValueError("broken")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_sets_the_event_and_ends_nothing_else(number: int) -> None:
    with signals() as stop:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)


async def test_afterwards_ctrl_c_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


async def test_work_that_ends_first_has_its_result() -> None:
    async with watching(asyncio.sleep(60)) as ends:
        assert await unless(value(3), *ends) == 3
    assert ends[0].cancelled()


async def test_an_end_that_comes_first_raises_and_the_work_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with watching(broken()) as ends:
        with pytest.raises(ValueError, match="broken"):
            await unless(long(), *ends)
    assert cancelled.is_set()


async def test_being_told_to_stop_is_an_end() -> None:
    stop = asyncio.Event()
    async with watching(told(stop)) as ends:
        stop.set()
        with pytest.raises(Stopped):
            await unless(asyncio.sleep(60), *ends)


async def test_the_works_own_error_is_raised() -> None:
    async with watching(asyncio.sleep(60)) as ends:
        with pytest.raises(ValueError, match="broken"):
            await unless(broken(), *ends)


async def test_waiting_for_what_does_not_come_has_an_end() -> None:
    with pytest.raises(TimeoutError):
        await until(lambda: False, 0.1)
    await until(lambda: True, 0.0 + 5)


async def test_a_blocked_thread_is_left_behind_when_nobody_waits_any_more() -> None:
    release = threading.Event()
    waiting = asyncio.create_task(abandonable(release.wait))
    await asyncio.wait({waiting}, timeout=0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()


async def test_what_the_thread_returns_or_raises_comes_back() -> None:
    assert await abandonable(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await abandonable(lambda: 1 // 0)
