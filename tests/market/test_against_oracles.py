"""The loader against a plain Python loop on random gaps, and against pandas on real prices."""

import tempfile
import time
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import DataError
from momentum_opt.market import load_market
from tests.market.price_files import DAY_MS, FIRST_MS, MINUTE_MS, load, walk, write
from tests.shared_data import SHARED, minute_prices, needs_shared

HOUR_MS = 60 * MINUTE_MS
DAYS = 6


def oracle(rows: dict[int, float], start: int, end: int, burn_in_days: int, max_gap: int) -> tuple | None:
    """Prices, filled minutes, longest gap and used times (ms), one bar at a time; None where SPEC §2 refuses."""
    unix = sorted(rows)
    if not unix or not unix[0] <= start <= unix[-1]:
        return None
    grid = start - min(burn_in_days, (start - unix[0]) // DAY_MS) * DAY_MS
    seen = [t for t in unix if grid - max_gap <= t < end]
    if len(seen) < 2 or seen[0] > grid:
        return None
    bar = min(b - a for a, b in pairwise(seen))
    if DAY_MS % bar or any(t % bar for t in seen) or unix[-1] < end - bar:
        return None
    last = max(t for t in seen if t <= grid)
    used, prices, filled, longest = [last], [], 0, 0
    for t in range(grid, end, bar):
        if t in rows:
            if t != last:
                used.append(t)
            longest = max(longest, t - last - bar)
            last = t
        else:
            filled += bar
        prices.append(rows[last])
    longest = max(longest, end - last - bar)
    return None if longest > max_gap else (prices, filled // MINUTE_MS, longest // MINUTE_MS, used)


@settings(max_examples=150)
@given(
    missing=st.lists(st.tuples(st.integers(0, DAYS * 24 - 1), st.integers(1, 12)), min_size=1, max_size=8),
    start=st.integers(0, DAYS - 2),
    length=st.integers(1, 2),
    burn_in_days=st.integers(0, 3),
    max_gap_hours=st.sampled_from([24, 12, 26, 3, 0]),
    row_group=st.integers(1, 200),
)
def test_random_gaps(missing, start, length, burn_in_days, max_gap_hours, row_group):
    kept = np.ones(DAYS * 24, bool)
    for first, count in missing:
        kept[first : first + count] = False
    unix = FIRST_MS + HOUR_MS * np.flatnonzero(kept)
    close = walk(len(unix))
    window = FIRST_MS + start * DAY_MS, FIRST_MS + (start + length) * DAY_MS
    rows = dict(zip(unix.tolist(), close.tolist(), strict=True))
    expected = oracle(rows, *window, burn_in_days, max_gap_hours * HOUR_MS)
    asked = {"start": start, "end": start + length, "burn_in_days": burn_in_days, "max_gap_minutes": max_gap_hours * 60}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), "AAA", unix, close, row_group_size=row_group)
        if expected is None:
            with pytest.raises(DataError):
                load(Path(name), **asked)
            return
        market = load(Path(name), **asked)
    prices, filled, longest, used = expected
    (file,) = market.files
    assert market.prices[:, 0].tolist() == prices
    assert (file.filled_minutes, file.longest_gap_minutes) == (filled, longest)
    assert (file.rows, file.first_ms, file.last_ms) == (len(used), used[0], used[-1])
    assert (market.start_ms, market.end_ms) == window


@settings(max_examples=60)
@given(data=st.data())
def test_a_row_put_in_the_wrong_place_is_always_refused(data):
    unix = FIRST_MS + HOUR_MS * np.arange(DAYS * 24)
    source, target = data.draw(st.lists(st.integers(24, DAYS * 24 - 1), min_size=2, max_size=2, unique=True))
    unix = np.insert(np.delete(unix, source), target, unix[source])
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), "AAA", unix, row_group_size=data.draw(st.integers(1, 200)))
        with pytest.raises(DataError, match="not sorted"):
            load(Path(name), end=DAYS)


def pandas_oracle(folder: Path, tokens: list[str], first: str, end: str, freq: str) -> np.ndarray:
    grid = pd.date_range(first, end, freq=freq, inclusive="left", unit="ms").as_unit("ms").asi8
    frames = [pd.read_parquet(folder / f"{t}_USD.parquet").set_index("unix")["close"] for t in sorted(tokens)]
    return np.stack([frame.reindex(grid, method="ffill").to_numpy() for frame in frames], axis=1)


@needs_shared
def test_real_minute_prices():
    tokens = ["USDC", "ETH", "BTC"]
    seconds: list[float] = []
    for _ in range(2):  # the first load imports what reads parquet files
        began = time.process_time()
        market = load_market(minute_prices(), tokens, start=date(2022, 6, 1), end=date(2023, 9, 1), burn_in_days=365)
        seconds.append(time.process_time() - began)
    np.testing.assert_array_equal(
        market.prices, pandas_oracle(minute_prices(), tokens, "2021-06-01", "2023-09-01", "min")
    )
    assert (market.burn_in_days, market.start_row) == (365, 365 * 1440)
    assert [file.filled_minutes for file in market.files] == [470, 470, 0]
    assert min(seconds) < 1.0  # processor time, because the machine may be busy; 0.2 s measured


@needs_shared
def test_real_hourly_prices_with_less_history_than_asked():
    assert SHARED is not None
    folder, tokens = SHARED / "data" / "hourly", ["LINK", "BTC", "SOL"]
    market = load_market(folder, tokens, start=date(2021, 3, 1), end=date(2022, 3, 1), burn_in_days=365)
    assert market.bar_minutes == 60
    assert market.burn_in_days == 181  # from 2020-09-01
    np.testing.assert_array_equal(market.prices, pandas_oracle(folder, tokens, "2020-09-01", "2022-03-01", "h"))
