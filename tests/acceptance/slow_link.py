"""A network between a worker and its broker that takes its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK = 16 * 1024


class SlowLink:
    """Every chunk, in both directions, is on its way for `delay_s`."""

    def __init__(self, target: int) -> None:
        self.delay_s = 0.0
        self._target = target
        self._busy: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator["SlowLink"]:
        """Take connections until the end of the context, which cuts them."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        try:
            yield self
        finally:
            server.close()
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs: asyncio.StreamWriter | None = None
        try:
            from_there, theirs = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [asyncio.create_task(self._way(*way)) for way in ((reader, theirs), (from_there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for end in (writer, theirs):
                if end is not None:
                    end.transport.abort()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await asyncio.sleep(self.delay_s)
            writer.write(chunk)
            await writer.drain()
