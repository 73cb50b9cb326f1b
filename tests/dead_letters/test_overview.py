"""`dlq show`: what there is, by reason, with the newest of each."""

from dataclasses import replace
from typing import Any

import pytest

from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.dead_letters.overview import overview
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.kafka.connection import KafkaConnection
from tests.dead_letters.letter_scene import MINUTE, T0, LetterScene

pytestmark = pytest.mark.kafka


@pytest.fixture
async def scene(connection: KafkaConnection, prefix: str) -> LetterScene:
    scene = LetterScene(connection, prefix)
    await scene.create()
    return scene


async def told(scene: LetterScene, samples: int = 1, **selected: Any) -> dict[str, Any]:
    return (await overview(scene.connection, scene.dlq, Selection(**selected), samples)).told()


async def test_nothing_there_is_told(scene: LetterScene) -> None:
    empty = {"topic": scene.dlq, "letters": 0, "replayed": 0, "foreign": 0, "reasons": []}
    assert await told(scene) == empty


async def test_letters_are_counted_by_reason_with_times_sources_and_the_newest(scene: LetterScene) -> None:
    await scene.refused([b"{1", b"{2", b"{3"])
    await scene.refused([b"shape"], "unknown_shape", partition=1, first_ms=T0 - MINUTE)
    await scene.refused([b"{4"], partition=1)
    found = await told(scene)
    assert (found["letters"], found["replayed"], found["foreign"]) == (5, 0, 0)
    json, shape = found["reasons"]
    assert (json["reason"], json["letters"], json["first"], json["last"]) == (
        *("not_json", 4),
        *(T0, T0 + 2 * MINUTE),
    )
    assert json["sources"] == {f"{scene.candles}-0": 3, f"{scene.candles}-1": 1}
    assert json["samples"] == [
        {
            "timestamp": T0 + 2 * MINUTE,
            "topic": scene.candles,
            "partition": 0,
            "offset": 2,
            "letter": {"partition": 0, "offset": 2},
            "message": "not_json: no candle",
            "key": "BTC",
            "value": "{3",
            "cut": False,
            "bytes": 2,
            "truncated": False,
            "replays": 0,
            "replayed": False,
        }
    ]
    assert (shape["reason"], shape["letters"], shape["first"]) == ("unknown_shape", 1, T0 - MINUTE)


async def test_as_many_samples_as_wanted_the_newest_first(scene: LetterScene) -> None:
    await scene.refused([b"1", b"2", b"3"])
    assert [one["value"] for one in (await told(scene, 2))["reasons"][0]["samples"]] == ["3", "2"]
    assert (await told(scene, 0))["reasons"][0]["samples"] == []


async def test_a_selection_counts_what_it_has(scene: LetterScene) -> None:
    await scene.refused([b"1", b"2", b"3"])
    await scene.refused([b"4"], "absurd")
    assert (await told(scene, since_ms=T0 + MINUTE))["letters"] == 2
    assert (await told(scene, until_ms=T0 + MINUTE))["letters"] == 2
    assert (await told(scene, reasons=frozenset({"absurd"})))["letters"] == 1
    assert (await told(scene, topic="other"))["letters"] == 0
    assert (await told(scene, since_ms=T0 + 90 * MINUTE))["letters"] == 0


async def test_markers_are_no_letters_and_say_what_was_replayed(scene: LetterScene) -> None:
    await scene.refused([b"1", b"2", b"3"])
    await scene.refused([b"4"], "absurd")
    await scene.replay(offsets=(1, 2))
    await scene.refuse(await scene.replayed())
    found = await told(scene, 3)
    assert (found["letters"], found["replayed"], found["foreign"]) == (6, 2, 0)
    json, absurd = found["reasons"]
    assert (json["letters"], json["replayed"], json["badAgain"]) == (5, 2, 2)
    assert (absurd["letters"], absurd["replayed"]) == (1, 0)
    assert [(one["value"], one["replays"], one["replayed"]) for one in json["samples"]] == [
        ("3", 1, False),
        ("3", 0, True),
        ("2", 1, False),
    ]


async def test_binary_rubbish_and_orders_to_a_terminal_are_told_in_ascii(scene: LetterScene) -> None:
    (received,) = await scene.refused([b"\x00\xff\x1b[2J\x9b\r\n\xe2\x80\xae[red]"])
    await scene.refuse([replace(received, key=b"\x1b[1m")], "\x1b]0;title\x07")
    rubbish, evil = sorted((await told(scene))["reasons"], key=lambda one: one["reason"], reverse=True)
    assert rubbish["samples"][0]["value"] == r"\x00\xff\x1b[2J\x9b\r\n\u202e[red]"
    assert evil["reason"] == r"\x1b]0;title\x07"
    assert evil["samples"][0]["key"] == r"\x1b[1m"
    assert evil["samples"][0]["message"].isprintable()


async def test_a_long_value_is_told_by_its_beginning_and_its_size(scene: LetterScene) -> None:
    scene.letters = DeadLetters("stream-lstm", "w1", max_bytes=100_000)
    await scene.refused([b"x" * 5_000, b"y" * 150_000])
    y, x = (await told(scene, 2))["reasons"][0]["samples"]
    assert (x["value"], x["cut"], x["bytes"], x["truncated"]) == ("x" * 1_000, True, 5_000, False)
    assert (y["value"], y["cut"], y["bytes"], y["truncated"]) == ("y" * 1_000, True, 150_000, True)


async def test_what_is_not_ours_is_counted_apart(scene: LetterScene) -> None:
    await scene.produce(scene.dlq, [{"value": b"somebody's"}, {"value": b"x", "headers": [("a", b"b")]}])
    await scene.refused([b"1"])
    found = await told(scene)
    assert (found["letters"], found["foreign"]) == (1, 2)
