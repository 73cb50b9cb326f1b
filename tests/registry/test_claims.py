"""One partition has a series, whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.errors import ObjectMissing, StoreError
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.objects import Objects

BTC = "binance:BTC/USDT:1h"


def folder(path: Path) -> Claims:
    return Claims(Objects(path.as_uri()), "group")


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        owners = set(pool.map(lambda at: folder(tmp_path).claim(BTC, ("candles", at)), range(40)))

    assert len(owners) == 1
    assert folder(tmp_path).owner(BTC) in owners
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_a_series_that_is_taken_over_is_in_its_new_place_and_noted(tmp_path: Path) -> None:
    claims = folder(tmp_path)
    claims.claim(BTC, ("candles", 1))
    claims.claim("binance:ETH:1h", ("candles", 1))
    claims.take_over(BTC, ("candles", 4))

    assert claims.claim(BTC, ("candles", 1)) == ("candles", 4)
    assert claims.moved() == {BTC: ("candles", 4)}
    assert claims.directory() == [BTC, "binance:ETH:1h"]


def test_groups_do_not_meet(tmp_path: Path) -> None:
    Claims(Objects(tmp_path.as_uri()), "a/b").claim(BTC, ("x", 0))

    with pytest.raises(ObjectMissing):
        Claims(Objects(tmp_path.as_uri()), "a").owner(BTC)


def test_a_file_that_is_no_claim_says_what_to_do(tmp_path: Path) -> None:
    claims = folder(tmp_path)
    claims.claim(BTC, ("candles", 1))
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    file.write_bytes(b"{}")

    with pytest.raises(StoreError, match="delete it"):
        claims.owner(BTC)


@given(st.lists(st.text(min_size=1, max_size=120), unique=True, max_size=5))
def test_any_name_comes_back(names: list[str]) -> None:
    claims = Claims(Objects("memory://"), "g")
    usable = [name for name in names if name.isprintable()]
    for name in usable:
        claims.claim(name, ("candles", 0))

    assert claims.directory() == sorted(usable)
