"""The command that prints what crosses the topics, for readers in other languages."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import orjson
import typer


def register(app: typer.Typer) -> None:
    """Add this command to the program's."""
    app.command()(asyncapi)


def asyncapi(
    schemas: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the JSON Schemas there instead, a file each.")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an example of every message there instead.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Say what breaks for readers of the JSON Schemas there, which an older version has written.",
        ),
    ] = None,
) -> None:
    """Print the AsyncAPI 3 document of all topics and messages, as JSON."""
    from stream_lstm.contracts import asyncapi
    from stream_lstm.contracts.examples import EXAMPLES
    from stream_lstm.contracts.schemas import schemas as json_schemas

    if schemas is not None:
        _write(schemas, json_schemas())
    if examples is not None:
        _write(examples, {name: example.payload for name, example in EXAMPLES.items()})
    if against is not None:
        _compare(against)
    if schemas is None and examples is None and against is None:
        sys.stdout.buffer.write(asyncapi.as_json(asyncapi.document()))
        sys.stdout.flush()


def _write(folder: Path, documents: Mapping[str, object]) -> None:
    from stream_lstm.contracts.asyncapi import as_json

    folder.mkdir(parents=True, exist_ok=True)
    for name, one in documents.items():
        (folder / f"{name}.json").write_bytes(as_json(one))
    typer.echo(f"{len(documents)} files are in {folder}", err=True)


def _compare(folder: Path) -> None:
    from stream_lstm.contracts.compatibility import breaches
    from stream_lstm.contracts.schemas import schemas

    old = {path.stem: orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    if not old:
        raise typer.BadParameter(f"there is no JSON Schema in {folder}", param_hint="--against")
    found = breaches(old, schemas())
    for breach in found:
        typer.echo(breach)
    if found:
        sys.exit(1)
    typer.echo(f"{len(old)} schemas: nothing breaks", err=True)
