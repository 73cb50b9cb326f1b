"""How far a group has come, asked from outside of it."""

import asyncio
from typing import Final

from stream_lstm.errors import BrokerError
from stream_lstm.streaming.connection import Deadline, KafkaConnection
from stream_lstm.streaming.topic_admin import asking

Place = tuple[str, int]

_WAIT_SECONDS: Final = 0.5


async def committed(connection: KafkaConnection, group: str, deadline: Deadline) -> dict[Place, int]:
    """The committed offsets of a group; partitions without one are left out.

    Under exactly once it may be some milliseconds old. Raises `BrokerError` at the deadline.
    """
    while True:
        try:
            return await _committed(connection, group, deadline)
        except BrokerError as error:  # a broker that has just started has no coordinator for a moment
            passing = getattr(error.__cause__, "retriable", False)
            if not passing or deadline.remaining() < _WAIT_SECONDS:
                raise
        await asyncio.sleep(_WAIT_SECONDS)


async def _committed(connection: KafkaConnection, group: str, deadline: Deadline) -> dict[Place, int]:
    async with asking(connection, f"read the offsets of group {group}", deadline) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {(at.topic, at.partition): meta.offset for at, meta in found.items() if meta.offset >= 0}
