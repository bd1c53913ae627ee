"""Copies of the repository in a temporary folder, in which tests run on a changed file; nothing else is written."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks import REPOSITORY
from benchmarks.mutation.forked import Ended, Job, run_tests

ALL_PASSED, NOTHING_RUN = (0, 5), (3, 4)
"""pytest's exit codes: passed, or all tests are slow ones; internal error, wrong usage or a broken conftest."""

ASLEEP, TIMES = 1800.0, 10.0
"""Seconds, and times the limit, that a run may last: one that waits for ever uses no processor time, nor does one that
somebody stopped for a while."""
TAIL = 600
"""Characters of the output that are kept."""


class Run(NamedTuple):
    """How tests ended: `passed`, `failed`, `timed out`, `nothing run`; processor seconds, also per test; last lines."""

    outcome: str
    seconds: float
    each: Mapping[str, float]
    tail: str


class Tree:
    """One copy; used by one thread at a time."""

    def __init__(self, folder: Path, cache: Path) -> None:
        """Copy what git tracks, or would."""
        self.root, self._temporary, self._output = folder / "tree", folder / "tmp", folder / "output"
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

    def test(self, tests: list[str], limit: float, took: Mapping[str, float]) -> Run:
        """Run tests up to the first failure, or until `limit` seconds of processor time are used."""
        context = get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.mutation.preloaded", run_tests.__module__])
        job = Job(self.root, self._environment, tests, took, int(limit), self._output)
        answer, to = context.Pipe(duplex=False)
        running = context.Process(target=run_tests, args=(job, to))
        running.start()
        to.close()
        with answer:
            if not answer.poll(ASLEEP + TIMES * limit):
                running.kill()
            ended = _received(answer)
        running.join()
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        tail = self._output.read_text(errors="replace")[-TAIL:]
        if ended is not None:
            return Run(_outcome(ended.code), ended.seconds, ended.each, tail)
        timed_out = running.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)
        return Run("timed out" if timed_out else "failed", limit, {}, tail)

    def _write(self, file: Path, text: str) -> None:
        """Write a file and remove what was compiled from it: Python compares size and whole seconds only."""
        file.write_text(text)
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()


def _received(answer: Connection) -> Ended | None:
    """What a process sent before it ended, if it did."""
    try:
        return answer.recv()
    except EOFError:
        return None


def _outcome(code: int) -> str:
    if code in NOTHING_RUN:
        return "nothing run"
    return "passed" if code in ALL_PASSED else "failed"


def _environment(root: Path, temporary: Path, cache: Path) -> dict[str, str]:
    """What `make test` sets, this tree before the installed package, and a cache of compiled programs for all trees.

    A program's key in that cache is the program, so a changed one is never taken for another. Numba's is the text of a
    module that is written whole, so neither is one of its.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": str(root),
        "TMPDIR": str(temporary),
        "MOMENTUM_OPT_SHARED": os.environ.get("MOMENTUM_OPT_SHARED", str(REPOSITORY.parent / "shared")),
        "MOMENTUM_OPT_TEST_CACHE": str(cache),
    }
