"""A column that names a symbol, an exchange or a bar: its rows are not mixed, and not taken for another token's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.errors import DataError
from momentum_opt.market import load_market
from momentum_opt.market.identity import bases, fits, is_identity
from tests.market.importing.sources import FIRST_MS, MINUTE_MS, bars, kraken
from tests.market.importing.test_formats import imported, refused, text

COUNT = 100


def frame(column: str = "symbol", values: tuple[object, ...] = ("BTCUSDT", "ETHUSDT")) -> pd.DataFrame:
    """Bars of several symbols in turn."""
    times = FIRST_MS + MINUTE_MS * (np.arange(COUNT * len(values)) // len(values))
    return pd.DataFrame({"timestamp": times, column: list(values) * COUNT, "close": 100.0 + np.arange(len(times))})


def written(data: pd.DataFrame, folder: Path, form: str) -> Path:
    path = folder / f"source.{form}"
    if form == "csv":
        data.to_csv(path, index=False)
    elif form == "semicolons":
        data.to_csv(path, index=False, sep=";", decimal=",")
    elif form == "parquet":
        data.to_parquet(path)
    elif form == "category":
        data.assign(symbol=data["symbol"].astype("category")).to_parquet(path)
    elif form == "feather":
        data.to_feather(path)
    elif form == "csv.gz":
        data.to_csv(path, index=False, compression="gzip")
    elif form == "zip":
        data.to_csv(path, index=False, compression={"method": "zip", "archive_name": "a.csv"})
    else:
        data.to_json(path, orient="records", lines=form == "jsonl")
    return path


@pytest.mark.parametrize(
    "form", ["csv", "semicolons", "parquet", "category", "feather", "csv.gz", "zip", "json", "jsonl"]
)
def test_rows_of_two_symbols_are_not_mixed(tmp_path: Path, form: str):
    path = written(frame(), tmp_path, form)
    said = refused(tmp_path, path, token="BTC")
    assert "column symbol has 2 values: 'BTCUSDT' (" in said
    assert "'ETHUSDT' (" in said
    assert said.endswith("; say which with --where symbol=BTCUSDT")
    report, _, close = imported(tmp_path, path, token="BTC", where=(("symbol", "BTCUSDT"),))
    assert close.tolist() == (100.0 + np.arange(0, 200, 2)).tolist()
    assert report.sources[0].identity == (("symbol", "BTCUSDT"),)


def test_the_first_lines_are_named(tmp_path: Path):
    path = text(tmp_path, "timestamp,symbol,close\n1704067200,BTCUSDT,1\n1704067260,BTCUSDT,1\n1704067320,ETHUSDT,2\n")
    assert "'BTCUSDT' (line 2), 'ETHUSDT' (line 4)" in refused(tmp_path, path, token="BTC")


def test_a_single_symbol_is_named_or_refused(tmp_path: Path):
    path = written(frame(values=("ETHUSDT",)), tmp_path, "csv")
    said = refused(tmp_path, path, token="BTC")
    assert "its symbol is 'ETHUSDT', which is not BTC; give the right --token" in said
    assert imported(tmp_path, path, token="ETH")[0].sources[0].identity == (("symbol", "ETHUSDT"),)
    assert imported(tmp_path, path, token="BTC", where=(("symbol", "ETHUSDT"),))[0].bars == COUNT


@pytest.mark.parametrize(
    "column",
    ["Symbol", "pair", "Ticker", "asset", "base", "market", "instrument", "coin", "Coin Name", "base_currency",
     "currency_pair", "inst_id", "product_id", "asset_symbol", "token"],
)  # fmt: skip
def test_names_of_such_columns(tmp_path: Path, column: str):
    two = written(frame(column), tmp_path, "csv")
    assert " has 2 values: " in refused(tmp_path, two, token="BTC")
    other = written(frame(column, ("ETH",)), tmp_path, "csv")
    assert "is 'ETH', which is not BTC" in refused(tmp_path, other, token="BTC")


def test_numbers_that_name_nothing_are_left_alone(tmp_path: Path):
    data = frame("base", (1.25, 3.5))[["timestamp", "base", "close"]].iloc[::2]
    assert imported(tmp_path, written(data, tmp_path, "csv"), token="BTC")[0].bars == COUNT
    assert not any(map(is_identity, ["volume", "quote_volume", "market_cap", "trades", "close_time", "count", "vwap"]))
    ids = written(frame("asset_id", (0, 1)), tmp_path, "csv")
    assert "column asset_id has 2 values: '0' (line 2), '1' (line 3)" in refused(tmp_path, ids, token="BTC")
    assert imported(tmp_path / "ids", ids, token="BTC", where=(("asset_id", "1"),))[0].bars == COUNT


@pytest.mark.parametrize("column", ["exchange", "interval", "timeframe", "quote"])
def test_prices_of_two_places_or_bars_are_not_mixed(tmp_path: Path, column: str):
    path = written(frame(column, ("a", "b")), tmp_path, "csv")
    assert f"column {column} has 2 values: 'a' (line 2), 'b' (line 3)" in refused(tmp_path, path)
    assert imported(tmp_path, written(frame(column, ("a",)), tmp_path, "csv"))[0].bars == COUNT


def test_two_conditions(tmp_path: Path):
    data = frame(values=("BTCUSDT", "BTCUSDT", "ETHUSDT")).assign(exchange=["x", "y", "x"] * COUNT)
    path = written(data, tmp_path, "parquet")
    assert "column exchange has 2 values" in refused(tmp_path, path, token="BTC", where=(("symbol", "BTCUSDT"),))
    where = (("symbol", "BTCUSDT"), ("exchange", "y"))
    _, _, close = imported(tmp_path, path, token="BTC", where=where)
    assert close.tolist() == (100.0 + np.arange(1, 300, 3)).tolist()


def test_conditions_that_nothing_meets(tmp_path: Path):
    path = written(frame(), tmp_path, "csv")
    for where, said in (
        (("symbl", "BTCUSDT"), "no column symbl; it has timestamp, symbol, close: did you mean symbol?"),
        (("symbol", "BTCUSD"), "no row has 'BTCUSD' in its column symbol; did you mean BTCUSDT?"),
        (("symbol", "X"), "no row has 'X' in its column symbol; choose one of BTCUSDT, ETHUSDT"),
    ):
        assert said in refused(tmp_path, path, token="BTC", where=(where,))
    assert imported(tmp_path, path, token="BTC", where=(("2", "BTCUSDT"),))[0].bars == COUNT


def test_a_wrong_name_among_two_hundred_columns_is_not_answered_with_all_of_them(tmp_path: Path):
    names = [f"feature_{number}" for number in range(200)]
    lines = ",".join(["time", "close", *names]) + "\n" + ",".join(["1704067200", "1", *["0"] * 200]) + "\n"
    for suffix in ("csv", "parquet"):
        path = text(tmp_path, lines)
        if suffix == "parquet":
            path = tmp_path / "wide.parquet"
            pd.DataFrame([[1704067200, 1.0, *[0] * 200]], columns=["time", "close", *names]).to_parquet(path)
        said = refused(tmp_path, path, where=(("feature_1O7", "1"),))
        assert "did you mean feature_1" in said
        assert len(said) < 400
        assert "and 190 more" in said


def test_sources_of_two_symbols(tmp_path: Path):
    first = written(frame(values=("BTC/USDT",)), tmp_path, "csv")
    same = written(frame(values=("BTC-USDT",)), tmp_path, "parquet")
    assert imported(tmp_path, first, same, token="BTC")[0].overlap.equal == COUNT
    other = written(frame(values=("BTCEUR",)), tmp_path, "json")
    assert "its symbol is 'BTCEUR', that of " in refused(tmp_path / "other", first, other, token="BTC")


def test_a_quote_of_two_symbols(tmp_path: Path):
    path = text(tmp_path, kraken(bars(COUNT)))
    quote = written(frame(), tmp_path, "parquet")
    assert "column symbol has 2 values" in refused(tmp_path, path, quote=str(quote))


def test_a_file_named_after_another_pair_is_said(tmp_path: Path):
    path = text(tmp_path, kraken(bars(COUNT)), "ETHUSD_1.csv")
    assert imported(tmp_path, path, token="BTC")[0].other_pair == "ETHUSD"
    assert imported(tmp_path, path, token="ETH")[0].other_pair is None


@pytest.mark.parametrize(
    ("symbol", "token"),
    [(symbol, "BTC") for symbol in (
        "BTCUSDT", "BTC/USD", "BTC-USD", "btcusdt", "XBTUSD", "XXBTZUSD", "tBTCUSD", "BINANCE:BTCUSDT", "BTC/USDT:USDT",
        "BITSTAMP_SPOT_BTC_USD", "BTC-USD-SWAP", "BTC-PERPETUAL", "BTCUSDT.P", "BTC", "BTCEUR",
    )] + [("USDTUSD", "USDT"), ("USDCUSDT", "USDC"), ("XETHZUSD", "ETH"), ("ETH_BTC", "ETH"), ("DAI/USD", "DAI")],
)  # fmt: skip
def test_symbols_that_fit(symbol: str, token: str):
    assert fits(symbol, token)


@pytest.mark.parametrize(
    ("symbol", "token"),
    [("ETHUSDT", "BTC"), ("ETHBTC", "BTC"), ("ETH/BTC", "BTC"), ("WBTCUSDT", "BTC"), ("BTCDOMUSDT", "BTC"),
     ("STETHUSDT", "ETH"), ("ETHWUSDT", "ETH"), ("1000SHIBUSDT", "SHIB"), ("bitcoin", "BTC"), ("", "BTC")],
)  # fmt: skip
def test_symbols_that_do_not_fit(symbol: str, token: str):
    assert not fits(symbol, token)
    assert bases(symbol)


def test_a_price_file_with_a_symbol_of_another_token_is_refused(tmp_path: Path):
    days = 4 * 1440
    data = pd.DataFrame({"unix": FIRST_MS + MINUTE_MS * np.arange(days), "close": 1.0, "symbol": "BTCUSDT"})
    path = tmp_path / "BTC_USD.parquet"

    def load() -> None:
        start, end = pd.Timestamp("2024-01-02").date(), pd.Timestamp("2024-01-04").date()
        load_market(tmp_path, ["BTC"], start=start, end=end, burn_in_days=1)

    data.to_parquet(path)
    load()
    data.assign(symbol="ETHUSDT").to_parquet(path)
    with pytest.raises(
        DataError, match="its symbol is 'ETHUSDT', which is not BTC; use prices of BTC, or drop the col"
    ):
        load()
    data.assign(symbol=["BTCUSDT"] * (days - 1) + ["ETHUSDT"]).to_parquet(path)
    with pytest.raises(DataError, match="column symbol has 2 values: 'BTCUSDT', 'ETHUSDT'; make the price file anew"):
        load()
