"""Topics in the cluster: make them, and see at start-up that they are there."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.kafka import acls, diagnosis
from stream_lstm.kafka.connection import Deadline, KafkaConnection, bounded_stop, start_with_backoff
from stream_lstm.kafka.refusals import cause
from stream_lstm.kafka.topics import TopicNames, TopicSpec, whole

log = logging.getLogger(__name__)

CREATE_COMMAND: Final = "stream-lstm topics create"
_STOP_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.05


class _Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    async def stop(self) -> None:
        await self.close()


async def create(connection: KafkaConnection, specs: Sequence[TopicSpec], deadline: Deadline) -> list[str]:
    """Make the topics that are missing and return their names; those that exist are left as they are.

    Three replicas, or as many as there are brokers. Raises `BrokerError` with Kafka's reason.
    """
    async with asking(connection, "create topics", deadline) as admin:
        replication = min(3, len((await admin.describe_cluster())["brokers"]))
        wanted = [
            NewTopic(spec.name, spec.partitions, replication, topic_configs=spec.configs(replication))
            for spec in specs
        ]
        answer = await admin.create_topics(wanted)
        made = [name for name, code, reason in answer.topic_errors if _is_made(name, code, reason)]
        # A broker may hear of a new topic a moment after the controller; nothing tells us when.
        while not {spec.name for spec in specs} <= (await _partition_counts(admin)).keys():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(_PAUSE_SECONDS)
    return made


def _is_made(name: str, code: int, reason: str | None) -> bool:
    error = for_code(code)
    if error is TopicAlreadyExistsError:
        return False
    if code:
        raise BrokerError(f"Kafka does not create the topic {name!r}: {error.__name__}: {reason or ''}")
    return True


async def check(
    connection: KafkaConnection,
    names: TopicNames,
    topics: Iterable[str],
    patterns: Iterable[str],
    deadline: Deadline,
) -> dict[str, int]:
    """Partition counts of the inputs that exist now, by topic, if nothing is missing.

    Raises `TopicMissing` if an input, `control` or an output does not exist or may not be seen by this user,
    or a pattern matches nothing; `BrokerError` at the deadline.
    """
    existing = await partition_counts(connection, deadline)
    inputs = {topic: existing.get(topic, 0) for topic in topics}
    missing = [name for name in (*inputs, names.control, *names.produced.values()) if name not in existing]
    if missing:
        at = acls.Installation(names, list(inputs), [], group="")
        rights = [str(acl) for acl in acls.worker_topics(at) if acl.name in missing]
        raise TopicMissing(
            f"{connection.bootstrap_servers} has no topic {', '.join(map(repr, missing))}, or this user may "
            f"not see it: create what is missing with `{CREATE_COMMAND}`, or allow {', '.join(rights)} "
            "(`stream-lstm topics acls` lists what a worker needs)"
        )
    for pattern in patterns:
        found = {name: count for name, count in existing.items() if re.match(whole([pattern]), name)}
        if not found:
            raise TopicMissing(
                f"{connection.bootstrap_servers} has no topic that the input pattern {pattern!r} matches: "
                "it must match the whole name, and Read on the topic must be allowed to this user"
            )
        inputs |= found
    return inputs


async def partition_counts(connection: KafkaConnection, deadline: Deadline) -> dict[str, int]:
    """The partition counts of all topics that this user may see. Raises `BrokerError` at the deadline."""
    async with asking(connection, "look for topics", deadline) as admin:
        return await _partition_counts(admin)


async def retention_ms(connection: KafkaConnection, topic: str, deadline: Deadline) -> int:
    """How long a topic keeps records by their timestamps; -1 for ever.

    Raises `TopicMissing` or, with Kafka's reason, `BrokerError`.
    """
    async with asking(connection, f"read the settings of {topic}", deadline) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})
        (answer,) = await admin.describe_configs([resource])
    code, reason, _, _, entries = answer.resources[0]
    if for_code(code) is UnknownTopicOrPartitionError:
        servers = connection.bootstrap_servers
        raise TopicMissing(f"{servers} has no topic {topic!r}: create it, an input with `{CREATE_COMMAND}`")
    if code:
        raise BrokerError(f"cannot read the settings of {topic!r}: {for_code(code).__name__}: {reason or ''}")
    return int(entries[0][1])


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """All topics that exist and their partition counts."""
    described: list[dict[str, Any]] = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}


@asynccontextmanager
async def asking(
    connection: KafkaConnection, what: str, deadline: Deadline
) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, whose failures until the deadline are our own error."""
    admin = _Admin(**connection.client_options())
    try:
        await start_with_backoff(admin, "the admin client", deadline)
        async with asyncio.timeout(deadline.remaining()):
            yield admin
    except (KafkaError, TimeoutError) as error:
        told = cause(error, on_topics="Describe")
        if isinstance(error, NodeNotReadyError):  # a broker that is known, and cannot be connected to
            told = (await diagnosis.of_start(admin, error, _LOOK_SECONDS)).told
        raise BrokerError(f"cannot {what} at {connection.bootstrap_servers}: {told}") from error
    finally:
        await bounded_stop(admin, _STOP_SECONDS)
