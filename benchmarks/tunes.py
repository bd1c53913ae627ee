"""What a user waits for: whole commands, start to end, in processes of their own with a warm compilation cache."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import REPOSITORY
from benchmarks.measuring import Row, median_seconds, row
from momentum_opt.vocabulary.names import SAMPLERS

SCREENED = 100_000
TUNE_TARGET, SCREEN_TARGET = 12, 8
DEFAULT = "nsga2"
"""The sampler that the targets are about."""


def tune_rows(config: Path, overrides: Sequence[str]) -> list[Row]:
    """Tunes with each sampler, one with a screening, and the largest memory of any of them."""
    rows: list[Row] = []
    for sampler in SAMPLERS:
        taken = _tune(config, [*overrides, f"search.sampler={sampler}"])
        aim = f" (target {TUNE_TARGET})" if sampler == DEFAULT else ""
        rows.append(row(f"tune, 1,000 trials, {sampler}", taken, f"s{aim}"))
    # All that a run with a screening does besides: the search, the replay, the evidence and the report are the rest.
    few = [*overrides, "search.n_trials=64", "search.batch_size=64", "evidence.enabled=false"]
    screened = [*few, f"search.screen={SCREENED}", "search.screen_keep=64"]
    _tune(config, screened)
    without, with_it = _tune(config, few), _tune(config, screened)
    rows.append(
        row(f"tune, 64 trials after screening {SCREENED:,}, no evidence", with_it, f"s (target {SCREEN_TARGET})")
    )
    rows.append(row("the same without the screening", without, "s"))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [*rows, row("tune, largest peak memory", peak, "MiB")]


def start_rows() -> list[Row]:
    """What a command takes before it does anything."""
    return [
        row("momentum-opt --help", median_seconds(lambda: _command("--help")), "s"),
        row("import of all that a tune needs", median_seconds(_import, 3), "s"),
    ]


def _import() -> None:
    modules = "momentum_opt.api.searching, momentum_opt.api.settling"
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True, cwd=REPOSITORY)


def _tune(config: Path, overrides: Sequence[str]) -> float:
    settings = [part for override in overrides for part in ("--set", override)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        _command("tune", str(config), *settings, "--run-dir", f"{folder}/run")
        return time.perf_counter() - began


def _command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "momentum_opt", *arguments], check=True, capture_output=True, cwd=REPOSITORY)
