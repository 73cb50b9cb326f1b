"""The time by which an exchange closes its candles."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Epoch ms, and sleeping by the same clock."""

    def now_ms(self) -> int:
        """What time it is."""

    async def sleep(self, ms: float) -> None:
        """Return when so many ms of this clock have passed."""


class WallClock:
    """The machine's own, corrected by what an exchange says the time is."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms
        """How far the exchange is ahead of this machine."""

    def now_ms(self) -> int:
        """What time it is at the exchange."""
        return int(time.time() * 1000) + self.ahead_ms

    async def sleep(self, ms: float) -> None:
        """Return when so many ms have passed."""
        await asyncio.sleep(max(0.0, ms) / 1000)
