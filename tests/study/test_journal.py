import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import create_trial

from momentum_opt.errors import RunFolderError, StudyError
from momentum_opt.study.journal import JournalFile, TornJournalWarning
from momentum_opt.study.storage import DurableStudy, JournalStore
from tests.sample_runs import environment

HOLD = """
import sys, time
from pathlib import Path
from momentum_opt.study.journal import JournalFile
with JournalFile(Path(sys.argv[1])).together():
    print("held", flush=True)
    time.sleep(60)
"""


def study_in(path: Path) -> DurableStudy:
    return JournalStore(path).open_study("one", 1, {"seed": 0})


def append(study: DurableStudy, *values: float) -> None:
    study.append([create_trial(value=value) for value in values])


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Four trials with the values 0 to 3, in two batches."""
    path = tmp_path / "study.journal"
    study = study_in(path)
    append(study, 0.0, 1.0)
    append(study, 2.0, 3.0)
    return path


def values(path: Path) -> list[float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [trial.value for trial in study_in(path).finished()]


def test_trials_are_kept(journal: Path):
    assert values(journal) == [0, 1, 2, 3]
    assert all(isinstance(json.loads(line), dict) for line in journal.read_text().splitlines())


def test_plain_optuna_reads_it(journal: Path):
    study = optuna.load_study(study_name="one", storage=JournalStorage(JournalFileBackend(str(journal))))
    assert [trial.value for trial in study.trials] == [0, 1, 2, 3]
    assert [trial.number for trial in study.trials] == [0, 1, 2, 3]
    assert study.best_trial.number == 3


@pytest.mark.parametrize("cut", [1, 2, 50, -1])
def test_a_torn_tail_is_cut_off_with_a_warning(journal: Path, cut: int):
    whole = journal.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    torn = last - cut if cut > 0 else last + cut
    journal.write_bytes(whole[: len(whole) - torn])
    with pytest.warns(TornJournalWarning) as caught:
        study = study_in(journal)
    message = f"{journal}: the last {last - torn} bytes were torn and have been cut off; 3 trials are kept"
    assert message in str(caught[0].message)
    assert [trial.value for trial in study.finished()] == [0, 1, 2]
    assert journal.read_bytes() == whole[: len(whole) - last]
    append(study, 9.0)
    assert values(journal) == [0, 1, 2, 9]


TAILS = {
    "zeros of a crash": b"\0" * 4096,
    "zeros and a line end": b"\0" * 100 + b"\n",
    "half an entry and a line end": b'{"op_code": 4, \n',
    "no object": b"[1]\n",
    "an object of something else": b'{"a": 1}\n',
    "lines of garbage": b"garbage\nmore\n",
    "binary": bytes(range(256)) * 8,
    "half a character": '{"op_code": 4, "user_attrs": {"é'.encode()[:-1],
    "brackets": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_any_tail_that_is_no_entry_is_torn(journal: Path, tail: bytes):
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    with pytest.warns(TornJournalWarning, match=f"the last {len(tail)} bytes .* 4 trials are kept"):
        JournalFile(journal)
    assert journal.read_bytes() == whole
    assert values(journal) == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [1, 5, 40, 100])
def test_a_journal_cut_within_its_first_line_begins_again(journal: Path, size: int):
    journal.write_bytes(journal.read_bytes()[:size])
    with pytest.warns(TornJournalWarning, match="0 trials are kept"):
        study = study_in(journal)
    assert study.finished() == []
    append(study, 1.0)
    assert values(journal) == [1]


def test_every_cut_of_a_journal_can_be_gone_on_with(journal: Path):
    """Wherever a crash cuts the file, all whole trials before the cut are there."""
    whole = journal.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(ends[1], len(whole), 37):
        journal.write_bytes(whole[:cut])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TornJournalWarning)
            study = study_in(journal)
        kept = [trial.value for trial in study.finished()]
        assert kept == [0, 1, 2, 3][: max(0, sum(end <= cut for end in ends) - 2)]


@pytest.mark.parametrize("damaged", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("how", [lambda line: line[:20] + b"\n", lambda line: b"\0" * len(line) + b"\n"])
def test_damage_before_a_whole_line_is_refused_and_left_alone(journal: Path, damaged: int, how: Any):
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[damaged] = how(lines[damaged])
    journal.write_bytes(b"".join(lines))
    with pytest.raises(RunFolderError, match=rf"study\.journal:{damaged + 1}: damaged in the middle, .*from a copy"):
        JournalStore(journal)
    assert journal.read_bytes() == b"".join(lines)


@pytest.mark.parametrize("content", [b"my notes\n", b"my notes", b'{"a": 1}\n{"a": 2}\n', b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match="no journal of a study"):
        JournalStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("entry", [b'{"op_code":4}\n', b'{"op_code":99,"worker_id":"a"}\n'])
def test_an_entry_that_makes_no_sense_is_refused(journal: Path, entry: bytes):
    journal.write_bytes(journal.read_bytes() + entry)
    with pytest.raises(RunFolderError, match="cannot be understood"):
        JournalStore(journal)


def test_an_empty_journal_is_a_new_one(tmp_path: Path):
    path = tmp_path / "new" / "study.journal"
    path.parent.mkdir()
    path.touch()
    assert values(path) == []


def test_two_see_each_other(journal: Path):
    one, other = study_in(journal), study_in(journal)
    append(one, 4.0)
    assert [trial.value for trial in other.finished()] == [0, 1, 2, 3, 4]
    append(other, 5.0, 6.0)
    append(one, 7.0)
    for study in (one, other):
        assert [trial.value for trial in study.finished()] == [0, 1, 2, 3, 4, 5, 6, 7]
        assert [trial.number for trial in study.finished()] == list(range(8))
    assert not one.append([create_trial(value=9.0)], expected=7)
    assert other.append([create_trial(value=8.0)], expected=8)
    assert values(journal) == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_what_comes_between_opening_and_reading_is_seen(journal: Path):
    file = JournalFile(journal)
    append(study_in(journal), 4.0)
    entries = list(file.read_logs(0))
    assert [entry["value"] for entry in entries if entry["op_code"] == 4] == [0, 1, 2, 3, 4]
    append(study_in(journal), 5.0)
    assert [entry["value"] for entry in file.read_logs(len(entries))] == [5]
    assert len(list(file.read_logs(0))) == len(entries) + 1  # from the beginning again


def test_half_a_line_of_a_worker_that_died_does_not_spoil_the_next_one(journal: Path):
    study = study_in(journal)
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"dead')
    with pytest.warns(TornJournalWarning, match="30 bytes of a worker that died"):
        append(study, 4.0)
    assert values(journal) == [0, 1, 2, 3, 4]


def test_a_batch_is_written_as_a_whole_or_not_at_all(journal: Path, monkeypatch: pytest.MonkeyPatch):
    study = study_in(journal)
    before = journal.read_bytes()
    write = os.write

    def full(handle: int, content: bytes) -> int:
        if len(content) > 100:
            return write(handle, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StudyError, match=r"last batch cannot be written \(No space left on device\); .*make room"):
        append(study, *map(float, range(20)))
    monkeypatch.undo()
    assert journal.read_bytes() == before


def test_one_write_and_one_flush_for_a_batch(journal: Path, monkeypatch: pytest.MonkeyPatch):
    study, flushed = study_in(journal), list[int]()
    monkeypatch.setattr(os, "fsync", flushed.append)
    append(study, *map(float, range(64)))
    assert len(flushed) == 1


def test_only_what_is_new_is_read(journal: Path, monkeypatch: pytest.MonkeyPatch):
    study, read = study_in(journal), list[int]()
    append(study, *map(float, range(500)))
    study.finished()
    pread = os.pread

    def counted(handle: int, size: int, offset: int) -> bytes:
        content = pread(handle, size, offset)
        read.append(len(content))
        return content

    monkeypatch.setattr(os, "pread", counted)
    append(study, 1.0)
    assert len(study.finished()) == 505
    assert sum(read) < 1000


def test_the_lock_dies_with_its_process(journal: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(journal)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with journal.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waiting = threading.Thread(target=values, args=(journal,), daemon=True)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
        began = time.monotonic()
        waiting.join()
        assert values(journal) == [0, 1, 2, 3]
        assert time.monotonic() - began < 2


def test_a_lock_file_that_optuna_left_behind_delays_nothing(journal: Path):
    for name in ("study.journal.lock", "study.journal.lock.rename"):
        journal.with_name(name).touch()
    began = time.monotonic()
    study = study_in(journal)
    append(study, 4.0)
    assert values(journal) == [0, 1, 2, 3, 4]
    assert time.monotonic() - began < 2


def test_a_journal_that_vanishes(journal: Path):
    study = study_in(journal)
    journal.unlink()
    with pytest.raises(StudyError, match=r"cannot be opened any more \(No such file or directory\); put it back"):
        append(study, 1.0)
    assert not journal.exists()
