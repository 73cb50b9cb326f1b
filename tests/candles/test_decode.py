import copy
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import chatter, reasons
from stream_lstm.candles.decode import FORMATS, NO_PIN, Decoded, Pin, decode
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import SettingsError
from tests.candles.producers import (
    CANDLE,
    MESSAGES,
    OPEN_MS,
    RECORD_MS,
    STEP_MS,
    bybit,
    canonical,
    ccxt,
    cryptofeed,
    gateio,
    gateio_futures,
    kraken_v1,
    kucoin,
    okx,
    okx_dex,
    platform,
)

FLAGLESS = {"ccxt", "coinbase", "kraken", "kraken-v1", "hyperliquid", "kucoin", "gateio"}
WITHOUT_EVENT_TIME = {"canonical", "okx", "okx-dex", "ccxt", "hyperliquid", "platform"}
EXCHANGES = {
    **{"canonical": "binance", "cryptofeed": "coinbase", "platform": "binance", "kraken-v1": "kraken"}
}

ENDED = (OPEN_MS + STEP_MS) / 1_000

REASONS = {value for name, value in vars(reasons).items() if name.isupper()}


def sent(message: Any, *, pin: Pin = NO_PIN, record_ms: int = RECORD_MS) -> Decoded:
    return decode(orjson.dumps(message), record_ms=record_ms, pin=pin)


def refused(decoded: Decoded) -> list[str]:
    return [bad.reason for bad in decoded.bad]


@pytest.mark.parametrize("spelling", MESSAGES)
def test_every_producer_says_the_same_candle(spelling: str) -> None:
    format, message = MESSAGES[spelling]
    decoded = sent(message)
    (update,) = decoded.updates
    assert (decoded.format, decoded.bad, decoded.skipped) == (format, [], None)
    # Gate.io's futures count whole contracts.
    volume = int(CANDLE[4] * 2) if spelling == "gateio futures" else CANDLE[4]
    assert update[2:8] == (OPEN_MS, *CANDLE[:4], volume)
    # Coinbase has candles of five minutes only, and does not say so.
    assert update.series.interval == ("5m" if format == "coinbase" else "1h")
    assert update.series.exchange == EXCHANGES.get(format, format)
    assert update.closed is (None if format in FLAGLESS else True)
    assert update.event_ms == (None if format in WITHOUT_EVENT_TIME else RECORD_MS - 400)


@pytest.mark.parametrize("spelling", MESSAGES)
def test_a_pin_wins_over_the_body(spelling: str) -> None:
    format, message = MESSAGES[spelling]
    (update,) = sent(message, pin=Pin(format, "Binance-Futures", "4H")).updates
    assert (update.series.exchange, update.series.interval) == ("binance-futures", "4h")
    assert update.step_ms == 4 * STEP_MS
    # Kraken v1 tells the end, from which a pinned interval counts back.
    assert update.open_ms == (OPEN_MS - 3 * STEP_MS if format == "kraken-v1" else OPEN_MS)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("spelling", MESSAGES)
def test_a_pinned_format_takes_no_other(spelling: str, format: str) -> None:
    own, message = MESSAGES[spelling]
    decoded = sent(message, pin=Pin(format))
    assert bool(decoded.updates) == (own == format)
    assert refused(decoded) == ([] if own == format else [reasons.UNKNOWN_SHAPE])


def test_a_pinned_format_that_does_not_exist_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="known are canonical, binance"):
        sent(canonical(), pin=Pin("binanse"))


def test_a_kraken_v1_array_opens_one_interval_before_its_end() -> None:
    message = kraken_v1()
    message[1][1], message[2] = "1542057360.000000", "ohlc-5"
    (update,) = sent(message).updates
    assert (update.open_ms, update.step_ms) == (1_542_057_060_000, 300_000)
    assert update.series == SeriesKey("kraken", "XBT/USD", "5m")


