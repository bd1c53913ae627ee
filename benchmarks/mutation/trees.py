"""Copies of the repository in a temporary folder, in which tests run on a changed file; nothing else is written."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import REPOSITORY

MARKS = "not slow and not golden"
ALL_PASSED, NOTHING_RUN = (0, 5), (3, 4)
"""pytest's exit codes: passed, or all tests are slow ones; internal error, wrong usage or a broken conftest."""

ASLEEP = 10
"""Times the limit that a run may last: one that waits for ever uses no processor time."""
MOST_MEMORY = 8 << 30
"""Bytes of address space of a test process; a mutant may ask for more than there are."""
SECONDS = re.compile(r"\n(\d+\.\d)\n\Z")
"""What `quick_fail` says at the end."""
TAIL = 600
"""Characters of the output that are kept."""


class Run(NamedTuple):
    """How tests ended: `passed`, `failed`, `timed out`, `nothing run`; processor seconds; the end of the output."""

    outcome: str
    seconds: float
    tail: str


class Tree:
    """One copy; used by one thread at a time."""

    def __init__(self, folder: Path, cache: Path) -> None:
        """Copy what git tracks, or would."""
        self.root, self._temporary = folder / "tree", folder / "tmp"
        self._temporary.mkdir(parents=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (REPOSITORY / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)
        self._environment = _environment(self.root, self._temporary, cache)

    @contextmanager
    def changed(self, path: str, text: str) -> Iterator[None]:
        """Another text in the place of a file's."""
        file = self.root / path
        before = file.read_text()
        try:
            self._write(file, text)
            yield
        finally:
            self._write(file, before)

    def test(self, files: list[str], limit: float) -> Run:
        """Run test files in this order up to the first failure, or until `limit` seconds of processor time are used."""
        command = [
            sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
            "-p", "benchmarks.mutation.quick_fail", "-m", MARKS, *files,
        ]  # fmt: skip
        running = subprocess.Popen(
            command, cwd=self.root, env=self._environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        resource.prlimit(running.pid, resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        resource.prlimit(running.pid, resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        try:
            output, _ = running.communicate(timeout=ASLEEP * limit)
        except subprocess.TimeoutExpired:
            output = ""
            os.killpg(running.pid, signal.SIGKILL)
        code = running.wait()
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        said = SECONDS.search(output)
        return Run(_outcome(code, bool(output)), float(said[1]) if said else limit, output[-TAIL:])

    def _write(self, file: Path, text: str) -> None:
        """Write a file and remove what was compiled from it: Python compares size and whole seconds only."""
        file.write_text(text)
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()


def _outcome(code: int, ended: bool) -> str:
    if not ended or code == -signal.SIGXCPU:
        return "timed out"
    if code in NOTHING_RUN:
        return "nothing run"
    return "passed" if code in ALL_PASSED else "failed"


def _environment(root: Path, temporary: Path, cache: Path) -> dict[str, str]:
    """What `make test` sets, this tree before the installed package, and a cache of compiled programs for all trees.

    A program's key in that cache is the program, so a changed one is never taken for another.
    """
    return {
        **os.environ,
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": str(root),
        "TMPDIR": str(temporary),
        "MOMENTUM_OPT_SHARED": os.environ.get("MOMENTUM_OPT_SHARED", str(REPOSITORY.parent / "shared")),
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
