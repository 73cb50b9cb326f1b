"""The AsyncAPI 3 document: channels, messages and operations, as a worker sees them."""

from importlib.metadata import version
from typing import Any, Final

import orjson

from stream_lstm.contracts import channels
from stream_lstm.contracts.catalogue import Entry, component_schemas, messages
from stream_lstm.contracts.channels import CHANNELS, Channel
from stream_lstm.contracts.command import COMMANDS
from stream_lstm.contracts.examples import EXAMPLES
from stream_lstm.contracts.schemas import VERSION

Document = dict[str, Any]

_ABOUT: Final = (
    "Candles in, predictions with honest intervals out. Operations are those of a worker: it receives what "
    "you send. Times are epoch milliseconds in UTC, but for `ce_time`. Readers ignore fields and events that "
    "they do not know; a field goes or changes its meaning only when the version in `x-json-schema` rises."
)
_BINDING: Final = {"bindingVersion": "0.5.0"}
_DAY_MS: Final = 86_400_000
_REFUSALS: Final = ("reply.failed", "reply.rejected")
_PREFIX: Final = {"description": "The setting `topics.prefix`; empty by default.", "default": ""}
_INPUT: Final = {
    "description": "The whole name of an input, as in the setting `inputs`; the prefix is not added.",
    "default": channels.CANDLES.topic,
}


def document() -> Document:
    """The document as a plain dict; `as_json` makes the file of it."""
    entries = messages()
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:stream-lstm:asyncapi:{VERSION}",
        "info": {
            "title": "stream-lstm",
            "version": version("stream-lstm"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {channel.id: _channel(channel, entries) for channel in CHANNELS},
        "operations": _operations(entries),
        "components": {
            "messages": {name: _message(name, entry) for name, entry in entries.items()},
            "parameters": {"prefix": _PREFIX, "input": _INPUT},
            "schemas": component_schemas(),
        },
    }


def as_json(value: object) -> bytes:
    """JSON to be read and compared by people, with a line end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _server() -> Document:
    return {
        "host": "{bootstrapServers}",
        "protocol": "kafka",
        "variables": {
            "bootstrapServers": {
                "default": "localhost:9092",
                "description": "The setting `kafka.bootstrap_servers`.",
            }
        },
    }


def _channel(channel: Channel, entries: dict[str, Entry]) -> Document:
    parameter = "input" if channel.is_input else "prefix"
    return {
        "address": channel.address,
        "title": channel.topic,
        "description": channel.says,
        "parameters": {parameter: {"$ref": f"#/components/parameters/{parameter}"}},
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"}
            for name, entry in entries.items()
            if entry.channel is channel
        },
        "bindings": {
            "kafka": {
                "partitions": channel.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": channel.retention_days * _DAY_MS,
                },
                **_BINDING,
            }
        },
    }


def _message(name: str, entry: Entry) -> Document:
    example = EXAMPLES[name]
    made: Document = {
        "name": name,
        "summary": entry.says,
        "contentType": entry.content_type,
        "payload": entry.payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": entry.channel.key}, **_BINDING}},
        "examples": [{"name": name, "payload": example.payload}],
    }
    if entry.headers is not None:
        made["headers"] = entry.headers
        made["examples"][0]["headers"] = example.headers
    if entry.correlation is not None:
        made["correlationId"] = {"location": f"$message.payload#/{entry.correlation}"}
    if entry.schema_name is not None:
        made["x-json-schema"] = f"urn:stream-lstm:{entry.schema_name}:{VERSION}"
    return made


def _operations(entries: dict[str, Entry]) -> Document:
    events = [name for name in entries if name.startswith("event.")]
    group = {"groupId": {"type": "string", "description": "The setting `kafka.group`."}, **_BINDING}
    candles = _operation("receive", channels.CANDLES, ["candle"], "Read candles and forecast.")
    return {
        "receiveCandles": candles | {"bindings": {"kafka": group}},
        "sendPredictions": _operation("send", channels.PREDICTIONS, ["prediction"], "Say what will be."),
        "sendScores": _operation("send", channels.SCORES, ["score"], "Say what has come of it."),
        "sendEvents": _operation("send", channels.MODEL_EVENTS, events, "Say what has happened."),
        "sendDeadLetters": _operation(
            "send", channels.DEAD_LETTERS, ["deadLetter"], "Put aside what cannot be used."
        ),
        **{_camel(name): _answering(name, entries) for name in COMMANDS},
    }


def _operation(action: str, channel: Channel, names: list[str], summary: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.id}"},
        "summary": summary,
        "messages": _in(channel, names),
    }


def _answering(command: str, entries: dict[str, Entry]) -> Document:
    asked = f"command.{command}"
    return _operation("receive", channels.CONTROL, [asked], entries[asked].says) | {
        "reply": {
            "channel": {"$ref": f"#/channels/{channels.MODEL_EVENTS.id}"},
            "messages": _in(channels.MODEL_EVENTS, [f"reply.{command}", *_REFUSALS]),
        }
    }


def _in(channel: Channel, names: list[str]) -> list[Document]:
    return [{"$ref": f"#/channels/{channel.id}/messages/{name}"} for name in names]


def _camel(command: str) -> str:
    first, *others = command.split("-")
    return first + "".join(map(str.capitalize, others))
