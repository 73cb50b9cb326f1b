"""What can happen to the partitions of a group member, as values that the worker's loop takes in turn."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from stream_lstm.kafka.connection import Deadline


class Assigned(NamedTuple):
    """Partitions that are ours from now on: shut, until `seek_and_resume`."""

    partitions: frozenset[TopicPartition]


@dataclass(frozen=True, slots=True)
class Revoked:
    """Partitions to give up: publish, commit, then `acknowledge`, all before the deadline."""

    partitions: frozenset[TopicPartition]
    deadline: Deadline
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledge(self) -> None:
        """Let the rebalance go on; nothing can be committed for the partitions after that."""
        self._given_up.set()

    async def acknowledged(self) -> bool:
        """Whether `acknowledge` was called before the deadline."""
        try:
            await asyncio.wait_for(self._given_up.wait(), self.deadline.remaining())
        except TimeoutError:
            return False
        return True


class OutOfRange(NamedTuple):
    """A position of ours that is not in the log (retention, a recreated topic): the partition is shut."""

    partition: TopicPartition
    offset: int


Change = Assigned | Revoked | OutOfRange
