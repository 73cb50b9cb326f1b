"""What the settings say about feeding a topic."""

from stream_lstm.errors import SettingsError
from stream_lstm.feeding.tending import Manner
from stream_lstm.settings import Settings


def manner_of(settings: Settings) -> Manner:
    """How candles are to be published."""
    exchange = settings.exchange
    return Manner(
        settle_ms=round(exchange.settle * 1000),
        forming_ms=round(exchange.forming_every * 1000),
        stream=exchange.stream == "auto",
        grace_ms=round(settings.closing.close_grace * 1000),
    )


def input_topic(settings: Settings, named: str | None = None) -> str:
    """The topic that candles are written to: `named`, or the first of the inputs. Raises `SettingsError`."""
    topic = named or next((each.topic for each in settings.inputs if each.topic is not None), None)
    if topic is None:
        raise SettingsError("`inputs` has only patterns: say with --topic which topic is to be filled")
    return topic
