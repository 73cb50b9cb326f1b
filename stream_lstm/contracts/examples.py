"""An example of every message, made from the contracts: what docs show and tests read."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from stream_lstm.contracts.command import NAMES_A_SERIES, Command, CommandName
from stream_lstm.contracts.event import AppliedAt, Event
from stream_lstm.contracts.example_data import (
    CANDLE,
    COMMAND_ID,
    EVENTS,
    EXPERIMENT_ID,
    ID,
    NOW,
    PREDICTION,
    REPLIES,
    SCORE,
    SERIES,
    SERIES_ID,
    WORKER,
)
from stream_lstm.contracts.reply import Problem, Reply
from stream_lstm.contracts.wire import Message

_FACTS: Final = {
    "model.trained",
    "model.deleted",
    "model.retrain_requested",
    "series.paused",
    "series.resumed",
    "experiment.started",
    "experiment.stopped",
    "experiment.result",
}


class Example(NamedTuple):
    """One message, as it is on the wire."""

    payload: Any
    headers: dict[str, str] | None = None
    """None where a producer may send any or none."""


def _wire(message: Message) -> Any:
    """What is said, and nothing that is left out."""
    return message.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _cloud_event(id: str, kind: str, subject: str, at_ms: int) -> dict[str, str]:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_source": f"stream-lstm/{WORKER}",
        "ce_type": f"stream-lstm.{kind}",
        "ce_id": id,
        "ce_subject": subject,
        "ce_time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


_COMMANDS: Final[dict[CommandName, dict[str, Any]]] = {
    "predict": {"horizon": "4h", "confidence": 0.9},
    "regime": {"lookback_days": 30},
    "list-models": {},
    "model-stats": {},
    "delete-model": {},
    "cleanup-models": {"max_age_days": 30.0},
    "retrain": {},
    "pause": {},
    "resume": {"take_over": False},
    "describe": {},
    "start-experiment": {"challenger": "har", "alpha": 0.05, "max_candles": 2_000, "share": 0.1},
    "stop-experiment": {"experiment_id": EXPERIMENT_ID},
    "list-experiments": {},
}


def _event(kind: str, data: Message) -> Example:
    who: dict[str, Any] = {}
    if kind.startswith(("model.", "series.", "experiment.")):
        id, subject, who = f"{kind}:{SERIES_ID}:{NOW}", SERIES["symbol"], dict(SERIES)
    else:
        id, subject = f"{kind}:{WORKER}::{NOW}", WORKER
    if kind in _FACTS:
        id = f"{kind}:{SERIES_ID}:candles:3:12:1" if kind != "experiment.result" else id
        who["applied_at"] = AppliedAt(topic="candles", partition=3, offset=12, candles=1)
    elif kind in {"model.training_failed", "series.stale"} or not who:
        who["worker_id"] = WORKER
    said = Event(id=id, type=kind, at=NOW, data=_wire(data), **who)
    return Example(_wire(said), _cloud_event(id, kind, subject, NOW))


def _command(name: CommandName, arguments: dict[str, Any]) -> Example:
    about = SERIES if name in NAMES_A_SERIES else {}
    said = Command(
        command=name,
        command_id=COMMAND_ID,
        issued_at=NOW,
        expires_at=NOW + 30_000,
        **about,
        **arguments,
    )
    return Example(_wire(said))


def _reply(name: str, data: Message | None, error: Problem | None = None, *, done: bool = True) -> Example:
    said = Reply(
        id=f"{COMMAND_ID}/1",
        type="command.reply" if done else "command.rejected",
        at=NOW,
        worker_id=WORKER,
        correlation_id=COMMAND_ID,
        command=name,
        success=error is None,
        data={} if data is None else _wire(data),
        error=error,
        page=1,
        pages=1,
    )
    return Example(_wire(said), _cloud_event(said.id, said.type, COMMAND_ID, NOW))


EXAMPLES: Final[dict[str, Example]] = {
    "candle": Example(_wire(CANDLE)),
    "prediction": Example(
        _wire(PREDICTION),
        {
            **_cloud_event(f"{ID}:0", "prediction", "BTCUSDT", NOW),
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "stream-lstm.state": "9ae0daaf",
        },
    ),
    "score": Example(_wire(SCORE), _cloud_event(ID, "score", "BTCUSDT", SCORE.target)),
    **{f"event.{kind}": _event(kind, data) for kind, data in EVENTS.items()},
    **{f"command.{name}": _command(name, arguments) for name, arguments in _COMMANDS.items()},
    **{f"reply.{name}": _reply(name, data) for name, data in REPLIES.items()},
    "reply.failed": _reply(
        "model-stats", None, Problem(code="MODEL_NOT_FOUND", message="binance:BTCUSDT:1h has no model yet")
    ),
    "reply.rejected": _reply(
        "retrain",
        None,
        Problem(code="COMMAND_EXPIRED", message="it expired 12 s before it was read: send it again"),
        done=False,
    ),
    "deadLetter": Example(
        '{"exchange":"binance","symbol":"BTCUSDT","inter',
        {
            "__connect.errors.topic": "candles",
            "__connect.errors.partition": "3",
            "__connect.errors.offset": "42",
            "__connect.errors.connector.name": "stream-lstm",
            "__connect.errors.task.id": WORKER,
            "__connect.errors.stage": "VALUE_CONVERTER",
            "__connect.errors.class.name": "stream_lstm.candles.decode",
            "__connect.errors.exception.class.name": "BadCandle",
            "__connect.errors.exception.message": "unexpected end of data",
            "stream-lstm.reason": "not_json",
        },
    ),
}
"""By the message's name in the AsyncAPI document."""
