import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import reasons
from stream_lstm.candles.units import INTERVALS, interval_ms, milliseconds
from stream_lstm.errors import BadCandle

# 2005 to 2038: where seconds, ms, µs and ns cannot be mistaken for each other.
MOMENTS = st.integers(1_104_537_600_000, 2_145_916_800_000)


@given(MOMENTS)
def test_a_time_is_the_same_in_every_unit(moment: int) -> None:
    spellings = (moment, moment * 1_000, moment * 1_000_000, moment / 1_000, float(moment))
    assert {milliseconds(value) for value in spellings} == {moment}
    assert {milliseconds(str(value)) for value in spellings} == {moment}


@given(MOMENTS.map(lambda moment: moment // 1_000))
def test_whole_seconds_are_told_from_ms(second: int) -> None:
    assert milliseconds(second) == milliseconds(str(second)) == second * 1_000


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-05T10:00:00Z",
        "2024-10-05t10:00:00.000z",
        "2024-10-05 10:00:00.000000+00:00",
        "2024-10-05T10:00:00.000000000Z",
        "2024-10-05T18:00:00.000999999+08:00",
    ],
)
def test_rfc_3339_is_read_to_the_millisecond(text: str) -> None:
    assert milliseconds(text) == 1_728_122_400_000


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, [], {}, b"1", "", "soon", "NaN", "-inf", float("nan"), float("inf"), -1, "-1", -0.5),
        *("2024-10-05", "2024-10-05T10:00:00", "2024-13-05T10:00:00Z", "0000-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00Z", "2024-10-05T25:00:00Z"),
    ],
)
def test_what_is_no_time_says_so(value: object) -> None:
    with pytest.raises(BadCandle) as refused:
        milliseconds(value)
    assert refused.value.reason == reasons.NOT_A_TIME


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary()))
def test_any_value_is_a_time_or_is_refused(value: object) -> None:
    try:
        moment = milliseconds(value)
    except BadCandle:
        return
    assert moment >= 0


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("1m", "1m 1 m 1min 1minute candle1m kline_1m kline.1 PT1M 1Min"),
        ("5m", "5m 5 300 5min PT5M PT300S candle5m"),
        ("1h", "1h 1H 60 candle1H 60m 1hour kline.60 PT1H 3600 PT60M 1hr"),
        ("4h", "4h 4H 240 14400 PT4H"),
        ("12h", "12h 12H 720 candle12Hutc 43200"),
        ("1d", "1d 1D D d 1Dutc candle1D 1440 86400 24h P1D 1day"),
        ("1w", "1w 1W W 1week 10080 604800 P1W 7d candle1Wutc"),
    ],
)
def test_every_spelling_of_an_interval_has_one_name(name: str, spellings: str) -> None:
    assert {interval_ms(spelling) for spelling in spellings.split()} == {(name, INTERVALS[name])}


@pytest.mark.parametrize("name", INTERVALS)
def test_a_canonical_name_is_its_own_spelling(name: str) -> None:
    assert interval_ms(name) == (name, INTERVALS[name])


@pytest.mark.parametrize("month", ["1M", "M", "3M", "1mo", "1month", "candle1M", "P1M", "1MUTC", "1y"])
def test_a_calendar_month_is_refused_and_never_a_minute(month: str) -> None:
    with pytest.raises(BadCandle, match="month") as refused:
        interval_ms(month)
    assert refused.value.reason == reasons.INTERVAL_UNKNOWN


@pytest.mark.parametrize(
    "text", ["", "h1", "7m", "0m", "0", "-1h", "1.5h", "P", "PT", "utc", "candle", "1h1h", "9" * 99]
)
def test_what_is_no_interval_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(BadCandle, match="1m 3m 5m") as refused:
        interval_ms(text)
    assert refused.value.reason == reasons.INTERVAL_UNKNOWN
