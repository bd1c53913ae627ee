import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import optuna
import pytest
from optuna.trial import create_trial

from momentum_opt.errors import RunFolderError, StorageError
from momentum_opt.study.journal import AdvisoryFileLock, TornJournalWarning, open_journal, open_storage
from tests.sample_runs import environment

HOLD = """
import sys, time
from pathlib import Path
from momentum_opt.study.journal import AdvisoryFileLock
AdvisoryFileLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def study_in(path: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(storage=open_journal(path), study_name="one", direction="maximize", load_if_exists=True)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Four trials with the values 0 to 3."""
    path = tmp_path / "study.journal"
    study_in(path).add_trials([create_trial(value=float(number)) for number in range(4)])
    return path


def values(path: Path) -> list[float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [trial.value for trial in study_in(path).trials]


def test_trials_are_kept(journal: Path):
    assert values(journal) == [0, 1, 2, 3]
    assert all(isinstance(json.loads(line), dict) for line in journal.read_text().splitlines())


@pytest.mark.parametrize("cut", [1, 2, 50, -1])
def test_a_torn_tail_is_cut_off_with_a_warning(journal: Path, cut: int):
    whole = journal.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    torn = last - cut if cut > 0 else last + cut
    journal.write_bytes(whole[: len(whole) - torn])
    message = f"{journal}: the last {last - torn} bytes were torn and have been cut off; {len(whole) - last} bytes are"
    with pytest.warns(TornJournalWarning) as caught:
        study = study_in(journal)
    assert message in str(caught[0].message)
    assert [trial.value for trial in study.trials] == [0, 1, 2]
    assert journal.read_bytes().startswith(whole[: len(whole) - last])
    study.add_trial(create_trial(value=9.0))
    assert values(journal) == [0, 1, 2, 9]


@pytest.mark.parametrize("tail", [b"\0" * 100, b'{"op_code": 4, \n', b"[1]\n", b"garbage\nmore\n"])
def test_any_tail_that_is_no_entry_is_torn(journal: Path, tail: bytes):
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    with pytest.warns(TornJournalWarning, match=f"the last {len(tail)} bytes"):
        open_journal(journal)
    assert journal.read_bytes() == whole
    assert values(journal) == [0, 1, 2, 3]


@pytest.mark.parametrize("damaged", [0, 2, 3])
def test_damage_before_a_whole_line_is_refused_and_left_alone(journal: Path, damaged: int):
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[damaged] = lines[damaged][:20] + b"\n"
    journal.write_bytes(b"".join(lines))
    with pytest.raises(RunFolderError, match=rf"study\.journal:{damaged + 1}: damaged in the middle, .*from a copy"):
        open_journal(journal)
    assert journal.read_bytes() == b"".join(lines)


def test_an_empty_journal_is_a_new_one(tmp_path: Path):
    path = tmp_path / "new" / "study.journal"
    path.parent.mkdir()
    path.touch()
    assert values(path) == []


def test_the_lock_keeps_others_out(tmp_path: Path):
    path = tmp_path / "lock"
    with AdvisoryFileLock(path):
        handle = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
    with AdvisoryFileLock(path):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path, journal: Path):
    path = tmp_path / "study.journal.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        handle = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
        began = time.monotonic()
        assert values(journal) == [0, 1, 2, 3]
        assert time.monotonic() - began < 2


def test_a_storage_that_cannot_be_opened():
    with pytest.raises(StorageError, match=r"storage nonsense://nowhere: cannot be opened .*; check the URL"):
        open_storage("nonsense://nowhere")
