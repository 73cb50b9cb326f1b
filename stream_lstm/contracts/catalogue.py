"""Every message by its name: in which channel it is, and what its payload and its headers must look like."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from stream_lstm.contracts import channels, event, reply
from stream_lstm.contracts.candle import Candle
from stream_lstm.contracts.channels import Channel
from stream_lstm.contracts.command import NAMES_A_SERIES, Command, CommandName
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.headers import SCHEMAS as HEADERS
from stream_lstm.contracts.headers import Schema
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import REJECTED, REPLY, Problem, Reply
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import Message

_ANSWERS: Final[dict[str, type[Message]]] = {"predict": Prediction, **reply.DATA}
_ASKED: Final[dict[CommandName, str]] = {
    "predict": "A forecast of one series now, of any horizon and confidence.",
    "regime": "Bull, bear or sideways, and for how long.",
    "list-models": "The newest model of every series.",
    "model-stats": "A series' model, and how it has done lately.",
    "delete-model": "Delete a series' models; the next one is trained from its candles.",
    "cleanup-models": "Delete the models that are older than so many days.",
    "retrain": "Train a series' model as if it had expired.",
    "pause": "A series says nothing and is not trained; it goes on learning.",
    "resume": "A series speaks again.",
    "describe": "What one asks first about a series.",
    "start-experiment": "Try another model type in the shadow of the one that answers.",
    "stop-experiment": "End an experiment; the model that answers stays.",
    "list-experiments": "The experiments that run, and the last that have ended.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of message. No message is of two kinds."""

    channel: Channel
    says: str
    payload: Schema
    headers: Schema | None = None
    content_type: str = "application/json"
    correlation: str | None = None
    """Field of the payload that tells which reply belongs to which command."""
    schema_name: str | None = None
    """Its JSON Schema, or that of its `data`, by its name in `schemas()`."""


def component_schemas() -> dict[str, Schema]:
    """All schemas by name, each once; they refer to each other within the document."""
    models: list[type[Message]] = [Candle, Prediction, Score, Event, Command, Reply]
    models += [*event.DATA.values(), *reply.DATA.values()]
    _, made = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = made["$defs"]
    return dict(sorted(schemas.items())) | HEADERS


def messages() -> dict[str, Entry]:
    """Every message by name."""
    return _data() | _commands() | _events() | _replies()


def _data() -> dict[str, Entry]:
    return {
        "candle": Entry(
            channel=channels.CANDLES,
            says="One candle, forming or closed.",
            payload=_ref(Candle),
            schema_name="candle",
        ),
        "prediction": Entry(
            channel=channels.PREDICTIONS,
            says="The forecast of one horizon of one series.",
            payload=_ref(Prediction),
            headers=_headers("prediction", "PredictionHeaders"),
            schema_name="prediction",
        ),
        "score": Entry(
            channel=channels.SCORES,
            says="What was said and what came.",
            payload=_ref(Score),
            headers=_headers("score"),
            schema_name="score",
        ),
        "deadLetter": Entry(
            channel=channels.DEAD_LETTERS,
            says="A record that was no usable candle, and why.",
            payload={"type": "string", "format": "binary", "description": "The bytes as received."},
            headers=_to("DeadLetterHeaders"),
            content_type="application/octet-stream",
        ),
    }


def _commands() -> dict[str, Entry]:
    return {
        f"command.{name}": Entry(
            channel=channels.CONTROL,
            says=says,
            payload=_narrowed(Command, {"command": {"const": name}} | _series_of(name)),
            correlation="commandId",
            schema_name="command",
        )
        for name, says in _ASKED.items()
    }


def _series_of(name: CommandName) -> dict[str, Schema]:
    return {"symbol": {"type": "string"}} if name in NAMES_A_SERIES else {}


def _events() -> dict[str, Entry]:
    return {
        f"event.{kind}": Entry(
            channel=channels.MODEL_EVENTS,
            says=_told(data, kind),
            payload=_narrowed(Event, {"type": {"const": kind}, "data": _ref(data)}),
            headers=_headers(kind),
            schema_name=f"event.{kind}",
        )
        for kind, data in event.DATA.items()
    }


def _told(data: type[Message], kind: str) -> str:
    """The docstring without the type's name at its beginning."""
    told = (data.__doc__ or "").partition("\n")[0].removeprefix(f"`{kind}`").lstrip(".: ")
    return told[:1].upper() + told[1:] if told else f"{kind}."


def _replies() -> dict[str, Entry]:
    done = {
        f"reply.{name}": _reply(
            f"The answer to `{name}`.",
            REPLY,
            {"command": {"const": name}, "success": {"const": True}, "data": _ref(data)},
            "prediction" if name == "predict" else f"reply.{name}",
        )
        for name, data in _ANSWERS.items()
    }
    failed = {"success": {"const": False}, "error": _ref(Problem)}
    return done | {
        "reply.failed": _reply("Why a command could not be done.", REPLY, failed, "reply"),
        "reply.rejected": _reply(
            "A command that is malformed, unknown, ambiguous or expired: nothing was done.",
            REJECTED,
            failed,
            "reply",
        ),
    }


def _reply(says: str, kind: str, fields: dict[str, Schema], schema_name: str) -> Entry:
    return Entry(
        channel=channels.MODEL_EVENTS,
        says=says,
        payload=_narrowed(Reply, {"type": {"const": kind}, **fields}),
        headers=_headers(kind),
        correlation="correlationId",
        schema_name=schema_name,
    )


def _to(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _ref(model: type[Message]) -> Schema:
    return _to(model.__name__)


def _narrowed(model: type[Message], fields: dict[str, Schema]) -> Schema:
    return {"allOf": [_ref(model), {"type": "object", "required": list(fields), "properties": fields}]}


def _headers(kind: str, schema: str = "CloudEventHeaders") -> Schema:
    return {"allOf": [_to(schema), {"properties": {"ce_type": {"const": f"stream-lstm.{kind}"}}}]}
