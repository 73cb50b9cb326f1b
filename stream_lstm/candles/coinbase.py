"""Coinbase Advanced candles: always five minutes, which the message does not say, and no flag."""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw, no_object, rows
from stream_lstm.errors import BadCandle


def _recognises(message: Message) -> bool:
    return message.get("channel") == "candles" and "events" in message


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    sent = message.get("timestamp")
    for event in rows(message, "events"):
        if type(event) is not dict:
            yield no_object(event)
            continue
        for row in rows(event, "candles"):
            yield _candle(row, sent) if type(row) is dict else no_object(row)


def _candle(row: Message, sent: object) -> Raw:
    get = row.get
    prices = (get("open"), get("high"), get("low"), get("close"), get("volume"))
    return Raw("coinbase", get("product_id"), "5m", get("start"), *prices, event_time=sent)


COINBASE = Format("coinbase", _recognises, _read)
