from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market import load_market, newest_bar
from tests.market.price_files import DAY_MS, FIRST_DAY, FIRST_MS, MINUTE_MS, times, walk, write

NOON = datetime(2023, 1, 3, 12, tzinfo=UTC)


def test_the_last_bar_that_all_files_have(tmp_path: Path):
    write(tmp_path, "AAA", times(4))
    write(tmp_path, "BBB", times(4)[:-100])
    newest = newest_bar(tmp_path, ("AAA", "BBB"))
    assert newest.time_ms == FIRST_MS + 4 * DAY_MS - 101 * MINUTE_MS
    assert newest.bar_minutes == 1
    assert newest.end_ms == newest.time_ms + MINUTE_MS


def test_bars_of_an_hour(tmp_path: Path):
    write(tmp_path, "AAA", times(4, bar_minutes=60))
    newest = newest_bar(tmp_path, ("AAA",))
    assert (newest.bar_minutes, newest.end_ms) == (60, FIRST_MS + 4 * DAY_MS)


def test_refused(tmp_path: Path):
    with pytest.raises(MissingFileError, match="no such folder"):
        newest_bar(tmp_path / "none", ("AAA",))
    write(tmp_path, "AAA", times(4))
    write(tmp_path, "BBB", times(4, bar_minutes=60))
    with pytest.raises(DataError, match=r"bar lengths differ \(minutes\): AAA 1, BBB 60"):
        newest_bar(tmp_path, ("AAA", "BBB"))


def test_a_window_between_moments_of_a_day(tmp_path: Path):
    write(tmp_path, "AAA", times(4), walk(4 * 1440))
    end = NOON + timedelta(minutes=7)
    part = load_market(tmp_path, ("AAA",), start=NOON, end=end, burn_in_days=9)
    assert part.start_ms == NOON.timestamp() * 1000
    assert part.end_ms == end.timestamp() * 1000
    assert part.burn_in_days == 2
    whole = load_market(tmp_path, ("AAA",), start=FIRST_DAY, end=FIRST_DAY + timedelta(days=4), burn_in_days=0)
    np.testing.assert_array_equal(part.prices, whole.prices[720 : 720 + 2 * 1440 + 7])


def test_a_window_that_ends_between_two_bars(tmp_path: Path):
    write(tmp_path, "AAA", times(4, bar_minutes=60))
    with pytest.raises(DataError, match="2023-01-03 12:07 UTC: not on a bar of 60 minutes"):
        load_market(tmp_path, ("AAA",), start=FIRST_DAY, end=NOON + timedelta(minutes=7), burn_in_days=0)
