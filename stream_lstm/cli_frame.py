"""What all commands share: their common options, the settings from them, the loop, and JSON."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from stream_lstm.errors import BadCandle, SettingsError
from stream_lstm.settings import Settings, load

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings file.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, above all other sources.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines, nothing else on standard output.")]


def settings_of(config: Path | None, overrides: list[str] | None) -> Settings:
    """The settings that a command was given. Raises `SettingsError`."""
    return load(config, overrides or [], os.environ)


def walk_settings(
    config: Path | None,
    overrides: list[str] | None,
    *,
    horizons: str,
    confidence: float,
    history: int,
    retrain: str,
    seed: int,
    features: str | None = None,
) -> Settings:
    """The settings of a walk through files, its options above all other sources but `--set`."""
    given = {"horizons": orjson.dumps(horizons.split(",")).decode(), "confidence": str(confidence)}
    given |= {"training.expiry": retrain, "training.seed": str(seed), "history.candles": str(history)}
    given |= {} if features is None else {"features": orjson.dumps(features.split(",")).decode()}
    return settings_of(config, [*(f"{name}={value}" for name, value in given.items()), *(overrides or [])])


def date(text: str) -> int:
    """Epoch ms of a date, or of a date and time, in UTC. Raises `SettingsError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{text!r} is no date: write one like 2021-10-01") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def step_ms(interval: str) -> int:
    """Length of an interval, however it is spelled. Raises `SettingsError`."""
    from stream_lstm.candles.units import interval_ms

    try:
        return interval_ms(interval)[1]
    except BadCandle as error:
        raise SettingsError(f"--interval {interval}: {error}") from None


def warn(text: str) -> None:
    """A line on standard error."""
    typer.echo(f"stream-lstm: {text}", err=True)


def looped(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()
