"""The README's commands and snippet run, and its output is what they print (apart from times, rates and paths)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a user's clone has, so that the commands write their runs there."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("configs", "data", "Makefile", "pyproject.toml", "constraints.txt"):
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("XLA_FLAGS", None)  # what users see
    return subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def without_paths(text: str) -> str:
    return re.sub(r"runs/\S+", "runs/…", text).strip()


def test_make_tune_prints_what_the_readme_shows(checkout: Path) -> None:
    shown = re.search(r"<!-- tested: momentum-opt (.*?) -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    done = run([sys.executable, "-m", "momentum_opt", *shown[1].split()], checkout)
    assert done.returncode == 0, done.stderr
    assert without_paths(done.stdout) == without_paths(shown[2])
    planned = run(["make", "-n", "tune"], checkout).stdout
    assert f"momentum-opt {shown[1]}" in planned


def test_snippet_runs(checkout: Path) -> None:
    snippet = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippet is not None
    done = run([sys.executable, "-c", snippet[1]], checkout)
    assert done.returncode == 0, done.stderr
    assert "SYNA" in done.stdout


SMALL_COMMANDS = re.findall(r"^\$ momentum-opt (config .*?|data .*?)(?: +#.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("command", SMALL_COMMANDS)
def test_small_commands_run(command: str, checkout: Path) -> None:
    done = run([sys.executable, "-m", "momentum_opt", *command.split()], checkout)
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_readme_exists() -> None:
    commands = set(re.findall(r"^\$ momentum-opt (\S+)", README, re.MULTILINE))
    assert commands == {
        "tune",
        "backtest",
        "trials",
        "report",
        "runs",
        "compare",
        "sweep",
        "config",
        "data",
        "export",
        "rehearse",
        "weights",
        "walk-forward",
    }
    targets = re.findall(r"^\$ make (\S+)", README, re.MULTILINE)
    makefile = (REPOSITORY / "Makefile").read_text()
    assert targets == ["tune", "test"]
    assert all(f"\n{target}:" in makefile for target in targets)
