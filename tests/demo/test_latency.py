import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.demo.latency import Histogram, parse, scrape
from stream_lstm.errors import StreamLstmError
from stream_lstm.observability.metrics import Metrics
from stream_lstm.observability.server import HealthServer

INF = float("inf")
BOUNDS = (0.001, 0.01, 0.1, INF)


def counted(metrics: Metrics) -> Histogram:
    return parse(metrics.generate().decode())


def observe(metrics: Metrics, *durations: float, since: str = "record") -> None:
    for duration in durations:
        metrics.stream.candle_to_prediction_seconds.labels(since).observe(duration)


def test_only_durations_since_the_record_came_count() -> None:
    metrics = Metrics.create()
    observe(metrics, 0.003, 0.004)
    observe(metrics, 50.0, since="close")
    assert counted(metrics).counts[-1] == 2
    assert 0.002 <= (counted(metrics).quantile(1.0) or 0) <= 0.005


def test_nothing_measured_is_no_quantile() -> None:
    assert counted(Metrics.create()).quantile(0.5) is None
    assert counted(Metrics.create()).since(Histogram()).quantile(0.5) is None


def test_what_came_before_the_play_does_not_count() -> None:
    metrics = Metrics.create()
    observe(metrics, *[5.0] * 1_000)
    before = counted(metrics)
    observe(metrics, *[0.003] * 10)
    played = counted(metrics).since(before)
    assert played.counts[-1] == 10
    assert (played.quantile(0.99) or 0) <= 0.005


@pytest.mark.parametrize(
    ("level", "expected"), [(0.25, 0.0055), (0.5, 0.01), (0.75, 0.055), (0.875, 0.0775), (1.0, 0.1)]
)
def test_a_quantile_is_linear_within_its_bucket(level: float, expected: float) -> None:
    assert Histogram(BOUNDS, (0, 4, 8, 8)).quantile(level) == pytest.approx(expected)


def test_beyond_the_last_bound_it_is_that_bound() -> None:
    assert Histogram(BOUNDS, (0, 0, 0, 3)).quantile(0.5) == 0.1


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_with_their_level(steps: list[int], level: float, other: float) -> None:
    counts = tuple(float(sum(steps[: n + 1])) for n in range(4))
    low, high = (Histogram(BOUNDS, counts).quantile(one) for one in sorted((level, other)))
    assert (low is None) == (high is None) == (sum(steps) == 0)
    if low is not None and high is not None:
        assert 0 <= low <= high <= 0.1


def test_a_worker_is_asked_over_http() -> None:
    metrics = Metrics.create()
    observe(metrics, 0.003)
    well = lambda: (True, {})  # noqa: E731
    server = HealthServer("127.0.0.1", 0, metrics.registry, livez=well, readyz=well)
    server.start()
    try:
        assert scrape(f"http://127.0.0.1:{server.port}").counts[-1] == 1
    finally:
        server.stop()
    with pytest.raises(StreamLstmError, match="cannot be read"):
        scrape(f"http://127.0.0.1:{server.port}")
