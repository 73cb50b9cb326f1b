"""Messages that a feed carries besides candles: told so that they are skipped, never dead-lettered."""

from typing import Final

from stream_lstm.candles.formats import Message

TOMBSTONE: Final = "tombstone"
HEARTBEAT: Final = "heartbeat"
ACKNOWLEDGEMENT: Final = "acknowledgement"
EMPTY: Final = "empty"
"""A candle message without a candle."""

_KEYS: Final = ("event", "op", "method", "type", "channel")
"""Where exchanges say what a message is."""
_HEARTBEATS: Final = frozenset({"heartbeat", "heartbeats", "ping", "pong"})
_ACKNOWLEDGEMENTS: Final = frozenset(
    {
        *("subscribe", "subscribed", "unsubscribe", "unsubscribed", "subscriptions"),
        *("subscriptionStatus", "subscriptionResponse", "systemStatus", "status"),
        *("welcome", "ack", "info", "auth", "login"),
    }
)
_BARE: Final = frozenset({b"ping", b"pong"})


def kind_of(message: Message) -> str | None:
    """The kind of a message that is no candle, or None if it is none that we know.

    >>> kind_of({"success": True, "op": "subscribe"}), kind_of({"ping": 1}), kind_of({"price": 1})
    ('acknowledgement', 'heartbeat', None)
    """
    said = {value for value in map(message.get, _KEYS) if isinstance(value, str)}
    if said & _HEARTBEATS or message.keys() & _HEARTBEATS:
        return HEARTBEAT
    if said & _ACKNOWLEDGEMENTS or message.keys() == {"result", "id"}:
        return ACKNOWLEDGEMENT
    return None


def is_bare_heartbeat(value: bytes) -> bool:
    """Whether the value is the plain text ping or pong that some sockets send."""
    return len(value) < 16 and value.strip().strip(b'"') in _BARE
