"""Wheel and sdist, really built: what they hold, and that the wheel's command works away from the repository."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.sample_runs import ROOT, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path):
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"momentum_opt"}
    report = {f"momentum_opt/results/report/{name}" for name in ("page.css", "page.html.jinja", "figures.js")}
    assert report <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_can_be_checked(built: Path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = (
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "mkdocs.yml",
        "docs/index.md",
        "data/sample",
    )
    assert all(any(name == one or name.startswith(f"{one}/") for name in names) for one in wanted)
    assert not any(part in name for name in names for part in ("runs/", "__pycache__", "benchmarks/results/"))


def test_the_wheel_works_elsewhere(built: Path, tmp_path: Path):
    (tmp_path / "unpacked").mkdir()
    zipfile.ZipFile(next(built.glob("*.whl"))).extractall(tmp_path / "unpacked")
    elsewhere = {**environment(), "PYTHONPATH": os.fspath(tmp_path / "unpacked")}
    for words in (["--version"], ["data", "sample", "--out", "prices", "--days", "30"], ["data", "check", "prices"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "momentum_opt", *words],
            capture_output=True, text=True, cwd=tmp_path, env=elsewhere, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
