"""A process that runs tests in a changed copy of the tree; forked, so that what is in `preloaded` is there at once."""

import os
import resource
import sys
import tempfile
from collections.abc import Generator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import jax
import pytest
from hypothesis import HealthCheck, Phase, settings

LEFT_OUT = {"slow", "golden"}
"""Marks of tests that run only where they are named one by one."""
MOST_MEMORY = 8 << 30
"""Bytes of address space of a test process; a mutant may ask for more than there are."""
GRACE = 5
"""Seconds of processor between the signal that ends a process and the one that no handler holds up."""


class Job(NamedTuple):
    """Tests (files, or ids of single ones), what each took before, where they run, and what they may use."""

    root: Path
    environment: Mapping[str, str]
    tests: list[str]
    took: Mapping[str, float]
    limit: int
    output: Path


class Ended(NamedTuple):
    """pytest's exit code; processor seconds of the process and those it waited for, together and per test."""

    code: int
    seconds: float
    each: dict[str, float]


def run_tests(job: Job, to: Connection) -> None:
    """Run the tests up to the first failure and send how they ended; where the limit ends the process, nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (job.limit, job.limit + GRACE))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with job.output.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(job.root)
    os.environ.clear()
    os.environ.update(job.environment)
    sys.path.insert(0, str(job.root))
    sys.dont_write_bytecode = False  # what is not changed is compiled once per tree
    tempfile.tempdir = None  # the folder may have been looked up before the fork
    jax.config.update("jax_compilation_cache_dir", f"{job.environment['MOMENTUM_OPT_TEST_CACHE']}/momentum-opt/xla")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    _fail_quickly()
    chosen = Chosen(job)
    already_imported = "ignore::pytest.PytestAssertRewriteWarning"
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", already_imported]
    code = pytest.main([*options, *job.tests], plugins=[chosen])
    sys.stdout.flush()
    to.send(Ended(int(code), _used(), chosen.each))


class Chosen:
    """A pytest plugin that runs the quick tests of a file first, leaves slow ones out, and measures what runs."""

    def __init__(self, job: Job) -> None:
        """Know what each took before; one that is not known runs first."""
        self._job, self.each = job, dict[str, float]()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Sort the tests of each file, but not those of several files, as those of one share what they set up."""
        left_out = [item for item in items if not self._named(item) and any(map(item.get_closest_marker, LEFT_OUT))]
        config.hook.pytest_deselected(items=left_out)
        files = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}
        kept = [item for item in items if item not in left_out]
        items[:] = sorted(kept, key=lambda item: (files[item.path], self._job.took.get(item.nodeid, 0.0)))

    def _named(self, item: pytest.Item) -> bool:
        return not {item.nodeid, item.nodeid.partition("[")[0]}.isdisjoint(self._job.tests)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure a test with what it sets up."""
        before = _used()
        result = yield
        self.each[item.nodeid] = round(_used() - before, 2)
        return result


def _used() -> float:
    return sum(os.times()[:4])


def _fail_quickly() -> None:
    """Let Hypothesis say that a law is broken, each time the same way, and look for no simpler case.

    Nor does it mind how long a case takes: a busy machine is no mutant.
    """
    settings.register_profile(
        "mutation",
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("mutation")
