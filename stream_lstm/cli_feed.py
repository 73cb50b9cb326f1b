"""`stream-lstm bootstrap`, `feed` and `live`: candles of an exchange, and history from files."""

import logging
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_lstm.cli_frame import Config, Json, Set, looped, print_json, settings_of, warn
from stream_lstm.errors import SettingsError
from stream_lstm.settings import Settings

if TYPE_CHECKING:  # Kafka's client and ccxt take a while to import, and most commands need neither
    from stream_lstm.exchange.markets import Listing
    from stream_lstm.exchange.venue import Venue
    from stream_lstm.feeding.bootstrap import Loaded, Target
    from stream_lstm.feeding.tending import Fed

_PATIENCE_S = 300.0

Exchange = Annotated[str, typer.Option("--exchange", help="ccxt's name of it, such as binance or okx.")]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="S[,S…]", help="BTC/USDT or BTCUSDT; may be repeated."),
]
Interval = Annotated[str, typer.Option("--interval", metavar="1h", help="Of the candles.")]
Topic = Annotated[str | None, typer.Option("--topic", help="Instead of the first input topic.")]
Url = Annotated[
    str | None,
    typer.Option("--exchange-url", metavar="URL", help="Ask there instead: `exchange.url` of the settings."),
]


def register(app: typer.Typer) -> None:
    """Make the commands known."""
    app.command()(bootstrap)
    app.command()(feed)
    app.command()(live)


def bootstrap(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE.csv[.gz]]...")] = None,
    exchange: Exchange = "binance",
    symbols: Symbols = None,
    interval: Interval = "1h",
    candles: Annotated[
        int | None, typer.Option(min=1, help="The last so many; 3,000, or all of the files.")
    ] = None,
    topic: Topic = None,
    exchange_url: Url = None,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Load history into an input topic: what is missing there, from files or from an exchange."""
    from stream_lstm.terminal.console import show
    from stream_lstm.terminal.history import loaded_table
    from stream_lstm.terminal.progress import counting

    settings = _settings(config, set, exchange_url)
    named = _symbols(symbols)
    if bool(files) == bool(named):
        raise SettingsError("bootstrap from either files or an exchange: name files, or --symbols")
    target = _target(settings, topic)
    with counting("candles", shown=not json) as progress:
        if files:
            loaded = looped(_from_files(target, files, exchange, candles, progress))
        else:
            loaded = looped(
                _from_exchange(settings, target, exchange, named, interval, candles or 3_000, progress)
            )
    rows = [
        {
            "series": str(one.series),
            "held": one.held,
            "loaded": one.loaded,
            "absent": one.absent,
            "newestOpenTime": one.newest_ms,
        }
        for one in loaded
    ]
    if json:
        print_json({"topic": target.topic, "candles": sum(one.loaded for one in loaded), "series": rows})
    else:
        show(loaded_table(target.topic, rows))


def feed(
    exchange: Exchange,
    symbols: Symbols = None,
    interval: Interval = "1h",
    topic: Topic = None,
    exchange_url: Url = None,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Publish the candles of an exchange until Ctrl-C or SIGTERM, from where the topic ends."""
    settings = _settings(config, set, exchange_url)
    target = _target(settings, topic)
    _quiet()
    fed = looped(_feed(settings, target, exchange, _symbols(symbols), interval))
    if json:
        print_json(asdict(fed))
    else:
        warn(
            f"stopped: {fed.closed:,} closed candles, {fed.corrections:,} corrections and {fed.forming:,} "
            f"forming updates are in {target.topic}"
        )


