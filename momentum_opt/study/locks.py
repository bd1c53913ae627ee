"""Lock files: a path in, a lock that the operating system releases when its process dies out."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Generator[None]:
    """Wait until no other process holds the lock file `path`, and hold it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def first_free(prefix: Path) -> Generator[int]:
    """Hold the first of the lock files `<prefix>0`, `<prefix>1`, … that no process holds; its number."""
    for number in count():
        handle = os.open(f"{prefix}{number}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            yield number
        finally:
            os.close(handle)
        return
