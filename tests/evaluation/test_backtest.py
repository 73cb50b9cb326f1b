"""The walk forward: the engine that runs live, and nothing from the future."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from stream_lstm import backtesting
from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.synthetic import market
from stream_lstm.cli import app
from stream_lstm.evaluation.backtest import EXCHANGE, Walk, walk_forward
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.models.registry import NETWORKS, fit

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_600_000_000_000 // HOUR * HOUR
PRICES = ("predictedPrice", "lowerBound", "upperBound")
CONFIG = EngineConfig(horizons=("1h", "4h"), confidence=0.9, model="har", expiry_ms=2 * DAY)


def file(symbol: str, candles: int = 400, poisoned_from: int | None = None) -> CandleFile:
    open_ms, bars = market([symbol], step_ms=HOUR, start_ms=START, candles=candles, seed=7)[symbol]
    if poisoned_from is not None:
        bars = bars.copy()
        bars[poisoned_from:, :4] *= np.linspace(1.5, 3, candles - poisoned_from)[:, None]
    return CandleFile(symbol, "1h", HOUR, open_ms, bars)


def test_every_candle_from_the_first_answer_on_is_published_for_every_horizon() -> None:
    (walked,) = walk_forward([file("BTC")], Walk(config=CONFIG))
    assert list(walked.tracks) == ["1h", "4h"]
    for track in walked.tracks.values():
        assert track.as_of.tolist() == [START + hour * HOUR + HOUR - 1 for hour in range(99, 400)]
        assert (track.lower < track.predicted).all()
        assert (track.predicted < track.upper).all()
    assert walked.fits == pytest.approx(300 / 48, abs=1)
    assert set(walked.tracks["1h"].model[1:]) == {"har"}


@pytest.mark.parametrize("model", [*NETWORKS, "ensemble"])
def test_every_network_is_trained_and_answers(model: str) -> None:
    config = replace(CONFIG, model=model, expiry_ms=20 * DAY)
    (walked,) = walk_forward([file("BTC", 600)], Walk(config=config))
    assert walked.failed_fits == 0
    assert set(walked.tracks["4h"].model[1:]) == {model}
    assert np.isfinite(walked.tracks["4h"].half_widths).all()


def test_what_was_published_does_not_change_with_the_future() -> None:
    (honest,) = walk_forward([file("BTC")], Walk(config=CONFIG))
    (poisoned,) = walk_forward([file("BTC", poisoned_from=300)], Walk(config=CONFIG))
    for horizon, track in honest.tracks.items():
        other = poisoned.tracks[horizon]
        until = 300 - 99
        for name in ("as_of", "last_close", "predicted", "lower", "upper"):
            assert np.array_equal(getattr(track, name)[:until], getattr(other, name)[:until]), name
        assert not np.array_equal(track.upper[until:], other.upper[until:])


def test_only_the_span_is_published_and_what_came_before_has_trained_and_calibrated() -> None:
    begin, end = START + 250 * HOUR - 1, START + 300 * HOUR - 1
    (whole,) = walk_forward([file("BTC")], Walk(config=CONFIG))
    (part,) = walk_forward([file("BTC")], Walk(config=CONFIG, from_ms=begin, to_ms=end))
    for horizon, track in part.tracks.items():
        inside = (whole.tracks[horizon].as_of >= begin) & (whole.tracks[horizon].as_of <= end)
        assert track.as_of.tolist() == whole.tracks[horizon].as_of[inside].tolist()
        assert np.array_equal(track.upper, whole.tracks[horizon].upper[inside])


def test_what_a_walk_costs_is_told_and_changes_nothing() -> None:
    files, ticking = [file("BTC"), file("ETH", 200)], iter(range(10_000))

    def clock() -> tuple[float, float]:
        now = float(next(ticking))
        return now, 3 * now

    walk = Walk(config=CONFIG)
    untimed, timed = walk_forward(files, walk), walk_forward(files, walk, clock=clock)
    for without, one in zip(untimed, timed, strict=True):
        assert (without.seconds, without.fit_seconds, without.fit_cpu_seconds) == (0, 0, 0)
        assert 0 < one.fit_seconds <= one.fits  # one tick a training, shared by those that are stacked
        assert one.fit_cpu_seconds == 3 * one.fit_seconds
        for horizon, track in without.tracks.items():
            assert np.array_equal(track.upper, one.tracks[horizon].upper)
    btc, eth = timed
    assert btc.seconds == 2 * eth.seconds
    assert btc.seconds + eth.seconds == next(ticking) - 1
    assert btc.fit_seconds + eth.fit_seconds == pytest.approx((next(ticking) - 3) / 2)


def test_how_files_are_shared_among_processes_changes_no_byte(tmp_path: Path) -> None:
    files = [file("BTC", 220), file("ETH", 220), file("XRP", 220)]
    written = []
    for jobs in (1, 2):
        tested = backtesting.backtest(
            files, Walk(config=CONFIG), ["har", "naive"], jobs, lambda done, total: None
        )
        path = tmp_path / f"{jobs}.jsonl.gz"
        assert backtesting.write_records(path, tested) == 2 * 3 * 2 * 121
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    candles = file("BTCUSDT", 700)
    path = tmp_path / "BTCUSDT-1h.csv.gz"
    with gzip.open(path, "wt") as out:
        for at, row in zip(candles.open_ms.tolist(), candles.ohlcv.tolist(), strict=True):
            out.write(f"{at},{','.join(map(repr, row))}\n")
    return path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["backtest", *arguments])


def test_the_command_writes_records_verdict_and_report(csv: Path, tmp_path: Path) -> None:
    records, report = tmp_path / "out.jsonl.gz", tmp_path / "out.html"
    options = ["--model", "har,naive", "--retrain", "14d", "--horizons", "1h,1d", "--json"]
    result = run(str(csv), *options, "--records", str(records), "--report", str(report))
    assert result.exit_code == 0, result.output
    verdict = orjson.loads(result.stdout)
    assert [(row["model"], row["horizon"]) for row in verdict["summary"]] == [
        ("har", "1h"),
        ("har", "1d"),
        ("naive", "1h"),
        ("naive", "1d"),
    ]
    assert verdict["fits"]["har"] >= 2
    lines = [json.loads(line) for line in gzip.decompress(records.read_bytes()).splitlines()]
    first = lines[0]
    assert set(first) == {
        *("symbol", "interval", "horizon", "asOf", "target", "lastClose", "predictedPrice"),
        *("lowerBound", "upperBound", "confidence", "model"),
    }
    assert first["target"] - first["asOf"] == HOUR
    har = [(line["asOf"], line["horizon"]) for line in lines if line["model"] == "har"]
    assert [horizon for _, horizon in har[:2]] == ["1h", "1d"]
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(har))
    page = report.read_text()
    assert "Backtest of BTCUSDT" in page
    assert "http" not in page


def test_the_command_draws_a_table(csv: Path) -> None:
    result = run(str(csv), "--model", "naive", "--horizons", "1h")
    assert result.exit_code == 0
    assert "naive" in result.stdout
    assert "Winkler" in result.stdout


def test_the_command_leaves_features_out(csv: Path, tmp_path: Path) -> None:
    written = []
    for more in ((), ("--features", "weekday,ranges")):
        path = tmp_path / f"{len(written)}.jsonl"
        options = ("--model", "har", "--retrain", "14d", "--horizons", "1h", "--records", str(path))
        result = run(str(csv), *options, *more)
        assert result.exit_code == 0, result.output
        written.append(path.read_bytes())
    assert written[0] != written[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "yesterday"], "'yesterday' is no date"),
        (["--retrain", "often"], "training.expiry"),
        (["--features", "ranges,rsi"], "'rsi' is no group of features; choose from ranges, profile"),
    ],
)
def test_what_cannot_be_understood_is_named(csv: Path, options: list[str], told: str) -> None:
    result = run(str(csv), *options)
    assert result.exit_code != 0
    assert told in str(result.exception)


def test_what_is_recorded_is_what_the_live_engine_would_have_said() -> None:
    (walked,) = walk_forward([file("BTC")], Walk(config=CONFIG))
    engine = Engine(replace(CONFIG, expiry_jitter=0.0))
    said: dict[str, list[list[float]]] = {"1h": [], "4h": []}
    for (candle,) in moments.of_files([file("BTC")], EXCHANGE):
        admitted = engine.admit("p", candle, None, live=True)
        for outputs in engine.advance(0).values():
            for prediction in outputs.predictions:
                point = prediction.body["predictions"][-1]
                said[prediction.horizon].append([prediction.body["asOf"], *(point[name] for name in PRICES)])
        if admitted.requests:
            data = engine.training_set(candle.series)
            assert data is not None
            engine.install(candle.series, fit("har", [data])[0])
    for horizon, track in walked.tracks.items():
        columns = (track.as_of, track.predicted, track.lower, track.upper)
        assert [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == said[
            horizon
        ]


def test_the_widths_of_narrower_intervals_lie_inside() -> None:
    (walked,) = walk_forward([file("BTC")], Walk(config=CONFIG))
    for track in walked.tracks.values():
        assert track.half_widths.shape == (301, 9)
        assert (np.diff(track.half_widths, axis=1) < 0).all()
        asked = np.log(track.upper / track.predicted)
        assert track.half_widths[:, 0] == pytest.approx(asked)


@pytest.mark.parametrize("model", ["naive", "constant", "garch", "hybrid"])
def test_references_walk_like_models(model: str) -> None:
    if model == "garch":
        pytest.importorskip("arch")
    (walked,) = walk_forward([file("BTC")], Walk(config=replace(CONFIG, model=model)))
    track = walked.tracks["4h"]
    assert len(track) == 301
    assert set(track.model[1:]) == {model}
    if model != "hybrid":
        assert np.array_equal(track.predicted[1:], track.last_close[1:])


def test_two_files_of_one_series_are_one() -> None:
    whole = file("BTC")
    early = whole._replace(open_ms=whole.open_ms[:250], ohlcv=whole.ohlcv[:250] * 2)
    late = whole._replace(open_ms=whole.open_ms[200:], ohlcv=whole.ohlcv[200:])
    other = file("ETH", 200)
    first, second = backtesting.joined([early, other, late])
    assert np.array_equal(first.open_ms, whole.open_ms)
    assert np.array_equal(first.ohlcv[200:], whole.ohlcv[200:])
    assert np.array_equal(first.ohlcv[:200], 2 * whole.ohlcv[:200])
    assert second is other


def test_an_unknown_model_is_refused_before_any_work(csv: Path) -> None:
    result = run(str(csv), "--model", "har,arima")
    assert "'arima' is none" in str(result.exception)
