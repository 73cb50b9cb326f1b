import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import reasons
from stream_lstm.candles.files import read_csv
from stream_lstm.errors import BadCandle, SettingsError

OPEN_MS = 1_728_122_400_000
STEP_MS = 3_600_000
PRICES = "4.15,4.16,4.14,4.155,539.2"
DUMP_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,tbq,ignore\n"
)


def plain(*times: object) -> str:
    return "".join(f"{time},{PRICES}\n" for time in times)


def dump(open_ms: int, unit: int) -> str:
    close = (open_ms + STEP_MS) * unit - 1
    return f"{open_ms * unit},{PRICES.replace(',', '000,')}000,{close},2240.39,13,401.8,1669.9,0\n"


def written(folder: Path, text: str, name: str = "BTCUSDT-1h.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,open,high,low,close,volume\n" + plain(OPEN_MS, OPEN_MS + STEP_MS),
        plain(OPEN_MS, OPEN_MS + STEP_MS),
        plain(OPEN_MS // 1_000, (OPEN_MS + STEP_MS) // 1_000),
        plain("2024-10-05T10:00:00Z", "2024-10-05T11:00:00Z"),
        dump(OPEN_MS, 1) + dump(OPEN_MS + STEP_MS, 1),
        dump(OPEN_MS, 1) + dump(OPEN_MS + STEP_MS, 1_000),
        DUMP_HEADER + dump(OPEN_MS, 1_000) + dump(OPEN_MS + STEP_MS, 1_000),
        "\ufeffTimestamp,Open,High,Low,Close,Volume\r\n"
        + plain(OPEN_MS, OPEN_MS + STEP_MS).replace("\n", "\r\n"),
        plain(OPEN_MS, OPEN_MS + STEP_MS) + "\n\n",
    ],
    ids=[
        "header",
        "no header",
        "s",
        "RFC 3339",
        "dump",
        "ms, then µs",
        "dump with header",
        "spreadsheet",
        "blank",
    ],
)
@pytest.mark.parametrize("name", ["BTCUSDT-1h.csv", "BTCUSDT-1h.csv.gz"])
def test_every_kind_of_file_holds_the_same_candles(tmp_path: Path, text: str, name: str) -> None:
    file = read_csv(written(tmp_path, text, name))
    assert file.open_ms.tolist() == [OPEN_MS, OPEN_MS + STEP_MS]
    assert file.ohlcv.tolist() == [[4.15, 4.16, 4.14, 4.155, 539.2]] * 2
    assert (file.symbol, file.interval, file.step_ms) == ("BTCUSDT", "1h", STEP_MS)
    assert (file.open_ms.dtype, file.ohlcv.dtype) == (np.int64, np.float64)


@pytest.mark.parametrize(
    ("name", "symbol", "interval"),
    [
        ("BTCUSDT-1h-2025-01.csv", "BTCUSDT", "1h"),
        ("BTCUSDT-15m-2025-01-31.csv.gz", "BTCUSDT", "15m"),
        ("BTC-USDT-1d.csv", "BTC-USDT", "1d"),
        ("1000PEPEUSDT-4H.csv", "1000PEPEUSDT", "4h"),
        ("BTCUSDT_250926-1h-2025-01.csv", "BTCUSDT_250926", "1h"),
    ],
)
def test_the_name_tells_symbol_and_interval(tmp_path: Path, name: str, symbol: str, interval: str) -> None:
    file = read_csv(written(tmp_path, plain(OPEN_MS), name))
    assert (file.symbol, file.interval) == (symbol, interval)


def test_symbol_and_interval_may_be_said(tmp_path: Path) -> None:
    file = read_csv(written(tmp_path, plain(OPEN_MS), "candles.csv"), symbol="ETHUSDT", interval="60m")
    assert (file.symbol, file.interval) == ("ETHUSDT", "1h")


def test_a_name_that_tells_nothing_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"name the file like BTCUSDT-1h\.csv, or say"):
        read_csv(written(tmp_path, plain(OPEN_MS), "candles.csv"))


def test_a_monthly_interval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCandle, match="calendar"):
        read_csv(written(tmp_path, plain(OPEN_MS), "BTCUSDT-1mo-2025-01.csv"))


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(1, 2)), min_size=1, max_size=20))
def test_rows_come_out_by_time_and_the_last_of_equals_wins(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float]]
) -> None:
    text = "".join(f"{OPEN_MS + hour * STEP_MS},1,2,1,{close!r},0\n" for hour, close in rows)
    file = read_csv(written(tmp_path_factory.mktemp("rows"), text))
    said = dict(rows)
    assert file.open_ms.tolist() == [OPEN_MS + hour * STEP_MS for hour in sorted(said)]
    assert file.ohlcv[:, 3].tolist() == [said[hour] for hour in sorted(said)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{OPEN_MS},1,2,1,1", reasons.MISSING_FIELD),
        (f"{OPEN_MS},1,2,1,x,0", reasons.NOT_A_NUMBER),
        (f"{OPEN_MS},1,2,1,,0", reasons.NOT_A_NUMBER),
        (f"{OPEN_MS},1,nan,1,1,0", reasons.NOT_A_NUMBER),
        (f"{OPEN_MS},1,2,0,1,0", reasons.NOT_POSITIVE),
        (f"{OPEN_MS},1,2,1.5,1.7,0", reasons.OUTSIDE_RANGE),
        (f"{OPEN_MS},1,1,2,1,0", reasons.HIGH_BELOW_LOW),
        (f"{OPEN_MS},1,2,1,1,-1", reasons.NEGATIVE_VOLUME),
        ("yesterday,1,2,1,1,0", reasons.NOT_A_TIME),
        ("-5,1,2,1,1,0", reasons.NOT_A_TIME),
    ],
)
def test_a_row_that_is_no_candle_is_named_by_file_and_line(tmp_path: Path, row: str, reason: str) -> None:
    text = DUMP_HEADER + plain(OPEN_MS) + "\n" + row + "\n" + plain(OPEN_MS)
    with pytest.raises(BadCandle, match=r"BTCUSDT-1h\.csv, line 4: ") as refused:
        read_csv(written(tmp_path, text))
    assert refused.value.reason == reason


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCandle, match="time,open,high,low,close,volume must come first"):
        read_csv(written(tmp_path, "timestamp,open,close,high,low,volume\n" + plain(OPEN_MS)))


@pytest.mark.parametrize("text", ["", "\n\n", "timestamp,open,high,low,close,volume\n"])
def test_a_file_without_a_candle_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadCandle, match="holds no candle"):
        read_csv(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = written(tmp_path, plain(*range(OPEN_MS, OPEN_MS + 500)), "BTCUSDT-1h.csv.gz")
    whole.write_bytes(whole.read_bytes()[:-20])
    missing, no_gzip = tmp_path / "XUSDT-1h.csv", tmp_path / "YUSDT-1h.csv.gz"
    no_gzip.write_text(plain(OPEN_MS))
    for path in (whole, missing, no_gzip):
        with pytest.raises(SettingsError, match=path.name):
            read_csv(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00\x01\x02\n", b'"' + b"x" * 200_000])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "BTCUSDT-1h.csv"
    path.write_bytes(content)
    with pytest.raises(BadCandle, match=path.name):
        read_csv(path)
