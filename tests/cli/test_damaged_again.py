"""What a second look found: journals edited so that each entry is still one, and what surrounds a command."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import create_trial

from momentum_opt.api.prices import market_of
from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.run_folder import run_identity
from momentum_opt.study.storage import JournalStore
from tests.cli.damage import build
from tests.cli.test_damaged_inputs import assert_refused
from tests.sample_runs import SAMPLE, command, environment

Lines = list[str]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A study, its identity, and four trials: six lines."""
    path = tmp_path / "study.journal"
    study = JournalStore(path).open_study("one", 1, {"digest": "0" * 64})
    study.append([create_trial(value=float(number)) for number in range(4)])
    return path


def changed(name: str, value: Any) -> Callable[[Lines], Lines]:
    """The third trial with another value of a field."""
    return lambda lines: [*lines[:4], json.dumps({**json.loads(lines[4]), name: value}), *lines[5:]]


def twice(text: str) -> Callable[[Lines], Lines]:
    """The third trial with one more entry before the first one, which is the one that Optuna would leave out."""
    return lambda lines: [*lines[:4], lines[4].replace("{", "{" + text, 1), *lines[5:]]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (twice('"value":1e9,'), r":5: value is given twice; restore"),
        (twice('"user_attrs":{},'), r":5: user_attrs is given twice; restore"),
        (lambda lines: [*lines[:-1], lines[-1].replace("{", '{"op_code":4,', 1)], r":6: op_code is given twice; "),
        (changed("user_attrs", None), r":5: trial 2 is not as it was written; restore"),
        (changed("params", None), r":5: trial 2 is not as it was written; restore"),
        (changed("distributions", []), r":5: trial 2 is not as it was written; restore"),
        (changed("system_attrs", "x"), r":5: trial 2 is not as it was written; restore"),
        (changed("study_id", "0"), r":5: trial of no study is not as it was written; restore"),
    ],
    ids=["value twice", "attributes twice", "last line", "no attributes", "no params", "ranges a list",
         "attributes a text", "study a text", ],
)  # fmt: skip
def test_an_edited_journal_is_refused_by_line_and_left_alone(edit: Callable[[Lines], Lines], said: str, journal: Path):
    journal.write_text("\n".join(edit(journal.read_text().splitlines())) + "\n")
    before = journal.read_bytes()
    with pytest.raises(RunFolderError, match=rf"{re.escape(str(journal))}{said}"):
        JournalStore(journal)
    assert journal.read_bytes() == before


def test_a_number_of_devices_that_is_none_is_one_line(tmp_path: Path):
    done = subprocess.run(
        command("weights", "--params", _params(tmp_path), "--config", _config(tmp_path)), cwd=tmp_path,
        env={**environment(), "JAX_NUM_CPU_DEVICES": "abc"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == 'error: JAX_NUM_CPU_DEVICES: Invalid value "abc"; unset it, or give another value\n'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_once_all_is_done_changes_nothing(number: signal.Signals, tmp_path: Path):
    """Python still has its modules to take down; its own answer would be a traceback, or another exit code."""
    code = (
        "import atexit, sys, time; from momentum_opt.cli.app import main; "
        "atexit.register(lambda: (print('leaving', flush=True), time.sleep(2))); main()"
    )
    process = subprocess.Popen(
        [command()[0], "-c", code, "--version"], env=environment(), cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "momentum-opt" in process.stdout.readline()
    assert process.stdout.readline() == "leaving\n"
    time.sleep(0.1)
    process.send_signal(number)
    assert (process.communicate()[1], process.returncode) == ("", 0)


def _params(folder: Path) -> Path:
    path = folder / "params.json"
    each = dict.fromkeys(("SYNA", "SYNB", "SYNUSD"), 1.0)
    path.write_text(json.dumps({"k_per_day": each, "memory_days": each}))
    return path


def _config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"data: {{root: {json.dumps(str(SAMPLE))}}}\ntokens: [SYNA, SYNB, SYNUSD]\n"
        "window: {start: 2023-03-01, end: 2023-04-12}\n"
    )
    return path


@pytest.mark.parametrize("directions", [[], [1], [2, 2]], ids=["none", "minimised", "two"])
def test_a_study_of_other_objectives_is_refused_before_anything_is_written(
    directions: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    site = build(tmp_path)
    site.journal.unlink()
    fingerprint = load_fingerprint(site.config)
    JournalStore(site.journal).open_study("run", 1, run_identity(fingerprint, market_of(fingerprint)))
    first, *rest = site.journal.read_text().splitlines(keepends=True)
    edited = json.dumps({**json.loads(first), "directions": directions}) + "\n"
    site.journal.write_text("".join([edited, *rest]))
    said = r"study run does not maximise one objective, as its run does; restore"
    assert_refused(site, "study.journal", said, capsys, "tune", site.config, "--run-dir", site.run)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("best.json", r"best\.json: a folder, not a file; delete it and give the tune's command again"),
        ("fingerprint.json", r"fingerprint\.json: a folder, not a file; give another --run-dir, or restore the file"),
        ("run.lock", r"run\.lock: a folder, not a file; delete it, and run the command again"),
    ],
)
def test_a_folder_in_the_place_of_a_file_of_a_run(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    site = build(tmp_path)
    site.journal.unlink()
    fingerprint = load_fingerprint(site.config)
    JournalStore(site.journal).open_study("run", 1, run_identity(fingerprint, market_of(fingerprint)))
    path = site.run / name
    path.unlink(missing_ok=True)
    path.mkdir()
    assert_refused(site, name, said, capsys, "tune", site.config, "--run-dir", site.run)
