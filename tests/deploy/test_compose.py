import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from stream_lstm.cli import app
from stream_lstm.settings import load
from stream_lstm.settings.sections import Worker

Services = Mapping[str, Mapping[str, Any]]
OURS = ("topics", "worker", "feeder", "exchange", "gateway")
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def listeners(text: str) -> dict[str, str]:
    """Addresses by the names of Kafka's listeners."""
    return dict(each.split("://") for each in text.split(","))


def test_the_compose_file_satisfies_the_compose_specification(root: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*check, "docker-compose.yml"], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_itself_reads_the_file_with_all_profiles(root: Path) -> None:
    program = shlex.split(os.environ.get("STREAM_LSTM_TEST_COMPOSE", "docker compose"))
    if (
        shutil.which(program[0]) is None
        or subprocess.run([*program, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no `docker compose`; STREAM_LSTM_TEST_COMPOSE=PATH names one")
    command = [*program, "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_five_services_run_our_image(ours: Services) -> None:
    assert tuple(ours) == OURS


def test_images_are_built_with_what_their_services_need(root: Path, ours: Services) -> None:
    """The gateway's page draws with plotly; services of one image name build it alike."""
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "ARG EXTRAS" in (root / "Dockerfile").read_text()
    assert "${EXTRAS:+[$EXTRAS]}" in (root / "Dockerfile").read_text()
    built = {name: service["build"]["args"]["EXTRAS"] for name, service in ours.items()}
    assert set(built.values()) <= extras.keys()
    assert (built["gateway"], built["exchange"]) == ("plots", "exchange")
    for name, service in ours.items():
        assert built[name] == ("plots" if service["image"] == "stream-lstm" else "exchange")


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in OURS if name != "exchange"),
        pytest.param(
            "exchange",
            marks=pytest.mark.skipif("feed" not in COMMANDS, reason="this version has no command `feed`"),
        ),
    ],
)
def test_the_command_of_a_service_is_one_that_the_command_line_understands(ours: Services, name: str) -> None:
    context = typer.main.get_command(app).make_context("stream-lstm", list(ours[name]["command"]))
    while hasattr(context.command, "resolve_command"):
        words = [*context._protected_args, *context.args]
        found, command, rest = context.command.resolve_command(context, words)
        context = command.make_context(found, rest, parent=context)  # refuses unknown options and values


@pytest.mark.parametrize("name", OURS)
def test_the_environment_of_a_service_is_settings_that_reach_its_kafka(services: Services, name: str) -> None:
    settings = load(None, [], services[name]["environment"])
    kafka = services["kafka"]["environment"]
    assert settings.kafka.bootstrap_servers in listeners(kafka["KAFKA_ADVERTISED_LISTENERS"]).values()
    assert settings.kafka.bootstrap_servers.startswith("kafka:")


def test_the_worker_publishes_from_the_beginning(services: Services) -> None:
    assert load(None, [], services["worker"]["environment"]).start_at == "earliest"


def test_the_gateway_asks_for_a_token_and_is_looked_at_where_it_listens(services: Services) -> None:
    given = services["gateway"]["environment"]
    assert given["STREAM_LSTM_HTTP__TOKEN"].startswith("${STREAM_LSTM_HTTP__TOKEN:-")
    settings = load(None, [], given)
    assert f"127.0.0.1:{settings.http.port}/api/ml/health" in services["gateway"]["healthcheck"]["test"][-1]


def test_what_is_not_needed_for_a_look_is_behind_a_profile(services: Services) -> None:
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert profiles == {"exchange": ["exchange"], "kafka-ui": ["ui"]}


@pytest.mark.parametrize("name", ["feeder", "exchange"])
def test_a_feeder_writes_where_the_worker_reads(services: Services, name: str) -> None:
    command = services[name]["command"]
    topic = command[command.index("--topic") + 1]
    assert topic in [each.topic for each in load(None, [], services["worker"]["environment"]).inputs]


def test_candles_of_the_past_are_kept(services: Services) -> None:
    assert "--keep-for-ever" in services["topics"]["command"]


def test_whoever_needs_topics_waits_until_they_are_made(services: Services) -> None:
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in ("worker", "feeder", "exchange", "gateway"):
        assert services[name]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


def test_whoever_is_waited_for_can_say_that_it_is_healthy(services: Services) -> None:
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_to_the_store_and_to_tmp_alone(ours: Services, name: str) -> None:
    service = ours[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == "/tmp"
    assert service.get("volumes", []) == (["store:/var/lib/stream-lstm"] if name == "worker" else [])


def test_no_container_has_privileges(services: Services) -> None:
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_a_worker_is_given_the_time_that_it_needs_to_stop(services: Services) -> None:
    grace = services["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Worker().shutdown_timeout


def test_nothing_is_open_to_other_machines(services: Services) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_images_of_others_are_pinned_to_a_version(services: Services, ours: Services) -> None:
    for name in services.keys() - ours.keys():
        _, _, tag = services[name]["image"].partition(":")
        assert any(part.isdecimal() for part in tag.lstrip("v").split("."))


def test_everything_that_is_mounted_is_there(root: Path, services: Services, read_yaml: Any) -> None:
    volumes = read_yaml("docker-compose.yml")["volumes"]
    for service in services.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in volumes or (source.startswith("./") and (root / source).is_dir())
