"""Every refusal of SPEC §2: file, row or time, what was found, what to do. Nothing is mended silently."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from momentum_opt.errors import DataError, MissingFileError, UsageError
from momentum_opt.market import hash_rows
from tests.market.price_files import FIRST_MS, MINUTE_MS, load, times, walk, write, write_table


def refusal(folder: Path, tokens=("AAA",), error=DataError, **options) -> str:
    with pytest.raises(error) as caught:
        load(folder, tokens, **options)
    return str(caught.value)


def assert_says(message: str, *parts: str) -> None:
    assert [part for part in parts if part not in message] == [], message


# files and folders


def test_missing_folder(tmp_path):
    message = refusal(tmp_path / "nowhere", error=MissingFileError)
    assert_says(message, str(tmp_path / "nowhere"), "no such folder", "name the folder")


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    assert_says(refusal(tmp_path / "file", error=MissingFileError), "a file, not a folder")


def test_missing_file_names_the_nearest_token(tmp_path):
    for token in ("BTC", "USDC", "LINK"):
        write(tmp_path, token, times())
    message = refusal(tmp_path, ["BTC", "usdt"], error=MissingFileError)
    assert_says(message, str(tmp_path / "usdt_USD.parquet"), "no such file", "did you mean USDC?")


def test_missing_file_lists_the_tokens_when_none_is_near(tmp_path):
    for token in ("BTC", "ETH"):
        write(tmp_path, token, times())
    assert_says(refusal(tmp_path, ["PAXG"], error=MissingFileError), "there are BTC, ETH")


def test_missing_file_in_an_empty_folder(tmp_path):
    assert_says(refusal(tmp_path, error=MissingFileError), "no price file at all", "<TOKEN>_USD.parquet")


@pytest.mark.parametrize("content", [b"", b"unix,close\n1,2\n" * 50, b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_not_parquet(tmp_path, content):
    (tmp_path / "AAA_USD.parquet").write_bytes(content)
    assert_says(refusal(tmp_path), "AAA_USD.parquet: not a readable parquet file (", "export or download it again")


def test_damaged_pages(tmp_path):
    path = write(tmp_path, "AAA", times(), compression="zstd")
    content = bytearray(path.read_bytes())
    content[200 : len(content) // 2] = b"\xff" * (len(content) // 2 - 200)
    path.write_bytes(content)
    assert_says(refusal(tmp_path), "AAA_USD.parquet: not a readable parquet file (")


def test_empty_file(tmp_path):
    write(tmp_path, "AAA", pa.array([], pa.int64()), pa.array([], pa.float64()))
    assert_says(refusal(tmp_path), "AAA_USD.parquet: the file has no rows")


# columns


@pytest.mark.parametrize("missing", ["unix", "close"])
def test_missing_column(tmp_path, missing):
    table = pa.table({"unix": times(), "close": walk(4 * 1440), "volume": walk(4 * 1440)}).drop_columns(missing)
    write_table(tmp_path, "AAA", table)
    assert_says(refusal(tmp_path), f"no column `{missing}`", f"it has {', '.join(table.column_names)}", "rename or add")


def test_both_columns_missing_are_both_named(tmp_path):
    write_table(tmp_path, "AAA", pa.table({"time": times(), "price": walk(4 * 1440)}))
    message = refusal(tmp_path)
    assert len(message.splitlines()) == 2
    assert_says(message, "no column `unix`", "no column `close`")


def test_unnamed_pandas_index_is_a_missing_column(tmp_path):
    pd.DataFrame({"close": walk(4 * 1440)}, index=times()).to_parquet(tmp_path / "AAA_USD.parquet")
    assert_says(refusal(tmp_path), "no column `unix`")


def test_column_twice(tmp_path):
    close = walk(4 * 1440)
    write_table(tmp_path, "AAA", pa.table([times(), close, close], names=["unix", "close", "close"]))
    assert_says(refusal(tmp_path), "2 columns are named `close`")


@pytest.mark.parametrize(
    ("unix_type", "named"),
    [(pa.timestamp("ms"), "timestamp[ms]"), (pa.float64(), "double"), (pa.string(), "string"), (pa.uint64(), "uint64")],
)
def test_wrong_type_of_unix(tmp_path, unix_type, named):
    write(tmp_path, "AAA", pa.array(times()).cast(unix_type))
    assert_says(refusal(tmp_path), f"column `unix` is {named}, not int64", "convert the column")


@pytest.mark.parametrize(
    ("close_type", "named"), [(pa.float32(), "float"), (pa.int64(), "int64"), (pa.string(), "string")]
)
def test_wrong_type_of_close(tmp_path, close_type, named):
    write(tmp_path, "AAA", times(), pa.array(np.round(walk(4 * 1440))).cast(close_type))
    assert_says(refusal(tmp_path), f"column `close` is {named}, not float64", "convert the column")


# times


def test_unsorted(tmp_path):
    unix = times()
    unix[[2000, 2001]] = unix[[2001, 2000]]
    write(tmp_path, "AAA", unix)
    assert_says(
        refusal(tmp_path),
        "AAA_USD.parquet: row 2001: times are not sorted, 2023-01-02 09:20 UTC after 2023-01-02 09:21 UTC in row 2000",
        "sort the file by `unix`",
    )


def test_row_of_the_window_in_a_far_row_group_is_unsorted(tmp_path):
    unix = times(days=9)
    write(tmp_path, "AAA", np.append(unix, unix[2000]), row_group_size=1440)
    assert_says(refusal(tmp_path), f"row {len(unix)}: times are not sorted")


def test_reversed_file(tmp_path):
    write(tmp_path, "AAA", times()[::-1])
    assert_says(refusal(tmp_path), "times are not sorted", "more such rows")


def test_duplicates(tmp_path):
    unix = times()
    unix[2001] = unix[2000]
    write(tmp_path, "AAA", unix)
    assert_says(refusal(tmp_path), "row 2001: duplicate time, 2023-01-02 09:20 UTC", "keep one row per time")


def test_one_time_off_the_grid(tmp_path):
    unix = times()
    unix[2000] += 30_500
    write(tmp_path, "AAA", unix)
    assert_says(
        refusal(tmp_path),
        "row 2000: 2023-01-02 09:20:30.500 UTC is not on the grid of 1 minute",
        "such as 2023-01-02 09:20 UTC",
    )


def test_all_times_off_the_grid(tmp_path):
    write(tmp_path, "AAA", times(bar_minutes=60) + 30 * MINUTE_MS)
    message = refusal(tmp_path)
    assert_says(
        message, "row 0: 2023-01-01 00:30 UTC is", "not on the grid of 60 minutes from UTC midnight", "more such rows"
    )


@pytest.mark.parametrize(
    ("convert", "unit"),
    [(lambda t: t // 1000, "seconds"), (lambda t: t * 1000, "microseconds"), (lambda t: t * 10**6, "nanoseconds")],
)
def test_other_units_than_milliseconds(tmp_path, convert, unit):
    unix = convert(times())
    write(tmp_path, "AAA", unix)
    message = refusal(tmp_path)
    assert_says(message, "AAA_USD.parquet", f"looks like {unit};", "convert it to UTC milliseconds")
    assert str(unix[0]) in message or str(unix[-1]) in message


def test_one_time_in_another_unit(tmp_path):
    unix = times()
    unix[100] *= 1000
    write(tmp_path, "AAA", unix)
    assert_says(refusal(tmp_path), f"`unix` holds {unix[100]}, which looks like microseconds")


def test_null_time(tmp_path):
    unix = pa.array([None if i == 2000 else int(t) for i, t in enumerate(times())], pa.int64())
    write(tmp_path, "AAA", unix, row_group_size=1500)
    assert_says(refusal(tmp_path), "row 2000: `unix` is null", "mend or delete the row")


@pytest.mark.parametrize(
    ("bar_ms", "named"), [(7 * MINUTE_MS, "7 minutes"), (30_000, "0.5 minutes"), (90_000, "1.5 minutes")]
)
def test_bars_that_do_not_divide_a_day_into_whole_minutes(tmp_path, bar_ms, named):
    write(tmp_path, "AAA", FIRST_MS + np.arange(0, 5 * 86_400_000, bar_ms))
    message = refusal(tmp_path, start=0)
    assert_says(
        message, f"the smallest spacing of the times, is {named};", "whole minutes that divide 1440", "resample"
    )


def test_bars_that_differ_between_tokens(tmp_path):
    write(tmp_path, "AAA", times())
    write(tmp_path, "BBB", times(bar_minutes=60))
    message = refusal(tmp_path, ["AAA", "BBB"])
    assert_says(message, "bar lengths differ", "AAA_USD.parquet 1", "BBB_USD.parquet 60", "resample the files")


def test_too_few_rows_to_tell_the_bar(tmp_path):
    write(tmp_path, "AAA", times(days=9, bar_minutes=1440))
    assert_says(refusal(tmp_path, end=2, max_gap_minutes=0), "1 row in the window, too few to tell the bar length")


# closes


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "null"), (np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf"), (0.0, "0"), (-0.0, "-0"), (-5.5, "-5.5")],
)
def test_close_that_is_no_price(tmp_path, value, found):
    close = list(walk(4 * 1440))
    close[2000] = value
    write(tmp_path, "AAA", times(), pa.array(close, pa.float64()))
    message = refusal(tmp_path)
    assert_says(
        message,
        "AAA_USD.parquet: row 2000 (2023-01-02 09:20 UTC): `close` is ",
        "finite and positive",
        "mend or delete",
    )
    assert found in message.split("`close` is ")[1].split(";")[0]
    assert "more such" not in message


def test_closes_that_are_no_prices_are_counted(tmp_path):
    close = walk(4 * 1440)
    close[2000:2010] = 0.0
    write(tmp_path, "AAA", times(), close)
    assert_says(refusal(tmp_path), "row 2000", "(and 9 more such rows)")


# window and gaps


def test_gap_longer_than_the_limit(tmp_path):
    write(tmp_path, "AAA", np.delete(times(), np.s_[2000:2061]))
    assert_says(
        refusal(tmp_path, max_gap_minutes=60),
        "row 1999: after 2023-01-02 09:19 UTC a gap of 61 minutes until 2023-01-02 10:21 UTC",
        "longer than `max_gap_minutes` = 60",
        "mend the file, raise `max_gap_minutes` or choose another window",
    )


def test_no_gap_is_filled_with_a_limit_of_zero(tmp_path):
    write(tmp_path, "AAA", np.delete(times(), 2000))
    assert_says(refusal(tmp_path, max_gap_minutes=0), "a gap of 1 minute until")


def test_gap_at_the_start_longer_than_the_limit(tmp_path):
    write(tmp_path, "AAA", np.delete(times(), np.s_[1400:1445]))
    assert_says(refusal(tmp_path, max_gap_minutes=44), "a gap of 45 minutes until 2023-01-02 00:05 UTC")
    assert_says(
        refusal(tmp_path, max_gap_minutes=20),
        "no row from 2023-01-01 23:40 UTC until 2023-01-02 00:05 UTC",
        "the gap at 2023-01-02 00:00 UTC, where the grid begins",
    )


def test_gap_over_the_whole_window(tmp_path):
    unix = times(days=9)
    write(tmp_path, "AAA", np.delete(unix, np.s_[1000 : 8 * 1440]))
    assert_says(refusal(tmp_path, start=4, end=6), "until the end of the window, 2023-01-07 00:00 UTC")


def test_gap_into_the_end_of_the_window(tmp_path):
    write(tmp_path, "AAA", np.delete(times(), np.s_[2000:5000]))
    assert_says(refusal(tmp_path, end=3, max_gap_minutes=60), "a gap of 2,320 minutes until the end of the window")


def test_window_before_the_data(tmp_path):
    write(tmp_path, "AAA", times()[5:])
    assert_says(
        refusal(tmp_path, start=0),
        "AAA_USD.parquet: the window starts 2023-01-01 00:00 UTC",
        "has prices from 2023-01-01 00:05 UTC to 2023-01-04 23:59 UTC only",
        "start between 2023-01-02 and 2023-01-04",
    )


def test_window_after_the_data(tmp_path):
    write(tmp_path, "AAA", times())
    assert_says(refusal(tmp_path, start=5, end=7), "the window starts 2023-01-06", "to 2023-01-04 23:59 UTC only")


@pytest.mark.parametrize("missing", [1, 2, 1440])
def test_file_that_ends_before_the_window(tmp_path, missing):
    write(tmp_path, "AAA", times()[:-missing])
    assert_says(
        refusal(tmp_path),
        "AAA_USD.parquet: the window needs prices up to 2023-01-04 23:59 UTC",
        "the file has prices from 2023-01-01 00:00 UTC",
        "end on 2023-01-04 or earlier",
    )


def test_all_problems_at_once_one_line_each(tmp_path):
    good, close = times(), walk(4 * 1440)
    write(tmp_path, "AAA", good)
    write(tmp_path, "BBB", good[:-1])
    write(tmp_path, "CCC", good // 1000)
    write(tmp_path, "DDD", good, np.where(good == good[3000], 0.0, close))
    message = refusal(tmp_path, ["AAA", "BBB", "CCC", "DDD", "EEEE"])
    lines = message.splitlines()
    assert len(lines) == 4
    for token in ("BBB", "CCC", "DDD", "EEEE"):
        assert sum(f"{token}_USD.parquet" in line for line in lines) == 1


def test_several_missing_files_are_a_missing_file_error(tmp_path):
    write(tmp_path, "AAA", times())
    assert len(refusal(tmp_path, ["AAA", "BBB", "CCC"], error=MissingFileError).splitlines()) == 2


# arguments


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"tokens": []}, "`tokens`"),
        ({"tokens": ["AAA", "AAA"]}, "no name twice"),
        ({"start": 2, "end": 2}, "`start < end` must hold, but got start=2023-01-03"),
        ({"burn_in_days": -1}, "burn_in_days=-1"),
        ({"max_gap_minutes": -1}, "max_gap_minutes=-1"),
    ],
)
def test_arguments(tmp_path, options, found):
    write(tmp_path, "AAA", times())
    assert_says(refusal(tmp_path, options.pop("tokens", ["AAA"]), error=UsageError, **options), found)


def test_hash_rows_refuses_what_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match="no such folder"):
        hash_rows(tmp_path / "nowhere", "AAA", 0, 1)
    with pytest.raises(MissingFileError, match="no price file at all"):
        hash_rows(tmp_path, "AAA", 0, 1)
