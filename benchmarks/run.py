"""`make bench`: what is fast here, in one run. Prints a table and writes it as JSON.

    python -m benchmarks.run [section …]        only some of it: see `SECTIONS`

Workload W1 is BTC, ETH and USDC minutes, 2022-06-01 to 2023-09-01 with 365 days of burn-in, daily chunks. Its prices
are looked for in `../shared` or `MOMENTUM_OPT_SHARED`; where they are not, the bundled synthetic sample is measured and
the table says so.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jax

from benchmarks import REPOSITORY, RESULTS
from benchmarks.engine import engine_rows, minute_rows, sketch_rows
from benchmarks.gradients import gradient_rows
from benchmarks.growth import draw, slope_rows
from benchmarks.limit import limit_rows
from benchmarks.measuring import Row, alone, median_seconds, row, workload
from benchmarks.overhead import overhead_rows
from benchmarks.tunes import start_rows, tune_rows
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.best import versions

PICTURE = REPOSITORY / "docs" / "pictures" / "growth.svg"
COSTS = (("daily_log_sharpe", 64), ("daily_log_sharpe", 1024), ("max_drawdown", 256))
"""Metric and batch; the last one needs minute values."""
WIDE = (("daily_log_sharpe", 32_768), ("daily_log_sharpe", 131_072))
"""On a GPU besides."""
COSTS_TARGET = 60
"""Candidates per second with fees on W1 that two CPU cores are to reach."""
MEMORY_TARGET_MIB = 2048
CHUNKS = (1440, 60)

Section = Callable[[Path, Sequence[str]], list[Row]]
"""From W1's configuration and overrides to rows of the table."""


def main() -> None:
    """Measure and write down."""
    device.configure()
    config, overrides, data = workload()
    rows = [one for name in sys.argv[1:] or SECTIONS for one in SECTIONS[name](config, overrides)]
    report = {
        "schema_version": 1,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device.describe_devices()}",
        "data": data,
        "versions": versions(),
        "rows": rows,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{report['machine']}; {data}; jax {report['versions']['jax']}")
    for one in rows:
        print(f"{one['what']:<62} {one['figure']:>12,.4g} {one['unit']}")


def _loading(config: Path, overrides: Sequence[str]) -> list[Row]:
    fingerprint = load_fingerprint(config, overrides)
    return [row("load prices", median_seconds(lambda: market_of(fingerprint)), "s")]


def _engine(config: Path, overrides: Sequence[str]) -> list[Row]:
    chunks = (load_fingerprint(config, [*overrides, f"pool.chunk_period={chunk}"]) for chunk in CHUNKS)
    return [one for fingerprint in chunks for one in engine_rows(fingerprint)]


def _minutes(config: Path, overrides: Sequence[str]) -> list[Row]:
    """Metrics that need minute values, without costs."""
    return minute_rows(load_fingerprint(config, [*overrides, f"objective.metric={COSTS[-1][0]}"]))


def _growth(config: Path, overrides: Sequence[str]) -> list[Row]:
    """Slopes and their picture, and the memory of a large batch, each in a process of its own."""
    del config, overrides  # made-up prices
    times = alone("benchmarks.growth")
    draw(times, PICTURE)
    large = alone("benchmarks.growth", "memory")
    name = "8 tokens, 3 years, batch 1,024"
    return [
        *slope_rows(times),
        row(f"{name}: first call", large["seconds"], "s"),
        row(f"{name}: peak memory", large["peak_mib"], f"MiB (target {MEMORY_TARGET_MIB})"),
    ]


def _with_costs(config: Path, overrides: Sequence[str]) -> list[Row]:
    """The same with minutes one after another, at a fee of 0.3 %; a process each."""
    rows: list[Row] = []
    for metric, batch in COSTS + (WIDE if jax.default_backend() == "gpu" else ()):
        settings = [*overrides, "costs.fees=0.003", f"objective.metric={metric}"]
        found = alone("benchmarks.costs", str(config), str(batch), *settings)
        name = f"score, fee 0.003, {metric}, batch {batch}"
        aim = f" (target {COSTS_TARGET})" if metric == "daily_log_sharpe" else ""
        rows += [
            row(name, found["candidates_per_second"], f"candidates/s{aim}{found['walker']}"),
            row(f"{name}: first call", found["first_call_s"], "s"),
            row(f"{name}: peak memory", found["peak_mib"], f"MiB (target {MEMORY_TARGET_MIB})"),
        ]
    return rows


SECTIONS: Final[dict[str, Section]] = {
    "loading": _loading,
    "engine": _engine,
    "sketch": lambda config, overrides: sketch_rows(load_fingerprint(config, overrides)),
    "limit": lambda _, __: limit_rows(),
    "gradients": lambda _, __: gradient_rows(),
    "minutes": _minutes,
    "growth": _growth,
    "costs": _with_costs,
    "overhead": overhead_rows,
    "tunes": tune_rows,
    "start": lambda _, __: start_rows(),
}
"""What can be asked for alone."""


if __name__ == "__main__":
    main()
