"""Paths as a notebook may write them."""

from os import PathLike
from pathlib import Path

AnyPath = str | PathLike[str]


def path_or_none(path: AnyPath | None) -> Path | None:
    """The same as a `Path`, where there is one."""
    return None if path is None else Path(path)
