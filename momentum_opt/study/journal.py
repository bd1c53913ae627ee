"""Durable storage (SPEC §12): the path of a journal or an Optuna URL in, a storage that survives crashes out."""

import fcntl
import json
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from momentum_opt.errors import RunFolderError, StorageError
from momentum_opt.fingerprint import without_password


class TornJournalWarning(UserWarning):
    """The end of a journal was damaged and has been cut back to its last whole line."""


class AdvisoryFileLock(JournalFileOpenLock):
    """A lock that the operating system releases when its process dies, so no start waits for a dead one.

    Takes the place of Optuna's lock file, which a killed process leaves behind for 30 s.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Wait until no other process holds the lock."""
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let the next one in."""
        assert self._handle is not None
        os.close(self._handle)
        self._handle = None

    def __enter__(self) -> "AdvisoryFileLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def sole_run(path: Path) -> Generator[None]:
    """Hold the lock file `path` for as long as a run lasts; it is free again as soon as the process ends.

    Raises:
        RunFolderError: another process holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFolderError(
                f"{path.parent}: another tune is at work in this folder; wait for it, or give another --run-dir"
            ) from None
        yield
    finally:
        os.close(handle)


def open_storage(url: str) -> BaseStorage:
    """A durable storage elsewhere, by its Optuna URL.

    Raises:
        StorageError: it cannot be opened.
    """
    try:
        return optuna.storages.get_storage(url)
    except Exception as error:  # whatever the driver of the URL raises
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"storage {without_password(url)}: cannot be opened ({reason}); check the URL and the server"
        ) from error


def open_journal(path: Path) -> JournalStorage:
    """Open a journal file, cut back to its last whole line first.

    Raises:
        RunFolderError: a line before the last one is damaged, so that trials after it cannot be read.
    """
    lock = AdvisoryFileLock(path.with_name(path.name + ".lock"))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        with lock:
            _mend(path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _mend(path: Path) -> None:
    """Cut a torn tail off the journal; damage in the middle is not ours to cut."""
    content = path.read_bytes()
    good = 0
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if not _is_whole(line):
            if any(map(_is_whole, content[good + len(line) :].splitlines(keepends=True))):
                raise RunFolderError(
                    f"{path}:{number}: damaged in the middle, the trials after it would be lost; "
                    "restore the file from a copy, or start a new run with --run-dir"
                )
            break
        good += len(line)
    if good < len(content):
        with path.open("r+b") as file:
            file.truncate(good)
        message = f"{path}: the last {len(content) - good} bytes were torn and have been cut off; {good} bytes are kept"
        warnings.warn(message, TornJournalWarning, stacklevel=3)


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
