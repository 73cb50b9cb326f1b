"""The channels of the AsyncAPI document: which topic has what, by which key, kept for how long."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A topic, as `stream-lstm topics create` makes it when nothing else is asked for."""

    id: str
    topic: str
    """Logical name: the real one has `topics.prefix` before it, but for an input's, which is a whole name."""
    says: str
    key: str
    partitions: int
    retention_days: int
    is_input: bool = False

    @property
    def address(self) -> str:
        """The real name, as far as it is known without the settings."""
        return "{input}" if self.is_input else f"{{prefix}}{self.topic}"


CANDLES: Final = Channel(
    id="candles",
    topic="candles",
    says="Candle updates. There may be several such topics; other producers' formats are read as they are.",
    key="Any, never trusted: the series is named in the body. One series must stay in one partition.",
    partitions=6,
    retention_days=400,
    is_input=True,
)
PREDICTIONS: Final = Channel(
    id="predictions",
    topic="predictions",
    says="One message per series, closed candle and horizon; a higher revision replaces a lower one.",
    key="The symbol; the partition is that of Kafka's default partitioner.",
    partitions=6,
    retention_days=90,
)
SCORES: Final = Channel(
    id="scores",
    topic="scores",
    says="One message per matured prediction: what was said, what came.",
    key="The symbol; the partition is that of Kafka's default partitioner.",
    partitions=6,
    retention_days=90,
)
MODEL_EVENTS: Final = Channel(
    id="modelEvents",
    topic="model-events",
    says="What happens to models, series, partitions and workers, and the replies to commands. It has one "
    "partition, and so one order; a worker that restarts reads it again.",
    key="The symbol of what is about a series, the command's id of a reply, else the worker's name.",
    partitions=1,
    retention_days=400,
)
CONTROL: Final = Channel(
    id="control",
    topic="control",
    says="Commands. Every worker reads all of them; the owner of the series, or one leader, answers.",
    key="The symbol, or none.",
    partitions=1,
    retention_days=7,
)
DEAD_LETTERS: Final = Channel(
    id="deadLetters",
    topic="candles.dlq",
    says="The raw bytes of what was no usable candle, with key and timestamp; the headers say why.",
    key="As received.",
    partitions=1,
    retention_days=90,
)
CHANNELS: Final = (CANDLES, PREDICTIONS, SCORES, MODEL_EVENTS, CONTROL, DEAD_LETTERS)
