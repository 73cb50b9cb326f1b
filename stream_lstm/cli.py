"""The command line: each command calls one function of a package."""

import typer

app = typer.Typer(no_args_is_help=True, help="Live forecasting on a candle stream.")


def main() -> None:
    """Entry point of the ``stream-lstm`` script."""
    app()