def test_an_okx_dex_token_is_named_by_its_chain_and_address() -> None:
    message = okx_dex()
    (update,) = sent(message).updates
    assert update.series.symbol == "1-0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    message["arg"] = {"channel": "dex-token-candle1H", "chainId": "501", "tokenAddress": "So11"}
    assert sent(message).updates[0].series == SeriesKey("okx-dex", "501-So11", "1h")
    del message["arg"]["chainId"]
    assert refused(sent(message)) == [reasons.MISSING_FIELD]


def test_gateio_s_quote_volume_never_passes_for_the_base_volume() -> None:
    message = gateio()
    del message["result"]["a"]
    assert refused(sent(message)) == [reasons.MISSING_FIELD]
    assert sent(gateio_futures()).updates[0].volume == 643


@pytest.mark.parametrize("field", range(7))
def test_a_kucoin_row_that_lost_a_field_is_refused(field: int) -> None:
    message = kucoin()
    del message["data"]["candles"][field]
    assert refused(sent(message)) == [reasons.UNKNOWN_SHAPE]


@pytest.mark.parametrize("gone", ["exchange", "interval"])
def test_what_the_producer_never_says_can_be_pinned_and_the_error_says_so(gone: str) -> None:
    message = canonical()
    value = message.pop(gone)
    (bad,) = sent(message).bad
    assert f'inputs = [{{topic = "…", {gone} = "…"}}]' in str(bad)
    assert sent(message, pin=NO_PIN._replace(**{gone: value})).updates == sent(canonical()).updates


@pytest.mark.parametrize("interval", ["1h", None])
def test_a_flat_row_with_a_bare_timestamp_needs_its_format_pinned_and_the_error_says_so(
    interval: str | None,
) -> None:
    message = platform() | {"interval": interval}
    del message["timeframe"]
    if interval is None:
        del message["interval"]
    (bad,) = sent(message).bad
    assert 'inputs = [{topic = "…", format = "platform"}]' in str(bad)
    (update,) = sent(message, pin=Pin("platform", interval="1h")).updates
    assert update[:8] == sent(platform()).updates[0][:8]


def test_rows_without_a_series_are_refused_with_the_way_to_wrap_them() -> None:
    (bad,) = sent([[OPEN_MS, *CANDLE]]).bad
    assert bad.reason == reasons.UNKNOWN_SHAPE
    assert '"ohlcv": [rows]' in str(bad)


@pytest.mark.parametrize(("length", "name"), [(60_000, "1m"), (3_600_000, "1h"), (None, "1h")])
@pytest.mark.parametrize("spelling", [60, "60"])
def test_a_bare_sixty_is_an_hour_unless_the_close_time_says_a_minute(
    spelling: Any, length: int | None, name: str
) -> None:
    message = canonical() | {"interval": spelling, "closeTime": length and OPEN_MS + length - 1}
    assert sent(message).updates[0].series.interval == name


@pytest.mark.parametrize("time", [0, 62_010.5, 19_999, "20000", 99_999_999])
def test_a_number_that_is_no_time_of_a_market_is_refused(time: Any) -> None:
    assert refused(sent(canonical() | {"openTime": time})) == [reasons.NOT_A_TIME]


@pytest.mark.parametrize("mark", [{"__deleted": "true"}, {"__deleted": True}, {"__op": "d"}])
def test_a_deleted_row_is_no_candle(mark: dict[str, Any]) -> None:
    assert sent(canonical() | mark) == Decoded("canonical", [], [], chatter.EMPTY)


def test_the_event_time_of_a_canonical_candle_is_its_own() -> None:
    (update,) = sent(canonical() | {"eventTime": "2024-10-05T11:00:00.25Z"}).updates
    assert update.event_ms == OPEN_MS + STEP_MS + 250


def test_closed_and_close_time_may_be_missing() -> None:
    message = canonical()
    del message["closed"], message["closeTime"]
    (update,) = sent(message).updates
    assert (update.closed, update.close_ms) == (None, OPEN_MS + STEP_MS - 1)


def test_a_table_row_in_snake_case_is_a_canonical_candle() -> None:
    message = canonical() | {"open_time": OPEN_MS * 1_000}
    del message["openTime"]
    (update,) = sent(message).updates
    assert update.open_ms == OPEN_MS


