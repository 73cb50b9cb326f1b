import io
from typing import Any

from rich.console import Console, RenderableType

from stream_lstm.terminal import dead_letters
from stream_lstm.terminal.console import show

T0 = 1_728_125_999_999


def drawn(renderable: RenderableType, width: int = 80) -> list[str]:
    file = io.StringIO()
    console = Console(width=width, file=file, no_color=True)
    show(renderable, console)
    return file.getvalue().splitlines()


def a_sample(**changes: Any) -> dict[str, Any]:
    where = {"topic": "candles", "partition": 3, "offset": 42, "letter": {"partition": 0, "offset": 17}}
    said = {"message": "the value is not JSON", "key": "BTC", "value": '{"open', "cut": False, "bytes": 6}
    return {"timestamp": T0, **where, **said, "truncated": False, "replays": 0, "replayed": False} | changes


def a_reason(*samples: dict[str, Any], **changes: Any) -> dict[str, Any]:
    counts = {"reason": "not_json", "letters": 1_200, "replayed": 0, "badAgain": 0}
    when = {"first": T0 - 86_400_000, "last": T0, "sources": {"candles-3": 1_000, "candles-1": 200}}
    return counts | when | {"samples": list(samples)} | changes


def told(*reasons: dict[str, Any], **changes: Any) -> dict[str, Any]:
    counts = {"letters": sum(one["letters"] for one in reasons), "replayed": 0, "foreign": 0}
    return {"topic": "eu.candles.dlq", **counts, "reasons": list(reasons)} | changes


def test_letters_are_a_row_per_reason_and_the_newest_below() -> None:
    lines = drawn(dead_letters.overview(told(a_reason(a_sample()))))
    assert lines[0] == "1,200 dead letters in eu.candles.dlq"
    assert lines[4].split() == [
        *("not_json", "1,200", "0", "2024-10-04", "11:00", "2024-10-05", "11:00", "candles-3,"),
    ]
    assert "not_json  2024-10-05 11:00  candles-3@42  (eu.candles.dlq-0@17)" in lines
    assert "    the value is not JSON" in lines
    assert '    {"open' in lines
    assert lines[-1] == "When the cause is gone: stream-lstm dlq replay --dry-run"


def test_there_is_nothing_is_said() -> None:
    assert drawn(dead_letters.overview(told())) == ["No such dead letter in eu.candles.dlq."]


def test_a_cut_off_letter_says_how_large_it_was_and_where_the_original_is() -> None:
    sample = a_sample(value="x" * 1_000, cut=True, bytes=950_000, truncated=True)
    text = " ".join(drawn(dead_letters.overview(told(a_reason(sample)))))
    assert "x … 950,000 bytes" in text
    assert "cut off: the original is at candles-3@42, as long as the topic keeps it" in text
    assert text.count("x") < 300


def test_what_was_replayed_and_what_was_bad_again_is_marked() -> None:
    reason = a_reason(a_sample(replayed=True, replays=2), replayed=1_200)
    lines = drawn(dead_letters.overview(told(reason, replayed=1_200)), 120)
    assert lines[0] == "1,200 dead letters in eu.candles.dlq, 1,200 of them replayed"
    assert "(eu.candles.dlq-0@17)  replayed, bad again after 2 replays" in "\n".join(lines)
    assert "dry-run" not in "\n".join(lines)


def test_markup_in_a_letter_is_text() -> None:
    sample = a_sample(value="[red]x[/red]", message="[bold]y")
    text = "\n".join(drawn(dead_letters.overview(told(a_reason(sample, reason="[blink]z"), foreign=3))))
    assert "[red]x[/red]" in text
    assert "[bold]y" in text
    assert "[blink]z" in text
    assert "Not counted: 3 records that we have not written." in text


def a_plan(records: int, **changes: Any) -> dict[str, Any]:
    found = {"records": records, "letters": records, "into": {"candles": records} if records else {}}
    reasons = {"not_json": records} if records else {}
    when = {"first": T0 if records else None, "last": T0 if records else None}
    return {"topic": "candles.dlq", **found, "reasons": reasons, **when, "left": {}} | changes


def test_a_plan_says_what_goes_where_and_what_is_left_out() -> None:
    left = {"replayed already": {"records": 4, "examples": ["candles-0@1", "candles-0@2", "candles-0@3"]}}
    lines = drawn(dead_letters.plan(a_plan(12, left=left)), 120)
    assert lines[0] == "12 records to be replayed into candles, 2024-10-05 11:00 to 2024-10-05 11:00 UTC"
    assert lines[4].split() == ["not_json", "12"]
    assert lines[-1] == "Left out: 4 records replayed already (candles-0@1, candles-0@2, candles-0@3, …)"
    assert drawn(dead_letters.plan(a_plan(0))) == ["There is nothing to replay."]


def test_what_was_done_is_one_sentence() -> None:
    assert drawn(dead_letters.done(a_plan(1))) == ["1 record replayed into candles"]
    assert drawn(dead_letters.done(a_plan(0))) == ["Nothing was replayed."]
    many = {f"candles-{at}": 2 for at in range(7)}
    assert drawn(dead_letters.done(a_plan(14, into=many)), 120) == [
        "14 records replayed into candles-0 (2), candles-1 (2), candles-2 (2), candles-3 (2), candles-4 (2)"
        " and 2 topics more"
    ]
