import re
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream_lstm.errors import SettingsError
from stream_lstm.kafka.topics import (
    DAY_MS,
    FOR_EVER,
    TopicNames,
    retention_for,
    retention_warning,
    specs,
    subscription,
)

NAMES = TopicNames()
WORDS = st.text("ab.-_", min_size=1, max_size=8).filter(lambda word: word not in {".", ".."})
PREFIXES = st.sampled_from(["", "eu.", "candles", "candles."]) | WORDS
LIKE_OURS = st.sampled_from(["candles", "predictions", "control", "model-events", "scores"])
INPUTS = WORDS | LIKE_OURS | st.tuples(PREFIXES, LIKE_OURS, st.sampled_from(["", ".dlq", "x"])).map("".join)
PATTERNS = st.lists(
    st.sampled_from([".", "*", "|", "(", ")", "^", "$", "?", "[ab]", "candles", "dlq", "\\.", "(?i)", "(?:"]),
    min_size=1,
    max_size=6,
).map("".join)


@given(PREFIXES, st.lists(INPUTS, max_size=3), st.lists(PATTERNS, max_size=2))
def test_whatever_the_inputs_nothing_that_we_produce_is_read(
    prefix: str, topics: list[str], patterns: list[str]
) -> None:
    names = TopicNames(prefix)
    with suppress(SettingsError):
        expression = re.compile(subscription(names, topics, patterns))
        assert not [name for name in names.produced.values() if expression.match(name)]
        assert expression.match(names.control)


@given(PREFIXES, st.lists(INPUTS, min_size=1, max_size=4), INPUTS)
def test_of_named_inputs_exactly_those_are_read(prefix: str, topics: list[str], other: str) -> None:
    names = TopicNames(prefix)
    assume(not {*topics, other} & {*names.produced.values(), names.control})
    expression = re.compile(subscription(names, topics))
    assert all(expression.match(topic) for topic in topics)
    assert bool(expression.match(other)) == (other in topics)


@pytest.mark.parametrize("longer", ["candles.dlq", "candlesx"])
def test_a_name_that_only_begins_like_an_input_is_not_read(longer: str) -> None:
    assert not re.match(subscription(NAMES, ["candles"]), longer)


@pytest.mark.parametrize("other", ["a-b", "eu-control"])
def test_a_point_in_a_name_is_a_point(other: str) -> None:
    assert not re.match(subscription(TopicNames("eu."), ["a.b"]), other)


def test_a_name_that_would_match_ours_as_an_expression_is_welcome() -> None:
    assert re.match(subscription(NAMES, ["scor.s"]), "scor.s")


def test_a_pattern_means_whole_names() -> None:
    expression = subscription(NAMES, [], ["candles-(btc|eth)", "x|y"])
    names = ["candles-btc", "candles-eth", "x", "y", "candles-btc2", "ycandles", "control"]
    assert [name for name in names if re.match(expression, name)] == [
        "candles-btc",
        "candles-eth",
        "x",
        "y",
        "control",
    ]


@pytest.mark.parametrize(
    ("pattern", "ours"), [("candles.*", "candles.dlq"), (".*", "predictions"), ("con.*", "control")]
)
def test_a_pattern_that_would_read_ours_is_refused_by_name(pattern: str, ours: str) -> None:
    with pytest.raises(SettingsError, match=f"pattern '{re.escape(pattern)}' would read '{ours}'"):
        subscription(NAMES, [], [pattern])


def test_the_same_pattern_is_welcome_when_ours_have_a_prefix() -> None:
    assert re.match(subscription(TopicNames("ml-"), [], ["candles.*"]), "candles.btc")


@pytest.mark.parametrize("topic", ["scores", "control", "candles.dlq"])
def test_a_topic_of_ours_is_no_input(topic: str) -> None:
    with pytest.raises(SettingsError, match=f"topic '{topic}' would read"):
        subscription(NAMES, [topic])


@pytest.mark.parametrize("pattern", ["(", "a)|(?:b", "[", "a\\", "(?i)a"])
def test_what_is_no_expression_on_its_own_is_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="is no regular expression"):
        subscription(NAMES, [], [pattern])


@pytest.mark.parametrize("name", ["", "a b", "ä", ".", "..", "a" * 250])
def test_a_name_that_kafka_forbids_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name for Kafka"):
        subscription(NAMES, [name])


def test_so_is_a_prefix() -> None:
    with pytest.raises(SettingsError, match="prefix = 'a/'"):
        TopicNames("a/")


def test_no_input_at_all_is_refused() -> None:
    with pytest.raises(SettingsError, match="inputs"):
        subscription(NAMES, [])


def test_the_prefix_is_for_ours_and_not_for_the_inputs() -> None:
    made = {spec.name for spec in specs(TopicNames("eu."), ["candles"])}
    assert made == {
        "candles",
        "eu.predictions",
        "eu.scores",
        "eu.model-events",
        "eu.control",
        "eu.candles.dlq",
    }


def test_the_facts_are_kept_as_long_as_the_candles() -> None:
    kept = {spec.name: spec.retention_ms for spec in specs(NAMES, ["candles"], candle_retention_ms=FOR_EVER)}
    assert kept["candles"] == kept["model-events"] == FOR_EVER


def test_the_facts_are_kept_as_long_as_what_was_said_by_them() -> None:
    kept = {spec.name: spec.retention_ms for spec in specs(NAMES, ["candles"], candle_retention_ms=DAY_MS)}
    assert kept["candles"] == DAY_MS
    assert kept["model-events"] == kept["predictions"] == 90 * DAY_MS


@given(st.integers(1, 100_000), st.sampled_from([60_000, 3_600_000, DAY_MS]))
def test_the_retention_of_a_history_holds_it_and_little_more(candles: int, step_ms: int) -> None:
    kept = retention_for(candles, step_ms)
    assert kept % DAY_MS == 0
    assert candles * step_ms < kept <= 1.1 * candles * step_ms + DAY_MS


def test_old_records_in_a_topic_with_a_short_retention_are_warned_of() -> None:
    now = 1_000 * DAY_MS
    assert "go back 40" in str(retention_warning("candles", 7 * DAY_MS, now - 40 * DAY_MS, now))
    assert retention_warning("candles", 7 * DAY_MS, now - 7 * DAY_MS, now) is None
