"""What is kept of what the topics say, and that it is bounded."""

import math
import tracemalloc

import numpy as np
import pytest

from stream_lstm.candles.series import SeriesKey
from stream_lstm.dashboard import candle_ring, fans
from stream_lstm.dashboard.candle_ring import CandleRing
from stream_lstm.dashboard.fans import Fans
from stream_lstm.dashboard.store import Store
from stream_lstm.dashboard.views import Views
from tests.dashboard.messages import (
    HALF,
    HOUR,
    SERIES,
    START,
    Clock,
    close_ms,
    give_candle,
    give_event,
    give_prediction,
    give_score,
)

QUANTILES = {"0.01": 95.0, "0.05": 96.0, "0.1": 97.0, "0.25": 99.0, "0.5": 100.0, "0.75": 101.0, "0.9": 103.0}
QUANTILES |= {"0.95": 104.0, "0.99": 105.0}


def test_candles_of_the_input_close_by_the_rule_and_a_correction_replaces() -> None:
    store = Store()
    give_candle(store, 0, 100.0)
    give_candle(store, 1, 101.0)
    give_candle(store, 0, 99.0)  # a correction
    rows = store.series[SERIES].candles.rows
    assert rows[:, 4].tolist() == [99.0, 101.0]
    assert rows[:, 0].tolist() == [START, START + HOUR]


def test_a_forming_candle_is_pending_until_it_closes() -> None:
    store = Store()
    give_candle(store, 0)
    body = (
        b'{"exchange":"binance","symbol":"BTCUSDT","interval":"1h","openTime":%d,"open":1,"high":3,"low":1,'
    )
    forming = (body + b'"close":2,"volume":1}') % (START + HOUR)
    store.offer_candle(("candles", 0), forming, START + HOUR + 60_000)
    state = store.series[SERIES]
    assert state.pending is not None
    assert (state.pending.close, len(state.candles)) == (2.0, 1)
    give_candle(store, 1)
    assert state.pending is None
    assert len(state.candles) == 2


def test_a_close_is_known_by_its_prediction_where_candles_cannot_be_read() -> None:
    store = Store()
    give_prediction(store, 0, 100.0)
    give_prediction(store, 1, 101.0)
    rows = store.series[SERIES].candles.rows
    assert rows[:, 4].tolist() == [100.0, 101.0]
    assert rows[:, 5].tolist() == [0.0, 0.0]
    give_candle(store, 1, 102.0)
    assert store.series[SERIES].candles.rows[-1].tolist()[1:] == [102.0, 103.0, 101.0, 102.0, 1.0]


def test_a_ring_keeps_the_newest_in_order_whatever_the_order_of_arrival() -> None:
    ring, rng = CandleRing(HOUR), np.random.default_rng(1)
    hours = list(range(1_000))
    for block in range(0, 1_000, 20):
        part = hours[block : block + 20]
        rng.shuffle(part)
        hours[block : block + 20] = part
    for hour in hours:
        ring.put(hour * HOUR, 1.0, 1.0, 1.0, float(hour))
    assert ring.rows[:, 4].tolist() == [float(hour) for hour in range(1_000 - candle_ring.MOST, 1_000)]
    assert len(ring._rows) <= candle_ring.MOST + 100


def test_bands_are_exact_at_the_horizon_and_keep_the_paths_shape_before() -> None:
    store = Store()
    give_prediction(store, 0)
    fan = store.fans.at(SERIES, close_ms(0))
    assert fan is not None
    told = fan.told("4h")
    assert told["times"] == [close_ms(hour) for hour in range(5)]
    (low50, high50), (low80, high80), (low95, _) = told["bands"]
    assert low50[-1] == pytest.approx(100 * math.exp(-HALF[0.5]), rel=1e-5)
    assert high80[-1] == pytest.approx(100 * math.exp(HALF[0.8]), rel=1e-5)
    # 2.5% lies between the named 1% and 5%: linear in the level.
    half95 = HALF[0.98] + (HALF[0.9] - HALF[0.98]) * 0.015 / 0.04
    assert low95[-1] == pytest.approx(100 * math.exp(-half95), rel=1e-5)
    assert math.log(high50[1] / 100) == pytest.approx(HALF[0.5] / 2, rel=1e-4)  # √(1/4) of the way
    assert all(a <= b for a, b in zip(low95, low80, strict=True))
    assert low50[0] == high50[0] == 100.0


