"""A walk along a course is the walk forward, to the bit, with whatever hyper-parameters."""

from dataclasses import replace

import numpy as np
import pytest

from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.synthetic import market
from stream_lstm.evaluation.backtest import Walk, walk_forward
from stream_lstm.evaluation.course import Leg, chart
from stream_lstm.evaluation.laps import Walker
from stream_lstm.evaluation.track import COVERAGES
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR
CONFIG = EngineConfig(
    horizons=("1h", "4h", "1d"), confidence=0.9, model="har", expiry_ms=4 * 24 * HOUR, history_candles=600
)


def file(symbol: str, candles: int, *gaps: slice, shifted_from: int | None = None) -> CandleFile:
    """A file without the candles of `gaps`, and half an hour late from some candle on."""
    open_ms, bars = market([symbol], step_ms=HOUR, start_ms=START, candles=candles, seed=7)[symbol]
    kept = np.ones(candles, np.bool_)
    for gap in gaps:
        kept[gap] = False
    open_ms = open_ms.copy()
    open_ms[shifted_from or candles :] += HOUR // 2
    return CandleFile(symbol, "1h", HOUR, open_ms[kept], bars[kept])


FILES = [
    file("BTC", 1_300, slice(200, 203), slice(700, 720)),
    file("ETH", 1_200, shifted_from=900),
    file("XRP", 1_300, slice(50, 500), slice(1_100, 1_140)),
]


@pytest.fixture(scope="module")
def legs() -> list[Leg]:
    return chart(FILES, CONFIG)


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, hyperparameters=Hyperparameters(ridge=1_000.0)),
        replace(CONFIG, model="lstm", hyperparameters=Hyperparameters(hidden=8, epochs=1)),
    ],
    ids=["har", "lstm"],
)
def test_a_course_leads_to_what_the_engine_publishes_through_gaps_and_changes_of_phase(
    legs: list[Leg], config: EngineConfig
) -> None:
    begin, end = START + 250 * HOUR - 1, START + 1_250 * HOUR - 1
    walked = walk_forward(FILES, Walk(config=config, from_ms=begin, to_ms=end))
    tried = [UNSET, config.hyperparameters, Hyperparameters(ridge=1e7, hidden=4, epochs=2)]
    walker = Walker(legs, config, tried, COVERAGES)
    laps = []
    for lap in walker.laps(begin, [begin + 100 * HOUR, begin + 600 * HOUR, end]):
        laps.append(lap[1])
        if len(laps) == 2:
            walker.leave(0)
    assert sorted(lap) == [1, 2]
    assert not np.array_equal(lap[1][0]["1h"].upper, lap[2][0]["1h"].upper)
    for place, one in enumerate(walked):
        assert one.fits > 5
        for horizon, track in one.tracks.items():
            for name in ("as_of", "last_close", "predicted", "lower", "upper", "half_widths"):
                parts = [getattr(lap[place][horizon], name) for lap in laps if lap[place]]
                assert np.array_equal(getattr(track, name), np.concatenate(parts)), (place, horizon, name)


def test_a_course_can_be_walked_again(legs: list[Leg]) -> None:
    end = START + 600 * HOUR - 1
    (first,), (second,) = (Walker(legs, CONFIG, [UNSET], ()).laps(START, [end]) for _ in range(2))
    assert np.array_equal(first[0][0]["1h"].upper, second[0][0]["1h"].upper)


def test_a_walk_ends_where_all_have_left_it(legs: list[Leg]) -> None:
    walker = Walker(legs, CONFIG, [UNSET, UNSET], ())
    seen = []
    for lap in walker.laps(START, [START + hours * HOUR for hours in (400, 600, 800)]):
        seen.append(sorted(lap))
        walker.leave(max(lap))
    assert seen == [[0, 1], [0]]


def test_a_training_that_fails_ends_the_walk_of_its_set_alone(legs: list[Leg]) -> None:
    small = Hyperparameters(hidden=4, epochs=1)
    walker = Walker(legs, replace(CONFIG, model="lstm"), [small, replace(small, l2=float("inf"))], ())
    with np.errstate(all="ignore"):
        (lap,) = walker.laps(START, [START + 1_250 * HOUR])
    assert list(lap) == [0]
    assert "not finite" in str(walker.failures[1])
