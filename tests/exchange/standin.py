"""An exchange on the loopback that ccxt takes for Binance or OKX: real HTTP and WebSocket, faults to order.

Its clock is its own: it may run faster than ours, so that candles of a minute close every second. It then
begins in the past, since Kafka takes no record from the future, and must not overtake us. The addresses are
those of `exchange.url`: the host that ccxt would ask begins the path.

    python -m tests.exchange.standin --port 8900      # for a look by hand, in real time
"""

import argparse
import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import WSCloseCode, WSMsgType, web

from stream_lstm.candles.units import interval_ms

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "LTC/USDT")


class FastClock:
    """A clock that began at `start_ms` and runs `speed` times as fast as ours."""

    def __init__(self, speed: float = 1.0, start_ms: int | None = None) -> None:
        self.speed = speed
        self._start_ms = time.time() * 1000 if start_ms is None else start_ms
        self._began = time.monotonic()

    def now_ms(self) -> int:
        return int(self._start_ms + (time.monotonic() - self._began) * 1000 * self.speed)

    async def sleep(self, ms: float) -> None:
        await asyncio.sleep(max(0.0, ms) / 1000 / self.speed)


class Standin:
    """The exchange. An async context manager that listens on a free port of the loopback."""

    def __init__(
        self,
        clock: FastClock | None = None,
        symbols: Sequence[str] = SYMBOLS,
        *,
        page: int = 1000,
        port: int = 0,
    ) -> None:
        self.clock = clock or FastClock()
        self.symbols = list(symbols)
        self.page = page
        self.port = port
        self.asked: Counter[str] = Counter()
        """Requests by the last part of their path."""
        self.update_seconds = 0.05
        """Between two rounds of updates of the stream."""
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """Status and headers with which the next requests for candles are refused."""
        self.doubles = False
        self.reorders = False
        self.rest_lag_ms = 0
        """For so long after a close the answers still show the candle as forming, and nothing later."""
        self.late_ms = 0
        """For so long after its close a candle is missing from the answers, while the next one is there."""
        self.answers_after = 0.0
        self.refuses_streams = False
        self.corrected: dict[tuple[str, int], float] = {}
        """Close prices, by symbol and open time, that are no longer what they were."""
        self.untraded: set[tuple[str, int]] = set()
        """Candles that there are not."""
        self.streams = 0
        """Connections that were accepted."""
        self._sockets: set[web.WebSocketResponse] = set()
        self._random = random.Random(1)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """For `exchange.url`."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        binance, okx = "/api.binance.com/api/v3", "/www.okx.com/api/v5"
        app.router.add_get(f"{binance}/exchangeInfo", self._binance_markets)
        app.router.add_get(f"{binance}/time", self._binance_time)
        app.router.add_get(f"{binance}/klines", self._binance_klines)
        app.router.add_get("/{host}/{api}/v1/exchangeInfo", self._no_markets)
        app.router.add_get("/stream.binance.com:9443/ws/{number}", self._binance_stream)
        app.router.add_get(f"{okx}/public/instruments", self._okx_markets)
        app.router.add_get(f"{okx}/public/time", self._okx_time)
        app.router.add_get(f"{okx}/market/candles", self._okx_candles)
        app.router.add_get(f"{okx}/market/history-candles", self._okx_candles)
        app.router.add_get("/ws.okx.com:443/ws/v5/{kind}", self._okx_stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self.drop_connections()
        await self._runner.cleanup()

    async def drop_connections(self, *, rudely: bool = False) -> None:
        """End all streams: with a close frame, or as if a cable was cut."""
        for socket in list(self._sockets):
            transport = socket._req.transport if socket._req is not None else None
            if rudely and transport is not None:
                transport.abort()
            else:
                await socket.close(code=WSCloseCode.GOING_AWAY)

    # What the market does: everything follows from symbol and time.

    def candle(self, symbol: str, open_ms: int, step_ms: int, now_ms: int | None = None) -> list[float]:
        """open, high, low, close, volume as of a time; None for when it has closed."""
        at = open_ms + step_ms if now_ms is None else min(now_ms, open_ms + step_ms)
        share = max(0.0, (at - open_ms) / step_ms)
        first, last = _price(symbol, open_ms, step_ms), _price(symbol, open_ms + step_ms, step_ms)
        close = round(first + (last - first) * share, 6)
        if now_ms is None or now_ms >= open_ms + step_ms:
            close = self.corrected.get((symbol, open_ms), close)
        swing = 0.002 * first * share * (1 + _noise(symbol, open_ms // step_ms + 7))
        high, low = max(first, close) + swing, min(first, close) - swing
        volume = 100 * (1.5 + _noise(symbol, open_ms // step_ms + 3)) * share
        return [round(value, 6) for value in (first, high, low, close, volume)]

    def _rows(self, symbol: str, start_ms: int, stop_ms: int, step_ms: int) -> list[tuple[int, list[float]]]:
        """Candles that open from `start_ms` on and before `stop_ms`, as the answers show them now."""
        real_ms = self.clock.now_ms()
        now_ms = real_ms
        forming_ms = real_ms // step_ms * step_ms
        if real_ms - forming_ms < self.rest_lag_ms:
            now_ms = forming_ms - 1
        first = -(-start_ms // step_ms) * step_ms
        late_ms = forming_ms - step_ms if real_ms - forming_ms < self.late_ms else None
        return [
            (open_ms, self.candle(symbol, open_ms, step_ms, now_ms))
            for open_ms in range(first, min(stop_ms, now_ms + 1), step_ms)
            if (symbol, open_ms) not in self.untraded and open_ms != late_ms
        ]

    async def _refused(self, request: web.Request) -> web.Response | None:
        self.asked[request.path.rpartition("/")[2]] += 1
        if self.answers_after:
            await asyncio.sleep(self.answers_after)
        if not self.refusals:
            return None
        status, headers = self.refusals.pop(0)
        return web.json_response({"code": -1, "msg": "refused to order"}, status=status, headers=headers)

    # Binance

    async def _no_markets(self, request: web.Request) -> web.Response:
        return web.json_response({"symbols": []})

    async def _binance_time(self, request: web.Request) -> web.Response:
        return web.json_response({"serverTime": self.clock.now_ms()})

    async def _binance_markets(self, request: web.Request) -> web.Response:
        symbols = []
        for symbol in self.symbols:
            base, quote = symbol.split("/")
            symbols.append(
                {
                    "symbol": base + quote,
                    "status": "TRADING",
                    "baseAsset": base,
                    "baseAssetPrecision": 8,
                    "quoteAsset": quote,
                    "quotePrecision": 8,
                    "isSpotTradingAllowed": True,
                    "permissions": ["SPOT"],
                    "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.01"}],
                }
            )
        return web.json_response({"serverTime": self.clock.now_ms(), "symbols": symbols})

    async def _binance_klines(self, request: web.Request) -> web.Response:
        if (refused := await self._refused(request)) is not None:
            return refused
        query = request.query
        symbol, step_ms = self._symbol(query["symbol"]), interval_ms(query["interval"])[1]
        limit = min(int(query.get("limit", "500")), self.page)
        now_ms = self.clock.now_ms()
        stop_ms = int(query.get("endTime", now_ms)) + 1
        start_ms = int(query["startTime"]) if "startTime" in query else now_ms - limit * step_ms
        rows = self._rows(symbol, start_ms, stop_ms, step_ms)[:limit]
        return web.json_response(
            [
                [open_ms, *map(repr, bar), open_ms + step_ms - 1, "0", 1, "0", "0", "0"]
                for open_ms, bar in rows
            ]
        )

    async def _binance_stream(self, request: web.Request) -> web.StreamResponse:
        socket = await self._accepted(request)
        streams: list[tuple[str, str]] = []
        sending = asyncio.create_task(self._send(socket, streams, _binance_update))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    asked = json.loads(message.data)
                    if asked.get("method") == "SUBSCRIBE":
                        named = [name.split("@kline_") for name in asked["params"]]
                        streams += [(self._symbol(id), interval) for id, interval in named]
                        await socket.send_json({"result": None, "id": asked["id"]})
        finally:
            sending.cancel()
            self._sockets.discard(socket)
        return socket

    # OKX

    async def _okx_time(self, request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": [{"ts": str(self.clock.now_ms())}]})

    async def _okx_markets(self, request: web.Request) -> web.Response:
        spot = request.query.get("instType") == "SPOT"
        data = []
        for symbol in self.symbols if spot else ():
            base, quote = symbol.split("/")
            named = {"instId": f"{base}-{quote}", "instType": "SPOT", "baseCcy": base, "quoteCcy": quote}
            data.append(named | {"state": "live", "tickSz": "0.01", "lotSz": "0.001", "minSz": "0.001"})
        return web.json_response({"code": "0", "msg": "", "data": data})

    async def _okx_candles(self, request: web.Request) -> web.Response:
        """The newest first, between `before` and `after`, neither of them included."""
        if (refused := await self._refused(request)) is not None:
            return refused
        query = request.query
        symbol, step_ms = self._symbol(query["instId"]), interval_ms(query["bar"])[1]
        limit = min(int(query.get("limit", "100")), 300, self.page)
        stop_ms = int(query.get("after", self.clock.now_ms() + 1))
        start_ms = int(query["before"]) + 1 if "before" in query else stop_ms - limit * step_ms
        rows = self._rows(symbol, start_ms, stop_ms, step_ms)[-limit:]
        data = [[str(open_ms), *map(repr, bar), "0", "0", "1"] for open_ms, bar in reversed(rows)]
        return web.json_response({"code": "0", "msg": "", "data": data})

    async def _okx_stream(self, request: web.Request) -> web.StreamResponse:
        socket = await self._accepted(request)
        streams: list[tuple[str, str]] = []
        sending = asyncio.create_task(self._send(socket, streams, _okx_update))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and message.data != "ping":
                    for one in json.loads(message.data).get("args", []):
                        streams.append((self._symbol(one["instId"]), one["channel"].removeprefix("candle")))
                        await socket.send_json({"event": "subscribe", "arg": one})
        finally:
            sending.cancel()
            self._sockets.discard(socket)
        return socket

    # Both

    def _symbol(self, id: str) -> str:
        plain = id.upper().replace("-", "")
        return next(symbol for symbol in self.symbols if symbol.replace("/", "") == plain)

    async def _accepted(self, request: web.Request) -> web.WebSocketResponse:
        if self.refuses_streams:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        self.streams += 1
        return socket

    async def _send(self, socket: web.WebSocketResponse, streams: list[tuple[str, str]], update: Any) -> None:
        waiting: list[Any] = []
        closings: dict[tuple[str, str], int] = {}
        while not socket.closed:
            now_ms = self.clock.now_ms()
            for symbol, interval in streams:
                step_ms = interval_ms(interval)[1]
                open_ms = now_ms // step_ms * step_ms
                before_ms = closings.get((symbol, interval), open_ms)
                closings[symbol, interval] = open_ms
                times = [before_ms, open_ms] if before_ms < open_ms else [open_ms]
                for at_ms in times:
                    if (symbol, at_ms) not in self.untraded:
                        bar = self.candle(symbol, at_ms, step_ms, now_ms)
                        said = update(symbol, interval, at_ms, step_ms, bar, now_ms)
                        waiting += [said, said] if self.doubles else [said]
            if self.reorders:
                self._random.shuffle(waiting)
                sent, waiting = waiting[: len(waiting) // 2 + 1], waiting[len(waiting) // 2 + 1 :]
            else:
                sent, waiting = waiting, []
            try:
                for said in sent:
                    await socket.send_json(said)
            except (ConnectionError, RuntimeError):
                return
            await asyncio.sleep(self.update_seconds)


def _binance_update(
    symbol: str, interval: str, open_ms: int, step_ms: int, bar: list[float], now_ms: int
) -> dict[str, Any]:
    id = symbol.replace("/", "")
    names = dict(zip("ohlcv", map(repr, bar), strict=True))
    kline = {"t": open_ms, "T": open_ms + step_ms - 1, "s": id, "i": interval, "n": 1, **names}
    return {"e": "kline", "E": now_ms, "s": id, "k": kline | {"x": now_ms >= open_ms + step_ms}}


def _okx_update(
    symbol: str, interval: str, open_ms: int, step_ms: int, bar: list[float], now_ms: int
) -> dict[str, Any]:
    arg = {"channel": f"candle{interval}", "instId": symbol.replace("/", "-")}
    confirmed = "1" if now_ms >= open_ms + step_ms else "0"
    return {"arg": arg, "data": [[str(open_ms), *map(repr, bar), "0", "0", confirmed]]}


def _noise(symbol: str, number: int) -> float:
    """Between -1 and 1, the same whenever it is asked."""
    return random.Random(f"{symbol}{number}").uniform(-1, 1)


def _price(symbol: str, at_ms: int, step_ms: int) -> float:
    number = at_ms // step_ms
    level = 100 * math.exp(2 * _noise(symbol, -1) + 0.1 * math.sin(number / 300))
    return round(level * (1 + 0.004 * _noise(symbol, number)), 6)


async def _serve(port: int) -> None:
    async with Standin(port=port) as standin:
        print(standin.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
