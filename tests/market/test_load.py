"""The grid: window, burn-in, filled gaps, and what is reported of each file."""

import hashlib
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import momentum_opt.market as market_package
from momentum_opt.market import hash_rows
from tests.market.price_files import DAY_MS, FIRST_MS, MINUTE_MS, load, times, walk, write, write_table


def test_public_names():
    assert market_package.__all__ == [
        "External", "ExternalFile", "Market", "NewestBar", "Oddities", "Recipe", "TokenFile", "hash_external",
        "hash_rows", "load_market", "newest_bar", "with_external", "write_sample",
    ]  # fmt: skip


def test_complete_files_come_out_as_they_are_in_alphabetical_order(tmp_path):
    unix = times()
    closes = {token: walk(len(unix), seed) for seed, token in enumerate(("AAA", "BBB", "CCC"))}
    for token, close in closes.items():
        write(tmp_path, token, unix, close)
    market = load(tmp_path, ["CCC", "AAA", "BBB"], start=2, burn_in_days=1)
    assert market.tokens == ("AAA", "BBB", "CCC")
    assert tuple(file.token for file in market.files) == market.tokens
    np.testing.assert_array_equal(market.prices, np.stack(list(closes.values()), axis=1)[1440:])
    assert market.prices.dtype == np.float64
    assert market.prices.flags.c_contiguous


def test_times_of_the_grid(tmp_path):
    write(tmp_path, "AAA", times(bar_minutes=60))
    market = load(tmp_path, start=2, burn_in_days=1)
    assert (market.bar_minutes, market.bars_per_day, market.burn_in_days, market.start_row) == (60, 24, 1, 24)
    assert market.first_ms == FIRST_MS + DAY_MS
    assert market.start_ms == FIRST_MS + 2 * DAY_MS
    assert market.end_ms == FIRST_MS + 4 * DAY_MS
    np.testing.assert_array_equal(market.times_ms, times(bar_minutes=60)[24:])
    assert market.times_ms.dtype == np.int64


def test_prices_are_read_only(tmp_path):
    write(tmp_path, "AAA", times())
    with pytest.raises(ValueError, match="read-only"):
        load(tmp_path).prices[0, 0] = 1.0


def test_burn_in_goes_as_far_as_the_youngest_token(tmp_path):
    write(tmp_path, "AAA", times(days=9))
    write(tmp_path, "BBB", times(days=9)[2 * 1440 + 1 :])
    market = load(tmp_path, ["AAA", "BBB"], start=6, end=9, burn_in_days=365)
    assert market.burn_in_days == 3
    assert market.first_ms == FIRST_MS + 3 * DAY_MS
    assert market.start_row == 3 * 1440


def test_no_history_at_all_is_no_error(tmp_path):
    write(tmp_path, "AAA", times())
    market = load(tmp_path, start=0, burn_in_days=365)
    assert (market.burn_in_days, market.start_row) == (0, 0)


def test_gap_holds_the_last_close_and_is_counted(tmp_path):
    unix, close = times(), walk(4 * 1440)
    kept = np.ones(len(unix), bool)
    kept[2000:2010] = kept[3000:3003] = False
    write(tmp_path, "AAA", unix[kept], close[kept])
    market = load(tmp_path)
    expected = close.copy()
    expected[2000:2010], expected[3000:3003] = close[1999], close[2999]
    np.testing.assert_array_equal(market.prices[:, 0], expected[1440:])
    (file,) = market.files
    assert (file.filled_minutes, file.longest_gap_minutes, file.rows) == (13, 10, 3 * 1440 - 13)


def test_gap_of_exactly_the_limit_is_filled(tmp_path):
    unix = times()
    write(tmp_path, "AAA", np.delete(unix, np.s_[2000:2060]))
    assert load(tmp_path, max_gap_minutes=60).files[0].longest_gap_minutes == 60


def test_gaps_of_longer_bars_are_counted_in_minutes(tmp_path):
    write(tmp_path, "AAA", np.delete(times(bar_minutes=60), [30, 31]))
    (file,) = load(tmp_path, max_gap_minutes=120).files
    assert (file.filled_minutes, file.longest_gap_minutes) == (120, 120)


def test_gap_at_the_start_looks_back(tmp_path):
    unix, close = times(), walk(4 * 1440)
    kept = np.ones(len(unix), bool)
    kept[1400:1445] = False
    write(tmp_path, "AAA", unix[kept], close[kept])
    market = load(tmp_path, max_gap_minutes=45)
    np.testing.assert_array_equal(market.prices[:6, 0], [close[1399]] * 5 + [close[1445]])
    (file,) = market.files
    assert file.first_ms == FIRST_MS + 1399 * MINUTE_MS
    assert (file.rows, file.filled_minutes, file.longest_gap_minutes) == (3 * 1440 - 5 + 1, 5, 45)


