"""A gateway process on a real Kafka, and what a browser does with its page."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from stream_lstm.candles import moments
from stream_lstm.candles.moments import Moment
from stream_lstm.kafka.bound_process import BoundProcess
from tests.acceptance.conftest import Application

HOUR = 3_600_000
START_MS = 1_700_000_000_000 // HOUR * HOUR
CHROMIUM = "/usr/bin/chromium"
SESSION = {"kafka__session_timeout": "3s", "kafka__heartbeat_interval": "300ms"}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def market(count: int, *, series: int = 3) -> list[Moment]:
    """So many hours of a synthetic market."""
    names = moments.symbols(series)
    return list(islice(moments.of_market(names, interval="1h", start_ms=START_MS, seed=5), count))


class Gateway:
    """`stream-lstm gateway` on a port that stays the same when it is started again."""

    def __init__(self, application: Application, **settings: str) -> None:
        self.application = application
        self.port = "0"
        self._settings = settings
        self._log = application.folder / "gateway.log"
        self._process: BoundProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        given = {"http.port": self.port} | {
            name.replace("__", "."): value for name, value in self._settings.items()
        }
        named = {**self.application.settings, **given}
        options = [part for key, value in named.items() for part in ("--set", f"{key}={value}")]
        self._log.write_text("")
        self._process = BoundProcess([sys.executable, "-m", "stream_lstm", "gateway", *options], self._log)
        async with asyncio.timeout(60):
            while not (found := re.search(r"gateway on http://127.0.0.1:(\d+)", self.log)):
                assert self._process.exit_code is None, self.log
                await asyncio.sleep(0.05)
        self.port = found[1]

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def stop(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(self._process.stop, 10)
            self._process = None


class Page:
    """A page that writes down what goes wrong and what it asks for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    async def text(self, selector: str) -> str:
        return str(await self.page.inner_text(selector))

    async def says(self, selector: str, text: str, seconds: float = 30) -> None:
        """Wait until an element says something."""
        located = self.page.locator(selector).filter(has_text=text).first
        await located.wait_for(timeout=1000 * seconds)

    async def drawn(self) -> int:
        """Where the fan begins that is drawn; waits for the first."""
        await self.page.wait_for_selector("body[data-drawn]:not([data-drawn=''])")
        return int(await self.page.evaluate("document.body.dataset.drawn"))

    async def moved(self, before: int, seconds: float = 30) -> int:
        """Wait until another fan is drawn."""
        other = f"body:not([data-drawn='{before}'])"
        await self.page.wait_for_selector(other, timeout=1000 * seconds)
        return await self.drawn()


@asynccontextmanager
async def opened(browser: Any, url: str, **options: Any) -> AsyncIterator[Page]:
    """A page in a context of its own."""
    context = await browser.new_context(**options)
    try:
        page = Page(await context.new_page())
        await page.page.goto(url)
        yield page
    finally:
        await context.close()


async def answered(application: Application, candles: Sequence[Moment]) -> None:
    """Wait until the last candles have their predictions."""
    wanted = 4 * len(candles[-1]) * (len(candles) - 99)

    async def done() -> bool:
        return await application.count("predictions") >= wanted

    await application.until(done)


def chromium_missing() -> str | None:
    """Why there is no browser; None if there is one."""
    if not Path(CHROMIUM).exists():
        return "no chromium: `apt-get install chromium`"
    return None if find_spec("playwright") else "no playwright: it is in the dev group"
