from itertools import islice
from pathlib import Path

import pytest

from stream_lstm.demo import market
from stream_lstm.errors import SettingsError

HOUR = 3_600_000
START = 1_728_122_400_000


def write(folder: Path, symbol: str, hours: range) -> Path:
    path = folder / f"{symbol}-1h.csv"
    path.write_text("".join(f"{START + HOUR * hour},10,12,9,11,5\n" for hour in hours))
    return path


def test_a_thousand_candles_of_each_series_are_history_and_the_next_is_played() -> None:
    played = market.synthetic(3)
    assert [len(moment) for moment in played.history] == [3] * 1_000
    first = next(played.play)
    assert {key.symbol for key in played.last} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert {candle.open_ms - 1 for candle in first} == set(played.last.values())


def test_of_long_files_too(tmp_path: Path) -> None:
    played = market.of_files([write(tmp_path, "A", range(2_300)), write(tmp_path, "B", range(2_300))])
    assert len(played.history) == 1_000
    assert len(list(played.play)) == 1_300


def test_of_short_ones_half_is_history(tmp_path: Path) -> None:
    played = market.of_files([write(tmp_path, "A", range(300))])
    assert len(played.history) == 150
    assert len(list(islice(played.play, 500))) == 150


def test_files_begin_where_all_series_have_begun(tmp_path: Path) -> None:
    played = market.of_files([write(tmp_path, "A", range(500)), write(tmp_path, "B", range(100, 600))])
    assert [len(moment) for moment in (*played.history, *played.play)] == [2] * 400 + [1] * 100


def test_the_next_file_of_a_series_is_no_later_beginning(tmp_path: Path) -> None:
    months = [tmp_path / "one", tmp_path / "two"]
    for month in months:
        month.mkdir()
    paths = [write(months[0], "A", range(150)), write(months[1], "A", range(150, 300))]
    played = market.of_files(paths)
    assert len(played.history) + len(list(played.play)) == 300


def test_too_few_candles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^199 candles .* too few"):
        market.of_files([write(tmp_path, "A", range(199))])
