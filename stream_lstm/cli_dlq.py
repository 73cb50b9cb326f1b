"""`stream-lstm dlq`: what was not usable, and the way back once the cause is gone."""

import re
import sys
import time
from dataclasses import replace as replaced
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream_lstm.cli_frame import Config, Json, Set, date, looped, print_json, settings_of
from stream_lstm.errors import SettingsError
from stream_lstm.settings import Settings
from stream_lstm.settings.durations import seconds
from stream_lstm.settings.inputs import is_input

if TYPE_CHECKING:  # a Kafka client takes a while to import, and most commands need none
    from stream_lstm.dead_letters.selection import Selection
    from stream_lstm.kafka.topics import TopicNames

dlq_app = typer.Typer(no_args_is_help=True, help="Dead letters: candles that could not be used.")

Reason = Annotated[
    list[str] | None, typer.Option("--reason", metavar="R", help="Only of this one; may be repeated.")
]
Topic = Annotated[
    str | None, typer.Option("--topic", metavar="INPUT", help="Only records of this input topic.")
]
Partition = Annotated[int | None, typer.Option("--partition", min=0, help="Only of this partition of it.")]
Offset = Annotated[str | None, typer.Option("--offset", metavar="N[-M]", help="Only of these offsets in it.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="2d|DATE", help="Only records since then, by their own time."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="1h|DATE", help="Only records before, by their own time.")
]

_OFFSETS: Final = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


@dlq_app.command("show")
def show(
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, max=100, help="Letters shown of each reason.")] = 1,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Count the dead letters by reason, and show the newest of each. Changes nothing."""
    from stream_lstm.dead_letters.overview import overview
    from stream_lstm.kafka.topics import DEAD_LETTERS, TopicNames
    from stream_lstm.streaming.assembly import connection_of
    from stream_lstm.terminal import dead_letters, tables
    from stream_lstm.terminal.progress import counting

    settings = settings_of(config, set)
    selection = _selection(reason, topic=topic, since=since, until=until)
    name = TopicNames(settings.topics.prefix)[DEAD_LETTERS]
    with counting("letters", shown=not json) as progress:
        told = looped(overview(connection_of(settings), name, selection, limit, progress)).told()
    if json:
        print_json(told)
    else:
        tables.show(dead_letters.overview(told))


@dlq_app.command("replay")
def replay(
    reason: Reason = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    since: Since = None,
    until: Until = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was replayed before and was bad again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Write dead letters into their inputs again, each record once, however often this is called."""
    from stream_lstm.dead_letters import replay as dead_letter_replay
    from stream_lstm.dead_letters.plan import Wanted
    from stream_lstm.kafka.topics import DEAD_LETTERS, TopicNames
    from stream_lstm.streaming.assembly import connection_of
    from stream_lstm.terminal import dead_letters, tables
    from stream_lstm.terminal.progress import counting

    settings = settings_of(config, set)
    selection = _selection(reason, topic=topic, partition=partition, offset=offset, since=since, until=until)
    if not (dry_run or yes) and (json or not sys.stdin.isatty()):
        raise SettingsError("nobody is here to be asked: say --yes, or --dry-run to see what would be done")
    names, connection = TopicNames(settings.topics.prefix), connection_of(settings)
    wanted = Wanted(selection=selection, is_input=partial(_is_input, settings, names), again=again)
    if dry_run or not yes:
        with counting("letters", shown=not json) as progress:
            plan = looped(dead_letter_replay.plan(connection, names[DEAD_LETTERS], wanted, progress))
        if json:
            print_json(plan.told() | {"dryRun": True})
        else:
            tables.show(dead_letters.plan(plan.told()))
        if dry_run or not plan.cases or not typer.confirm(f"Replay {len(plan.cases):,} records?"):
            return
        wanted = replaced(wanted, ends=plan.ends)  # what came while somebody thought was not agreed to
    with counting("records", shown=not json) as progress:
        done = looped(dead_letter_replay.replay(connection, names[DEAD_LETTERS], wanted, progress))
    if json:
        print_json(done.told() | {"dryRun": False})
    else:
        tables.show(dead_letters.done(done.told()))


def _selection(
    reasons: list[str] | None,
    *,
    topic: str | None,
    since: str | None,
    until: str | None,
    partition: int | None = None,
    offset: str | None = None,
) -> "Selection":
    from stream_lstm.candles.reasons import known
    from stream_lstm.dead_letters.selection import Selection

    for reason in reasons or ():
        if reason not in known():
            near = get_close_matches(reason, known(), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SettingsError(f"--reason {reason}: {hint}There are {', '.join(known())}")
    return Selection(
        reasons=frozenset(reasons or ()),
        topic=topic,
        partition=partition,
        offsets=None if offset is None else _offsets(offset),
        since_ms=None if since is None else _moment("--since", since),
        until_ms=None if until is None else _moment("--until", until),
    )


def _offsets(text: str) -> tuple[int, int]:
    """The first and the last of `N` or `N-M`."""
    match = _OFFSETS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        raise SettingsError(f"--offset {text}: write one offset, 17, or the first and the last, 17-42")
    return first, last


def _moment(option: str, text: str) -> int:
    """Epoch ms of a date, or of a duration before now."""
    try:
        return round((time.time() - seconds(text)) * 1000)
    except ValueError:
        pass
    try:
        return date(text)
    except SettingsError:
        raise SettingsError(
            f"{option} {text}: write how long ago, such as 2d or 90m, or a date in UTC like 2026-11-26T09:00"
        ) from None


def _is_input(settings: Settings, names: "TopicNames", topic: str) -> bool:
    """Whether the settings read a topic as an input; our own are none, whatever a pattern matches."""
    ours = {*names.produced.values(), names.control}
    return topic not in ours and is_input(settings.inputs, topic)
