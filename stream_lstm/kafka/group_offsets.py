"""The committed offsets of a group, asked so that no answer but "none" is taken for none."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.topic_admin import asking

Place = tuple[str, int]

_WAIT_SECONDS: Final = 0.2
_NONE: Final = -1


async def committed(connection: KafkaConnection, group: str, deadline: Deadline) -> dict[Place, int]:
    """The committed offsets of a group, from outside of it; partitions without one are left out.

    Under exactly once it may be some milliseconds old. Raises `BrokerError` at the deadline.
    """
    async with asking(connection, f"read the offsets of group {group}", deadline) as admin:
        return await fetch(admin._client, group)


async def fetch(
    client: AIOKafkaClient, group: str, partitions: Iterable[Place] | None = None
) -> dict[Place, int]:
    """Offsets of these partitions, or of all that have one; asks until there is an answer.

    Raises `KafkaError` for what does not pass by itself. aiokafka's own call knows only errors of single
    partitions: a coordinator that still loads after a start of its broker, or one that refuses, would look
    like a group that has never committed anything.
    """
    while True:
        try:
            return await _ask(client, group, partitions)
        except KafkaError as error:  # a broker that has just started has no coordinator for a moment
            if not error.retriable:
                raise
        await asyncio.sleep(_WAIT_SECONDS)


async def _ask(client: AIOKafkaClient, group: str, partitions: Iterable[Place] | None) -> dict[Place, int]:
    wanted: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions or ():
        wanted[topic].append(partition)
    request = OffsetFetchRequest(group, None if partitions is None else [*wanted.items()])
    try:
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
        _check(answer.error_code, group)
    except GroupAuthorizationFailedError as error:
        raise GroupAuthorizationFailedError(group) from error
    found: dict[Place, int] = {}
    for topic, entries in answer.topics:
        for partition, offset, _, code in entries:
            _check(code, topic)
            if offset != _NONE:
                found[topic, partition] = offset
    return found


def _check(code: int, about: str) -> None:
    error = for_code(code)
    if error is TopicAuthorizationFailedError:
        raise error(about)
    if code:
        raise error()
