"""What `dlq show` and `dlq replay` say. What came with a letter is foreign, and was made harmless before."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from stream_lstm.terminal.figures import moment
from stream_lstm.terminal.rows import plain_table

Told = Mapping[str, Any]

_FAINT: Final = "dim"
_SOURCES: Final = 2
"""Named in the table; of the others it says how many there are."""
_TOPICS: Final = 5
"""Named where something is written to."""
_VALUE: Final = 240
"""Characters of a value that are shown."""


def overview(told: Told) -> RenderableType:
    """Letters by reason, and the newest of each: `Overview.told`."""
    foreign = (
        [f"Not counted: {_count(told['foreign'], 'record')} that we have not written."]
        if told["foreign"]
        else []
    )
    if not told["letters"]:
        return Text(" ".join([f"No such dead letter in {told['topic']}.", *foreign]))
    samples = [
        line
        for reason in told["reasons"]
        for one in reason["samples"]
        for line in _sample(told["topic"], reason["reason"], one)
    ]
    waiting = told["letters"] > told["replayed"]
    hints = ["When the cause is gone: stream-lstm dlq replay --dry-run"] if waiting else []
    remarks = [Text(line, _FAINT) for line in (*foreign, *hints)]
    return Group(_total(told), Text(""), _by_reason(told), Text(""), *samples, *remarks)


def _by_reason(told: Told) -> RenderableType:
    table = plain_table()
    table.add_column("Reason", no_wrap=True)
    for title in ("Letters", "Replayed"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("First (UTC)", "Last (UTC)"):
        table.add_column(title, no_wrap=True)
    table.add_column("From", overflow="fold")
    for reason in told["reasons"]:
        table.add_row(
            Text(reason["reason"], "bold"),
            f"{reason['letters']:,}",
            f"{reason['replayed']:,}",
            moment(reason["first"]),
            moment(reason["last"]),
            Text(_sources(reason["sources"])),
        )
    return table


def plan(told: Told) -> RenderableType:
    """What a replay would write, and what not: `Plan.told`."""
    if not told["records"]:
        return Group(Text("There is nothing to replay."), *_left(told))
    table = plain_table()
    table.add_column("Reason", no_wrap=True)
    table.add_column("Records", justify="right", no_wrap=True)
    for reason, count in told["reasons"].items():
        table.add_row(Text(reason, "bold"), f"{count:,}")
    span = f"{moment(told['first'])} to {moment(told['last'])} UTC"
    head = f"{_count(told['records'], 'record')} to be replayed into {_into(told)}, {span}"
    return Group(Text(head), Text(""), table, Text(""), *_left(told))


def done(told: Told) -> RenderableType:
    """What a replay has written, and what not."""
    records = told["records"]
    said = f"{_count(records, 'record')} replayed into {_into(told)}" if records else "Nothing was replayed."
    return Group(Text(said), *_left(told))


def _into(told: Told) -> str:
    into = told["into"]
    if len(into) == 1:
        return str(next(iter(into)))
    named = ", ".join(f"{topic} ({count:,})" for topic, count in list(into.items())[:_TOPICS])
    return named + (f" and {len(into) - _TOPICS} topics more" if len(into) > _TOPICS else "")


def _left(told: Told) -> Iterator[Text]:
    for why, left in told["left"].items():
        more = ", …" if left["records"] > len(left["examples"]) else ""
        yield Text.assemble(
            f"Left out: {_count(left['records'], 'record')} {why}",
            (f" ({', '.join(left['examples'])}{more})", _FAINT),
        )


def _total(told: Told) -> Text:
    replayed = f", {told['replayed']:,} of them replayed" if told["replayed"] else ""
    return Text(f"{_count(told['letters'], 'dead letter')} in {told['topic']}{replayed}")


def _sample(topic: str, reason: str, sample: Told) -> Iterator[RenderableType]:
    letter, value = sample["letter"], sample["value"]
    source = f"{sample['topic']}-{sample['partition']}@{sample['offset']}"
    remarks = ["replayed"] if sample["replayed"] else []
    if sample["replays"]:
        remarks.append(f"bad again after {_count(sample['replays'], 'replay')}")
    yield Text.assemble(
        (reason, "bold"),
        f"  {moment(sample['timestamp'])}  {source}",
        (f"  ({topic}-{letter['partition']}@{letter['offset']})", _FAINT),
        (f"  {', '.join(remarks)}" if remarks else "", "yellow"),
    )
    yield _indented(Text(sample["message"]))
    shown = Text("no value", _FAINT) if value is None else Text(value[:_VALUE], "cyan")
    if value is not None and (len(value) > _VALUE or sample["cut"]):
        shown.append(f" … {sample['bytes']:,} bytes", _FAINT)
    shown.overflow = "fold"
    yield _indented(shown)
    if sample["truncated"]:
        yield _indented(Text(f"cut off: the original is at {source}, as long as the topic keeps it", _FAINT))
    yield Text("")


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 4), expand=False)


def _sources(sources: Mapping[str, int]) -> str:
    names = list(sources)
    more = f" and {len(names) - _SOURCES} more" if len(names) > _SOURCES else ""
    return ", ".join(names[:_SOURCES]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
