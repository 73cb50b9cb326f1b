"""What a worker says, as records: predictions, scores and events with their keys and headers."""

import time
from collections.abc import Iterable
from typing import Any, Final

import orjson

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.reply import PAGE, REJECTED, REPLY
from stream_lstm.errors import CommandRefused
from stream_lstm.forecasting.outputs import Event, Outputs, Prediction, Score
from stream_lstm.kafka.records import CloudEvents, Header, Record
from stream_lstm.kafka.topics import MODEL_EVENTS, PREDICTIONS, SCORES
from stream_lstm.streaming import facts
from stream_lstm.streaming.facts import Fact
from stream_lstm.streaming.partition import Cause

STATE_HEADER: Final = "stream-lstm.state"
"""CRC-32 of a prediction's state, 8 hexadecimal digits."""

_TYPE: Final = "stream-lstm."
_PAGED: Final = ("models", "deleted")
"""Fields of `data` that go on in the next page."""
_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY


class Encoder:
    """Makes the records of one worker."""

    def __init__(self, application: str, worker_id: str) -> None:
        self.worker_id = worker_id
        self._cloud_events = CloudEvents(f"{application}/{worker_id}")

    def outputs(self, said: Outputs) -> list[Record]:
        """All that one partition says, in the order in which it must be read."""
        return [
            *map(self._event, said.events),
            *map(self._score, said.scores),
            *map(self._prediction, said.predictions),
        ]

    def fact(self, fact: Fact, at_ms: int) -> Record:
        """A fact; `at_ms` is stream time."""
        value = facts.encode(fact, at_ms)
        return self._model_event(fact.series.symbol, value, fact.id, fact.kind, at_ms)

    def own(
        self, kind: str, data: dict[str, Any], *, about: str = "", series: SeriesKey | None = None
    ) -> Record:
        """An event of now that rests on no offset; `about` tells it from others of the same moment."""
        at_ms = int(time.time() * 1000)
        id = f"{kind}:{self.worker_id}:{about or series or ''}:{at_ms}"
        body = _event_body(id, kind, at_ms, data, series) | {"workerId": self.worker_id}
        subject = series.symbol if series else self.worker_id
        return self._model_event(subject, orjson.dumps(body, option=_NUMPY), id, kind, at_ms)

    def replies(
        self, key: str, command_id: str | None, command: str | None, data: dict[str, Any]
    ) -> list[Record]:
        """A successful reply, in as many pages as its list needs; `key` names it in every repeat."""
        name = next((name for name in _PAGED if name in data), None)
        pages = [data]
        if name is not None and len(data[name]) > PAGE:
            pages = [data | {name: data[name][at : at + PAGE]} for at in range(0, len(data[name]), PAGE)]
        return [
            self._reply(key, command_id, command, REPLY, page, len(pages), {"success": True, "data": one})
            for page, one in enumerate(pages, start=1)
        ]

    def refusal(
        self, key: str, command_id: str | None, command: str | None, error: CommandRefused, *, rejected: bool
    ) -> Record:
        """A reply that says why a command was not done."""
        body = {"success": False, "data": {}, "error": {"code": error.code, "message": str(error)}}
        return self._reply(key, command_id, command, REJECTED if rejected else REPLY, 1, 1, body)

    def _reply(
        self,
        key: str,
        command_id: str | None,
        command: str | None,
        kind: str,
        page: int,
        pages: int,
        body: dict[str, Any],
    ) -> Record:
        at_ms = int(time.time() * 1000)
        id = f"{key}/{page}"
        reply = {
            "id": id,
            "type": kind,
            "at": at_ms,
            "workerId": self.worker_id,
            "correlationId": command_id,
            "command": command,
            "error": None,
            "page": page,
            "pages": pages,
        }
        return self._model_event(key, orjson.dumps(reply | body, option=_NUMPY), id, kind, at_ms)

    def _event(self, event: Event) -> Record:
        id = f"{event.type}:{event.series}:{event.at_ms}"
        body = _event_body(id, event.type, event.at_ms, event.data, event.series)
        value = orjson.dumps(body, option=_NUMPY)
        trace = _trace(event.cause)
        return self._model_event(event.series.symbol, value, id, event.type, event.at_ms, trace)

    def _model_event(
        self, subject: str, value: bytes, id: str, kind: str, at_ms: int, trace: Iterable[Header] = ()
    ) -> Record:
        headers = self._cloud_events.headers(id, _TYPE + kind, subject, at_ms, trace)
        return Record(MODEL_EVENTS, subject.encode(), value, headers)

    def _score(self, score: Score) -> Record:
        symbol, body = score.series.symbol, score.body
        headers = self._cloud_events.headers(
            body["id"], _TYPE + "score", symbol, body["target"], _trace(score.cause)
        )
        return Record(SCORES, symbol.encode(), orjson.dumps(body, option=_NUMPY), headers)

    def _prediction(self, prediction: Prediction) -> Record:
        symbol, body = prediction.series.symbol, prediction.body
        headers = self._cloud_events.headers(
            f"{body['id']}:{body['revision']}",
            _TYPE + "prediction",
            symbol,
            body["generatedAt"],
            _trace(prediction.cause),
        )
        state = (STATE_HEADER, b"%08x" % prediction.state)
        value = orjson.dumps(body, option=_NUMPY)
        return Record(PREDICTIONS, symbol.encode(), value, (*headers, state))


def _trace(cause: object) -> Iterable[Header]:
    return cause.headers if isinstance(cause, Cause) else ()


def _event_body(
    id: str, kind: str, at_ms: int, data: dict[str, Any], series: SeriesKey | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"id": id, "type": kind, "at": at_ms, "data": data}
    if series is not None:
        body |= {"exchange": series.exchange, "symbol": series.symbol, "interval": series.interval}
    return body
