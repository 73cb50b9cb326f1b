"""From our errors to the original's statuses and codes."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from stream_lstm.errors import BrokerError, CommandError, CommandFailed, NoAnswer
from stream_lstm.gateway.envelope import Refused

log = logging.getLogger(__name__)

_STATUS: Final[Mapping[str, int]] = {
    "INVALID_REQUEST": 400,
    "MODEL_NOT_FOUND": 400,
    "SERIES_NOT_FOUND": 400,
    "UNKNOWN_COMMAND": 503,
    "COMMAND_EXPIRED": 503,
    "OWNER_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
}
"""Of the codes of the contract; all others are 500."""


class Renamed(dict[str, tuple[str, str]]):
    """Codes that the original calls otherwise: its code, and how its message begins."""


@contextmanager
def refusing(code: str, renamed: Renamed | None = None) -> Iterator[None]:
    """Turn what goes wrong with a command into `Refused`; `code` is the endpoint's own."""
    try:
        yield
    except CommandFailed as error:
        raise _refused(error, renamed or Renamed()) from error
    except NoAnswer as error:
        raise Refused(503, "NO_WORKER", str(error)) from error
    except BrokerError as error:
        raise Refused(503, "BROKER_UNAVAILABLE", str(error)) from error
    except CommandError as error:
        log.warning("a worker's reply is of no use: %s", error)
        raise Refused(500, code, str(error)) from error


def _refused(error: CommandFailed, renamed: Renamed) -> Refused:
    code, message = error.code, error.message
    if code in renamed:
        code, beginning = renamed[code]
        if not message.startswith(beginning):
            message = f"{beginning}: {message}"
    return Refused(_STATUS.get(code, 500), code, message)
