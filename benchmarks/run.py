"""`make bench`: what is fast here, in one run. Prints a table and writes it as JSON.

Workload W1 is BTC, ETH and USDC minutes, 2022-06-01 to 2023-09-01 with 365 days of burn-in, daily chunks. Its prices
are looked for in `../shared` or `MOMENTUM_OPT_SHARED`; where they are not, the bundled synthetic sample is measured and
the table says so.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.overhead import overhead_rows
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.results.best import versions
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace, search_space
from momentum_opt.vocabulary.names import SAMPLERS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results"
BATCHES = (1, 16, 64, 256, 1024)
COSTS = (("daily_log_sharpe", 64), ("daily_log_sharpe", 1024), ("max_drawdown", 1024))
"""Metric and batch; the last one needs minute values, which is XLA's loop."""
COSTS_TARGET = 60
"""Candidates per second with fees on W1 that two CPU cores are to reach."""
MEMORY_TARGET_MIB = 2048
REPEATS = 5

Row = dict[str, str | float]


def main() -> None:
    """Measure everything and write it down."""
    device.configure()
    config, overrides, data = workload()
    fingerprint = load_fingerprint(config, overrides)
    rows: list[Row] = []
    rows += _loading(fingerprint)
    for chunk in (1440, 60):
        rows += _engine(load_fingerprint(config, [*overrides, f"pool.chunk_period={chunk}"]), chunk)
    rows += _with_costs(config, overrides)
    rows += overhead_rows(config, overrides)
    rows += _whole_tunes(config, overrides)
    rows.append({"what": "momentum-opt --help", "figure": _median(lambda: _command("--help")), "unit": "s"})
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
    for row in rows:
        print(f"{row['what']:<58} {row['figure']:>12,.4g} {row['unit']}")


def workload() -> tuple[Path, list[str], str]:
    """Configuration, overrides and description of W1, or of the bundled sample where there are no real prices."""
    named = os.environ.get("MOMENTUM_OPT_SHARED")
    shared = Path(named) if named else REPOSITORY.parent / "shared"
    prices = shared / "data" / "minute"
    if prices.is_dir():
        return REPOSITORY / "configs" / "btc_eth_usdc.yaml", [f"data.root={prices}"], "W1, real minutes"
    return REPOSITORY / "configs" / "quickstart.yaml", ["search.n_trials=1000"], "bundled synthetic sample, not W1"


def _loading(fingerprint: Fingerprint) -> list[Row]:
    return [{"what": "load prices", "figure": _median(lambda: market_of(fingerprint)), "unit": "s"}]


def _engine(fingerprint: Fingerprint, chunk: int) -> list[Row]:
    """Candidates per second of one scored batch, transfers included, and the time to compile it."""
    market, space = market_of(fingerprint), search_space(fingerprint)
    rows: list[Row] = []
    for batch in BATCHES:
        evaluator = Evaluator(fingerprint, market, batch_size=batch)
        sets = random_sets(space, batch)
        first = _seconds(lambda: evaluator.score(sets))  # noqa: B023  # called before the next turn
        seconds = _median(lambda: evaluator.score(sets))  # noqa: B023  # called before the next turn
        name = f"score, chunk {chunk} min, batch {batch}"
        rows.append({"what": name, "figure": batch / seconds, "unit": "candidates/s"})
        rows.append({"what": f"{name}: first call", "figure": first, "unit": "s"})
    return rows


def _with_costs(config: Path, overrides: list[str]) -> list[Row]:
    """The same with minutes one after another, at a fee of 0.3 %; a process each."""
    rows: list[Row] = []
    for metric, batch in COSTS:
        settings = [*overrides, "costs.fees=0.003", f"objective.metric={metric}"]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.costs", str(config), str(batch), *settings],
            check=True, capture_output=True, text=True, cwd=REPOSITORY,
        )  # fmt: skip
        found = json.loads(done.stdout)
        name = f"score, fee 0.003, {metric}, batch {batch}"
        aim = f" (target {COSTS_TARGET})" if metric == "daily_log_sharpe" else ""
        rows += [
            {"what": name, "figure": found["candidates_per_second"], "unit": f"candidates/s{aim}"},
            {"what": f"{name}: first call", "figure": found["first_call_s"], "unit": "s"},
            {"what": f"{name}: peak memory", "figure": found["peak_mib"], "unit": f"MiB (target {MEMORY_TARGET_MIB})"},
        ]
    return rows


def random_sets(space: SearchSpace, count: int) -> list[dict[str, np.ndarray]]:
    """Parameter sets drawn evenly from the whole space."""
    generator = np.random.default_rng(0)
    bounds = {key: (one.low, one.high) for key, one in space.ranges.items()}
    return [space.params({key: generator.uniform(*pair) for key, pair in bounds.items()}) for _ in range(count)]


def _whole_tunes(config: Path, overrides: list[str]) -> list[Row]:
    """Start to end of a tune, compilation cache warm, and the largest memory of any of them."""
    rows: list[Row] = []
    settings = [part for override in overrides for part in ("--set", override)]
    for sampler in SAMPLERS:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            _command("tune", str(config), *settings, "--set", f"search.sampler={sampler}", "--run-dir", f"{folder}/run")
            rows.append({"what": f"tune, 1,000 trials, {sampler}", "figure": time.perf_counter() - began, "unit": "s"})
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [*rows, {"what": "tune, largest peak memory", "figure": peak, "unit": "MiB"}]


def _command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "momentum_opt", *arguments], check=True, capture_output=True, cwd=REPOSITORY)


def _median(run: Callable[[], object]) -> float:
    return statistics.median(_seconds(run) for _ in range(REPEATS))


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()  # every measured call ends on the host
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
