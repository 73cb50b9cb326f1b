"""Hostile input: nothing raises, nothing grows beyond its bound, and every record is accounted for."""

import math
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from stream_lstm.candles import reasons
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.streaming.partition import Partition
from tests.streaming.test_partition import Record

HOUR: Final = 3_600_000
START: Final = 1_600_000_000_000 // HOUR * HOUR
PLACE: Final = ("candles", 0)
RECORDS: Final = 100_000
MOST_SERIES: Final = 200

Make = Callable[[random.Random, int], bytes | None]


def canonical(rng: random.Random, hour: int, **changes: Any) -> dict[str, Any]:
    price = 100 + rng.random()
    body = {"exchange": "binance", "symbol": f"S{rng.randrange(50)}", "interval": "1h", "closed": True}
    body |= {"openTime": START + hour * HOUR, "open": price, "high": price + 1, "low": price - 1}
    return body | {"close": price, "volume": 1.0} | changes


def good(rng: random.Random, hour: int) -> bytes:
    return orjson.dumps(canonical(rng, hour))


def unheard_of(rng: random.Random, hour: int) -> bytes:
    return orjson.dumps(canonical(rng, hour, symbol=f"X{rng.randrange(10**9)}"))


def time_travel(rng: random.Random, hour: int) -> bytes:
    moment = rng.choice([0, -1, 1, 2**31, 2**53, 10**18, 1e300, START - 10**11, START + 10**12])
    return orjson.dumps(canonical(rng, hour, openTime=moment))


def huge(rng: random.Random, hour: int) -> bytes:
    name = rng.choice(["open", "high", "low", "close", "volume"])
    return orjson.dumps(canonical(rng, hour, **{name: rng.choice([1e308, -1e308, 5e-324, 10**19 - 1, 0])}))


def far_up(rng: random.Random, hour: int) -> bytes:
    price = 10.0 ** rng.uniform(-300, 300)
    prices = {"open": price, "high": price * 1.5, "low": price / 1.5, "close": price}
    return orjson.dumps(canonical(rng, hour, **prices))


def other_types(rng: random.Random, hour: int) -> bytes:
    body = canonical(rng, hour)
    values = [None, [], {}, "", "NaN", "1e9999", True, "9" * 400, [[1]], {"a": {"b": 1}}, "\U0001f680"]
    for name in rng.sample(sorted(body), rng.randrange(1, 4)):
        body[name] = rng.choice(values)
    return orjson.dumps(body)


def bytes_flipped(rng: random.Random, hour: int) -> bytes:
    value = bytearray(good(rng, hour))
    for _ in range(rng.randrange(1, 8)):
        value[rng.randrange(len(value))] = rng.randrange(256)
    return bytes(value)


def cut(rng: random.Random, hour: int) -> bytes:
    value = good(rng, hour)
    return value[: rng.randrange(len(value))]


def noise(rng: random.Random, hour: int) -> bytes | None:
    return None if rng.random() < 0.1 else rng.randbytes(rng.randrange(200))


def deep(rng: random.Random, hour: int) -> bytes:
    depth = rng.randrange(1, 3_000)
    return b'{"data":' * depth + good(rng, hour) + b"}" * depth


def many_rows(rng: random.Random, hour: int) -> bytes:
    rows = [[START + (hour + at) * HOUR, 1, 2, 1, 1, 1] for at in range(rng.randrange(1, 40))]
    return orjson.dumps({"exchange": "x", "symbol": "R", "timeframe": "1h", "ohlcv": rows})


MAKERS: Final[list[Make]] = [
    *(unheard_of, time_travel, huge, far_up, other_types, bytes_flipped, cut, noise, deep, many_rows),
]


def records(rng: random.Random, count: int) -> Iterator[Record]:
    """Half of them good, an hour every hundred; three bodies of 10 MB."""
    for offset in range(count):
        hour = offset // 100
        value = (good if rng.random() < 0.5 else rng.choice(MAKERS))(rng, hour)
        if offset % (count // 3) == 7:
            value = b'{"open":"' + b"9" * 10_000_000 + b'"}'
        yield Record(offset, value, START + hour * HOUR + HOUR - 1)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def finite(value: Any) -> bool:
    """Whether no number in a message is infinite or none at all."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_hostile_records_are_all_accounted_for() -> None:
    rng = random.Random(5)
    engine = Engine(EngineConfig(horizons=("1h", "1d"), history_candles=1_000, model="hybrid"))
    partition = Partition(PLACE, engine, seek=0, live_from=0, most_series=MOST_SERIES)
    met, dead, used, said, sizes = Counter[str](), Counter[str](), 0, 0, []
    for record in records(rng, RECORDS):
        partition.feed([record], 0.0)
        outcomes = Counter[str]()
        while partition.ready:
            taken = partition.turn(64)
            outcomes.update({outcome: count for (_, outcome), count in taken.outcomes.items()})
            dead.update(mistake.reason for _, mistake in taken.dead)
        assert outcomes, f"nothing was told of the record at {record.offset}: {record.value!r:.200}"
        met["used" if outcomes.keys() - {"bad", "skipped"} else "dead" if outcomes["bad"] else "skipped"] += 1
        used += outcomes["new"]
        if record.offset % 100 == 99:
            for outputs in engine.advance(0).values():
                for message in [*outputs.predictions, *outputs.scores]:
                    said += 1
                    assert finite(message.body)
        if record.offset % (RECORDS // 10) == RECORDS // 10 - 1:
            sizes.append(resident_mb())
    assert met["used"] + met["dead"] + met["skipped"] == RECORDS
    assert partition.next_offset == RECORDS
    assert used > RECORDS // 3
    assert len(engine) <= MOST_SERIES
    assert {reasons.TOO_MANY_SERIES, reasons.NOT_JSON, reasons.BODY_TOO_LONG} <= dead.keys()
    assert said > RECORDS // 2
    assert sizes[-1] < sizes[4] + 40, f"memory grows: {sizes} MB"
