from io import StringIO

from rich.console import Console

from stream_lstm.demo.screen import Screen
from stream_lstm.demo.stage import Summary

SUMMARY = Summary(
    seconds=1.0,
    preloaded=6,
    candles=1,
    predictions=4,
    scores=0,
    trainings=0,
    dead_letters=1,
    latency_ms={"p50": 12.5, "p99": 37.5},
    coverage={},
    models={},
)


def console(terminal: bool) -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, force_terminal=terminal, width=120, height=30), file


def test_steps_are_said_until_the_table_is_there() -> None:
    (out, table), (err, said) = console(terminal=True), console(terminal=False)
    with Screen(live=True, out=out, err=err) as screen:
        screen.step("Starting Kafka")
        assert table.getvalue() == ""
        screen.offer("candles.dlq", b"?", [("stream-lstm.reason", b"not_json")])
        screen.refresh(SUMMARY)
        screen.step("Stopping")
    assert said.getvalue() == "Starting Kafka …\n"
    assert "p50 12.5 ms, p99 37.5 ms" in table.getvalue()
    assert "not_json 1" in table.getvalue()


def test_on_a_terminal_a_step_is_a_line_that_goes_away() -> None:
    (out, table), (err, said) = console(terminal=True), console(terminal=True)
    with Screen(live=True, out=out, err=err) as screen:
        screen.step("Starting Kafka")
        screen.step("Starting the worker")
    assert "Starting the worker" in said.getvalue()
    assert said.getvalue().endswith("\x1b[2K")
    assert table.getvalue() == ""


def test_for_machines_nothing_is_drawn() -> None:
    (out, table), (err, said) = console(terminal=True), console(terminal=False)
    with Screen(live=False, out=out, err=err) as screen:
        screen.refresh(SUMMARY)
        screen.step("Stopping")
    assert table.getvalue() == ""
    assert said.getvalue() == "Stopping …\n"
