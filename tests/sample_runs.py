"""Runs on the bundled sample for the tests: the smoke configuration in this process and in real ones."""

import fcntl
import functools
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from momentum_opt.fingerprint import Fingerprint, load_fingerprint

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
SMOKE = ROOT / "configs" / "smoke.yaml"
TOKENS = ("SYNA", "SYNB", "SYNUSD")
LITTLE_EVIDENCE = (
    "--set", "evidence.random_baselines=8", "--set", "evidence.plateau_draws=1", "--set", "evidence.heat_map=2",
)  # fmt: skip
"""For tests about something else: the candidates of evidence are many times those of a short study."""

NO_NEIGHBOURS = ("evidence.plateau_draws=0", "evidence.heat_map=0")
"""Overrides with which no point near a winner becomes a trial when a search ends."""


def ended_before(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
    """SIGTERM comes just before `module.name` is called."""
    real = getattr(module, name)

    def signalled(*arguments: Any, **named: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, signalled)


def smoke(*overrides: str) -> Fingerprint:
    """The smoke configuration, with overrides as for `--set`."""
    return load_fingerprint(SMOKE, overrides)


def environment(*, as_users_compile: bool = False, timed: bool = False) -> dict[str, str]:
    """This session's environment without anything that is meant for the program or its tests.

    Args:
        as_users_compile: with all of XLA's optimisations, also where the tests do without some (see the Makefile).
        timed: for a process whose seconds count: `make coverage` leaves its lines out.
    """
    ours = ("MOMENTUM_OPT", *(["XLA_FLAGS"] * as_users_compile), *(["COVERAGE_PROCESS"] * timed))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def command(*arguments: str | Path) -> list[str]:
    """The command line of a real process; `tune` and `walk-forward` make a page only where `--report` is given."""
    words = [*map(str, arguments)]
    bare = words[:1] in (["tune"], ["walk-forward"]) and not {"--report", "--no-report", "--help"} & set(words)
    return [sys.executable, "-m", "momentum_opt", *words, *(["--no-report"] if bare else [])]


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(), cwd=cwd, check=False, timeout=300
    )


def shared_folder(base: Path) -> Path:
    """What the workers of a parallel session share: their temporary folders lie in it."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@functools.cache
def tuned(base: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One tune of the smoke configuration per session, and its run folder; copy the folder before changing it.

    Args:
        base: the session's temporary folder.
    """
    cwd = shared_folder(base) / "tuned"
    cwd.mkdir(exist_ok=True)
    told = cwd / "told.pickle"
    with (cwd / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_bytes(pickle.dumps(run("tune", SMOKE, "--json", cwd=cwd)))
    (folder,) = (path for path in (cwd / "runs").iterdir() if path.is_dir())
    return pickle.loads(told.read_bytes()), folder


def copy_of(folder: Path, to: Path) -> Path:
    """A copy to change; its name stays, because the study is named after it."""
    return shutil.copytree(folder, to / folder.name)


def changed_prices(to: Path, token: str = "SYNA", day: str = "2023-03-10") -> Path:
    """A copy of the sample in which one close, at midnight of `day`, is a hundredth higher."""
    folder = shutil.copytree(SAMPLE, to)
    path = folder / f"{token}_USD.parquet"
    table = pd.read_parquet(path).reset_index()
    row = table["unix"] == pd.Timestamp(f"{day} 00:00", tz="UTC").value // 10**6
    assert row.sum() == 1
    table.loc[row, "close"] *= 1.01
    table[["unix", "close"]].to_parquet(path, index=False)
    return folder
