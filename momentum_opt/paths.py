"""Paths as a notebook may write them, and why one of them cannot be read."""

import os
import stat
from os import PathLike
from pathlib import Path
from typing import Final

AnyPath = str | PathLike[str]

Fault = tuple[str, str]
"""What is wrong with a path, and what to do."""

NO_FOLDER: Final = "no such folder"
"""What `folder_fault` says where there is nothing at all."""

_NO_PERMISSION: Final[Fault] = ("no permission to read it", "change its permissions, or run as a user who may read it")


def path_or_none(path: AnyPath | None) -> Path | None:
    """The same as a `Path`, where there is one."""
    return None if path is None else Path(path)


def file_fault(path: Path, *, pipe: bool = False) -> Fault | None:
    """Why a path is no file that can be read; None where it is one, and where there is nothing at all.

    Args:
        path: to look at.
        pipe: whether a pipe or device will do, which can be read once and from its beginning only.
    """
    mode = _mode(path)
    if mode is None or isinstance(mode, tuple):
        return mode
    if stat.S_ISDIR(mode):
        return "a folder, not a file", "name a file"
    if not stat.S_ISREG(mode) and not pipe:
        return "not a regular file but a pipe or device", "save its content as a file first"
    return None if os.access(path, os.R_OK) else _NO_PERMISSION


def folder_fault(path: Path) -> Fault | None:
    """Why a path is no folder that can be read; None where it is one."""
    mode = _mode(path)
    if isinstance(mode, tuple):
        return mode
    if mode is None:
        return NO_FOLDER, "name a folder that exists"
    if not stat.S_ISDIR(mode):
        return "this is a file, not a folder", "name a folder"
    return None if os.access(path, os.R_OK | os.X_OK) else _NO_PERMISSION


def os_fault(error: OSError) -> Fault:
    """What the operating system says of a path that could not be read."""
    if isinstance(error, PermissionError):
        return _NO_PERMISSION
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file", "name a file"
    return f"cannot be read ({error.strerror or error})", "check the path and the disk"


def is_hidden(name: str) -> bool:
    """Whether a system put the file there for itself: a name with a dot in front, `__MACOSX`, `Thumbs.db`."""
    parts = name.replace("\\", "/").split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in _OF_SYSTEMS


_OF_SYSTEMS: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


def _mode(path: Path) -> int | Fault | None:
    """The mode of a path; None where there is nothing; why it cannot be told."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            return f"a link to {path.readlink()}, which is not there", "mend the link, or name the file itself"
        return None
    except NotADirectoryError:
        return None
    except ValueError:  # a null character in it
        return "no path of this system", "name a file"
    except OSError as error:
        return os_fault(error)


def is_file(path: Path) -> bool:
    """Whether it is a file; False too where it cannot be looked at, as under a name that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False too where it cannot be looked at."""
    try:
        return path.is_dir()
    except OSError:
        return False


def exists(path: Path) -> bool:
    """Whether something is there; True too where that cannot be seen, so that opening it says why."""
    try:
        return path.exists()
    except OSError:
        return True
