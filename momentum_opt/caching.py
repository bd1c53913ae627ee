"""Content that outlives a process: a key and bytes in; the same bytes again, checked, or nothing out.

Whatever is kept may be run as machine code. So a folder serves only where it is the user's own and nobody else may
write to it, and so does each file; and a file begins with a checksum over its key and its content. One that is
damaged, cut, empty or another one's is like one that is not there: its content is made anew and written over it.
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CacheWarning(UserWarning):
    """Nothing can be kept for later processes."""


def cache_folder() -> Path | None:
    """This program's folder among the user's caches, whether it is there or not; None of a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(named):  # noqa: PTH117  as its specification wants, and "" is no path
        home = os.path.expanduser("~")  # noqa: PTH111  Path.home() fails where there is none
        named = os.path.join(home, ".cache")  # noqa: PTH118
    try:
        named.encode()
    except UnicodeEncodeError:  # compilers would stumble over it
        return None
    return Path(named) / "momentum-opt" if os.path.isabs(named) else None  # noqa: PTH117


def why_unusable(folder: Path) -> str | None:
    """Why nothing can be kept in `folder`, which is made if it is not there; None where it serves."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            return "another user's"
        if found.st_mode & _OTHERS_MAY_WRITE:  # made by an earlier version, or with a lax umask
            folder.chmod(0o700)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None if os.access(folder, os.W_OK) else "not writable"


@dataclass(frozen=True)
class Cache:
    """Files of a folder, by key.

    Attributes:
        folder: of these files alone; made when the first is written.
        suffix: of the files' names, after the key.
        most: how many are kept, those that were used last; None keeps all.
    """

    folder: Path
    suffix: str = ""
    most: int | None = None

    def get(self, key: str) -> bytes | None:
        """What was put under this key; None where there is nothing, or nothing that can be trusted."""
        with contextlib.suppress(OSError):
            if self.folder.stat().st_uid != os.geteuid():
                return None
            content = _own_content(self._path(key))
            if content is not None and content.startswith(_seal(key, content[_SEAL_BYTES:])):
                if self.most is not None:
                    os.utime(self._path(key))
                return content[_SEAL_BYTES:]
        return None

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under this key, in place of what is there; nothing is kept where that cannot be done."""
        if why_unusable(self.folder) is not None:
            return
        with contextlib.suppress(OSError), _temporary(self.folder) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as file:
                file.write(_seal(key, content) + content)
            temporary.replace(self._path(key))
            self._forget()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{self.suffix}"

    def _forget(self) -> None:
        """Those not used for longest, where there are too many."""
        if self.most is None:
            return
        by_use = sorted(self.folder.iterdir(), key=lambda one: one.stat().st_mtime)
        for old in by_use[: -self.most]:
            old.unlink(missing_ok=True)


def _seal(key: str, content: bytes) -> bytes:
    return sha256(b"%d %s" % (len(key), key.encode()) + content).digest()


_SEAL_BYTES = sha256().digest_size


def _own_content(path: Path) -> bytes | None:
    """Of a file that only this user can have written."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        own = found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_MAY_WRITE
        if not own or not stat.S_ISREG(found.st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _temporary(folder: Path) -> Generator[tuple[int, Path]]:
    """A new file that only this user may read or write, gone afterwards unless it was renamed."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        yield descriptor, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
