"""Which reply counts, and how its pages become one; without Kafka."""

import orjson
import pytest

from stream_lstm.client.answers import Answers
from tests.client.scripted import Body, model, refusal, reply


def page(number: int, of: int, symbols: list[str], worker: str = "w1", **changes: object) -> bytes:
    data = {"models": [model(symbol) for symbol in symbols], "count": 4}
    return orjson.dumps(reply("c", "list-models", worker, data=data, page=number, pages=of, **changes))


def symbols(answers: Answers) -> list[str]:
    found = answers.get("c")
    assert found is not None
    return [row["symbol"] for row in found.data["models"]]


def test_pages_are_joined_in_their_order_and_scalars_repeat() -> None:
    answers = Answers()
    assert answers.add(page(2, 2, ["C", "D"])) is None
    assert answers.get("c") is None
    whole = answers.add(page(1, 2, ["A", "B"]))
    assert whole is not None
    assert whole is answers.get("c")
    assert symbols(answers) == ["A", "B", "C", "D"]
    assert (whole.data["count"], whole.page, whole.pages) == (4, 1, 1)


def test_the_first_complete_reply_counts_and_later_ones_change_nothing() -> None:
    answers = Answers()
    assert answers.add(orjson.dumps(reply("c", "pause", "w1"))) is not None
    assert answers.add(orjson.dumps(reply("c", "pause", "w2", **refusal("OWNER_UNAVAILABLE")))) is None
    found = answers.get("c")
    assert found is not None
    assert (found.worker_id, found.success) == ("w1", True)


def test_pages_of_different_workers_are_not_mixed() -> None:
    answers = Answers()
    answers.add(page(1, 2, ["A", "B"], "w1"))
    assert answers.add(page(2, 2, ["Y", "Z"], "w2")) is None
    assert answers.add(page(1, 2, ["W", "X"], "w2")) is not None
    assert symbols(answers) == ["W", "X", "Y", "Z"]


def test_a_page_that_comes_twice_counts_once() -> None:
    answers = Answers()
    for _ in range(3):
        assert answers.add(page(1, 2, ["A"])) is None
    answers.add(page(2, 2, ["B"]))
    assert symbols(answers) == ["A", "B"]


def test_a_worker_that_begins_anew_with_more_pages_is_not_mixed_with_itself() -> None:
    answers = Answers()
    answers.add(page(1, 2, ["A"]))
    answers.add(page(1, 3, ["A", "A2"]))
    assert answers.add(page(2, 3, ["B"])) is None
    answers.add(page(3, 3, ["C"]))
    assert symbols(answers) == ["A", "A2", "B", "C"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe command.reply",
        b'["command.reply"]',
        b'{"type": "model.trained", "about": "command.reply"}',
        b'{"type": "command.reply"}',
        b'{"type": "command.reply", "correlationId": 7}',
    ],
)
def test_what_is_no_reply_is_passed_over(value: bytes | None) -> None:
    answers = Answers()
    assert answers.add(value) is None
    assert answers.newest_ms is None


def test_a_rejection_without_an_id_is_nobodys_answer() -> None:
    body: Body = reply("", "x", **refusal("INVALID_REQUEST"))
    body |= {"correlationId": None, "command": None, "type": "command.rejected"}
    assert Answers().add(orjson.dumps(body)) is None


def test_memory_is_bounded_by_number_and_by_bytes() -> None:
    few = Answers(most=2)
    for name in "abc":
        few.add(orjson.dumps(reply(name, "pause")))
    assert [few.get(name) is not None for name in "abc"] == [False, True, True]
    small = Answers(most_bytes=1)
    for name in "ab":
        small.add(orjson.dumps(reply(name, "pause")))
    assert [small.get(name) is not None for name in "ab"] == [False, True]
