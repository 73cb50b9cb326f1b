"""What the page asks: the list, one series, a fan of the past, and the stream of what changes."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from stream_lstm.candles.series import SeriesKey
from stream_lstm.dashboard.reading import Reading
from stream_lstm.dashboard.series_state import SeriesState
from stream_lstm.gateway.envelope import Refused, succeeded
from stream_lstm.gateway.live import changes

router = APIRouter(prefix="/api/dashboard", include_in_schema=False)

_MOST_STREAMS: Final = 100


class Dashboard:
    """What the endpoints are given: what was read, and when to end streams."""

    def __init__(self, reading: Reading, stop: asyncio.Event) -> None:
        self.reading = reading
        self.stop = stop
        self.needs_token = False
        self.streams = 0

    def status(self) -> dict[str, Any]:
        """How things stand, for the head of the page."""
        reading = self.reading
        return reading.views.status(reading.clock()) | {
            "reading": not reading.has_caught_up,
            "trouble": [*reading.trouble.values()],
            "needsToken": self.needs_token,
        }

    def series(self, name: str) -> SeriesState:
        """A series by its name. Raises `Refused` if there is none."""
        try:
            return self.reading.store.series[SeriesKey.parse(name)]
        except (KeyError, ValueError):
            raise Refused(404, "SERIES_NOT_FOUND", f"no series {name!r} has been seen") from None


def _board(request: Request) -> Dashboard:
    board: Dashboard = request.app.state.dashboard
    return board


Board = Annotated[Dashboard, Depends(_board)]
Name = Annotated[str, Query(alias="series", min_length=1, max_length=600)]


@router.get("/series")
async def series_list(board: Board) -> Response:
    """All series, a row each."""
    reading = board.reading
    return succeeded(reading.views.rows(reading.clock()))


@router.get("/detail")
async def detail(board: Board, name: Name) -> Response:
    """One series: its candles, its fan, and what is known of its worth."""
    reading = board.reading
    return succeeded(reading.views.detail(board.series(name), reading.clock()))


@router.get("/fan")
async def fan(board: Board, name: Name, as_of: Annotated[int, Query(alias="asOf", ge=0)]) -> Response:
    """The fan that was published at the close of a candle."""
    told = board.reading.views.past(board.series(name), as_of)
    if told is None:
        raise Refused(404, "NOT_FOUND", "no forecast of that candle is remembered")
    return succeeded(told)


@router.get("/stream")
async def stream(
    board: Board, name: Annotated[str | None, Query(alias="series", max_length=600)] = None
) -> Response:
    """Server-sent events: all there is at first, then what changes; the details of one series with it."""
    if board.streams >= _MOST_STREAMS:
        why = f"{_MOST_STREAMS} pages are open already"
        raise Refused(503, "TOO_MANY_STREAMS", why, {"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(changes(board, name), media_type="text/event-stream", headers=headers)
