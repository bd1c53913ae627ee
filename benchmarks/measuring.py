"""What all benchmarks share: the workload, candidates, and how a time becomes a row of the table."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import REPOSITORY
from momentum_opt.study.candidates import ParamColumns, ParamSet
from momentum_opt.study.space import SearchSpace

REPEATS = 5

Row = dict[str, str | float]


def workload() -> tuple[Path, list[str], str]:
    """Configuration, overrides and description of W1, or of the bundled sample where there are no real prices."""
    prices = shared_folder() / "data" / "minute"
    if prices.is_dir():
        return REPOSITORY / "configs" / "btc_eth_usdc.yaml", [f"data.root={prices}"], "W1, real minutes"
    return REPOSITORY / "configs" / "quickstart.yaml", ["search.n_trials=1000"], "bundled synthetic sample, not W1"


def shared_folder() -> Path:
    """The folder of reference prices; it may be absent."""
    named = os.environ.get("MOMENTUM_OPT_SHARED")
    return Path(named) if named else REPOSITORY.parent / "shared"


def row(what: str, figure: float, unit: str) -> Row:
    """A row of the table."""
    return {"what": what, "figure": figure, "unit": unit}


def random_columns(space: SearchSpace, count: int) -> ParamColumns:
    """Parameters drawn evenly from the whole space, side by side."""
    generator = np.random.default_rng(0)
    bounds = [(one.low, one.high) for one in space.ranges.values()]
    return space.columns(np.stack([generator.uniform(*pair, count) for pair in bounds], axis=1))


def random_sets(space: SearchSpace, count: int) -> list[ParamSet]:
    """The same as separate parameter sets."""
    columns = random_columns(space, count)
    return [{name: values[:, place] for name, values in columns.items()} for place in range(count)]


def median_seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median time of a call."""
    return statistics.median(seconds(run) for _ in range(repeats))


def seconds(run: Callable[[], object]) -> float:
    """Time of a call, with what it left to the devices."""
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began


def alone(module: str, *arguments: str) -> Any:
    """What a module prints, as JSON, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True, cwd=REPOSITORY
    )
    return json.loads(done.stdout)


def in_turn(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median times of two calls that take turns, so that a machine that slows down slows both."""
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)