@pytest.mark.parametrize(
    ("said", "flag"),
    [
        ({"exchange": "BINANCE", "closed": False, "trades": 7}, False),
        ({"exchange": "OKX", "closed": True, "trades": None, "receipt_timestamp": ENDED - 0.1}, None),
        (
            {"exchange": "OKX", "closed": True, "trades": None, "stop": ENDED, "receipt_timestamp": ENDED},
            True,
        ),
        (
            {"exchange": "OKX", "closed": True, "stop": ENDED, "timestamp": None, "receipt_timestamp": None},
            None,
        ),
        ({"exchange": "BYBIT", "closed": False, "trades": True}, True),
        ({"exchange": "BYBIT", "closed": False, "trades": False}, False),
        ({"exchange": "KRAKEN", "closed": False, "trades": 7}, False),
    ],
)
def test_a_flag_of_cryptofeed_is_read_where_its_handler_put_it(
    said: dict[str, Any], flag: bool | None
) -> None:
    assert sent(cryptofeed() | said).updates[0].closed is flag


def test_milliseconds_through_cryptofeed_are_told_from_seconds() -> None:
    (update,) = sent(cryptofeed() | {"start": OPEN_MS, "stop": OPEN_MS + STEP_MS - 1, "trades": True}).updates
    assert update.open_ms == OPEN_MS


def test_an_okx_day_keeps_its_hong_kong_open_time() -> None:
    message = okx()
    message["arg"]["channel"] = "candle1D"
    hong_kong = OPEN_MS - OPEN_MS % 86_400_000 - 8 * STEP_MS
    message["data"][0][0] = str(hong_kong)
    (update,) = sent(message).updates
    assert (update.series.interval, update.open_ms) == ("1d", hong_kong)


@pytest.mark.parametrize(("spelling", "name"), [("1", "1m"), ("240", "4h"), ("D", "1d"), ("W", "1w")])
def test_bybit_counts_minutes(spelling: str, name: str) -> None:
    (update,) = sent(bybit() | {"topic": f"kline.{spelling}.BTCUSDT"}).updates
    assert update.series == SeriesKey("bybit", "BTCUSDT", name)


def test_bybit_has_no_candle_of_seconds() -> None:
    assert refused(sent(bybit() | {"topic": "kline.3600.BTCUSDT"})) == [reasons.INTERVAL_UNKNOWN]


def test_all_rows_of_ccxt_but_the_last_have_closed() -> None:
    rows = [[OPEN_MS + n * STEP_MS, *CANDLE] for n in (-2, -1, 0)]
    rows[0][5] = None
    updates = sent(ccxt() | {"ohlcv": rows, "exchange": "Kraken"}).updates
    assert [update.closed for update in updates] == [True, True, None]
    assert [update.volume for update in updates] == [0.0, CANDLE[4], CANDLE[4]]
    assert updates[0].series == SeriesKey("kraken", "BTC/USDT", "1h")