def live(
    exchange: Exchange,
    symbols: Symbols = None,
    interval: Interval = "1h",
    candles: Annotated[int, typer.Option(help="Of history, per series.")] = 3_000,
    seconds: Annotated[
        float | None, typer.Option("--for", help="End so many seconds after the models are there.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Keep Kafka's data and the models there, and go on with them.")
    ] = None,
    exchange_url: Url = None,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """From nothing to live forecasts: Kafka, history, a worker, the exchange's candles, and a table."""
    from stream_lstm.demo.live import Wanted, run
    from stream_lstm.demo.screen import Screen

    settings = _settings(config, set, exchange_url)
    given = dict(one.split("=", 1) for one in set or [])
    wanted = Wanted(
        exchange=exchange,
        symbols=_symbols(symbols),
        interval=interval,
        candles=candles,
        seconds=seconds,
        folder=folder,
    )
    _quiet()
    with Screen(live=not json and sys.stdout.isatty()) as screen:
        outcome = looped(run(wanted, settings, given, screen, screen.step, config))
    if outcome is not None and (json or not sys.stdout.isatty()):
        print_json(asdict(outcome))


def _settings(config: Path | None, overrides: list[str] | None, url: str | None) -> Settings:
    more = [] if url is None else [f"exchange.url={url}"]
    return settings_of(config, [*(overrides or []), *more])


def _symbols(given: list[str] | None) -> list[str]:
    return [symbol.strip() for one in given or () for symbol in one.split(",") if symbol.strip()]


def _quiet() -> None:
    """Leaders that are not elected yet are no news, and what goes wrong at the exchange we say ourselves."""
    for name in ("aiokafka", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _target(settings: Settings, named: str | None) -> "Target":
    from stream_lstm.feeding.bootstrap import Target
    from stream_lstm.feeding.choices import input_topic
    from stream_lstm.settings.inputs import pin_of
    from stream_lstm.streaming.assembly import connection_of

    topic = input_topic(settings, named)
    return Target(connection_of(settings), topic, pin_of(settings.inputs, topic))


def _venue(settings: Settings, exchange: str, patience_s: float) -> "Venue":
    from stream_lstm.exchange.venue import Venue

    chosen = settings.exchange
    return Venue(exchange, url=chosen.url, timeout_s=chosen.timeout, patience_s=patience_s, say=warn)


def _find(venue: "Venue", settings: Settings, symbols: list[str], interval: str) -> "list[Listing]":
    if not symbols:
        raise SettingsError("--symbols: name at least one market, such as BTC/USDT")
    return venue.find(symbols, interval, unified=settings.exchange.names == "unified")


async def _from_files(
    target: "Target", files: list[Path], exchange: str, candles: int | None, progress: Any
) -> "list[Loaded]":
    from stream_lstm.candles.files import read_csv
    from stream_lstm.feeding.bootstrap import from_files

    read = [read_csv(path) for path in files]
    now_ms = int(time.time() * 1000)
    return await from_files(target, read, exchange, now_ms, candles=candles, warn=warn, progress=progress)


async def _from_exchange(
    settings: Settings,
    target: "Target",
    exchange: str,
    symbols: list[str],
    interval: str,
    candles: int,
    progress: Any,
) -> "list[Loaded]":
    from stream_lstm.feeding.bootstrap import from_exchange

    async with _venue(settings, exchange, _PATIENCE_S) as venue:
        listings = _find(venue, settings, symbols, interval)
        return await from_exchange(target, venue, listings, candles, warn=warn, progress=progress)


async def _feed(
    settings: Settings, target: "Target", exchange: str, symbols: list[str], interval: str
) -> "Fed":
    from stream_lstm.feeding.choices import manner_of
    from stream_lstm.feeding.feed import Feed
    from stream_lstm.feeding.tending import Fed
    from stream_lstm.streaming.ends import Stopped, signals, told, unless, watching

    fed = Fed()
    with signals() as stop, suppress(Stopped):
        async with watching(told(stop)) as (stopped,):
            warn(f"asks {exchange} for its markets")
            venue = _venue(settings, exchange, float("inf"))
            await unless(venue.__aenter__(), stopped)
            try:
                listings = _find(venue, settings, symbols, interval)
                feeding = Feed(target, venue, listings, manner_of(settings), warn)
                fed = feeding.fed
                await unless(feeding.run(), stopped)
            finally:
                await venue.__aexit__()
    return fed
