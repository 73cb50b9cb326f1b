"""What single commands show: predictions of one series, settings, topics."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from stream_lstm.terminal.figures import moment, plain, price, share
from stream_lstm.terminal.rows import Rows, plain_table
from stream_lstm.terminal.series_grid import EXTRAPOLATED

_DAY_MS: Final = 86_400_000
_FAINT: Final = "dim"
_TABLE_OF_SETTINGS: Final = 120
"""Characters from which on four columns are readable."""


class Topic(Protocol):
    """A topic as it was to be made."""

    @property
    def name(self) -> str:
        """Its real name."""

    @property
    def partitions(self) -> int:
        """How many it has if it was made now."""

    @property
    def retention_ms(self) -> int:
        """How long it keeps records; -1 for ever."""


def topics(wanted: Iterable[Topic], made: Collection[str]) -> RenderableType:
    """The result of `topics create`: which were made, and which were there and are left as they are."""
    rows: list[list[str | Text]] = []
    for topic in wanted:
        if topic.name in made:
            kept = "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms / _DAY_MS:g} days"
            rows.append([topic.name, Text("created", style="green"), f"{topic.partitions}", kept])
        else:
            unknown = Text("as it is", style=_FAINT)
            rows.append([topic.name, "existed, unchanged", unknown, unknown])
    return Rows(("Topic", "Result", "Partitions", "Keeps records"), rows, ("Topic", "Result"))


def settings(described: Iterable[tuple[str, str, str, str]]) -> RenderableType:
    """The rows of `config show`: name, value, source and meaning of every setting."""
    return _Settings([(name, plain(value), plain(source), text) for name, value, source, text in described])


def predictions(bodies: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The predictions of one series at one candle, messages of their contract: a row per horizon."""
    if not bodies:
        return Text("There is no prediction.")
    confidence = bodies[0]["modelInfo"]["confidence"]
    titles = (
        *("Horizon", "Closes (UTC)", "Price", f"{100 * confidence:g}% interval", "Down/flat/up"),
        "Target",
    )
    table = Rows(titles, [_prediction(body) for body in bodies], titles[:2])
    return Group(*_heading(bodies[0]), table, *_remarks(bodies))


class _Settings:
    """A table where there is room for one, else two lines per setting."""

    def __init__(self, rows: Sequence[tuple[str, str, str, str]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _TABLE_OF_SETTINGS:
            yield from self._lines()
            return
        table = plain_table()
        table.add_column("Setting", no_wrap=True)
        table.add_column("Value", overflow="fold", ratio=3)
        table.add_column("Source", overflow="fold", ratio=2)
        table.add_column("Meaning", ratio=6)
        for name, value, source, text in self._rows:
            style = _source_style(source)
            table.add_row(Text(name, "bold"), Text(value, style), Text(source, style), Text(text))
        table.expand = True
        yield table

    def _lines(self) -> Iterator[RenderableType]:
        for name, value, source, text in self._rows:
            style = _source_style(source)
            head = Text.assemble((name, "bold"), " = ", (value, style), "  ", (f"({source})", style))
            head.overflow = "fold"
            yield head
            yield Padding(Text(text), (0, 0, 0, 4), expand=False)


def _source_style(source: str) -> str:
    """What somebody has set stands out; the source says it in words."""
    return _FAINT if source == "default" else "green"


def _prediction(body: Mapping[str, Any]) -> list[Text]:
    last, point, direction = body["lastClose"], body["predictions"][-1], body["direction"]
    mark = "*" if body["modelInfo"]["reason"] == EXTRAPOLATED else ""
    chances = "/".join(f"{100 * direction[way]:.0f}" for way in ("down", "neutral", "up"))
    return [
        Text(body["horizon"], "bold"),
        Text(moment(point["timestamp"])),
        Text(price(point["predictedPrice"], last)),
        Text(f"{price(point['lowerBound'], last)}–{price(point['upperBound'], last)}{mark}", "cyan"),
        Text(f"{chances}%"),
        Text(f"±{share(body['targetPct'])}"),
    ]


def _heading(body: Mapping[str, Any]) -> list[Text]:
    """Which series, as of when, and who answered."""
    info, as_of = body["modelInfo"], body["asOf"]
    what = plain(f"{body['exchange']} {body['symbol']} {body['interval']}")
    answered = plain(info["modelType"])
    if info["lastTrained"] is not None:
        answered += f", trained on candles up to {moment(info['lastTrained'])}"
    if info["stale"]:
        answered += ", stale"
    return [
        Text.assemble((what, "bold"), f": {price(body['lastClose'])} at {moment(as_of)} UTC"),
        Text(f"Answered by {answered}"),
        Text(""),
    ]


def _remarks(bodies: Sequence[Mapping[str, Any]]) -> list[Text]:
    reasons = sorted({body["modelInfo"]["reason"] for body in bodies} - {None})
    said = ["* extrapolated from shorter horizons" if why == EXTRAPOLATED else plain(why) for why in reasons]
    return [Text(" · ".join(said), _FAINT)] if said else []
