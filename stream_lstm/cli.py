"""The command line: each command calls one function of a package."""

import logging
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from stream_lstm import cli_access, cli_admin, cli_contracts, cli_dlq, cli_experiments, cli_feed, cli_tune
from stream_lstm.cli_frame import Config, Json, Set
from stream_lstm.cli_frame import date as _date
from stream_lstm.cli_frame import looped as _loop
from stream_lstm.cli_frame import print_json as _print_json
from stream_lstm.cli_frame import settings_of as _settings
from stream_lstm.cli_frame import step_ms as _step_ms
from stream_lstm.cli_frame import walk_settings as _walk_settings
from stream_lstm.cli_frame import warn as _warn
from stream_lstm.errors import SettingsError, StreamLstmError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Live forecasting on a candle stream: candles from Kafka in, predictions with honest intervals out.",
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(no_args_is_help=True, help="The topics in Kafka.")
config_app = typer.Typer(no_args_is_help=True, help="The settings.")
app.add_typer(topics_app, name="topics")
app.add_typer(config_app, name="config")
cli_access.register(topics_app)
app.add_typer(cli_dlq.dlq_app, name="dlq")


def main() -> None:
    """Entry point of the ``stream-lstm`` script: our errors are one message and an exit code."""
    try:
        app()
    except SettingsError as error:
        _fail(error, EXIT_USAGE)
    except StreamLstmError as error:
        _fail(error, EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


@app.command()
def run(
    config: Config = None,
    set: Set = None,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="And the gateway, as a process beside it.")
    ] = False,
) -> None:
    """Run a worker: read candles, forecast, publish, keep the models fresh."""
    from stream_lstm.observability.logging import configure
    from stream_lstm.streaming import service

    settings = _settings(config, set)
    configure(settings.log.format, settings.log.level)
    with cli_admin.beside(config, set) if gateway else nullcontext():
        _loop(service.run(settings))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option("--for", help="End after so many seconds.")] = None,
    speed: Annotated[float, typer.Option(help="Candles per second and series.")] = 10.0,
    series: Annotated[int, typer.Option(help="Series of the synthetic market.")] = 6,
    data: Annotated[
        list[Path] | None, typer.Option("--data", metavar="FILE.csv[.gz]", help="Real candles instead.")
    ] = None,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More for --data.")] = None,
    json: Json = False,
) -> None:
    """Kafka, a worker and a market on this machine, live, until Ctrl-C."""
    from stream_lstm.demo import show
    from stream_lstm.demo.screen import Screen

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a leader that is not elected yet is no news
    wanted = show.Wanted(seconds=seconds, speed=speed, series=series, files=[*(data or []), *(files or [])])
    with Screen(live=not json and sys.stdout.isatty()) as screen:
        summary = _loop(show.run(wanted, screen, screen.step))
    if summary is not None and (json or not sys.stdout.isatty()):
        _print_json(asdict(summary))


@app.command()
def replay(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE.csv[.gz]]...")] = None,
    config: Config = None,
    set: Set = None,
    synthetic: Annotated[int, typer.Option(help="Series of a synthetic market instead of files.")] = 0,
    topic: Annotated[str | None, typer.Option(help="Instead of the first input topic.")] = None,
    exchange: Annotated[str, typer.Option(help="Exchange of the files' candles.")] = "binance",
    speed: Annotated[
        float | None, typer.Option(help="Candles per second and series; without it as fast as possible.")
    ] = None,
    json: Json = False,
) -> None:
    """Publish candle files, or a synthetic market, into an input topic."""
    from stream_lstm.streaming.assembly import connection_of
    from stream_lstm.streaming.replay import Replay, replay
    from stream_lstm.terminal.progress import counting

    settings = _settings(config, set)
    named = topic or next((each.topic for each in settings.inputs if each.topic is not None), None)
    if named is None:
        raise SettingsError("`inputs` has only patterns: say with --topic which topic is to be filled")
    wanted = Replay(files=files or [], synthetic=synthetic, exchange=exchange, speed=speed)
    with counting("candles", shown=not json) as progress:
        sent = _loop(replay(connection_of(settings), named, wanted, warn=_warn, progress=progress))
    if json:
        _print_json({"topic": named, "candles": sent})
    else:
        typer.echo(f"{sent:,} candles are in {named}")


