"""The journal (SPEC §12): a file of whole lines in; an Optuna storage that survives crashes out.

A batch is written at once and flushed to the disk, or not at all. What a dying process left behind, half a line or
garbage, is cut off before anything is written after it.
"""

import fcntl
import json
import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from momentum_opt.errors import RunFolderError, StudyError
from momentum_opt.study.sealing import CHECKSUM

CREATE_STUDY, CREATE_TRIAL, SET_TRIAL_USER_ATTR = 0, 4, 8
"""Optuna's codes of entries; a whole finished trial is one of `CREATE_TRIAL`."""

_TABLES_OF_A_TRIAL = ("params", "distributions", "user_attrs", "system_attrs", "intermediate_values")

Entry = dict[str, Any]


class RepeatedKeyError(RunFolderError):
    """An entry that gives a key twice: readers differ in which of the two they take."""


class TornJournalWarning(UserWarning):
    """The end of a journal was damaged and has been cut back to its last whole line."""


class JournalFile(BaseJournalBackend):
    """Where an Optuna journal storage keeps its entries: one JSON object per line.

    The lock is advisory, on the journal itself, and dies with its process: no start waits for a dead one, as it would
    for Optuna's own lock file. Plain Optuna can read the file at any time.

    Args:
        path: the file; made if it is not there.

    Raises:
        RunFolderError: the file is no journal, or a line before the last one is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        self._offset = 0  # where the first entry that has not been handed out begins
        self._number = 0  # entries handed out
        self._last: tuple[int, Entry] | None = None  # line and content of the one that was handed out last
        self._trials: list[int] = []  # of each study that the entries read so far have made, how many
        self._together: list[bytes] | None = None  # lines of the batch that is being put together …
        self._shown = 0  # … and how many of them have been handed out
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
        except IsADirectoryError:
            raise RunFolderError(f"{path}: is a folder; name a file in it") from None
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be read and written ({error.strerror}); give another place"
            ) from error
        with self._locked() as handle:
            self._mended: tuple[list[Entry], int] | None = self._mend(handle)

    def append_logs(self, logs: list[Entry]) -> None:
        """Append entries: to the file, or inside `together` to what will be written at its end.

        Raises:
            StudyError: they cannot be written; the file is as it was before.
        """
        lines = [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]
        if self._together is not None:
            self._together += lines
            return
        with self._locked() as handle:
            self._write(handle, lines)

    def read_logs(self, log_number_from: int) -> Iterator[Entry]:
        """The entries from number `log_number_from` on; only what is new is read.

        Raises:
            RunFolderError: a line is damaged.
        """
        if log_number_from < self._number:  # someone begins again
            self._offset = self._number = 0
            self._trials = []
        first = self._number
        with self._locked() as handle:
            entries = self._unread(handle)
        return self._handed_out(entries[log_number_from - first :], log_number_from + 1)

    def _handed_out(self, entries: Sequence[Entry], line: int) -> Iterator[Entry]:
        """Entries one by one, so that it is known which of them made no sense."""
        for place, entry in enumerate(entries, line):
            self._last = (place, entry)
            yield entry

    def place_of_last(self) -> str:
        """The file, the line that was handed out last, and which trial it holds."""
        if self._last is None:
            return f"{self.path}: an entry"
        line, entry = self._last
        if not _makes_a_trial(entry):
            return f"{self.path}:{line}: an entry"
        return f"{self.path}:{line}: trial {self._lines_of_trials(entry.get('study_id')).index(line)}"

    def line_of_trial(self, study_id: int, number: int) -> int:
        """The line, from 1, that made a trial of a study; 0 where there is none any more."""
        made = self._lines_of_trials(study_id)
        return made[number] if number < len(made) else 0

    def _lines_of_trials(self, study_id: object) -> list[int]:
        with self.path.open("rb") as file:
            entries = ((line, _entry_of(text)) for line, text in enumerate(file, 1))
            return [line for line, one in entries if one and _makes_a_trial(one) and one.get("study_id") == study_id]

    @contextmanager
    def together(self) -> Generator[None]:
        """Keep others out; what is appended inside is written at once at the end, or not at all.

        Raises:
            StudyError: it cannot be written.
        """
        with self._locked() as handle:
            self._together, self._shown = [], 0
            try:
                yield
                lines = self._together
            finally:
                self._together = None
            self._write(handle, lines)
            self._offset += sum(map(len, lines[: self._shown]))

    @contextmanager
    def _locked(self) -> Generator[int]:
        if self._handle is not None:
            yield self._handle
            return
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise StudyError(
                f"{self.path}: the journal cannot be opened any more ({error.strerror}); "
                "put it back, and run the command again"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._handle = handle
            yield handle
        finally:
            self._handle = None
            os.close(handle)

    def _unread(self, handle: int) -> list[Entry]:
        """The entries that have not been handed out: of the file, then of the batch that is being put together."""
        entries: list[Entry] = []
        if self._mended is not None:
            (entries, self._offset), self._mended = self._mended, None
        content = _bytes_from(handle, self._offset)
        whole = content[: content.rfind(b"\n") + 1]
        entries += [self._entry(line, self._number + place) for place, line in enumerate(_lines(whole))]
        self._offset += len(whole)
        if self._together is not None:
            new = [json.loads(line) for line in self._together[self._shown :]]
            for entry in new:
                self._count(entry)
            entries += new
            self._shown = len(self._together)
        self._number += len(entries)
        return entries

    def _entry(self, line: bytes, number: int) -> Entry:
        entry = self._entry_at(line, number)
        if entry is None:
            raise RunFolderError(
                f"{self.path}:{number + 1}: damaged while it was in use; restore the file from a copy, or start anew"
            )
        self._check(line, entry, number)
        return entry

    def _entry_at(self, line: bytes, number: int) -> Entry | None:
        try:
            return _entry_of(line)
        except RepeatedKeyError as error:
            raise RunFolderError(
                f"{self.path}:{number + 1}: {error} is given twice; restore the file from a copy, or start a new run "
                "with --run-dir"
            ) from None

    def _check(self, line: bytes, entry: Entry, number: int) -> None:
        """Refuse an entry that Optuna would take for something else than what was written, or leave out silently."""
        makes_a_trial = _makes_a_trial(entry)
        is_table = all(isinstance(entry.get(name, {}), dict) for name in _TABLES_OF_A_TRIAL)
        is_trial = makes_a_trial and is_table and CHECKSUM in entry.get("user_attrs", {})
        was_trial = f'"{CHECKSUM}":'.encode() in line and entry["op_code"] != SET_TRIAL_USER_ATTR
        place = self._count(entry)
        is_whole = not makes_a_trial or (is_table and (place is not None or "study_id" not in entry))
        if not is_whole or (was_trial and not is_trial):
            raise RunFolderError(
                f"{self.path}:{number + 1}: trial {'of no study' if place is None else place} is not as it was "
                "written; restore the file from a copy, or start a new run with --run-dir"
            )

    def _count(self, entry: Entry) -> int | None:
        """The number that a trial made by this entry has in its study; None where there is no such study."""
        if entry["op_code"] == CREATE_STUDY:
            self._trials.append(0)
        study = entry.get("study_id")
        if not isinstance(study, int) or not 0 <= study < len(self._trials):
            return None
        self._trials[study] += _makes_a_trial(entry)
        return self._trials[study] - _makes_a_trial(entry)

    def _write(self, handle: int, lines: Iterable[bytes]) -> None:
        """Write lines after the last whole one and flush them to the disk; where that fails, take them back."""
        content = memoryview(b"".join(lines))
        if not content:
            return
        end = self._cut_unfinished_line(handle)
        try:
            while content:
                content = content[os.write(handle, content) :]
            os.fsync(handle)
        except BaseException as error:
            os.ftruncate(handle, end)
            if not isinstance(error, OSError):
                raise
            raise StudyError(
                f"{self.path}: the last batch cannot be written ({error.strerror}); the trials before it are safe: "
                "make room, and run the command again"
            ) from error

    def _cut_unfinished_line(self, handle: int) -> int:
        """The size of the file, without half a line of a process that died while it wrote."""
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return size
        end = self._offset + _bytes_from(handle, self._offset).rfind(b"\n") + 1
        os.ftruncate(handle, end)
        warnings.warn(
            f"{self.path}: {size - end} bytes of a worker that died while it wrote have been cut off",
            TornJournalWarning,
            stacklevel=2,
        )
        return end

    def _mend(self, handle: int) -> tuple[list[Entry], int]:
        """Read the whole journal and cut off a torn last line.

        Damage before the last line is an error, because truncating there would lose trials.

        Returns:
            The entries, kept so that they need not be read again, and where they end.
        """
        entries: list[Entry] = []
        good, rest = 0, b""
        with self.path.open("rb") as file:
            for line in file:
                entry = self._entry_at(line, len(entries))
                if entry is None:
                    rest = line + file.read()
                    break
                self._check(line, entry, len(entries))
                entries.append(entry)
                good += len(line)
        if not rest:
            return entries, good
        if any(_entry_of(line) is not None for line in _lines(rest[rest.find(b"\n") + 1 :])):
            raise RunFolderError(
                f"{self.path}:{len(entries) + 1}: damaged in the middle, the trials after it would be lost; "
                "restore the file from a copy, or start a new run with --run-dir"
            )
        if not entries and not _begins_like_a_journal(rest):
            raise RunFolderError(f"{self.path}: no journal of a study; give the path of one, or of a new file")
        os.ftruncate(handle, good)
        kept = sum(map(_makes_a_trial, entries))
        warnings.warn(
            f"{self.path}: the last {len(rest)} bytes were torn and have been cut off; {kept} trials are kept",
            TornJournalWarning,
            stacklevel=2,
        )
        return entries, good


def journal_storage(file: JournalFile) -> JournalStorage:
    """Optuna's storage on a journal.

    Raises:
        RunFolderError: an entry is whole but makes no sense.
    """
    try:
        return JournalStorage(file)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        if isinstance(error, RunFolderError):
            raise
        raise RunFolderError(
            f"{file.place_of_last()} cannot be understood ({type(error).__name__}: {error}); "
            "restore the file from a copy, or start a new run with --run-dir"
        ) from error


def _entry_of(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line, object_pairs_hook=_each_once)
    except RepeatedKeyError:
        raise
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("op_code"), int) else None


def _each_once(pairs: list[tuple[str, Any]]) -> Entry:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise RepeatedKeyError(next(key for key in keys if keys.count(key) > 1)[:200])
    return found


def _makes_a_trial(entry: Entry) -> bool:
    return entry["op_code"] == CREATE_TRIAL


def _begins_like_a_journal(content: bytes) -> bool:
    """Whether this may be the beginning of a first entry, or the zeros that a crash leaves in its place."""
    start = b'{"op_code":'
    return content[: len(start)] == start[: len(content)] or not content.strip(b"\0")


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends; a carriage return ends none."""
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def _bytes_from(handle: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while part := os.pread(handle, 1 << 24, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
