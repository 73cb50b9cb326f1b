"""As whom a worker is a member of its group."""

from dataclasses import dataclass
from typing import Any

from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """Membership. Times in seconds."""

    group_id: str
    pattern: str
    """The anchored expression that all topics to read match, from `topics`."""
    instance_id: str | None = None
    """Static membership: a restart within the session time-out moves no partition."""
    session_timeout_s: float = 10.0
    heartbeat_s: float = 1.0
    rebalance_timeout_s: float = 20.0
    """How long a rebalance waits for a member; a member has half of it to give its partitions up."""
    metadata_max_age_s: float = 30.0
    """After that a new topic that matches the pattern is noticed."""
    topics: frozenset[str] = frozenset()
    """Those of the topics that must be there."""


def options(config: GroupConfig) -> dict[str, Any]:
    """The client's options for a membership."""
    # aiokafka keeps the assignor's memory on the class, so that every consumer needs a class of its own.
    assignor = type("Sticky", (StickyPartitionAssignor,), {})
    return {
        "group_id": config.group_id,
        "group_instance_id": config.instance_id,
        "session_timeout_ms": round(config.session_timeout_s * 1000),
        "heartbeat_interval_ms": round(config.heartbeat_s * 1000),
        "rebalance_timeout_ms": round(config.rebalance_timeout_s * 1000),
        "metadata_max_age_ms": round(config.metadata_max_age_s * 1000),
        "partition_assignment_strategy": (assignor,),
    }