@pytest.mark.parametrize("bad_row", [None, 7, [], ["x"] * 9, {"start": "never"}])
@pytest.mark.parametrize("format", ["bybit", "okx", "ccxt"])
def test_good_rows_are_used_although_another_is_bad(format: str, bad_row: Any) -> None:
    message = copy.deepcopy(MESSAGES[format][1])
    rows = message["ohlcv" if format == "ccxt" else "data"]
    rows[:] = [rows[0], bad_row, rows[0]]
    decoded = sent(message)
    assert len(decoded.updates) == 2
    assert len(decoded.bad) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, chatter.TOMBSTONE),
        (b"", chatter.TOMBSTONE),
        (b"null", chatter.TOMBSTONE),
        (b"pong", chatter.HEARTBEAT),
        (b'{"ping":1728122400000}', chatter.HEARTBEAT),
        (b'{"event":"heartbeat"}', chatter.HEARTBEAT),
        (b'{"channel":"heartbeat"}', chatter.HEARTBEAT),
        (b'{"op":"pong","ret_msg":"pong","success":true}', chatter.HEARTBEAT),
        (b'{"success":true,"op":"subscribe","conn_id":"1"}', chatter.ACKNOWLEDGEMENT),
        (b'{"event":"subscribe","arg":{"channel":"candle1H","instId":"A"}}', chatter.ACKNOWLEDGEMENT),
        (b'{"event":"systemStatus","status":"online"}', chatter.ACKNOWLEDGEMENT),
        (b'{"channel":"subscriptions","events":[]}', chatter.ACKNOWLEDGEMENT),
        (b'{"result":null,"id":1}', chatter.ACKNOWLEDGEMENT),
        (b'{"topic":"kline.60.BTCUSDT","data":[]}', chatter.EMPTY),
    ],
)
@pytest.mark.parametrize("pin", [Pin(), Pin("bybit")])
def test_what_is_no_candle_and_no_mistake_is_skipped(value: bytes | None, kind: str, pin: Pin) -> None:
    decoded = decode(value, record_ms=RECORD_MS, pin=pin)
    assert (decoded.updates, decoded.bad, decoded.skipped) == ([], [], kind)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", reasons.NOT_JSON),
        (b"candle", reasons.NOT_JSON),
        (b'{"close":NaN}', reasons.NOT_JSON),
        (b'{"symbol":"\xff\xfe"}', reasons.NOT_JSON),
        (b"[" * 100_000, reasons.NOT_JSON),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, reasons.NOT_JSON),
        (b'{"a":' * 500 + b"1" + b"}" * 500, reasons.UNKNOWN_SHAPE),
        (b"7", reasons.UNKNOWN_SHAPE),
        (b"[[1,2,3,4,5,6]]", reasons.UNKNOWN_SHAPE),
        (b"{}", reasons.UNKNOWN_SHAPE),
        (b'{"e":"trade","p":"1"}', reasons.UNKNOWN_SHAPE),
        (b'{"k":[]}', reasons.WRONG_TYPE),
        (b'{"ohlcv":{}}', reasons.WRONG_TYPE),
        (b'{"k":{}}', reasons.MISSING_FIELD),
        (b" " * (1 << 20) + b"{}", reasons.BODY_TOO_LONG),
    ],
)
def test_a_message_that_is_no_candle_has_its_reason(value: bytes, reason: str) -> None:
    decoded = decode(value, record_ms=RECORD_MS)
    assert (decoded.updates, refused(decoded), decoded.skipped) == ([], [reason], None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"openTime": None}, reasons.MISSING_FIELD),
        ({"open": None}, reasons.MISSING_FIELD),
        ({"volume": None}, reasons.MISSING_FIELD),
        ({"symbol": None}, reasons.MISSING_FIELD),
        ({"interval": None}, reasons.MISSING_FIELD),
        ({"openTime": "noon"}, reasons.NOT_A_TIME),
        ({"eventTime": [1]}, reasons.NOT_A_TIME),
        ({"close": "a lot"}, reasons.NOT_A_NUMBER),
        ({"close": "NaN"}, reasons.NOT_A_NUMBER),
        ({"high": "inf"}, reasons.NOT_A_NUMBER),
        ({"open": True}, reasons.NOT_A_NUMBER),
        ({"low": [1.0]}, reasons.NOT_A_NUMBER),
        ({"low": 0}, reasons.NOT_POSITIVE),
        ({"open": -1, "low": -2}, reasons.NOT_POSITIVE),
        ({"volume": -1}, reasons.NEGATIVE_VOLUME),
        ({"high": 61_000}, reasons.HIGH_BELOW_LOW),
        ({"open": 63_000}, reasons.OUTSIDE_RANGE),
        ({"close": 61_900}, reasons.OUTSIDE_RANGE),
        ({"openTime": RECORD_MS + STEP_MS + 1}, reasons.FROM_THE_FUTURE),
        ({"openTime": 2**63}, reasons.FROM_THE_FUTURE),
        ({"symbol": "B" * 65}, reasons.SYMBOL_TOO_LONG),
        ({"symbol": ""}, reasons.BAD_NAME),
        ({"symbol": "BTC\nUSDT"}, reasons.BAD_NAME),
        ({"exchange": "a:b"}, reasons.BAD_NAME),
        ({"symbol": ["BTCUSDT"]}, reasons.WRONG_TYPE),
        ({"exchange": {"name": "binance"}}, reasons.WRONG_TYPE),
        ({"interval": 60.5}, reasons.WRONG_TYPE),
        ({"closed": "yes"}, reasons.WRONG_TYPE),
        ({"interval": "1M"}, reasons.INTERVAL_UNKNOWN),
        ({"interval": "fortnight"}, reasons.INTERVAL_UNKNOWN),
    ],
)
def test_a_candle_that_breaks_a_rule_has_its_reason(change: dict[str, Any], reason: str) -> None:
    decoded = sent(canonical() | change)
    assert (decoded.updates, refused(decoded)) == ([], [reason])


