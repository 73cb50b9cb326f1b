"""Whatever is done to a producer's message: no crash, and the same candle or a reason, never another."""

import copy
import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import reasons
from stream_lstm.candles.decode import FORMATS, NO_PIN, Decoded, Pin, decode
from stream_lstm.candles.series import Update
from tests.candles.producers import CANDLE, MESSAGES, OPEN_MS, RECORD_MS, STEP_MS, canonical, named

Path = tuple[Any, ...]


def _base64(value: float) -> str:
    return b64encode(round(value * 100).to_bytes(8, "big")).decode()


def _debezium() -> dict[str, Any]:
    decimal = {"name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}
    schema = {"fields": [{"field": "after", "fields": [decimal | {"field": name} for name in named()]}]}
    row = {"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h", "open_time": OPEN_MS * 1_000}
    row |= {name: _base64(value) for name, value in named().items()}
    change = {"before": None, "after": row, "source": {"table": "candles"}, "op": "c", "ts_ms": RECORD_MS}
    return {"schema": schema, "payload": change}


SAMPLES: dict[str, Any] = {name: message for name, (_, message) in MESSAGES.items()} | {
    "connect": {"schema": {"type": "struct", "fields": []}, "payload": canonical()},
    "debezium": _debezium(),
    "cloudevents": {"specversion": "1.0", "id": "1", "type": "candle", "data": canonical()},
}
REASONS = set(reasons.known())
NEVER_A_VALUE = [None, True, False, -1, -0.5, 10**31, "NaN", "inf", "-1", "", "\n", [], {}, [1], {"a": 1}]
"""What is neither price nor volume nor time nor name; NaN cannot be written in JSON but as a text."""
UNITS: dict[str, Callable[[int], Any]] = {
    "seconds": lambda ms: ms // 1_000,
    "float seconds": lambda ms: ms / 1_000,
    "ms": lambda ms: ms,
    "float ms": float,
    "µs": lambda ms: ms * 1_000,
    "ns": lambda ms: ms * 1_000_000,
    "RFC 3339": lambda ms: f"{datetime.fromtimestamp(ms / 1_000, UTC):%Y-%m-%dT%H:%M:%S}Z",
}


def sent(message: Any, pin: Pin = NO_PIN) -> Decoded:
    # Not orjson: numbers beyond 64 bits are to be written as well.
    return decode(json.dumps(message, allow_nan=False).encode(), record_ms=RECORD_MS, pin=pin)


def places(message: Any, trail: Path = ()) -> Iterator[Path]:
    """Paths of everything inside a message."""
    for key, value in message.items() if isinstance(message, dict) else enumerate(message):
        yield (*trail, key)
        if isinstance(value, dict | list):
            yield from places(value, (*trail, key))


def at(message: Any, path: Path) -> Any:
    for key in path:
        message = message[key]
    return message


def changed(message: Any, path: Path, value: Any) -> Any:
    message = copy.deepcopy(message)
    at(message, path[:-1])[path[-1]] = value
    return message


def without(message: Any, path: Path) -> Any:
    message = copy.deepcopy(message)
    del at(message, path[:-1])[path[-1]]
    return message


def candle(update: Update) -> tuple[Any, ...]:
    """What must never be wrong: the series, the times, the prices and the volume."""
    return update[:8]


ORIGINAL = {name: candle(sent(message).updates[0]) for name, message in SAMPLES.items()}
PLACES = [(name, path) for name, message in SAMPLES.items() for path in places(message)]


def same_or_refused(name: str, decoded: Decoded, *said: Any) -> None:
    """Texts of `said` were written into the message: a symbol that is called so is no mistake."""
    own, *rest = ORIGINAL[name]
    for update in decoded.updates:
        exchange, symbol, interval = update.series
        assert exchange == own.exchange or exchange in [str(each).lower() for each in said]
        # OKX DEX puts the chain before the token.
        assert symbol == own.symbol or symbol.removeprefix("1-") in map(str, said)
        assert interval == own.interval
        if name == "ccxt" and None in said:
            # It says null where an exchange tells no volume.
            rest[-1] = update.volume
        assert candle(update)[1:] == tuple(rest)
    assert {bad.reason for bad in decoded.bad} <= REASONS
    assert bool(decoded.updates or decoded.bad) != bool(decoded.skipped)


def test_every_format_has_a_sample() -> None:
    assert {sent(message).format for message in SAMPLES.values()} == set(FORMATS)


@pytest.mark.parametrize("name", SAMPLES)
def test_without_any_one_field_it_is_the_same_candle_or_none(name: str) -> None:
    for path in places(SAMPLES[name]):
        decoded = sent(without(SAMPLES[name], path))
        # Of a row of OKX the turnover may be missing, as on its DEX: a row cannot say which of them is.
        volumes_only = isinstance(path[-1], int) and name.startswith("okx") and decoded.updates
        if volumes_only:
            assert candle(decoded.updates[0])[:7] == ORIGINAL[name][:7]
        else:
            same_or_refused(name, decoded)


@pytest.mark.parametrize("junk", NEVER_A_VALUE, ids=repr)
@pytest.mark.parametrize("name", SAMPLES)
def test_with_any_one_value_gone_wrong_it_is_the_same_candle_or_none(name: str, junk: Any) -> None:
    for path in places(SAMPLES[name]):
        same_or_refused(name, sent(changed(SAMPLES[name], path, junk)), junk)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_number_as_a_text_and_a_text_as_a_number_are_the_same_candle_or_none(name: str) -> None:
    for path in places(SAMPLES[name]):
        value = at(SAMPLES[name], path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            same_or_refused(name, sent(changed(SAMPLES[name], path, str(value))))
        elif isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                continue
            same_or_refused(name, sent(changed(SAMPLES[name], path, number)))
            same_or_refused(
                name, sent(changed(SAMPLES[name], path, int(number))) if number % 1 == 0 else sent({})
            )


def times(message: Any) -> Iterator[Path]:
    """Paths of what may be a time of this candle, in whatever unit."""
    for path in places(message):
        value = at(message, path)
        number = str(value).replace(".", "", 1).isdecimal() and float(value) > 1e9
        if number or (isinstance(value, str) and value.startswith("2024-")):
            yield path


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", SAMPLES)
def test_in_any_unit_of_time_it_is_the_same_candle(name: str, unit: str, as_text: bool) -> None:
    message = SAMPLES[name]
    for path in times(message):
        value = at(message, path)
        near = [OPEN_MS, OPEN_MS + STEP_MS]
        moment = min(near, key=lambda ms: abs(ms - _ms(value)))
        spelled = UNITS[unit](moment)
        decoded = sent(changed(message, path, str(spelled) if as_text else spelled))
        assert [candle(update) for update in decoded.updates] == [ORIGINAL[name]], path


def _ms(value: Any) -> float:
    if isinstance(value, str) and not value.replace(".", "", 1).isdecimal():
        return datetime.fromisoformat(value.replace("Z", "+00:00")[:19] + "+00:00").timestamp() * 1_000
    number = float(value)
    while number > 1e14:
        number /= 1_000
    return number * 1_000 if number < 1e11 else number


NAMES = st.sampled_from(
    sorted(
        {key for message in SAMPLES.values() for path in places(message) for key in path if type(key) is str}
    )
)
JUNK = st.recursive(
    st.sampled_from(NEVER_A_VALUE)
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def objects(message: Any) -> list[Path]:
    paths = [(), *places(message)] if isinstance(message, dict) else list(places(message))
    return [path for path in paths if isinstance(at(message, path), dict)]


@given(st.sampled_from(sorted(SAMPLES)), st.text(min_size=1, max_size=6).map("x_".__add__), JUNK, st.data())
def test_an_unknown_field_more_changes_nothing(name: str, field: str, junk: Any, data: st.DataObject) -> None:
    paths = objects(SAMPLES[name])
    if paths:
        path = data.draw(st.sampled_from(paths))
        decoded = sent(changed(SAMPLES[name], (*path, field), junk))
        assert [candle(update) for update in decoded.updates] == [ORIGINAL[name]]


@given(st.sampled_from(sorted(SAMPLES)), NAMES, st.sampled_from(NEVER_A_VALUE), st.data())
def test_a_field_of_another_producer_more_is_the_same_candle_or_none(
    name: str, field: str, junk: Any, data: st.DataObject
) -> None:
    paths = objects(SAMPLES[name])
    if paths:
        path = data.draw(st.sampled_from(paths))
        if field not in at(SAMPLES[name], path):
            same_or_refused(name, sent(changed(SAMPLES[name], (*path, field), junk)), junk)


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(
        st.tuples(
            st.integers(0, 60), st.sampled_from(["drop", "junk", "text"]), st.sampled_from(NEVER_A_VALUE)
        )
    ),
    st.randoms(use_true_random=False),
)
def test_however_much_is_done_to_it_it_is_the_same_candle_or_none(
    name: str, changes: list[tuple[int, str, Any]], draw: random.Random
) -> None:
    message = shuffled(SAMPLES[name], draw)
    for number, kind, junk in changes[:4]:
        paths = list(places(message))
        if not paths:
            break
        path = paths[number % len(paths)]
        in_a_row = isinstance(at(message, path[:-1]), list)
        if kind == "drop" and not in_a_row:
            message = without(message, path)
        elif kind == "text" and type(at(message, path)) in (int, float):
            message = changed(message, path, str(at(message, path)))
        else:
            message = changed(message, path, junk)
    same_or_refused(name, sent(message), *(junk for _, _, junk in changes))


def shuffled(value: Any, draw: random.Random) -> Any:
    """The same with the fields of its objects in another order."""
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw.sample(list(value), len(value))}
    return value


@given(st.sampled_from(sorted(SAMPLES)), st.sampled_from(sorted(FORMATS)))
def test_pinned_to_another_format_it_is_the_same_candle_or_none(name: str, format: str) -> None:
    same_or_refused(name, sent(SAMPLES[name], Pin(format)))


def test_the_samples_are_all_of_one_candle() -> None:
    assert {original[2] for original in ORIGINAL.values()} == {OPEN_MS}
    assert {original[3:7] for original in ORIGINAL.values()} == {CANDLE[:4]}
