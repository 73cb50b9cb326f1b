import io

import pytest
from rich.console import Console, RenderableType

from stream_lstm.kafka.topics import FOR_EVER, TopicNames, specs
from stream_lstm.settings import describe, load
from stream_lstm.terminal import tables
from tests.terminal.conftest import AS_OF, HOUR, prediction


def drawn(renderable: RenderableType, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), no_color=True, record=True)
    tables.show(renderable, console)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_predictions_are_a_row_per_horizon() -> None:
    bodies = [prediction(horizon="1h"), prediction(horizon="1d", reason="extrapolated")]
    lines = drawn(tables.predictions(bodies), 80)
    assert lines[0] == "binance BTCUSDT 1h: 65,500.5 at 2024-10-05 11:00 UTC"
    assert lines[1] == "Answered by lstm, trained on candles up to 2024-10-05 04:00"
    assert "90% interval" in lines[3]
    assert lines[5].split() == [
        *("1h", "2024-10-05", "12:00", "65,500.5", "64,845.5–66,155.5", "32/36/32%", "±0.62%")
    ]
    assert lines[6].split()[4] == "64,845.5–66,155.5*"
    assert lines[7] == "* extrapolated from shorter horizons"


def test_a_stale_answer_and_one_without_a_model_say_so() -> None:
    stale = drawn(tables.predictions([prediction(stale=True, lastTrained=AS_OF - 30 * HOUR)]), 80)
    assert stale[1].endswith(", stale")
    why = "no trained model yet"
    hybrid = drawn(tables.predictions([prediction(modelType="hybrid", lastTrained=None, reason=why)]), 80)
    assert (hybrid[1], hybrid[-1]) == ("Answered by hybrid", why)


def test_no_prediction_is_said() -> None:
    assert drawn(tables.predictions([]), 80) == ["There is no prediction."]


def test_topics_show_what_was_made_and_what_was_left() -> None:
    wanted = specs(TopicNames("eu."), ["candles"], candle_retention_ms=FOR_EVER)
    lines = drawn(tables.topics(wanted, ["candles", "eu.scores"]), 80)
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line}
    assert rows["candles"] == "created 6 for ever"
    assert rows["eu.scores"] == "created 6 90 days"
    assert rows["eu.control"] == "existed, unchanged as it is as it is"


@pytest.mark.parametrize("width", [80, 160])
def test_settings_are_all_there_with_value_source_and_meaning(width: int) -> None:
    described = describe(load(None, ["kafka.group=mine"], {}))
    lines = drawn(tables.settings(described), width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert all(one.name in text for one in described)
    source = next(one.source for one in described if one.name == "kafka.group")
    expected = f"kafka.group = mine ({source})" if width == 80 else f"kafka.group mine {source}"
    assert expected in text
    assert "Consumer group. Workers of one group share the partitions" in text
