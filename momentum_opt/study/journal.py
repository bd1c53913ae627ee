"""The journal (SPEC §12): a file of whole lines in; an Optuna storage that survives crashes out.

A batch is written at once and flushed to the disk, or not at all. What a dying process left behind, half a line or
garbage, is cut off before anything is written after it.
"""

import fcntl
import json
import os
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from momentum_opt.errors import RunFolderError, StudyError

CREATE_TRIAL = 4
"""Optuna's code of the entry that holds a whole finished trial."""

Entry = dict[str, Any]


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
        self._together: list[bytes] | None = None  # lines of the batch that is being put together …
        self._shown = 0  # … and how many of them have been handed out
        try:
            path.touch()
        except OSError as error:
            raise RunFolderError(f"{path}: cannot be written ({error.strerror}); give another place") from error
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
        first = self._number
        with self._locked() as handle:
            entries = self._unread(handle)
        return iter(entries[log_number_from - first :])

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
            entries += [json.loads(line) for line in self._together[self._shown :]]
            self._shown = len(self._together)
        self._number += len(entries)
        return entries

    def _entry(self, line: bytes, number: int) -> Entry:
        entry = _entry_of(line)
        if entry is None:
            raise RunFolderError(
                f"{self.path}:{number + 1}: damaged while it was in use; restore the file from a copy, or start anew"
            )
        return entry

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
        """Read the whole journal and cut a torn tail off; damage in the middle is not ours to cut.

        Returns:
            The entries, kept so that they need not be read again, and where they end.
        """
        entries: list[Entry] = []
        good, rest = 0, b""
        with self.path.open("rb") as file:
            for line in file:
                entry = _entry_of(line)
                if entry is None:
                    rest = line + file.read()
                    break
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
        kept = sum(entry["op_code"] == CREATE_TRIAL for entry in entries)
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
            f"{file.path}: an entry cannot be understood ({type(error).__name__}: {error}); "
            "restore the file from a copy, or start a new run with --run-dir"
        ) from error


def _entry_of(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("op_code"), int) else None


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
