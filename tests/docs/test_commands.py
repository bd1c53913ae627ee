"""Every command of the documentation parses; those that the sample suffices for run, on one small study."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import parses
from tests.docs.blocks import blocks, command_lines
from tests.sample_runs import LITTLE_EVIDENCE, ROOT, environment

RUN = "runs/quickstart-4a2886e2"
ONLY_PARSED = {
    r"btc_eth": "real prices of BTC and ETH",
    r"--token |downloads/|SOURCE": "a download",
    r"data check prices|my\.yaml|mine\.json|CONFIG|\bRUN\b": "the reader's own files",
    r"costs\.\w+=\S+\.(csv|parquet)": "the reader's own files of costs",
    r"--deployment|rehearse|weights |export --params": "an exported pool; tests/cli/test_onchain.py runs them",
    r" sweep | compare ": "several runs; tests/cli/test_sweep.py and test_compare.py run them",
    r"walk-forward": "minutes; tests/cli/test_walk_forward.py runs it",
    r"STORAGE|runs/(look|part)": "a PostgreSQL; tests/deploy runs the job files on one",
    r"mean_reversion|gain_to_pain|tpe_univariate": "the page followed; tests/test_extending.py does",
    r"--workers": "several processes; tests/test_many_workers.py runs them",
}
"""Which commands are not run, and what they need."""
OTHER_PROGRAMS = {"make", "mkdir", "for", "sha256sum", "cat", "s=$(date", "freqtrade", "pytest", "git"}
OTHER_PROGRAMS |= {"optuna-dashboard", "sudo", "pip", "echo", "export", "psql", "sbatch", "docker", "kubectl"}
"""What else a page may show; `make` targets are looked up in the Makefile."""

LINES = list(dict.fromkeys(line for _, line in command_lines() if line.startswith("momentum-opt ")))
RUNNABLE = [line for line in LINES if not any(re.search(one, line) for one in ONLY_PARSED)]


@pytest.mark.parametrize("line", LINES)
def test_every_command_parses(line: str):
    parses(line.replace("…", ""))


def test_other_programs_are_known():
    others = {line.split()[0] for _, line in command_lines()} - {"momentum-opt"}
    assert others <= OTHER_PROGRAMS
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split()[1] for _, line in command_lines() if line.startswith("make ")}
    assert all(f"\n{target}:" in makefile for target in targets)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the quick start has been tuned, with fewer trials and little evidence."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("configs", "data"):
        shutil.copytree(ROOT / name, folder / name)
    for block in blocks("json"):
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text)
    done = program("tune configs/quickstart.yaml", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / RUN / "best.json").exists()
    return folder


def program(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; a search is kept small."""
    words = shlex.split(line.removeprefix("momentum-opt "), comments=True)
    if words[0] == "tune":
        words += ["--trials", "64", "--no-report", *LITTLE_EVIDENCE]
    command = [sys.executable, "-m", "momentum_opt", *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(), check=False, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("line", RUNNABLE)
def test_a_command_runs(line: str, checkout: Path):
    done = program(line, checkout)
    assert done.returncode == 0, done.stderr


ERRORS = [block for block in blocks("text") if block.mark.startswith("error: ")]


@pytest.mark.slow
@pytest.mark.parametrize("block", ERRORS, ids=lambda block: block.mark)
def test_an_error_is_the_one_shown(block, checkout: Path):
    done = program(block.mark.removeprefix("error: "), checkout)
    assert done.returncode == 2
    assert block.text.strip() in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [one for one in blocks("python") if one.page != "README.md"], ids=lambda one: one.page
)
def test_a_snippet_runs(block, checkout: Path):
    code = block.text.replace("runs/RUN", RUN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=checkout, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_files_md_names_every_file_and_key(checkout: Path):
    page = (ROOT / "docs" / "files.md").read_text()
    names = {path.name for path in (checkout / RUN).iterdir() if path.name[0] != "."}
    keys = set(json.loads((checkout / RUN / "best.json").read_text())) - {"schema_version"}
    assert [name for name in sorted(names | keys) if f"`{name}`" not in page] == []
