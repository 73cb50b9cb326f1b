"""Five producers' messages among rubbish: the right candles come out, everything bad is in the DLQ."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments, reasons
from stream_lstm.candles.decode import decode
from stream_lstm.candles.series import Closed
from stream_lstm.errors import BadCandle

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
CANDLES = 125
RUBBISH = 10_000
REASONS = {value for name, value in vars(reasons).items() if name.isupper()}

Message = dict[str, Any]
Sent = list[tuple[bytes, int]]
"""Values and record timestamps of the updates of one candle."""


def forming(candle: Closed) -> Closed:
    """The candle while it forms: inside its range, with another close."""
    return candle._replace(close=candle.low, volume=candle.volume / 2)


def binance(candle: Closed, closed: bool, at_ms: int) -> Message:
    kline = {
        **{"t": candle.open_ms, "T": candle.close_ms, "s": "BTCUSDT", "i": "1h", "x": closed, "q": "1"},
        **{"o": str(candle.open), "h": str(candle.high), "l": str(candle.low), "c": str(candle.close)},
        "v": str(candle.volume),
    }
    return {"e": "kline", "E": at_ms, "s": "BTCUSDT", "k": kline}


def bybit(candle: Closed, closed: bool, at_ms: int) -> Message:
    row = {
        **{"start": candle.open_ms, "end": candle.close_ms, "interval": "60", "confirm": closed},
        **{name: str(getattr(candle, name)) for name in ("open", "high", "low", "close", "volume")},
        **{"turnover": "1", "timestamp": at_ms},
    }
    return {"topic": "kline.60.ETHUSDT", "data": [row], "ts": at_ms, "type": "snapshot"}


def okx(candle: Closed, closed: bool, at_ms: int) -> Message:
    row = [str(candle.open_ms), *(str(value) for value in candle[3:8]), "7", "7", "01"[closed]]
    return {"arg": {"channel": "candle1H", "instId": "SOL-USDT"}, "data": [row]}


def cryptofeed_okx(candle: Closed, closed: bool, at_ms: int) -> Message:
    """Every bar is marked closed, forming ones too."""
    return {
        **{"exchange": "OKX", "symbol": "BTC-USDT", "interval": "1h", "trades": None, "closed": True},
        **{name: getattr(candle, name) for name in ("open", "high", "low", "close", "volume")},
        **{"start": candle.open_ms // 1000, "stop": (candle.close_ms + 1) // 1000},
        **{"timestamp": at_ms / 1000, "receipt_timestamp": at_ms / 1000},
    }


def ccxt(candle: Closed, closed: bool, at_ms: int) -> Message:
    return {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1h", "ohlcv": [list(candle[2:8])]}


PRODUCERS: dict[str, Callable[[Closed, bool, int], Message]] = {
    "BTCUSDT": binance,
    "ETHUSDT": bybit,
    "SOL-USDT": okx,
    "BTC-USDT": cryptofeed_okx,
    "BTC/USD": ccxt,
}


def updates_of(candle: Closed, producer: Callable[[Closed, bool, int], Message]) -> Sent:
    """As an exchange sends them: twice while it forms, once when it has closed."""
    early, late, end = (candle.open_ms + part * HOUR // 4 for part in (1, 3, 4))
    partial = forming(candle)
    return [
        (orjson.dumps(producer(partial, False, early)), early),
        (orjson.dumps(producer(partial, False, late)), late),
        (orjson.dumps(producer(candle, True, end + 200)), end + 300),
    ]


def market() -> dict[str, list[Closed]]:
    series = moments.of_market(list(PRODUCERS), interval="1h", start_ms=START, seed=4)
    columns = zip(*(next(series) for _ in range(CANDLES)), strict=True)
    return dict(zip(PRODUCERS, map(list, columns), strict=True))


def rubbish(rng: random.Random, good: list[bytes]) -> bytes | None:
    """Random bytes, or a good message that somebody has damaged."""
    choice = rng.random()
    if choice < 0.02:
        return None
    if choice < 0.4:
        return rng.randbytes(rng.randrange(0, 200))
    value = bytearray(rng.choice(good))
    if choice < 0.6:
        return bytes(value[: rng.randrange(len(value))])
    if choice < 0.8:
        return bytes(value).replace(b'"', b"'", 1)
    return _with_a_field_gone_wrong(rng, orjson.loads(bytes(value)))


def _with_a_field_gone_wrong(rng: random.Random, message: Message) -> bytes:
    """An unknown symbol, so that what is still a candle disturbs no other series; one value replaced."""
    place: Any = message
    while isinstance(place, dict) and any(isinstance(value, dict) for value in place.values()):
        place = next(value for value in place.values() if isinstance(value, dict))
    key = rng.choice(list(place))
    place[key] = rng.choice([None, -1, "NaN", "1e999", [], {}, "", True, 10**30])
    text = json.dumps(message).encode()
    for symbol in PRODUCERS:
        text = text.replace(symbol.encode(), b"JUNK")
    return text


def mixed(
    candles: dict[str, list[Closed]], rng: random.Random
) -> tuple[Sent, list[tuple[bytes | None, int]]]:
    """All updates in the order of time, and the same with rubbish between them."""
    good = [
        update
        for symbol, producer in PRODUCERS.items()
        for candle in candles[symbol]
        for update in updates_of(candle, producer)
    ]
    good.sort(key=lambda update: update[1])
    values = [value for value, _ in good[:50]]
    everything: list[tuple[bytes | None, int]] = []
    for value, at_ms in good:
        everything.append((value, at_ms))
        everything += [(rubbish(rng, values), at_ms) for _ in range(RUBBISH // len(good) + 1)]
    return everything


async def test_the_right_candles_come_out_and_everything_bad_is_a_dead_letter(application: Any) -> None:
    candles = market()
    everything = mixed(candles, random.Random(7))
    assert len(everything) > RUBBISH
    worker = application.start_worker()
    await application.send(everything)

    async def all_is_said() -> bool:
        # The last candle of a producer without a flag is still forming; ccxt sends none.
        return bool(await application.count("predictions") >= 4 * (5 * (CANDLES - 99) - 1))

    await application.until(all_is_said, seconds=120)
    said: dict[tuple[str, str], dict[int, float]] = {}
    for record in await application.read("predictions"):
        body = orjson.loads(record.value)
        said.setdefault((body["symbol"], body["horizon"]), {})[body["asOf"]] = body["lastClose"]
    for symbol in PRODUCERS:
        answered = candles[symbol][99 : CANDLES - (symbol == "BTC/USD")]
        expected = {candle.close_ms: candle.close for candle in answered}
        for horizon in ("1h", "4h", "1d", "7d"):
            assert said[symbol, horizon] == expected, symbol

    sent = [(value, reason) for value, at_ms in everything for reason in reasons_of(value, at_ms)]
    letters = await application.read("candles.dlq")
    found = [(record.value, dict(record.headers)["stream-lstm.reason"].decode()) for record in letters]
    assert {reason for _, reason in found} <= REASONS
    assert Counter(found) == Counter(sent)
    assert worker.exit_code is None


def reasons_of(value: bytes | None, at_ms: int) -> list[str]:
    bad: list[BadCandle] = decode(value, record_ms=at_ms).bad
    return [mistake.reason for mistake in bad]
