"""How a series stands, in words."""

import pytest

from stream_lstm.dashboard import words
from stream_lstm.dashboard.record import Skill
from stream_lstm.dashboard.store import Store
from stream_lstm.dashboard.views import Views
from stream_lstm.evaluation.significance import Between
from tests.dashboard.messages import (
    HOUR,
    SERIES,
    Clock,
    close_ms,
    give_candle,
    give_event,
    give_prediction,
    give_score,
)


class Told:
    """A store and how it reads."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Store(clock=self.clock)
        self.views = Views(self.store, 100)

    @property
    def state(self) -> words.Word:
        return self.views.state(self.store.series[SERIES], self.clock())

    @property
    def model(self) -> list[str]:
        return words.model(self.store.series[SERIES])


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_young_series_counts_its_candles(told: Told) -> None:
    give_candle(told.store, 0)
    give_event(told.store, "series.warming_up", close_ms(0), candles=1, needed=100)
    for hour in range(1, 63):
        give_candle(told.store, hour)
    assert told.state.text == "warming up 63 of 100"
    assert told.model == ["no model yet"]
    assert told.state.more == "Forecasts begin after 100 closed candles; 37 to go: 37 hours."
    assert told.views.status(told.clock())["lag"] == "no series has a forecast yet"
    told.clock.now += 60
    assert told.state.code == "warming"


def test_fresh_stale_and_hybrid(told: Told) -> None:
    give_prediction(told.store, 0)
    assert told.state.text == "fresh"
    assert told.model == ["model lstm, trained 7 hours ago", "next training in 17 hours"]
    give_prediction(told.store, 1, stale=True, expiresAt=close_ms(0))
    assert told.state.code == "stale"
    assert told.model[1] == "next training is due now"
    give_event(told.store, "model.retrain_requested", close_ms(1))
    assert told.model[1] == "a training was asked for"
    give_event(told.store, "model.training_failed", close_ms(1), error="no memory")
    assert told.model[1] == "the last training failed: no memory"
    give_prediction(
        told.store, 2, modelType="hybrid", lastTrained=None, expiresAt=None, reason="no trained model yet"
    )
    assert told.state == words.Word("hybrid", "hybrid", "No training behind it: no trained model yet.")


def test_behind_is_not_down_and_down_is_told_by_time_or_by_the_last_workers_word(told: Told) -> None:
    give_candle(told.store, 0)
    give_prediction(told.store, 0)
    give_candle(told.store, 1)
    told.clock.now += 14
    assert told.state.code == "fresh"
    told.clock.now += 6
    assert told.state.text == "worker down"
    assert told.state.more == "No answer for 20 seconds; 1 candle closed since the last forecast."
    version = told.store.version
    told.store.sweep(words.DOWN_SECONDS)
    assert told.store.version == version + 1  # so that pages are told
    assert told.views.status(told.clock())["down"] is True
    give_candle(told.store, 2)
    give_prediction(told.store, 1)
    assert told.state.text == "behind"
    give_prediction(told.store, 2)
    assert told.state.code == "fresh"
    assert told.views.status(told.clock())["lag"] == "every closed candle is answered"
    give_event(told.store, "worker.started", close_ms(2), "w1", version="1")
    give_event(told.store, "worker.stopped", close_ms(2), "w1")
    assert told.state.more == "All workers have stopped."


def test_paused_split_and_silent_series_say_so(told: Told) -> None:
    give_prediction(told.store, 0)
    give_event(told.store, "series.paused", close_ms(0))
    assert told.state.text == "paused"
    give_prediction(told.store, 0, revision=1)  # read late, and said before
    give_candle(told.store, 1)
    told.clock.now += 60
    assert told.state.text == "paused"
    assert told.views.status(told.clock())["down"] is False
    give_event(told.store, "series.resumed", close_ms(1))
    assert told.state.code == "fresh"  # what closed meanwhile is waited for by nobody
    give_event(told.store, "series.stale", close_ms(5), last_close=close_ms(1), intervals=5)
    assert told.state.text == "no candles come"
    give_candle(told.store, 2)
    assert told.state.code == "fresh"


def test_a_series_can_be_paused_again_at_the_same_candle(told: Told) -> None:
    give_prediction(told.store, 0)
    for kind, code in [
        ("paused", "paused"),
        ("resumed", "fresh"),
        ("paused", "paused"),
        ("resumed", "fresh"),
    ]:
        give_event(told.store, f"series.{kind}", close_ms(0))
        give_event(told.store, f"series.{kind}", close_ms(0))  # a repeat, which is none of the next
        assert told.state.code == code
    assert told.store.logged == 4


def test_a_series_that_begins_anew_warms_up_again(told: Told) -> None:
    give_prediction(told.store, 0)
    give_event(told.store, "series.warming_up", close_ms(40), candles=1, needed=100)
    assert told.state.text == "warming up 1 of 100"
    give_prediction(told.store, 150)
    assert told.state.code == "fresh"


def test_coverage_is_judged_only_by_enough_that_do_not_overlap(told: Told) -> None:
    def verdict(inside: int, count: int, horizon: str = "1h") -> words.Word:
        store = Store()
        for hour in range(count):
            give_score(store, hour, 100.0 if hour < inside else 109.0, horizon)
        steps = int(horizon[:-1])
        return words.coverage(store.series[SERIES].records[horizon], steps)

    assert verdict(50, 50).text == "too few"
    assert verdict(180, 200).text == "holds"
    assert verdict(160, 200).text == "too narrow"
    assert verdict(200, 200).text == "too wide"
    few = verdict(180, 200, "24h")
    assert (few.code, few.more) == ("few", "They overlap: 8 of 50 needed are apart.")
    assert words.coverage(None, 1).text == "none has matured yet"


def test_whether_to_trust_it_rests_on_the_state_and_on_what_held() -> None:
    fresh = words.Word("fresh", "fresh")
    held = {
        name: words.Word(code, "")
        for name, code in [("1h", "held"), ("4h", "high"), ("1d", "low"), ("7d", "few")]
    }
    assert words.trust(fresh, held) == words.Word(
        "yes",
        "Yes, for 1h and 4h",
        "Ranges of 1h held as often as they say. Wider than they need be: 4h. Too narrow: 1d. "
        "Too early to tell: 7d.",
    )
    assert words.trust(fresh, {"1d": held["1d"]}).text == "No: its ranges are too narrow"
    assert words.trust(fresh, {"7d": held["7d"]}).text == "Too early to tell"
    stale = words.trust(words.Word("stale", "stale", "The model has expired."), held)
    assert (stale.code, stale.text) == ("care", "With care: stale")
    assert stale.more.startswith("The model has expired. Ranges of 1h held")
    assert words.trust(words.Word("down", "worker down"), held).text == "Not now: worker down"
    assert words.trust(words.Word("warming", "warming up 63 of 100"), {}).text == "No forecast yet"


@pytest.mark.parametrize(
    ("between", "text"),
    [
        (None, "told after 240 scores"),
        ((0.0, 0.0, 0.0), "the same"),
        ((0.0007, -0.0006, 0.0021), "about equal (−0.06 … +0.21%)"),
        ((0.012, 0.004, 0.02), "1.20% better (+0.40 … +2.00%)"),
        ((-0.0049, -0.0117, -0.0003), "0.49% worse (−1.17 … −0.03%)"),
    ],
)
def test_skill_is_said_with_what_chance_could_make_of_it(
    between: tuple[float, float, float] | None, text: str
) -> None:
    assert words.skill(Skill(between and Between(*between), 300, 240)) == text


def test_workers_and_partitions_are_counted(told: Told) -> None:
    for number in range(3):
        give_event(
            told.store, "partition.restored", HOUR + number, "w1", topic="c", partition=number, offset=0
        )
    assert told.views.status(told.clock())["workers"] == "1 worker, 3 partitions"
    give_event(told.store, "partition.restored", 2 * HOUR, "w2", topic="c", partition=1, offset=0)
    assert told.views.status(told.clock())["workers"] == "2 workers, 3 partitions"
