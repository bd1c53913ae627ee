"""Paths as a notebook may write them."""

from os import PathLike
from pathlib import Path

AnyPath = str | PathLike[str]


def path_or_none(path: AnyPath | None) -> Path | None:
    """The same as a `Path`, where there is one."""
    return None if path is None else Path(path)


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
