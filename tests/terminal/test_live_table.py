import io

import pytest
from rich.console import Console

from stream_lstm.terminal.board import Board
from stream_lstm.terminal.live_table import Latency, LiveTable
from tests.terminal.conftest import AS_OF, HOUR, Clock, Offer, event, prediction, score

HORIZONS = ("1h", "4h", "1d", "7d")
SYMBOLS = ("BTCUSDT", "DOGEUSDT", "ETHUSDT", "PEPEUSDT", "SOLUSDT", "XRPUSDT")


def drawn(view: LiveTable, width: int, height: int = 50) -> str:
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, no_color=True, record=True
    )
    console.print(view)
    return console.export_text()


@pytest.fixture
def view(board: Board, offer: Offer) -> LiveTable:
    for symbol in SYMBOLS:
        offer("predictions", *(prediction(symbol, horizon) for horizon in HORIZONS))
    return LiveTable(board)


def test_at_160_columns_a_series_is_one_line_with_both_bounds(view: LiveTable) -> None:
    (line,) = [line for line in drawn(view, 160).splitlines() if line.startswith("BTCUSDT")]
    assert line.split() == [
        "BTCUSDT",
        "1h",
        "65,500.5",
        *["65,500.5", "64,845.5–66,155.5"] * 4,
        "lstm",
        "7h",
        "in",
        "17h",
    ]


def test_at_120_columns_the_interval_is_a_percentage(view: LiveTable) -> None:
    (line,) = [line for line in drawn(view, 120).splitlines() if line.startswith("BTCUSDT")]
    assert line.split() == [
        "BTCUSDT",
        "1h",
        "65,500.5",
        *["65,500.5", "±1.00%"] * 4,
        "lstm",
        "7h",
        "in",
        "17h",
    ]


def test_at_80_columns_all_four_horizons_are_there_in_two_lines(view: LiveTable) -> None:
    lines = drawn(view, 80).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("BTCUSDT"))
    assert lines[at].split() == ["BTCUSDT", *["65,500.5"] * 5, "lstm,", "7h", "old"]
    assert lines[at + 1].split() == ["1h", *["±1.00%"] * 4, "next", "in", "17h"]


def test_in_a_narrow_window_the_longest_horizons_are_left_out_and_named(view: LiveTable) -> None:
    text = drawn(view, 50)
    assert "1d, 7d: in a wider window" in text
    assert "4h" in text.splitlines()[2]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("height", [16, 24, 40])
def test_it_is_never_larger_than_the_console(
    board: Board, offer: Offer, view: LiveTable, width: int, height: int
) -> None:
    for number in range(60):
        offer(
            "predictions", *(prediction(f"COIN{number}USDT", horizon, lastClose=0.1) for horizon in HORIZONS)
        )
        offer("model-events", event("model.trained", {"modelId": "m", "path": "p"}, id=str(number)))
    lines = drawn(view, width, height).rstrip("\n").split("\n")
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_six_series_fit_into_80_by_24(view: LiveTable) -> None:
    text = drawn(view, 80, 24)
    assert all(symbol in text for symbol in SYMBOLS)
    assert "more series" not in text


def test_it_says_how_many_series_have_no_room(board: Board, offer: Offer, view: LiveTable) -> None:
    for number in range(100):
        offer("predictions", prediction(f"Z{number}"))
    text = drawn(view, 160, 24)
    shown = sum(line.startswith((*SYMBOLS, "Z")) for line in text.splitlines())
    assert f"… {106 - shown} more series" in text
    assert shown > 6


def test_only_the_chosen_horizons_are_shown(board: Board, view: LiveTable) -> None:
    header = drawn(LiveTable(board, horizons=["1d"]), 80).splitlines()[2]
    assert header.split() == ["Series", "Close", "1d", "Model", "Age", "Retrain"]


