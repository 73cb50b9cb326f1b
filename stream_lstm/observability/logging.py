"""Logs: one line per record, for people (`text`) or machines (`json`), on standard error. No secrets."""

import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import orjson

Format = Literal["text", "json"]

_SECRETS: Final = re.compile(
    r"(?P<name>(?:password|passwd|secret|token|api_?key|authorization)\w*[\"']?\s*[=:]\s*(?:bearer\s+)?[\"']?)"
    r"(?P<value>[^\s,;\"']+)"
    r"|(?P<user>://[^/\s:@]*:)(?P<word>[^/\s@]+)(?=@)",
    re.IGNORECASE,
)
_NOISY: Final = ("aiokafka", "asyncio")


def configure(format: Format, level: str, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error), and nowhere else; `level` as in `logging`, any case."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    logging.captureWarnings(True)


def announce(log: logging.Logger, title: str, facts: Iterable[tuple[str, object]]) -> None:
    """What this process is about to do: a title, and one line per fact."""
    log.info("%s", title)
    for name, value in facts:
        log.info("  %s = %s", name, value)


class TextFormatter(logging.Formatter):
    """`2026-11-24T16:13:40.123Z INFO     streaming.worker: message`; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        message = _message(record).replace("\n", "\\n").replace("\r", "\\r")
        name = record.name.removeprefix("stream_lstm.")
        line = f"{_time(record)} {record.levelname:<8} {name}: {message}"
        trace = _traceback(self, record)
        return line if trace is None else f"{line}\n{trace}"


class JsonFormatter(logging.Formatter):
    """One JSON object per record: `at`, `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        body: dict[str, Any] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        trace = _traceback(self, record)
        if trace is not None:
            body["exception"] = trace
        return orjson.dumps(body).decode()


def masked(text: str) -> str:
    """The text without what looks like a secret.

    >>> masked("sasl_password=hunter2, https://me:hunter2@host/ token: abc")
    'sasl_password=***, https://me:***@host/ token: ***'
    """
    return _SECRETS.sub(lambda found: f"{found['name'] or found['user']}***", text)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    # A lone surrogate in a symbol must not cost the line.
    return masked(record.getMessage()).encode(errors="backslashreplace").decode()


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[0] is None:
        return None
    return masked(formatter.formatException(record.exc_info))
