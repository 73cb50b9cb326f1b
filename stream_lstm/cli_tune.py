"""The command that searches hyper-parameters."""

from dataclasses import replace
from pathlib import Path
from textwrap import fill, wrap
from typing import Annotated, Any, Literal

import typer

from stream_lstm.cli_frame import Config, Json, Set, date, print_json, walk_settings, warn

Objective = Literal["winkler", "pinball"]


def register(app: typer.Typer) -> None:
    """Add this command to the program's."""
    app.command()(tune)


def tune(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.csv[.gz]...", help="Named SYMBOL-INTERVAL.")],
    model: Annotated[str, typer.Option(metavar="M", help="Whose hyper-parameters.")] = "lstm",
    parameters: Annotated[
        str | None,
        typer.Option(metavar="P[,P…]", help="Only these, such as ridge,epochs; else all it reads."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="In all, those of earlier calls included.")] = 50,
    objective: Annotated[Objective, typer.Option(help="Loss relative to the unit's.")] = "winkler",
    horizons: Annotated[str, typer.Option(metavar="H[,H…]")] = "1h,4h,1d,7d",
    confidence: Annotated[float, typer.Option(min=0.01, max=0.999)] = 0.9,
    begin: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First that is judged.")] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Nothing later is looked at.")
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Last part of the period, which no trial sees.")
    ] = 0.3,
    holdout_from: Annotated[str | None, typer.Option(metavar="DATE", help="Instead of --holdout.")] = None,
    history: Annotated[int, typer.Option(min=100, help="Candles kept per series.")] = 8_760,
    retrain: Annotated[str, typer.Option(metavar="14d", help="Time between two trainings.")] = "14d",
    jobs: Annotated[int, typer.Option(min=1, help="Trials at once, a process each.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the search and of all trainings.")] = 0,
    storage: Annotated[
        str | None,
        typer.Option(metavar="sqlite:///tune.db", help="Keeps the study: the same command goes on."),
    ] = None,
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="In the storage; else the model's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="OUT.toml", help="Settings for `run --config`.")
    ] = None,
    only_if_better: Annotated[
        bool, typer.Option("--only-if-better", help="Write them only if the hold-out says that it pays.")
    ] = False,
    config: Config = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Search hyper-parameters on the past, and say on later candles whether tuning pays."""
    from stream_lstm.backtesting import joined
    from stream_lstm.candles.files import read_csv
    from stream_lstm.evaluation.references import forecaster
    from stream_lstm.terminal.console import show
    from stream_lstm.terminal.search import found_table, found_text, searching
    from stream_lstm.tuning.period import period_of
    from stream_lstm.tuning.settings_file import settings_file
    from stream_lstm.tuning.space import space_of
    from stream_lstm.tuning.tune import Wanted
    from stream_lstm.tuning.tune import tune as search

    settings = walk_settings(
        config,
        set,
        horizons=horizons,
        confidence=confidence,
        history=history,
        retrain=retrain,
        seed=seed,
    )
    engine = replace(settings.engine(), model=model)
    names = parameters.split(",") if parameters else []
    space = space_of(model, forecaster(model).own, names, engine.hyperparameters)
    candles = joined([read_csv(path) for path in files])
    times = (None if text is None else date(text) for text in (begin, end, holdout_from))
    from_ms, to_ms, holdout_ms = times
    wanted = Wanted(
        files=candles,
        period=period_of(candles, from_ms=from_ms, to_ms=to_ms, holdout_ms=holdout_ms, part=holdout),
        config=engine,
        objective=objective,
        space=space,
        trials=trials,
        jobs=jobs,
        seed=seed,
        storage=storage,
        study=study or model,
    )
    try:
        with searching(shown=not json) as bars:
            tuned = search(wanted, bars)
    except KeyboardInterrupt:
        if storage is not None:
            warn("interrupted; the same command goes on where it was")
        raise
    row, sentence = tuned.row(wanted), tuned.verdict.sentence
    written = output if output is not None and not (only_if_better and not tuned.verdict.pays) else None
    if written is not None:
        told = _told(sentence, row)
        written.write_text(settings_file(settings, config, model, tuned.found.hyperparameters, told))
    if json:
        print_json(row | {"written": None if written is None else str(written)})
        return
    show(found_table(row))
    typer.echo(f"{found_text(row)}\n{fill(sentence, 80)}")
    if written is not None:
        typer.echo(f"{written} has them, for `stream-lstm run --config`")
    elif output is not None:
        typer.echo("No settings are written: --only-if-better")


def _told(sentence: str, row: dict[str, Any]) -> list[str]:
    """What the settings file says of itself."""
    period = row["period"]
    return [
        *wrap(sentence, 100),
        f"Searched {period['from']} … {period['holdoutFrom']}, held out until {period['to']}; "
        f"{row['trials']['ended']} trials, {row['objective']}.",
    ]
