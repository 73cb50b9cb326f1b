"""The commands of operations: the gateway, and what is asked of the workers over the control topic."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from stream_lstm.cli_frame import Config, Json, Set, looped, print_json, settings_of
from stream_lstm.contracts.wire import Message

if TYPE_CHECKING:
    from rich.console import RenderableType

    from stream_lstm.client import ModelAdmin

M = TypeVar("M", bound=Message)

models_app = typer.Typer(no_args_is_help=True, help="The models: list, inspect, delete, clean up, retrain.")

Symbol = Annotated[str, typer.Argument(help="As the producer writes it.")]
Exchange = Annotated[str | None, typer.Option(help="Where the symbol alone is not enough.")]
Interval = Annotated[str | None, typer.Option(metavar="1h", help="Where the symbol alone is not enough.")]
Seconds = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for a worker.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program's."""
    app.add_typer(models_app, name="models")
    app.command()(gateway)
    _about_a_series(
        app, "describe", "What one asks first about a series: who has it, which model, what is wrong."
    )
    _about_a_series(app, "pause", "Let a series say nothing until it is resumed; it goes on learning.")
    app.command()(resume)
    _about_a_series(models_app, "stats", "A series' model, and how it has done lately.")
    _about_a_series(models_app, "delete", "Delete the models of a symbol, in the store and in every worker.")
    _about_a_series(
        models_app,
        "retrain",
        "Have a series trained as if its model had expired; returns when that is queued.",
    )


def beside(config: Path | None, overrides: list[str] | None) -> AbstractContextManager[Any]:
    """A gateway with the same settings, for as long as the context."""
    from stream_lstm.gateway.beside import Beside

    named = [] if config is None else ["--config", str(config)]
    return Beside([*named, *(part for each in overrides or [] for part in ("--set", each))])


def gateway(config: Config = None, set: Set = None) -> None:
    """Serve REST on http.host and http.port; commands go to the workers over Kafka."""
    from stream_lstm.gateway import server
    from stream_lstm.observability.logging import configure
    from stream_lstm.streaming.assembly import connection_of

    settings = settings_of(config, set)
    configure(settings.log.format, settings.log.level)
    looped(server.run(settings, connection_of(settings)))


@models_app.command("list")
def models_list(config: Config = None, set: Set = None, timeout: Seconds = 30.0, json: Json = False) -> None:
    """The newest model of every series, the last trained first."""
    from stream_lstm.terminal import answers

    tell(asked(config, set, timeout, lambda admin: admin.list_models()), answers.models, json)


@models_app.command("cleanup")
def models_cleanup(
    max_age_days: Annotated[
        float, typer.Option("--max-age-days", help="Of the last candle that a model was trained on.")
    ] = 30.0,
    model_type: Annotated[str | None, typer.Option(help="Only of this type, such as lstm.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only of this symbol.")] = None,
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    interval: Annotated[str | None, typer.Option(metavar="1h", help="Only of this interval.")] = None,
    config: Config = None,
    set: Set = None,
    timeout: Seconds = 60.0,
    json: Json = False,
) -> None:
    """Delete old models, in the store and in every worker."""
    from stream_lstm.terminal import answers

    told = asked(
        config,
        set,
        timeout,
        lambda admin: admin.cleanup_models(
            max_age_days, symbol=symbol, exchange=exchange, interval=interval, model_type=model_type
        ),
    )
    tell(told, answers.deleted, json)


def resume(
    symbol: Symbol,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="In the partition that it was refused in.")
    ] = False,
    exchange: Exchange = None,
    interval: Interval = None,
    config: Config = None,
    set: Set = None,
    timeout: Seconds = 30.0,
    json: Json = False,
) -> None:
    """Let a series speak again."""
    from stream_lstm.terminal import answers

    told = asked(
        config,
        set,
        timeout,
        lambda admin: admin.resume(symbol, take_over=take_over, exchange=exchange, interval=interval),
    )
    tell(told, answers.paused, json)


def _about_a_series(app: typer.Typer, name: str, help: str) -> None:
    """Add a command that asks one thing about one series."""

    def command(
        symbol: Symbol,
        exchange: Exchange = None,
        interval: Interval = None,
        config: Config = None,
        set: Set = None,
        timeout: Seconds = 30.0,
        json: Json = False,
    ) -> None:
        from stream_lstm.terminal import answers

        def ask(admin: "ModelAdmin") -> Awaitable[Message]:
            questions: dict[str, Callable[..., Awaitable[Message]]] = {
                "describe": admin.describe,
                "pause": admin.pause,
                "stats": admin.model_stats,
                "delete": admin.delete_model,
                "retrain": admin.retrain,
            }
            return questions[name](symbol, exchange=exchange, interval=interval)

        drawn: dict[str, Callable[[Any], RenderableType]] = {
            "describe": answers.description,
            "pause": answers.paused,
            "stats": answers.stats,
            "delete": answers.deleted,
            "retrain": answers.retraining,
        }
        tell(asked(config, set, timeout, ask), drawn[name], json)

    app.command(name, help=help)(command)


def asked(
    config: Path | None,
    overrides: list[str] | None,
    seconds: float,
    question: "Callable[[ModelAdmin], Awaitable[M]]",
) -> M:
    """The answer of the workers of these settings."""
    from stream_lstm.client import ModelAdmin
    from stream_lstm.streaming.assembly import connection_of

    settings = settings_of(config, overrides)
    admin = ModelAdmin(connection_of(settings), prefix=settings.topics.prefix, timeout=seconds)

    async def ask() -> M:
        async with admin:
            return await question(admin)

    answer: M = looped(ask())
    return answer


def tell(told: M, drawn: "Callable[[M], RenderableType]", as_json: bool) -> None:
    """Print an answer, drawn or as JSON."""
    if as_json:
        print_json(told.model_dump(mode="json", by_alias=True))
    else:
        from stream_lstm.terminal.console import show

        show(drawn(told))
