import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from stream_lstm.observability.logging import (
    Format,
    JsonFormatter,
    TextFormatter,
    announce,
    configure,
    masked,
)

LOG = logging.getLogger("stream_lstm.streaming.worker")


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(LOG.name, logging.WARNING, "worker.py", 1, message, args, trace)
    made.created = 1728126000.004
    return made


def failed() -> BaseException:
    try:
        raise ValueError("password=hunter2 refused")
    except ValueError as error:
        return error


@pytest.fixture
def restored() -> Iterator[None]:
    """Puts the process' logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("aiokafka", "asyncio")}
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_text_is_one_readable_line_in_utc() -> None:
    line = TextFormatter().format(record("lost %s-%d", "candles", 3))

    assert line == "2024-10-05T11:00:00.004Z WARNING  streaming.worker: lost candles-3"


def test_json_is_one_object_per_line() -> None:
    line = JsonFormatter().format(record("lost %s", 'a "symbol"\nof two lines'))

    assert "\n" not in line
    assert json.loads(line) == {
        "at": "2024-10-05T11:00:00.004Z",
        "level": "warning",
        "logger": "stream_lstm.streaming.worker",
        "message": 'lost a "symbol"\nof two lines',
    }


def test_a_message_cannot_forge_a_second_line() -> None:
    line = TextFormatter().format(record("unknown symbol %s", "X\n2024 INFO all is well\r"))

    assert "\n" not in line
    assert "\r" not in line


def test_a_symbol_with_a_broken_character_costs_no_line() -> None:
    assert "\\ud800" in TextFormatter().format(record("unknown symbol %s", "\ud800"))
    assert json.loads(JsonFormatter().format(record("unknown symbol %s", "\ud800")))["level"] == "warning"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_an_exception_is_told_with_its_place_and_without_its_secret(formatter: logging.Formatter) -> None:
    line = formatter.format(record("failed", error=failed()))

    assert "test_logging.py" in line
    assert "ValueError" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "text",
    [
        "sasl_password=hunter2",
        "{'sasl_plain_password': 'hunter2'}",
        '"secret_key": "hunter2"',
        "Authorization: Bearer hunter2",
        "token hunter: token=hunter2",
        "https://user:hunter2@host/path",
        "AWS_SECRET_ACCESS_KEY=hunter2 and more",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hunter2" not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize("text", ["candles-0 at offset 5", "file:///var/store", "s3://bucket/a@b", "a:b@c"])
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert masked(text) == text


@pytest.mark.usefixtures("restored")
def test_logs_go_where_they_are_sent_from_the_level_on() -> None:
    stream = io.StringIO()
    configure("text", "warning", stream)
    LOG.info("too quiet")
    LOG.warning("loud enough")

    (line,) = stream.getvalue().splitlines()
    assert line.endswith("streaming.worker: loud enough")


@pytest.mark.usefixtures("restored")
def test_configuring_again_replaces_and_does_not_double() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("text", "info", first)
    configure("json", "info", second)
    LOG.info("once")

    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["message"] == "once"


@pytest.mark.usefixtures("restored")
def test_the_kafka_clients_chatter_is_kept_out() -> None:
    stream = io.StringIO()
    configure("text", "info", stream)
    logging.getLogger("aiokafka.consumer").info("Updating subscribed topics")
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed")

    (line,) = stream.getvalue().splitlines()
    assert "Heartbeat failed" in line


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_start_says_what_will_be_done_line_by_line(format: Format) -> None:
    stream = io.StringIO()
    configure(format, "info", stream)
    announce(LOG, "stream-lstm 0.1.0 starts", [("kafka.group", "forecasts"), ("horizons", ["1h", "4h"])])

    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "stream-lstm 0.1.0 starts" in lines[0]
    assert "kafka.group = forecasts" in lines[1]
    assert "horizons = ['1h', '4h']" in lines[2]


@pytest.mark.usefixtures("restored")
def test_standard_output_stays_free_for_results(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "info")
    assert logging.getLogger().handlers[0].stream is sys.stderr  # type: ignore[attr-defined]
    LOG.info("hello")

    assert capsys.readouterr().out == ""