@app.command()
def watch(
    config: Config = None,
    set: Set = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    horizon: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    since: Annotated[str | None, typer.Option(metavar="2d", help="Begin so long ago, not now.")] = None,
    json: Json = False,
) -> None:
    """Watch what is predicted: a live table, or with --json a line per prediction."""
    from stream_lstm.kafka.topics import TopicNames
    from stream_lstm.settings.durations import seconds
    from stream_lstm.streaming.assembly import connection_of
    from stream_lstm.streaming.watch import watch

    settings = _settings(config, set)
    try:
        since_seconds = None if since is None else seconds(since)
    except ValueError as error:
        raise SettingsError(f"--since {since}: {error}") from None
    _loop(
        watch(
            connection_of(settings),
            TopicNames(settings.topics.prefix),
            symbols=symbol or (),
            horizons=horizon or (),
            since_seconds=since_seconds,
            as_json=json,
        )
    )


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv[.gz]", help="Candles, named SYMBOL-INTERVAL.")],
    config: Config = None,
    set: Set = None,
    symbol: Annotated[str | None, typer.Option(help="Instead of the file name's.")] = None,
    interval: Annotated[str | None, typer.Option(help="Instead of the file name's.")] = None,
    exchange: Annotated[str, typer.Option(help="Of the candles.")] = "file",
    json: Json = False,
) -> None:
    """Train on a file of candles and forecast what follows its last one. No Kafka."""
    from threadpoolctl import threadpool_limits

    from stream_lstm.candles.files import read_csv
    from stream_lstm.forecasting.offline import predict_file

    engine, candles = _settings(config, set).engine(), read_csv(file, symbol=symbol, interval=interval)
    with threadpool_limits(1):
        predictions = predict_file(engine, candles, exchange, int(time.time() * 1000))
    if json:
        _print_json([prediction.body for prediction in predictions])
    else:
        from stream_lstm.terminal import tables
        from stream_lstm.terminal.console import show

        show(tables.predictions([prediction.body for prediction in predictions]))