def test_gap_at_the_end_is_filled_when_the_file_goes_on(tmp_path):
    unix, close = times(), walk(4 * 1440)
    kept = np.ones(len(unix), bool)
    kept[3 * 1440 - 2 : 3 * 1440 + 5] = False
    write(tmp_path, "AAA", unix[kept], close[kept])
    market = load(tmp_path, end=3)
    np.testing.assert_array_equal(market.prices[-2:, 0], close[3 * 1440 - 3])
    assert market.files[0].last_ms == FIRST_MS + (3 * 1440 - 3) * MINUTE_MS
    assert (market.files[0].filled_minutes, market.files[0].longest_gap_minutes) == (2, 2)


def test_digest_covers_exactly_the_used_rows(tmp_path):
    unix, close = times(), walk(4 * 1440)
    path = write(tmp_path, "AAA", unix, close)
    market = load(tmp_path, end=3)
    (file,) = market.files
    used = slice(1440, 3 * 1440)
    assert file.sha256 == hashlib.sha256(unix[used].tobytes() + close[used].tobytes()).hexdigest()
    assert file.path == path
    assert (file.first_ms, file.last_ms) == (unix[used][0], unix[used][-1])
    assert hash_rows(tmp_path, "AAA", file.first_ms, file.last_ms) == file.sha256


def test_digest_notices_a_changed_price_inside_the_range_only(tmp_path):
    unix, close = times(), walk(4 * 1440)
    write(tmp_path, "AAA", unix, close)
    (file,) = load(tmp_path, end=3).files
    close[0] *= 2
    write(tmp_path, "AAA", unix, close)
    assert hash_rows(tmp_path, "AAA", file.first_ms, file.last_ms) == file.sha256
    close[2000] = np.nextafter(close[2000], np.inf)
    write(tmp_path, "AAA", unix, close)
    assert hash_rows(tmp_path, "AAA", file.first_ms, file.last_ms) != file.sha256


@pytest.mark.parametrize("kept_as", ["column", "index", "even index"])
def test_unix_may_be_a_column_or_the_pandas_index(tmp_path, kept_as):
    close = walk(4 * 1440)
    unix = times()
    index = pd.RangeIndex(unix[0], unix[-1] + 1, MINUTE_MS, name="unix")
    frame = pd.DataFrame(
        {"open": close, "close": close}, index=index if kept_as == "even index" else pd.Index(unix, name="unix")
    )
    path = tmp_path / "AAA_USD.parquet"
    (frame.reset_index() if kept_as == "column" else frame).to_parquet(path)
    assert ("unix" in pq.read_schema(path).names) == (kept_as != "even index")
    market = load(tmp_path, start=2, burn_in_days=1)
    np.testing.assert_array_equal(market.prices[:, 0], close[1440:])


@pytest.mark.parametrize("options", [{}, {"row_group_size": 1000}, {"row_group_size": 1000, "write_statistics": False}])
def test_row_groups_and_statistics_make_no_difference(tmp_path, options):
    close = walk(4 * 1440)
    write(tmp_path, "AAA", times(), close, **options)
    np.testing.assert_array_equal(load(tmp_path, end=3).prices[:, 0], close[1440 : 3 * 1440])


def test_other_columns_and_rows_outside_the_window_are_not_looked_at(tmp_path):
    close = walk(5 * 1440)
    close[:10], close[-10:] = -1.0, np.nan
    other = pa.array([{"open": "x"}] * len(close))
    table = pa.table({"other": other, "close": close, "unix": times(days=5)})
    write_table(tmp_path, "AAA", table, row_group_size=700)
    np.testing.assert_array_equal(load(tmp_path).prices[:, 0], close[1440 : 4 * 1440])


def test_only_the_row_groups_of_the_window_are_read(tmp_path, monkeypatch):
    write(tmp_path, "AAA", times(days=20), row_group_size=1440)
    read = []
    original = pq.ParquetFile.iter_batches

    def spy(self, *args, row_groups, **kwargs):
        read.extend(row_groups)
        return original(self, *args, row_groups=row_groups, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    load(tmp_path, start=10, end=12, max_gap_minutes=60)
    assert read == [9, 10, 11]


def test_daily_bars(tmp_path):
    write(tmp_path, "AAA", times(days=9, bar_minutes=1440))
    market = load(tmp_path, start=5, end=6)
    assert (market.bar_minutes, market.prices.shape) == (1440, (1, 1))


def test_window_is_one_of_utc_midnights(tmp_path):
    write(tmp_path, "AAA", times())
    market = load(tmp_path)
    assert pd.Timestamp(market.start_ms, unit="ms").date() == date(2023, 1, 2)
