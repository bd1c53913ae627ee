"""Small price files for the tests of this folder: minute bars from 2023-01-01 UTC unless a test says otherwise."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from momentum_opt.market import Market, load_market

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
FIRST_MS = 1_672_531_200_000
FIRST_DAY = date(2023, 1, 1)


def times(days: int = 4, bar_minutes: int = 1) -> np.ndarray:
    """Bar starts of `days` whole days from 2023-01-01."""
    return FIRST_MS + np.arange(0, days * DAY_MS, bar_minutes * MINUTE_MS, dtype=np.int64)


def walk(count: int, seed: int = 0) -> np.ndarray:
    """Positive closes that are all different."""
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 1e-3, count)))


def write(folder: Path, token: str, unix: Any, close: Any = None, **options: Any) -> Path:
    """Write a price file with the columns `unix` and `close`."""
    close = walk(len(unix)) if close is None else close
    return write_table(folder, token, pa.table({"unix": unix, "close": close}), **options)


def write_table(folder: Path, token: str, table: pa.Table, **options: Any) -> Path:
    """Write any table under a price file's name."""
    path = folder / f"{token}_USD.parquet"
    pq.write_table(table, path, **options)
    return path


def load(
    folder: Path, tokens: Any = ("AAA",), *, start: int = 1, end: int = 4, burn_in_days: int = 0, **options: Any
) -> Market:
    """Load with start and end counted in days from 2023-01-01."""
    first, last = FIRST_DAY + timedelta(days=start), FIRST_DAY + timedelta(days=end)
    return load_market(folder, tokens, start=first, end=last, burn_in_days=burn_in_days, **options)
