"""docs/extending.md, followed to the letter: each section's blocks on a copy of the repository, then its commands."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_runs import ROOT, environment

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHOWS = {
    "A rule": "log_pull",
    "A metric": "objective: gain_to_pain (mean)",
    "A sampler": "best of 16 trials",
    "A format to import": "format kucoin",
}
"""What the last command of each section prints."""


def copy_of_repository(folder: Path) -> Path:
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("momentum_opt", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in ("configs", "data", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(words: list[str], folder: Path, given: str | None = None) -> str:
    surroundings = {**environment(), "PYTHONPATH": str(folder), "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = subprocess.run(
        words, input=given, capture_output=True, text=True, cwd=folder, env=surroundings, timeout=600, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def follow(section: str, folder: Path) -> list[str]:
    """Do what each block of the section asks for, in order; what the commands printed."""
    printed: list[str] = []
    for language, title, text in BLOCK.findall(section):
        if title:
            (folder / title).write_text(text, encoding="utf-8")
        elif language == "diff":
            run(["git", "apply"], folder, text)
        else:
            assert language == "console"
            for line in text.splitlines():
                program, *words = shlex.split(line.removeprefix("$ "))
                module = {"momentum-opt": "momentum_opt", "pytest": "pytest"}[program]
                printed.append(run([sys.executable, "-m", module, *words], folder))
    return printed


def test_the_page_has_the_four_sections():
    assert list(SECTIONS) == list(SHOWS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "A format to import")) for name in SHOWS]
)
def test_the_page_works_as_it_is_written(name: str, tmp_path: Path):
    assert SHOWS[name] in follow(SECTIONS[name], copy_of_repository(tmp_path))[-1]
