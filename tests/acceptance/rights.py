"""What a broker without users allows to everybody, taken away and given back."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from stream_lstm.kafka.acls import Acl

AUTHORISING = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
"""Properties of a broker that asks for rights."""


class Resource(IntEnum):
    """The protocol's numbers."""

    TOPIC = 2
    GROUP = 3
    TRANSACTIONAL_ID = 5


class Operation(IntEnum):
    """The protocol's numbers."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


_LITERAL, _PREFIXED = 3, 4
_DENY, _ALLOW = 2, 3
_NUMBERS = {
    "Read": Operation.READ,
    "Write": Operation.WRITE,
    "Create": Operation.CREATE,
    "Describe": Operation.DESCRIBE,
    "DescribeConfigs": Operation.DESCRIBE_CONFIGS,
    "topic": Resource.TOPIC,
    "group": Resource.GROUP,
    "transactional-id": Resource.TRANSACTIONAL_ID,
}


class Rights:
    """A right is taken away by a denial, which goes over whatever is allowed."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def take(
        self, operation: Operation, resource: Resource, name: str, *, prefix: bool = False
    ) -> None:
        """Take a right away; all others on that resource stay."""
        await self._send(CreateAclsRequest, resource, name, prefix, Operation.ALL, _ALLOW)
        await self._send(CreateAclsRequest, resource, name, prefix, operation, _DENY)

    async def give(
        self, operation: Operation, resource: Resource, name: str, *, prefix: bool = False
    ) -> None:
        """Give it back."""
        await self._send(DeleteAclsRequest, resource, name, prefix, operation, _DENY)

    async def allow(self, acls: Iterable[Acl], principal: str) -> None:
        """Allow somebody rights of our list; returns when the broker knows."""
        for operation, resource, name, prefixed in acls:
            kind, what = Resource(_NUMBERS[resource]), Operation(_NUMBERS[operation])
            await self._send(CreateAclsRequest, kind, name, prefixed, what, _ALLOW, principal)
            pattern = _PREFIXED if prefixed else _LITERAL
            asked = DescribeAclsRequest(kind, name, pattern, principal, "*", what, _ALLOW)
            while not (await self._admin._send_request(asked)).resources:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.02)

    async def _send(
        self,
        request: type[Any],
        resource: Resource,
        name: str,
        prefix: bool,
        operation: Operation,
        permission: int,
        principal: str = "User:ANONYMOUS",
    ) -> None:
        pattern = _PREFIXED if prefix else _LITERAL
        given = (resource, name, pattern, principal, "*", operation, permission)
        answer = await self._admin._send_to_controller(request(*given))
        (result,) = answer.creation_responses if request is CreateAclsRequest else answer.filter_responses
        assert result[0] == 0, result


@asynccontextmanager
async def rights(bootstrap_servers: str) -> AsyncIterator[Rights]:
    """The rights at a broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield Rights(admin)
    finally:
        await admin.close()
