"""The commands of experiments: start, stop, list."""

from typing import Annotated

import typer

from stream_lstm.cli_admin import Exchange, Interval, Seconds, asked, tell
from stream_lstm.cli_frame import Config, Json, Set

app = typer.Typer(
    no_args_is_help=True,
    help="Experiments: another model type in the shadow of the one that answers, until a test decides.",
)


@app.command()
def start(
    challenger: Annotated[str, typer.Argument(help="The model type to try, such as har.")],
    symbol: Annotated[str | None, typer.Option(help="Only on this symbol.")] = None,
    share: Annotated[
        float | None, typer.Option(help="On this share of all series, without --symbol; 1 if not given.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="How likely one that is not better is promoted, at most; 0.05 if not given."),
    ] = None,
    max_candles: Annotated[
        int | None,
        typer.Option(help="It ends undecided after so many; 2,000 times the shortest horizon if not given."),
    ] = None,
    exchange: Exchange = None,
    interval: Interval = None,
    config: Config = None,
    set: Set = None,
    timeout: Seconds = 30.0,
    json: Json = False,
) -> None:
    """Try a model type on a symbol, or on a share of all series; returns when it runs."""
    from stream_lstm.terminal import experiments

    told = asked(
        config,
        set,
        timeout,
        lambda admin: admin.start_experiment(
            challenger,
            symbol,
            share=share,
            alpha=alpha,
            max_candles=max_candles,
            exchange=exchange,
            interval=interval,
        ),
    )
    tell(told, experiments.started, json)


@app.command()
def stop(
    experiment_id: Annotated[str | None, typer.Argument(help="As `experiments list` shows it.")] = None,
    symbol: Annotated[str | None, typer.Option(help="The one on this symbol, instead of an id.")] = None,
    exchange: Exchange = None,
    interval: Interval = None,
    config: Config = None,
    set: Set = None,
    timeout: Seconds = 30.0,
    json: Json = False,
) -> None:
    """End an experiment; the model that answers stays."""
    from stream_lstm.terminal import experiments

    told = asked(
        config,
        set,
        timeout,
        lambda admin: admin.stop_experiment(
            experiment_id, symbol=symbol, exchange=exchange, interval=interval
        ),
    )
    tell(told, experiments.stopped, json)


@app.command("list")
def list_(
    symbol: Annotated[str | None, typer.Option(help="Only of this symbol.")] = None,
    exchange: Exchange = None,
    interval: Interval = None,
    config: Config = None,
    set: Set = None,
    timeout: Seconds = 30.0,
    json: Json = False,
) -> None:
    """The experiments that run, and the last of each series that has ended."""
    from stream_lstm.terminal import experiments

    told = asked(
        config,
        set,
        timeout,
        lambda admin: admin.list_experiments(symbol, exchange=exchange, interval=interval),
    )
    tell(told, experiments.listed, json)
