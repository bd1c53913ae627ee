"""What every test runs under: float64, a cache folder of its own, shapes checked at run time, shared data used."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shape_checker
from momentum_opt import passwords
from momentum_opt.device import keep_programs, leave_memory
from tests.sample_runs import shared_folder
from tests.shared_data import SHARED, needs_shared

jax.config.update("jax_enable_x64", True)
leave_memory()  # to the other workers of this run

# How long one example takes says nothing here: the first compiles, the machine is shared, and coverage traces.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Before any of these packages is imported: from here on every annotated shape in them is checked at every call.
CHECKED = ("momentum_opt.pool", "momentum_opt.simulation", "momentum_opt.metrics", "momentum_opt.study")
install_import_hook(CHECKED, f"{tests.shape_checker.__name__}.check")


MOST_KEPT = 2**30
"""Bytes of what is cached for later sessions; a session leaves less than a tenth of it."""


def pytest_configure(config: pytest.Config) -> None:
    """Empty the cache where the sessions of many versions of the code have filled it; before workers start."""
    if "PYTEST_XDIST_WORKER" in os.environ or not hasattr(config, "cache"):
        return
    folder = config.cache.mkdir("compiled")
    if sum(path.lstat().st_size for path in folder.rglob("*")) > MOST_KEPT:
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a test caches goes to a folder of all workers and of later sessions: each program is compiled once.

    It lies in pytest's own cache, so `pytest --cache-clear` empties it; `MOMENTUM_OPT_TEST_CACHE` names another one.
    Every file in it is found under all that its content depends on, so changed code finds nothing that is out of date.
    """
    folder = os.environ.get("MOMENTUM_OPT_TEST_CACHE")
    if folder is None:
        kept = getattr(pytestconfig, "cache", None)  # absent with `-p no:cacheprovider`
        folder = str(kept.mkdir("compiled") if kept else shared_folder(tmp_path_factory.getbasetemp()) / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_CACHE_HOME", folder)
        keep_programs()
        yield


MOST_MAPPINGS = 30_000
"""Of a worker's memory; each compiled program takes some, and Linux allows 65,530, beyond which XLA crashes."""


@pytest.fixture(scope="module", autouse=True)
def _few_programs_in_memory() -> Iterator[None]:
    """Forget the compiled programs of the modules before, which this worker would hold to its end."""
    yield
    mappings = Path("/proc/self/maps")  # of Linux alone
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _tables_as_wide_as_they_like() -> Iterator[None]:
    """Workers of pytest-xdist are told of a terminal of 80 columns, which is not there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _programs_are_traced() -> Iterator[None]:
    """In this process, because a test may put something else in place of what is traced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("momentum_opt.study.programs._folder", lambda: None)
        yield


@pytest.fixture(autouse=True)
def _no_password_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from test to test: what one has given as a password may be a word in the messages of the next."""
    monkeypatch.setattr("momentum_opt.passwords._memory", passwords._Memory())


@cache
def has_gpu() -> bool:
    """Whether JAX finds a GPU. Asking starts all devices, so it is not asked where no plugin could bring one."""
    try:
        return bool(entry_points(group="jax_plugins")) and bool(jax.devices("gpu"))
    except RuntimeError:
        return False


def needs_shared_data(item: pytest.Item) -> bool:
    """Whether it is marked so."""
    return item.get_closest_marker(needs_shared.name) is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the GPU out where there is none, and those of the shared data likewise."""
    left_out = [
        item
        for item in items
        if (item.path.name == "test_gpu.py" and not has_gpu()) or (SHARED is None and needs_shared_data(item))
    ]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that needs the shared data may not be skipped: where there are none it is left out."""
    report = yield
    if needs_shared_data(item) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs the shared data, which are there, and was skipped: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not looked at."""
    if not has_gpu():
        terminalreporter.write_line("no GPU: tests/test_gpu.py was left out", yellow=True)
    if SHARED is None:
        terminalreporter.write_line(
            "shared data absent: tests of golden numbers and real prices were left out", yellow=True
        )