def test_between_two_horizons_the_bands_go_over_from_one_to_the_other() -> None:
    store = Store()
    give_prediction(store, 0, horizon="1h", quantiles=QUANTILES)
    give_prediction(store, 0)
    fan = store.fans.at(SERIES, close_ms(0))
    assert fan is not None
    first, second, _, last = fan.ratios("4h", np.array([1.0, 2.0, 3.0, 4.0])).T.tolist()
    assert first == pytest.approx(fan.paths["1h"].ratios)
    assert last == pytest.approx(fan.paths["4h"].ratios)
    assert second == pytest.approx([math.sqrt(a * b) for a, b in zip(first, last, strict=True)])  # √4 = 2


def test_a_revision_replaces_a_fan_and_a_repeat_does_not() -> None:
    store = Store()
    give_prediction(store, 0, 100.0)
    version = store.version
    give_prediction(store, 0, 100.0)
    assert store.version == version
    give_prediction(store, 0, 101.0, revision=1)
    fan = store.fans.at(SERIES, close_ms(0))
    assert fan is not None
    assert fan.last_close == 101.0


def test_what_came_is_counted_against_an_old_fan() -> None:
    store = Store()
    give_prediction(store, 0)
    for hour, close in enumerate((100.0, 100.5, 104.0, 101.0), start=0):
        give_candle(store, hour, close)
    told = Views(store, 100).past(store.series[SERIES], close_ms(0))
    assert told is not None
    assert told["held"] == {"4h": (2, 3)}
    assert Views(store, 100).past(store.series[SERIES], close_ms(7)) is None


def test_coverage_is_counted_once_and_in_any_mix_of_topics() -> None:
    store = Store()
    for hour in range(10):
        give_score(store, hour, 100.0 if hour else 109.0)
        give_score(store, hour, 100.0)  # a repeat
    record = store.series[SERIES].records["1h"]
    assert (record.count, record.inside, record.nominal) == (10, 9, pytest.approx(0.9))


def test_skill_is_told_with_its_uncertainty_once_enough_is_known() -> None:
    store, rng = Store(), np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(301)))
    for hour, close in enumerate(closes.tolist()):
        give_candle(store, hour, close)
    for hour in range(40):
        give_score(store, hour, float(closes[hour + 1]), said=float(closes[hour]))
    state = store.series[SERIES]
    assert state.records["1h"].skill(state.candles, HOUR).between is None
    for hour in range(40, 300):  # knows a part of what comes
        said = float(closes[hour] * (closes[hour + 1] / closes[hour]) ** 0.3)
        give_score(store, hour, float(closes[hour + 1]), said=said)
    skill = state.records["1h"].skill(state.candles, HOUR)
    assert skill.between is not None
    assert skill.scores == 300
    assert skill.between.low < skill.between.value < skill.between.high
    assert skill.between.value == pytest.approx(0.25, abs=0.05)


def test_rubbish_is_counted_and_stops_nothing() -> None:
    store = Store()
    for topic in ("predictions", "scores", "model-events"):
        for value in (None, b"", b"{", b"[]", b"{}", b'{"exchange":1,"symbol":2,"interval":"1h"}'):
            store.offer(topic, value)
    store.offer_candle(("candles", 0), b"{", 1)
    assert store.unreadable == 18
    assert store.series == {}


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    bounded = Fans(most=50)
    for hour in range(1_000):
        bounded.made(SERIES, close_ms(hour), HOUR, 100.0)
    assert len(bounded) == 50
    store = Store(most_series=30)
    tracemalloc.start()
    sizes = []
    for round in range(8):
        for hour in range(round * 400, (round + 1) * 400):
            give_candle(store, hour)
            give_prediction(store, hour)
            give_score(store, hour, 100.0)
            if hour < 400:  # pydantic keeps the texts that it reads, up to a bound of its own
                give_event(store, "model.expired", close_ms(hour), expires_at=close_ms(hour))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(store.fans) <= fans.KEPT
    assert len(store.log) == 200
    assert sizes[7] < 1.05 * sizes[5]
    for number in range(100):
        give_prediction(store, 0, series=SeriesKey("binance", f"S{number}", "1h"))
    assert len(store.series) == 30
    assert store.left_out == 71


def test_ten_thousand_series_are_a_compact_list() -> None:
    store, clock = Store(), Clock()
    for number in range(2_000):
        give_prediction(store, 0, series=SeriesKey("binance", f"S{number:05}", "1h"))
    import orjson

    told = Views(store, 100).rows(clock())
    assert len(told["rows"]) == 2_000
    assert len(orjson.dumps(told)) / 2_000 < 120
    version = store.version
    give_prediction(store, 1, series=SeriesKey("binance", "S00007", "1h"))
    assert [each.key.symbol for each in store.changed_since(version)] == ["S00007"]
