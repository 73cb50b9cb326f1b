"""An answer that is no offset is not taken for a group that has never committed one."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from stream_lstm.kafka.group_offsets import fetch

PLACE = ("candles", 0)
NONE, LOADS, MOVED, GROUP_REFUSED, TOPIC_REFUSED = 0, 14, 16, 30, 29


class Coordinator:
    """Gives the answers of a broker, one after the other: (error of all, offset, error of the partition)."""

    def __init__(self, *answers: tuple[int, int, int]) -> None:
        self.answers = list(answers)

    async def coordinator_lookup(self, *asked: object) -> int:
        return 1

    async def send(self, node: int, request: object, **options: object) -> Any:
        whole, offset, code = self.answers.pop(0)
        topics = [] if whole else [(PLACE[0], [(PLACE[1], offset, "", code)])]
        return SimpleNamespace(error_code=whole, topics=topics)


async def test_an_offset_is_given_and_none_is_left_out() -> None:
    assert await fetch(Coordinator((NONE, 7, NONE)), "group", [PLACE]) == {PLACE: 7}
    assert await fetch(Coordinator((NONE, -1, NONE)), "group", [PLACE]) == {}


@pytest.mark.parametrize("code", [LOADS, MOVED])
async def test_a_coordinator_that_loads_or_has_moved_is_asked_again(code: int) -> None:
    coordinator = Coordinator((code, 0, NONE), (NONE, -1, code), (NONE, 7, NONE))
    assert await fetch(coordinator, "group", [PLACE]) == {PLACE: 7}
    assert coordinator.answers == []


async def test_what_is_refused_is_raised_by_its_name() -> None:
    with pytest.raises(GroupAuthorizationFailedError, match="group"):
        await fetch(Coordinator((GROUP_REFUSED, 0, NONE)), "group", [PLACE])
    with pytest.raises(TopicAuthorizationFailedError, match="candles"):
        await fetch(Coordinator((NONE, -1, TOPIC_REFUSED)), "group", [PLACE])
