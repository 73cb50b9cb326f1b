"""A reader pastes every command that README and docs show, page after page, on one installation."""

import ast
import asyncio
import contextlib
import gzip
import io
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from stream_lstm.candles.synthetic import market
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.exchange.standin import Standin
from tests.pages import PAGES, shown_commands

HOUR_MS: Final = 3_600_000
SERVICES: Final = ("run", "gateway", "feed")
"""These go on until they are stopped, and what comes after needs them."""
ENDLESS: Final = ("watch", "live", "demo")
"""These too, and nothing rests on them: they are given some seconds, and stopped by Ctrl-C."""
ELSEWHERE: Final = {
    "verify --kills 50 --exactly-once": "takes minutes, and is a longer one of the line above it",
    "replay --synthetic": "its BTCUSDT and that of the files are two, and a name alone is refused then",
    "dlq replay --reason unknown_shape": "asks whoever is at the terminal: tests/test_cli_dlq.py answers",
    "compare --set": "wants a service that ran with a barrier all the time: tests/verification has one",
}


class Reader:
    """Somebody with a shell, a broker, two files of candles and an exchange."""

    def __init__(self, folder: Path, servers: str, exchange_url: str) -> None:
        self.folder = folder
        self.servers = servers
        scripts = Path(sys.executable).parent
        self._surroundings = os.environ | {
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "STREAM_LSTM_KAFKA__BOOTSTRAP_SERVERS": servers,
            "STREAM_LSTM_EXCHANGE__URL": exchange_url,
            "STREAM_LSTM_METRICS__PORT": "0",
            "STREAM_LSTM_HTTP__PORT": "0",
            "NO_COLOR": "1",
        }
        self._services: list[tuple[str, asyncio.subprocess.Process]] = []

    async def paste(self, line: str) -> str:
        """Run a line to its end, or as long as such a line is looked at; what it said."""
        command = line.partition("stream-lstm ")[2]
        if reason := next(
            (
                why
                for begin, why in ELSEWHERE.items()
                if command.startswith(begin) and "--dry-run" not in command
            ),
            None,
        ):
            return f"not run: {reason}"
        process = await self._start(line)
        if command.startswith(SERVICES):
            self._services.append((line, process))
            return ""
        ends = [0]
        if command.startswith(ENDLESS):
            ends.append(130)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 12)
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.read(), 240)).decode()
        assert await process.wait() in ends, f"{line}\n{said}"
        return said

    async def until_trained(self) -> None:
        """Wait until the worker has a model of its own."""
        async with asyncio.timeout(120):
            while True:
                if '"lstm"' in await self.paste("stream-lstm models list --json"):
                    return
                await asyncio.sleep(1)

    async def leave(self) -> None:
        """Stop the services as Ctrl-C does."""
        for _, process in self._services:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
        for line, process in self._services:
            assert process.stdout is not None
            said = (await asyncio.wait_for(process.stdout.read(), 60)).decode()
            assert await process.wait() == 0, f"{line}\n{said}"

    async def _start(self, line: str) -> asyncio.subprocess.Process:
        pasted = line.replace("localhost:9092", self.servers)
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec env {pasted}"),
            cwd=self.folder,
            env=self._surroundings,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )


def write_candles(folder: Path) -> None:
    """Two files that end with the last full hour."""
    count = 1_500
    start = (int(time.time() * 1000) // HOUR_MS - count) * HOUR_MS
    for symbol, (open_ms, bars) in market(
        ["BTCUSDT", "ETHUSDT"], step_ms=HOUR_MS, start_ms=start, candles=count, seed=2
    ).items():
        with gzip.open(folder / f"{symbol}-1h.csv.gz", "wt") as file:
            for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
                file.write(f"{at},{','.join(map(repr, row))}\n")


@pytest.fixture
async def reader(private_kafka: EmbeddedKafka, tmp_path: Path) -> AsyncIterator[Reader]:
    write_candles(tmp_path)
    async with Standin() as exchange:
        reader = Reader(tmp_path, private_kafka.bootstrap_servers, exchange.url)
        yield reader


def python_of_the_readme() -> str:
    """The block that needs a broker; its stream is left after one prediction."""
    (block,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
        if "PredictionStream" in block
    ]
    return re.sub(r"^( +)(print\(prediction.*\))$", r"\1\2\n\1break", block, flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_command_that_is_shown_works_as_pasted(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = False
    for shown in shown_commands():
        if shown.page.startswith("docs/development/"):  # walked through in tests/docs
            continue
        began = time.monotonic()
        said = await reader.paste(shown.line)
        with capsys.disabled():
            print(f"{time.monotonic() - began:6.1f} s  {shown}", f"({said})" if "not run" in said else "")
        if shown.line.startswith("stream-lstm run") and not trained:
            await asyncio.sleep(5)
            await reader.paste("stream-lstm replay BTCUSDT-1h.csv.gz ETHUSDT-1h.csv.gz --exchange binance")
            await reader.until_trained()
            trained = True
    code = compile(
        python_of_the_readme().replace("localhost:9092", reader.servers),
        "README.md",
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        await asyncio.wait_for(eval(code, {}), 60)
    assert len(printed.getvalue().splitlines()) >= 2
    await reader.leave()
