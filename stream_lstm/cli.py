"""The command line: each command calls one function of a package."""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import orjson
import typer

from stream_lstm.errors import SettingsError, StreamLstmError
from stream_lstm.settings import Settings, load

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

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

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings file.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, above all other sources.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines, nothing else on standard output.")]


def main() -> None:
    """Entry point of the ``stream-lstm`` script: our errors are one message and an exit code."""
    try:
        app()
    except SettingsError as error:
        _fail(error, EXIT_USAGE)
    except StreamLstmError as error:
        _fail(error, EXIT_FAILED)


@app.command()
def run(config: Config = None, set: Set = None) -> None:
    """Run a worker: read candles, forecast, publish, keep the models fresh."""
    from stream_lstm.observability.logging import configure
    from stream_lstm.streaming import service

    settings = _settings(config, set)
    configure(settings.log.format, settings.log.level)
    _loop(service.run(settings))


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

        tables.show(tables.predictions([prediction.body for prediction in predictions]))


@topics_app.command("create")
def topics_create(
    config: Config = None,
    set: Set = None,
    partitions: Annotated[int, typer.Option(min=1, help="Of inputs, predictions and scores.")] = 6,
    retention_days: Annotated[
        int, typer.Option(min=1, help="How long candles and model events are kept.")
    ] = 400,
    keep_for_ever: Annotated[
        bool, typer.Option("--keep-for-ever", help="No retention: for replays of old candles.")
    ] = False,
    json: Json = False,
) -> None:
    """Make the topics that are missing; those that exist are left as they are."""
    from stream_lstm.streaming import topic_admin
    from stream_lstm.streaming.assembly import connection_of
    from stream_lstm.streaming.connection import Deadline
    from stream_lstm.streaming.topics import DAY_MS, FOR_EVER, TopicNames, specs

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
        _print_json({"created": made, "topics": [spec.name for spec in wanted]})
    else:
        from stream_lstm.terminal import tables

        tables.show(tables.topics(wanted, made))
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

        tables.show(tables.settings(settings))


def _settings(config: Path | None, overrides: list[str] | None) -> Settings:
    return load(config, overrides or [], os.environ)


def _loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()


def _fail(error: Exception, code: int) -> NoReturn:
    typer.echo(f"stream-lstm: {error}", err=True)
    sys.exit(code)
