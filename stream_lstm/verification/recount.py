"""The state of every prediction, counted again from the topics alone, without anything of the engine."""

import zlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import Any

import orjson

from stream_lstm.verification.messages import Message


class Recount:
    """CRC-32 of (last open time, candle count, model id, score count), for candles as our feeder sends them.

    Give it all candles, scores and events first, in the order of each series.
    """

    def __init__(self) -> None:
        self._closes: defaultdict[str, list[int]] = defaultdict(list)
        self._begins: defaultdict[str, list[int]] = defaultdict(list)
        self._targets: defaultdict[str, list[int]] = defaultdict(list)

    def candle(self, value: bytes) -> None:
        """A candle as it was sent; one that comes again counts once."""
        body = orjson.loads(value)
        closes = self._closes[f"{body['exchange']}:{body['symbol']}:{body['interval']}"]
        if not closes or closes[-1] < body["closeTime"]:
            closes.append(body["closeTime"])

    def said(self, message: Message) -> None:
        """A score, or an event that may say that a series begins anew."""
        if message.kind == "score":
            self._targets[message.series].append(message.at_ms)
        elif message.kind == "series.gap" and _begins_anew(message.body["data"]):
            self._begins[message.series].append(message.at_ms)

    def state(self, prediction: Message) -> str:
        """What the header must say, 8 hexadecimal digits."""
        series, as_of, body = prediction.series, prediction.at_ms, prediction.body
        begins = [close for close in self._begins[series] if close <= as_of]
        closes, first = self._closes[series], max(begins, default=0)
        candles = bisect_right(closes, as_of) - bisect_left(closes, first)
        scores = bisect_right(self._targets[series], as_of)
        opened = 2 * as_of + 1 - body["validUntil"]
        state = f"{opened}:{candles}:{body['modelInfo']['modelId']}:{scores}"
        return f"{zlib.crc32(state.encode()):08x}"


def _begins_anew(data: dict[str, Any]) -> bool:
    return not data.get("filled") and not data.get("bridged")
