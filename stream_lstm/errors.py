"""Every exception that we raise on a user's input or surroundings, drawn once.

StreamLstmError
├── SettingsError        a setting is wrong, unknown or impossible: names it and the way out
├── BadCandle            a record is no candle: carries the reason code of the dead letter
├── ModelError           a model cannot be used
│   ├── ModelMismatch    it was made for another feature set, horizon or format version
│   └── ModelDamaged     its bytes are not what was saved
├── TrainingFailed       a fit did not end in a usable model
├── StoreError           the object store refused, or cannot be reached
│   └── ObjectMissing    it has no such object
├── CommandRefused       a command that cannot be done: carries the code of the reply
├── CheckpointUnusable   a checkpoint is damaged, or was made for something else
├── CommandError         a command to the workers had no success
│   ├── CommandFailed    a worker's answer is that it was not done: carries the code
│   └── NoAnswer         no worker has answered in time
├── BrokerError          Kafka refused, or cannot be reached
│   ├── TopicMissing     a topic that must exist does not
│   └── PartitionLost    what was published for a partition may not be in the log: restore it
├── VenueError           an exchange refused, or cannot be reached
└── EmbeddedKafkaError   the broker from pip could not be built or started
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_lstm.contracts.reply import Reply


class StreamLstmError(Exception):
    """The root: what a command line shows as one line, without a traceback."""


class SettingsError(StreamLstmError):
    """A setting is wrong, unknown or impossible. The message names it and the way out."""


class BadCandle(StreamLstmError):
    """A record that is no usable candle.

    ``reason`` is the code that goes into the dead letter's headers and the metric's label;
    the message names the value and the place.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModelError(StreamLstmError):
    """A model cannot be used. The message says which and why."""


class ModelMismatch(ModelError):
    """A model made for another feature set, horizon set or format version."""


class ModelDamaged(ModelError):
    """A model file whose bytes are not what was saved."""


class TrainingFailed(StreamLstmError):
    """A fit that did not end in a usable model: too little history, NaN, a dead process."""


class StoreError(StreamLstmError):
    """The object store refused an operation or cannot be reached. The message has its URL and the way out."""


class ObjectMissing(StoreError):
    """The object store has nothing at that path."""


class CommandRefused(StreamLstmError):
    """A command that cannot be done; ``code`` goes into the reply with the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CheckpointUnusable(StreamLstmError):
    """A checkpoint that is damaged, or was made for another log, other settings or another version."""


class CommandError(StreamLstmError):
    """A command to the workers had no success."""


class CommandFailed(CommandError):
    """A command that was not done. `code` is of the contract; `reply` is None if it was not even sent."""

    def __init__(self, code: str, message: str, reply: "Reply | None" = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reply = reply


class NoAnswer(CommandError):
    """No worker has answered in time. What was asked is not begun any more; it may have been done."""


class BrokerError(StreamLstmError):
    """Kafka refused an operation or cannot be reached."""


class TopicMissing(BrokerError):
    """A topic that must exist does not; the message names it and how to create it."""


class PartitionLost(BrokerError):
    """A publish or commit failed after the state had advanced: the partition must be restored.

    ``partitions`` are those that are lost, (topic, partition) each; what else was in the call is published.
    """

    def __init__(self, message: str, partitions: Collection[tuple[str, int]] = ()) -> None:
        super().__init__(message)
        self.partitions = frozenset(partitions)


class VenueError(StreamLstmError):
    """An exchange refused a request or cannot be reached. The message has what it said."""


class EmbeddedKafkaError(StreamLstmError):
    """The broker from pip could not be resolved, formatted or started."""