@app.command()
def backtest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.csv[.gz]...", help="Named SYMBOL-INTERVAL.")],
    model: Annotated[str, typer.Option(metavar="M[,M…]", help="Models to walk forward.")] = "lstm",
    horizons: Annotated[str, typer.Option(metavar="H[,H…]")] = "1h,4h,1d,7d",
    confidence: Annotated[float, typer.Option(min=0.01, max=0.999)] = 0.9,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First that is published.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Nothing later is looked at.")
    ] = None,
    history: Annotated[int, typer.Option(min=100, help="Candles kept per series.")] = 8_760,
    features: Annotated[str | None, typer.Option(metavar="G[,G…]", help="Groups that models read.")] = None,
    retrain: Annotated[str, typer.Option(metavar="24h", help="Time between two trainings.")] = "24h",
    drift_retrain: Annotated[
        bool,
        typer.Option("--drift-retrain", help="So does a drift (drift.retrain_on_drift)."),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the files.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    symbol: Annotated[str | None, typer.Option(help="Instead of the file names'.")] = None,
    interval: Annotated[str | None, typer.Option(help="Instead of the file names'.")] = None,
    records: Annotated[Path | None, typer.Option(metavar="OUT.jsonl.gz", help="A line per forecast.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="OUT.html", help="The verdict as a page.")] = None,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Walk forward through files of candles with the engine that runs live, and say what it was worth."""
    from stream_lstm import backtesting
    from stream_lstm.candles.files import read_csv
    from stream_lstm.evaluation.backtest import Walk
    from stream_lstm.evaluation.report.page import Asked, html
    from stream_lstm.terminal.console import show
    from stream_lstm.terminal.progress import counting
    from stream_lstm.terminal.verdicts import verdicts

    more = ["drift.retrain_on_drift=true"] if drift_retrain else []
    settings = _walk_settings(
        config,
        [*more, *(set or [])],
        horizons=horizons,
        features=features,
        confidence=confidence,
        history=history,
        retrain=retrain,
        seed=seed,
    )
    from_ms, to_ms = (None if date is None else _date(date) for date in (begin, end))
    walk = Walk(config=settings.engine(), from_ms=from_ms, to_ms=to_ms)
    candles = [read_csv(path, symbol=symbol, interval=interval) for path in files]
    with counting("candles", shown=not json) as progress:
        tested = backtesting.backtest(candles, walk, model.split(","), jobs, progress)
    judged = backtesting.judge_all(tested)
    verdict, costs = backtesting.verdict(tested, judged), backtesting.costs(tested)
    if records is not None:
        backtesting.write_records(records, tested)
    if report is not None:
        asked = Asked(list(dict.fromkeys(one.model for one in tested)), confidence, retrain)
        report.write_text(html(asked, judged, costs), encoding="utf-8")
    if json:
        _print_json(verdict)
    else:
        show(verdicts(verdict["summary"], confidence, [cost._asdict() for cost in costs]))


@app.command()
def verify(
    workers: Annotated[int, typer.Option(help="Worker processes at the beginning.")] = 3,
    partitions: Annotated[int, typer.Option(min=1, help="Of the candles.")] = 6,
    series: Annotated[int, typer.Option(min=1, max=1_000, help="Of a synthetic market.")] = 24,
    candles: Annotated[int, typer.Option(help="Of each series.")] = 400,
    kills: Annotated[int, typer.Option(help="Workers killed with -9; the rest in proportion.")] = 50,
    broker_kills: Annotated[int, typer.Option(min=0)] = 0,
    exactly_once: Annotated[bool, typer.Option("--exactly-once", help="No message may come twice.")] = False,
    install: Annotated[str, typer.Option(metavar="barrier|asap", help="When models answer.")] = "barrier",
    seed: Annotated[int | None, typer.Option(min=0, help="The same chaos again.")] = None,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="An existing Kafka.")] = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Kill workers at random while they work, and prove that no message is lost, doubled or different."""
    import secrets

    from stream_lstm.streaming.ends import Stopped
    from stream_lstm.verification import chaos
    from stream_lstm.verification.plan import Chaos

    wanted = chaos.Wanted(
        chaos=Chaos(workers=workers, kills=kills, broker_kills=broker_kills),
        seed=secrets.randbelow(2**31) if seed is None else seed,
        partitions=partitions,
        series=series,
        candles=candles,
        install=install,
        bootstrap=bootstrap,
        overrides=[*(["delivery=exactly_once"] if exactly_once else []), *(set or [])],
    )
    try:
        found = _loop(chaos.run(wanted, _warn))
    except Stopped:
        sys.exit(EXIT_INTERRUPTED)
    if json:
        _print_json(found)
    else:
        typer.echo(f"{found['sentence']}, {kills} kills")
        _warn(f"{found['repeats']} repeats, each the same to the byte")
    if found["first"] is not None:
        _warn(f"first difference: {found['first']}")
        sys.exit(EXIT_FAILED)


@app.command()
def compare(
    config: Config = None,
    set: Set = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="DATE", help="In stream time.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="In stream time.")] = None,
    recount: Annotated[
        bool,
        typer.Option("--recount", help="Count states again from the topics."),
    ] = False,
    json: Json = False,
) -> None:
    """Live = backtest: what a service has said, against the engine alone on the same recorded candles."""
    from threadpoolctl import threadpool_limits

    from stream_lstm.terminal.progress import counting
    from stream_lstm.verification.judge import Extent, judge

    from_ms, to_ms = (None if date is None else _date(date) for date in (begin, end))
    extent = Extent(from_ms=from_ms, to_ms=to_ms, recount=recount)
    with counting("candles", shown=not json) as progress, threadpool_limits(1):
        verdict, first = _loop(judge(_settings(config, set), extent, progress))
    if json:
        _print_json(verdict.told() | {"first": first})
    else:
        typer.echo(verdict.sentence if first is None else f"{verdict.sentence}\nfirst difference: {first}")
    if first is not None:
        sys.exit(EXIT_FAILED)


@topics_app.command("create")
def topics_create(
    config: Config = None,
    set: Set = None,
    partitions: Annotated[int, typer.Option(min=1, help="Of inputs, predictions and scores.")] = 6,
    retention_days: Annotated[int, typer.Option(min=1, help="How long candles are kept.")] = 400,
    history: Annotated[
        int | None, typer.Option(min=1, metavar="CANDLES", help="Or: as long as so many candles last.")
    ] = None,
    interval: Annotated[str, typer.Option(help="Of the candles of --history.")] = "1h",
    keep_for_ever: Annotated[
        bool, typer.Option("--keep-for-ever", help="No retention: for replays of old candles.")
    ] = False,
    json: Json = False,
) -> None:
    """Make the topics that are missing; those that exist are left as they are."""
    from stream_lstm.kafka import topic_admin
    from stream_lstm.kafka.connection import Deadline
    from stream_lstm.kafka.topics import DAY_MS, FOR_EVER, TopicNames, retention_for, specs
    from stream_lstm.streaming.assembly import connection_of

    if history is not None:
        retention_days = retention_for(history, _step_ms(interval)) // DAY_MS
    settings = _settings(config, set)
    inputs = [each.topic for each in settings.inputs if each.topic is not None]
    kept_ms = FOR_EVER if keep_for_ever else retention_days * DAY_MS
    output_ms = FOR_EVER if keep_for_ever else 90 * DAY_MS
    wanted = specs(
        TopicNames(settings.topics.prefix),
        inputs,
        partitions=partitions,
        candle_retention_ms=kept_ms,
        output_retention_ms=output_ms,
    )
    made = _loop(topic_admin.create(connection_of(settings), wanted, Deadline(60)))
    if json:
        retention_ms = {spec.name: spec.retention_ms for spec in wanted}
        _print_json({"created": made, "topics": list(retention_ms), "retentionMs": retention_ms})
    else:
        from stream_lstm.terminal import tables
        from stream_lstm.terminal.console import show

        show(tables.topics(wanted, made))
        if not keep_for_ever:
            typer.echo(
                f"Kafka deletes candles {retention_days} days after their own timestamp: "
                "for a replay of older ones use --keep-for-ever.",
                err=True,
            )


@config_app.command("show")
def config_show(config: Config = None, set: Set = None, json: Json = False) -> None:
    """Every setting with its value, where it comes from, and what it means. Secrets are masked."""
    from stream_lstm.settings import describe

    settings = describe(_settings(config, set))
    if json:
        _print_json({one.name: one._asdict() for one in settings})
    else:
        from stream_lstm.terminal import tables
        from stream_lstm.terminal.console import show

        show(tables.settings(settings))


def _fail(error: Exception, code: int) -> NoReturn:
    typer.echo(f"stream-lstm: {error}", err=True)
    sys.exit(code)


cli_tune.register(app)
cli_feed.register(app)
cli_admin.register(app)  # after the commands that come first in --help
app.add_typer(cli_experiments.app, name="experiments")
cli_contracts.register(app)
