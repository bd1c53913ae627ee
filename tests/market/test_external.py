"""Files of costs, trades and LP supply: what is read of them, and every refusal (file, row or time, what to do)."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market import Market, hash_external, with_external
from tests.market.price_files import DAY_MS, FIRST_MS, MINUTE_MS, load, times, write

START = FIRST_MS + DAY_MS
END = FIRST_MS + 4 * DAY_MS
HOUR = 60 * MINUTE_MS


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Three days of minutes, two tokens."""
    folder = tmp_path_factory.mktemp("prices")
    for token in ("AAA", "BBB"):
        write(folder, token, times())
    return load(folder, ["AAA", "BBB"])


def table(path: Path, **columns: Any) -> Path:
    """Write a file by its suffix."""
    frame = pd.DataFrame(columns)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def refusal(market: Market, name: str, path: Path, error: type[DataError] = DataError) -> str:
    with pytest.raises(error) as caught:
        with_external(market, {name: path})
    message = str(caught.value)
    assert message.startswith(f"costs.{name}: {path}: ")
    assert "\n" not in message
    return message


UNIX = [START - HOUR, START + HOUR, START + 50 * HOUR, END + HOUR]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_cost_holds_until_the_next_row(market: Market, tmp_path: Path, suffix: str) -> None:
    path = table(tmp_path / f"fees{suffix}", unix=UNIX, whatever=[0.001, 0.002, 0, 0.5])
    found = with_external(market, {"fees": path}).external
    bars = found.costs["fees"].at(market.times_ms[market.start_row :])
    np.testing.assert_array_equal(bars, np.repeat([0.001, 0.002, 0.0], [60, 49 * 60, 22 * 60]))
    (file,) = found.files
    assert (file.name, file.path, file.rows, file.left_out) == ("fees", path, 3, 0)
    used = np.array(UNIX[:3], "<i8").tobytes() + np.array([0.001, 0.002, 0.0], "<f8").tobytes()
    assert file.sha256 == hashlib.sha256(used).hexdigest()
    assert hash_external("fees", path, file.from_ms, file.until_ms) == file.sha256


def test_a_time_inside_a_bar_is_that_bars(market: Market, tmp_path: Path) -> None:
    path = table(tmp_path / "gas.csv", unix=[START + 30_000, END - HOUR - 1], gas=[1.0, 2.0])
    bars = with_external(market, {"gas_cost": path}).external.costs["gas_cost"].at(market.times_ms[market.start_row :])
    np.testing.assert_array_equal(bars, np.repeat([1.0, 2.0], [3 * 1440 - 61, 61]))


def test_an_index_named_unix_is_the_times(market: Market, tmp_path: Path) -> None:
    for name, index in {
        "kept": pd.Index(UNIX, name="unix"),
        "range": pd.RangeIndex(START, END, HOUR, name="unix"),
    }.items():
        path = tmp_path / f"{name}.parquet"
        pd.DataFrame({"fee": np.full(len(index), 0.01)}, index).to_parquet(path)
        assert with_external(market, {"fees": path}).external.costs["fees"].value[0] == 0.01


def test_trades_are_kept_in_file_order_and_counted(market: Market, tmp_path: Path) -> None:
    unix = [START - 1, START, START + 30_000, START + 30_000, END - 1, END]
    path = table(
        tmp_path / "trades.parquet", unix=unix, token_in=["ZZZ", "AAA", "BBB", "AAA", "BBB", "QQQ"],
        token_out=["AAA", "BBB", "AAA", "BBB", "AAA", "AAA"], amount_in=[-1, 2, 3, 4, 5, 6], hash=list("abcdef"),
    )  # fmt: skip
    found = with_external(market, {"trades": path}).external
    assert found.trades is not None
    np.testing.assert_array_equal(found.trades.unix, [START, START, START, END - MINUTE_MS])
    np.testing.assert_array_equal(found.trades.token_in, [0, 1, 0, 1])
    np.testing.assert_array_equal(found.trades.token_out, [1, 0, 1, 0])
    np.testing.assert_array_equal(found.trades.amount, [2, 3, 4, 5])
    assert (found.files[0].rows, found.files[0].left_out) == (4, 2)