def test_an_open_time_may_be_an_interval_ahead_of_the_record() -> None:
    assert sent(canonical(), record_ms=OPEN_MS - STEP_MS).updates


def test_a_bad_candle_says_which_and_what() -> None:
    (bad,) = sent(canonical() | {"high": 61_000}).bad
    assert str(bad) == "binance:BTCUSDT:1h at 1728122400000: high 61000.0 is below low 61950.25"


def test_a_message_never_quotes_a_huge_value() -> None:
    (bad,) = sent(canonical() | {"close": "9" * 100_000 + "x"}).bad
    assert len(str(bad)) < 300


def is_sound(decoded: Decoded) -> bool:
    """Whether nothing is lost or made up: sane candles, known reasons, and one of the three always."""
    for update in decoded.updates:
        assert 0 < update.low <= min(update.open, update.close)
        assert max(update.open, update.close) <= update.high < float("inf")
        assert 0 <= update.volume < float("inf")
        assert 0 <= update.open_ms <= RECORD_MS + update.step_ms
    assert set(refused(decoded)) <= REASONS
    return bool(decoded.updates or decoded.bad) != bool(decoded.skipped)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def places(message: Any, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything inside a message."""
    pairs = message.items() if isinstance(message, dict) else enumerate(message)
    found = []
    for key, value in pairs:
        found.append((*trail, key))
        if isinstance(value, dict | list):
            found += places(value, (*trail, key))
    return found


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_field_dropped_or_retyped_never_crashes(spelling: str, data: st.DataObject) -> None:
    message = copy.deepcopy(MESSAGES[spelling][1])
    *trail, last = data.draw(st.sampled_from(places(message)))
    parent = message
    for key in trail:
        parent = parent[key]
    if data.draw(st.booleans()):
        del parent[last]
    else:
        parent[last] = data.draw(JUNK)
    assert is_sound(sent(message))


@given(st.sampled_from(sorted(MESSAGES)), st.randoms(use_true_random=False))
def test_the_order_of_fields_means_nothing(spelling: str, draw: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in draw.sample(list(value), len(value))}
        return value

    message = MESSAGES[spelling][1]
    assert sent(shuffled(message)) == sent(message)


@given(st.binary(max_size=200))
def test_random_bytes_never_crash(value: bytes) -> None:
    assert is_sound(decode(value, record_ms=RECORD_MS))


@given(JUNK, st.sampled_from([None, *FORMATS]))
def test_any_json_never_crashes(value: Any, format: str | None) -> None:
    assert is_sound(sent(value, pin=Pin(format)))


def test_ten_thousand_mutated_messages_never_crash() -> None:
    draw = random.Random(7)
    originals = [orjson.dumps(message) for _, message in MESSAGES.values()]
    for _ in range(10_000):
        value = bytearray(draw.choice(originals))
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(value))
            value[place : place + draw.randint(0, 3)] = draw.randbytes(draw.randint(0, 3))
        assert is_sound(decode(bytes(value), record_ms=RECORD_MS))
