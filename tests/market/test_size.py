"""Time and memory at the sizes that people have: three years of minute files, and windows of minutes."""

import json
import subprocess
import sys
import tracemalloc
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from momentum_opt.market import load_market
from tests.market.importing.sources import write_zip
from tests.sample_runs import environment
from tests.shared_data import minute_prices, needs_shared

IMPORT = """
import json, sys, time
from benchmarks.memory import peak_mib
from momentum_opt.cli.app import main
began = time.process_time()
try:
    main(["data", "import", sys.argv[1], "--token", "BTC", "--out", sys.argv[2]])
except SystemExit as done:
    seconds = time.process_time() - began
    print(json.dumps({"code": done.code, "seconds": seconds, "peak_mb": peak_mib()}), file=sys.stderr)
"""


def month_of_klines(first_ms: int, minutes: int, per_ms: int) -> str:
    """A month as Binance writes it, twelve columns; made with pyarrow, because there are 36 of them."""
    unix = first_ms + 60_000 * np.arange(minutes, dtype=np.int64)
    price = 100.0 + np.sin(unix / 1e9) + np.arange(minutes) % 7 / 100
    opening = np.round(price, 2)
    columns = [unix * per_ms, opening, opening + 1, opening - 1, opening, np.round(price % 9, 3),
               (unix + 60_000) * per_ms - 1, price, unix % 97, price, price, unix % 2]  # fmt: skip
    table = pa.table([pa.array(column) for column in columns], names=[str(n) for n in range(12)])
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(include_header=False))
    return sink.getvalue().to_pybytes().decode()


@pytest.mark.slow
def test_three_years_of_minutes_are_imported_in_seconds(tmp_path: Path):
    """When this was written: 2 s of processor time and 300 MB (docs/data.md)."""
    months = [(year, month) for year in (2022, 2023, 2024) for month in range(1, 13)]
    days = 0
    for year, month in months:
        first, after = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
        minutes = (after - first).days * 1440
        name = f"BTCUSDT-1m-{year}-{month:02}"
        first_ms = (first - date(1970, 1, 1)).days * 86_400_000
        text = month_of_klines(first_ms, minutes, 1 if year < 2024 else 1000)
        write_zip(tmp_path / "zips" / f"{name}.zip", **{f"{name}.csv": text})
        days += minutes // 1440
    arguments = [sys.executable, "-c", IMPORT, str(tmp_path / "zips"), str(tmp_path / "prices")]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment(), check=True)
    found = json.loads(done.stderr.splitlines()[-1])
    assert found["code"] == 0
    assert f"{days * 1440:,} bars of 1 minute" in done.stdout
    assert "36 files; format binance; times in milliseconds, microseconds" in done.stdout
    assert "gaps: none" in done.stdout
    assert found["seconds"] < 15
    assert found["peak_mb"] < 500


def peak_bytes(days: int) -> tuple[int, int]:
    """Largest memory of a load in numpy and in Arrow together, and the size of the prices."""
    start, pool = date(2022, 6, 1), pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        market = load_market(
            minute_prices(), ["BTC", "ETH", "USDC"], start=start, end=start + timedelta(days=days), burn_in_days=0
        )
        return tracemalloc.get_traced_memory()[1] + (pool.max_memory() or 0), market.prices.nbytes
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


@needs_shared
def test_memory_follows_the_window():
    """Neither the length of the file nor the number of its row groups counts."""
    (small, _), (large, prices) = peak_bytes(41), peak_bytes(730)
    assert prices == 730 * 1440 * 3 * 8
    assert large < 6.5 * prices
    assert small < 0.3 * large
