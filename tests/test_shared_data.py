"""The shared data: tests that need them are left out with one line where they are absent, and never just skipped."""

import os
import subprocess
import sys
from pathlib import Path

from tests.sample_runs import ROOT

LINE = "shared data absent: tests of golden numbers and real prices were left out"
SKIPS = """
import pytest
from tests.shared_data import needs_shared

def test_without():
    pass

@needs_shared
def test_with():
    pytest.skip("no reason")
"""


def outcome(shared: Path, folder: Path) -> str:
    """What pytest prints of a test that needs the shared data and skips itself, and one that does not."""
    path = folder / "test_one_that_skips.py"
    path.write_text(SKIPS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", "-q", path]
    surroundings = {**os.environ, "MOMENTUM_OPT_SHARED": str(shared), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=surroundings, check=False).stdout


def test_absent_they_are_left_out_with_one_line(tmp_path: Path):
    shown = outcome(tmp_path / "nowhere", tmp_path)
    assert "1 passed, 1 deselected" in shown
    assert shown.count(LINE) == 1


def test_present_a_skip_is_a_failure(tmp_path: Path):
    (tmp_path / "shared" / "golden").mkdir(parents=True)
    shown = outcome(tmp_path / "shared", tmp_path)
    assert "1 failed, 1 passed" in shown
    assert "needs the shared data, which are there, and was skipped" in shown
    assert LINE not in shown