def test_state_is_told_in_words(board: Board, offer: Offer) -> None:
    offer("predictions", prediction("A", stale=True, expiresAt=AS_OF - HOUR))
    offer("predictions", prediction("B", modelType="hybrid", lastTrained=None, reason="no trained model yet"))
    offer("predictions", prediction("C", reason="extrapolated"), prediction("D", as_of=AS_OF - 30 * HOUR))
    text = drawn(LiveTable(board), 160)
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "lstm stale" in lines["A"]
    assert lines["A"].endswith("due")
    assert "hybrid: no trained model yet" in text
    assert "66,155.5*" in lines["C"]
    assert "* extrapolated" in text
    assert "1d6h old" in lines["D"]


def test_series_of_several_exchanges_are_told_apart(board: Board, offer: Offer) -> None:
    offer("predictions", prediction(), prediction(exchange="okx"))
    text = drawn(LiveTable(board), 120)
    assert "BTCUSDT 1h binance" in text
    assert "BTCUSDT 1h okx" in text


def test_coverage_stands_under_its_horizon_with_its_count(
    board: Board, offer: Offer, view: LiveTable
) -> None:
    for number in range(600):
        offer("scores", score("1h", AS_OF + number * HOUR, inside=number % 10 > 0))
        offer("scores", score("1d", AS_OF + number * HOUR, inside=number % 10 > 1))
    (line,) = [line for line in drawn(view, 160).splitlines() if line.startswith("Coverage")]
    assert " ".join(line.split()) == (
        "Coverage 90% asked 90.0% of 600 no score yet 80.0% low of 600 no score yet"
    )


def test_few_scores_are_not_remarked_upon(board: Board, offer: Offer, view: LiveTable) -> None:
    offer("scores", *(score(as_of=AS_OF + number * HOUR, inside=False) for number in range(499)))
    assert "low" not in drawn(view, 160)


def test_the_counts_are_told(board: Board, offer: Offer, view: LiveTable) -> None:
    offer("model-events", event("model.trained", {"modelId": "m", "path": "p"}, id="a"))
    offer("model-events", event("model.training_failed", {"error": "no"}, id="b"))
    board.offer("candles.dlq", b"?", [("stream-lstm.reason", b"not_json")])
    board.offer("scores", b"?")
    view.latency = Latency(1.23, 6.34)
    text = drawn(view, 160)
    assert "candles 6" in text
    assert "predictions 24 (lstm 24)" in text
    assert "trainings 1, 1 failed" in text
    assert "dead letters 1 (not_json 1)" in text
    assert "record to prediction p50 1.2 ms, p99 6.3 ms" in text
    assert "unreadable messages 1" in text


def test_the_last_event_is_the_last_line(board: Board, offer: Offer, view: LiveTable) -> None:
    offer("model-events", event("series.warming_up", {"candles": 1, "needed": 100}, id="a"))
    offer("model-events", event("series.warming_up", {"candles": 2, "needed": 100}, id="b", symbol="LTC"))
    last = drawn(view, 80, 24).splitlines()[-1]
    assert last == "10-05 11:00  LTC 1h: warming up, 2 of 100 candles"


def test_without_a_message_it_says_what_it_waits_for(board: Board, clock: Clock) -> None:
    clock.now += 90
    text = drawn(LiveTable(board), 80)
    assert "last message 1m30s ago" in text
    assert "Waiting for the first prediction" in text


def test_foreign_text_cannot_command_the_terminal(board: Board, offer: Offer) -> None:
    offer("predictions", prediction("A\x1b[2JB", modelType="x\ry"))
    offer("model-events", event("series.gap", {"missing": None, "reason": "a\x1b]0;b"}, symbol="[red]C"))
    console = Console(
        width=80, height=24, file=io.StringIO(), force_terminal=True, no_color=True, record=True
    )
    console.print(LiveTable(board))
    text = console.export_text()
    assert "A·[2JB" in text
    assert "[red]C 1h: candles missing" in text
    assert not {"\x1b", "\r"} & set(text)
