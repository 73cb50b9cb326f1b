"""The rights that a member of a group needs to read; one that is taken away is waited for."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from stream_lstm.kafka.refusals import Patience, cause

log = logging.getLogger(__name__)

_GROUP: Final = ""


class ReadingRights:
    """What of the group and its topics is refused at the moment. Every method returns at once.

    `opened` tells the partitions that are fetched: those of a topic that is refused are paused meanwhile.
    """

    def __init__(self, consumer: AIOKafkaConsumer, opened: Callable[[], Iterable[TopicPartition]]) -> None:
        self._consumer = consumer
        self._opened = opened
        self._patience = Patience()

    @property
    def waits(self) -> bool:
        """Whether the whole group is refused, and not to be asked yet."""
        return self._patience.waits(_GROUP)

    def refused(self, error: KafkaError) -> bool:
        """Note an error of the client and say it; False if it is no right that is missing."""
        if isinstance(error, TopicAuthorizationFailedError):
            what = str(error.args[0])
            self._consumer.pause(*self._of(what))
        elif isinstance(error, GroupAuthorizationFailedError):
            what = _GROUP
        else:
            return False
        if not self._patience.waits(what):  # another partition of that topic has met it before
            log.error(
                "waits for a right: %s; asks again in %.1f s", cause(error), self._patience.refused(what)
            )
        return True

    def ask_again(self) -> None:
        """Let the client try what was refused some time ago."""
        for what in self._patience.over():
            if what == _GROUP:
                coordinator = self._consumer._coordinator
                coordinator.request_rejoin()  # its heartbeats have ended, and nothing else begins them anew
                with suppress(KafkaError):
                    coordinator.check_errors()  # what it met before; it waits until somebody takes that
            else:
                self._consumer.resume(*self._of(what))

    def met_while_joining(self) -> KafkaError | None:
        """What the client has met; while it joins it tells nobody, and waits until somebody looks."""
        if not self.waits:
            try:
                self._consumer._coordinator.check_errors()
            except KafkaError as error:
                return error
        return None

    def joined(self, expected: Iterable[str]) -> None:
        """The group is allowed, and has been told its topics; say which are not among them."""
        self._patience.granted(_GROUP)
        if unseen := set(expected) - self._consumer.subscription():
            told = "not seen any more: %s; deleted, or not allowed to this user: Read on the topic"
            log.error(told, ", ".join(sorted(map(repr, unseen))))

    def read(self, topic: str) -> None:
        """A topic has given records."""
        self._patience.granted(topic)

    def _of(self, topic: str) -> list[TopicPartition]:
        return [at for at in self._opened() if at.topic == topic]
