"""What our programs must be allowed in Kafka, as commands for those who allow it."""

from typing import Annotated

import typer

from stream_lstm.cli_frame import Config, Json, Set, print_json, settings_of
from stream_lstm.errors import SettingsError
from stream_lstm.settings import Settings


def register(topics_app: typer.Typer) -> None:
    """Add the command to those about topics."""
    topics_app.command("acls")(acls)


def acls(
    config: Config = None,
    set: Set = None,
    principal: Annotated[
        str | None,
        typer.Option(metavar="User:NAME", help="Whom to allow it; kafka.security.username if not told."),
    ] = None,
    program: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="PROGRAM", help="worker, gateway, …; may be repeated. The worker."),
    ] = None,
    json: Json = False,
) -> None:
    """What must be allowed in Kafka with these settings, as commands of kafka-acls.sh. Asks no Kafka."""
    from stream_lstm.kafka.acls import PROGRAMS
    from stream_lstm.streaming.assembly import installation_of

    settings = settings_of(config, set)
    wanted = program or ["worker"]
    for name in wanted:
        if name not in PROGRAMS:
            raise SettingsError(f"--for {name}: there are {', '.join(PROGRAMS)}")
    at = installation_of(settings)
    needed = list(dict.fromkeys(acl for name in wanted for acl in PROGRAMS[name](at)))
    if json:
        print_json([acl._asdict() for acl in needed])
        return
    whom = principal or _principal(settings)
    for acl in needed:
        typer.echo(acl.command(settings.kafka.bootstrap_servers, whom))


def _principal(settings: Settings) -> str:
    username = settings.kafka.security.username
    if username is None:
        raise SettingsError(
            "whom to allow it? Say --principal User:NAME; of a certificate Kafka takes its whole subject, "
            "User:CN=worker,O=…, unless its ssl.principal.mapping.rules say otherwise"
        )
    return f"User:{username}"
