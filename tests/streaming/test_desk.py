"""Commands that wait: each once, so many at most, and no longer than anybody could answer."""

import pytest

from stream_lstm.contracts.command import Unreadable
from stream_lstm.streaming.control import desk as desks
from stream_lstm.streaming.control.desk import Desk
from stream_lstm.streaming.control.inbox import Arrived, Replied

TTL = 60_000


def command(key: str, at_ms: int = 0) -> Arrived:
    return Arrived(key, Unreadable("no command"), at_ms)


def test_a_command_waits_once_until_all_pages_of_one_worker_are_there() -> None:
    desk = Desk(TTL)
    desk.arrive(command("1"), 0.0, 0)
    desk.arrive(command("1"), 1.0, 1_000)
    desk.reply(Replied("1", "a", 2, 1), 2_000)
    desk.reply(Replied("1", "b", 2, 2), 2_000)
    assert [*desk.pending] == ["1"]
    desk.reply(Replied("1", "a", 2, 2), 2_000)
    assert not desk.pending
    assert not desk._pages


def test_what_comes_when_the_desk_is_full_is_not_answered_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desks, "MOST", 2)
    desk = Desk(TTL)
    for key in "1234":
        desk.arrive(command(key), 0.0, 0)
    assert [*desk.pending] == ["1", "2"]
    assert caplog.text.count("2 commands wait") == 1
    desk.reply(Replied("1", "a", 1, 1), 0)
    desk.arrive(command("5"), 0.0, 0)
    assert [*desk.pending] == ["2", "5"]


def test_half_a_reply_of_a_worker_that_died_is_forgotten() -> None:
    desk = Desk(TTL)
    desk.reply(Replied("1", "a", 2, 1), 0)
    desk.forget(2 * TTL - 1)
    assert desk._pages
    desk.forget(2 * TTL)
    assert not desk._pages
