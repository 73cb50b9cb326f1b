"""How far a group has come, asked from outside of it."""

from stream_lstm.streaming.connection import Deadline, KafkaConnection
from stream_lstm.streaming.topic_admin import asking

Place = tuple[str, int]


async def committed(connection: KafkaConnection, group: str, deadline: Deadline) -> dict[Place, int]:
    """The committed offsets of a group; partitions without one are left out.

    Under exactly once it may be some milliseconds old. Raises `BrokerError` at the deadline.
    """
    async with asking(connection, f"read the offsets of group {group}", deadline) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {(at.topic, at.partition): meta.offset for at, meta in found.items() if meta.offset >= 0}