def test_changed_rows_change_the_digest_and_rows_outside_do_not(market: Market, tmp_path: Path) -> None:
    def digest(values: list[float], unix: list[int] = UNIX) -> str:
        path = table(tmp_path / "fees.csv", unix=unix, fee=values)
        return with_external(market, {"fees": path}).external.files[0].sha256

    plain = digest([0.1, 0.2, 0.3, 0.4])
    assert digest([0.1, 0.2, 0.3, 0.9]) == plain
    assert digest([0.9, 0.1, 0.2, 0.3, 0.4], [START - 2 * HOUR, *UNIX]) == plain
    assert digest([0.1, 0.2, 0.31, 0.4]) != plain
    assert digest([0.1, 0.2, 0.3, 0.4], [UNIX[0], UNIX[1] + 1, *UNIX[2:]]) != plain


FINE = [0.001, 0.002, 0.003, 0.004]
BAD = {
    "null": ([0.1, None, 0.1, 0.1], "row 1 (2023-01-02 01:00 UTC): `fee` is null or NaN; it must be a number >= 0"),
    "infinite": ([0.1, 0.1, np.inf, 0.1], "row 2 (2023-01-04 02:00 UTC): `fee` is inf"),
    "negative": ([0.1, -0.1, -0.1, 0.1], "row 1 (2023-01-02 01:00 UTC): `fee` is -0.1 (and 1 more such rows); it must"),
    "all of it": ([1.0, 0.1, 0.1, 0.1], "row 0 (2023-01-01 23:00 UTC): `fee` is 1; it must be a number >= 0 and < 1"),
    "text": (["0.1", "a lot", "0.1", "0.1"], "row 1: `fee` is 'a lot', not a number; mend the row"),
    "switches": ([True, False, True, True], "column `fee` is bool, not numbers; convert the column"),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", BAD)
def test_wrong_values(market: Market, tmp_path: Path, suffix: str, name: str) -> None:
    values, said = BAD[name]
    assert said in refusal(market, "fees", table(tmp_path / f"fees{suffix}", unix=UNIX, fee=values))


def test_wrong_values_of_the_others(market: Market, tmp_path: Path) -> None:
    path = table(tmp_path / "values.csv", unix=UNIX, x=[1.5, 0.0, 2.0, 1.0])
    assert with_external(market, {"gas_cost": path}).external.names == {"gas_cost"}
    assert "`x` is 1.5 (and 1 more such rows); it must be a number >= 0" in refusal(market, "arb_fees", path)
    assert "row 1 (2023-01-02 01:00 UTC): `x` is 0; it must be a finite number > 0" in refusal(
        market, "lp_supply", path
    )


TIMES = {
    "unsorted": ([UNIX[0], UNIX[2], UNIX[1], UNIX[3]], "row 2 (2023-01-02 01:00 UTC): times are not sorted, after 20"),
    "twice": ([UNIX[0], UNIX[1], UNIX[1], UNIX[3]], "duplicate time, after 2023-01-02 01:00 UTC in row 1; keep one"),
    "seconds": ([time // 1000 for time in UNIX], "which looks like seconds; convert it to UTC milliseconds"),
    "microseconds": ([time * 1000 for time in UNIX], "which looks like microseconds"),
    "fractions": ([time + 0.5 for time in UNIX], "column `unix` is double, not whole numbers (UTC milliseconds)"),
    "dates": (pd.to_datetime(UNIX, unit="ms"), "column `unix` is timestamp["),
    "a late start": ([START + MINUTE_MS, *UNIX[1:]], "add a row at or before 2023-01-02 00:00 UTC (it may repeat"),
    "no cover": ([time - 30 * DAY_MS for time in UNIX], "rows from 2022-12-02 23:00 UTC to 2022-12-06 01:00 UTC only"),
}  # fmt: skip


@pytest.mark.parametrize("name", TIMES)
def test_wrong_times(market: Market, tmp_path: Path, name: str) -> None:
    unix, said = TIMES[name]
    for suffix in (".csv", ".parquet"):
        assert said in refusal(market, "fees", table(tmp_path / f"fees{suffix}", unix=unix, fee=FINE))


def test_the_last_row_must_be_of_the_last_day(market: Market, tmp_path: Path) -> None:
    path = table(tmp_path / "fees.csv", unix=[START, END - DAY_MS], fee=[0.1, 0.2])
    assert with_external(market, {"fees": path}).external.files[0].rows == 2
    path = table(tmp_path / "fees.csv", unix=[START, END - DAY_MS - MINUTE_MS], fee=[0.1, 0.2])
    said = refusal(market, "fees", path)
    assert "from 2023-01-02 00:00 UTC to 2023-01-05 00:00 UTC, but the file has rows from 2023-01-02 00:00 UTC" in said
    assert "add a row on 2023-01-04 or later (it may repeat the value of fees), or choose another window" in said


def test_wrong_columns(market: Market, tmp_path: Path) -> None:
    two = table(tmp_path / "two.csv", unix=UNIX, a=FINE, b=FINE)
    assert "one column of values beside `unix`, but the file has 2 of them (a, b)" in refusal(market, "fees", two)
    assert "but the file has none" in refusal(market, "fees", table(tmp_path / "one.csv", unix=UNIX))
    named = table(tmp_path / "named.csv", time=UNIX)
    assert "no column `unix` (UTC milliseconds); it has time; rename" in refusal(market, "fees", named)
    lacking = table(tmp_path / "lacking.csv", unix=UNIX, token_in=["AAA"] * 4, amount_in=FINE)
    assert "no column `token_out`; it has unix, token_in, amount_in" in refusal(market, "trades", lacking)


def test_files_that_are_none(market: Market, tmp_path: Path) -> None:
    gone = refusal(market, "fees", tmp_path / "gone.csv", MissingFileError)
    assert "no such file; give the path of a .parquet or .csv file" in gone
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert "not a readable csv file (Empty CSV file); export it again" in refusal(market, "fees", empty)
    bare = tmp_path / "bare.csv"
    bare.write_text("unix,fee\n")
    assert "the file has no rows" in refusal(market, "fees", bare)
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(table(tmp_path / "whole.parquet", unix=UNIX, fee=FINE).read_bytes()[:-9])
    assert "not a readable parquet file" in refusal(market, "fees", torn)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"token_in": "DOGE"}, "row 0 (2023-01-02 00:00 UTC): `token_in` is 'DOGE'; the pool holds AAA, BBB: mend"),
        ({"token_out": None}, "`token_out` is None; the pool holds"),
        ({"token_out": "AAA"}, "row 0 (2023-01-02 00:00 UTC): token_in and token_out are both AAA"),
        ({"amount_in": 0.0}, "`amount_in` is 0; it must be a finite number > 0"),
        ({"amount_in": np.nan}, "`amount_in` is null or NaN"),
        ({"token_in": 5}, "`token_in` is '5'; the pool holds"),
    ],
)
def test_wrong_trades(market: Market, tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    row = {"unix": START, "token_in": "AAA", "token_out": "BBB", "amount_in": 1.0} | columns
    path = table(tmp_path / "trades.csv", **{name: [value] for name, value in row.items()})
    assert said in refusal(market, "trades", path)


def test_trades_that_go_back_in_time(market: Market, tmp_path: Path) -> None:
    path = table(
        tmp_path / "trades.csv", unix=[START + 1, START], token_in=["AAA"] * 2, token_out=["BBB"] * 2, amount_in=[1] * 2
    )
    assert "row 1 (2023-01-02 00:00 UTC): times are not sorted" in refusal(market, "trades", path)


def test_all_files_are_reported_at_once(market: Market, tmp_path: Path) -> None:
    bad = table(tmp_path / "bad.csv", unix=UNIX, fee=[2.0] * 4)
    with pytest.raises(DataError) as caught:
        with_external(market, {"fees": bad, "trades": tmp_path / "gone.csv"})
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["costs.fees", "costs.trades"]
