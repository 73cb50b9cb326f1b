from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stream_lstm.candles import moments
from stream_lstm.candles.decode import decode
from stream_lstm.candles.encode import canonical
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.errors import BadCandle

HOUR = 3_600_000


def candle_file(symbol: str, interval: str, step_ms: int, opens: list[int]) -> CandleFile:
    bars = np.tile([10.0, 12.0, 9.0, 11.0, 5.0], (len(opens), 1))
    return CandleFile(symbol, interval, step_ms, np.array(opens, np.int64), bars)


def test_what_we_encode_is_what_we_decode() -> None:
    bar = Closed(
        SeriesKey("okx", "BTC-USDT", "1h"), HOUR, 480_000 * HOUR, 0.1, 0.30000000000000004, 0.05, 0.2, 3.0
    )
    decoded = decode(canonical(bar), record_ms=bar.close_ms)
    (update,) = decoded.updates
    assert decoded.format == "canonical"
    assert update[:8] == bar[:8]
    assert update.closed is True


def test_files_are_merged_in_the_order_in_which_candles_close() -> None:
    hours = candle_file("A", "1h", HOUR, [0, HOUR, 3 * HOUR])
    two_hours = candle_file("B", "2h", 2 * HOUR, [0, 2 * HOUR])
    closing = [
        [candle.series.symbol for candle in moment] for moment in moments.of_files([hours, two_hours], "x")
    ]
    assert closing == [["A"], ["A", "B"], ["A", "B"]]


def test_a_long_file_comes_out_whole() -> None:
    opens = [HOUR * n for n in range(2_500)]
    merged = moments.of_files([candle_file("A", "1h", HOUR, opens)], "x")
    assert [candle.open_ms for moment in merged for candle in moment] == opens


def test_a_file_keeps_its_prices_and_is_given_its_exchange(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1h.csv"
    path.write_text("1728122400000,1,3,0.5,2,9\n")
    ((bar,),) = moments.of_files([read_csv(path)], "kraken")
    assert bar == Closed(
        SeriesKey("kraken", "BTCUSDT", "1h"), HOUR, 1_728_122_400_000, 1.0, 3.0, 0.5, 2.0, 9.0
    )


@pytest.mark.parametrize("count", [1, 6, 40])
def test_the_market_is_that_of_synthetic_however_many_symbols(count: int) -> None:
    names = moments.symbols(count)
    drawn = list(islice(moments.of_market(names, interval="60", start_ms=5 * HOUR, seed=3), 1_030))
    expected = market(names, step_ms=HOUR, start_ms=5 * HOUR, candles=1_030, seed=3)
    for row, name in enumerate(names):
        open_ms, bars = expected[name]
        assert [moment[row].open_ms for moment in drawn] == open_ms.tolist()
        assert [list(moment[row][3:]) for moment in drawn] == bars.tolist()
        assert drawn[0][row].series == SeriesKey("synthetic", name, "1h")


def test_every_symbol_has_a_name_of_its_own() -> None:
    assert len(set(moments.symbols(500))) == 500


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(BadCandle, match="no such interval"):
        next(moments.of_market(["A"], interval="7m", start_ms=0, seed=0))
