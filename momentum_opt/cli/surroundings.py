"""Explain in one line why a command cannot work here: names, folders, disks, variables."""

import errno
import os
import re
from collections.abc import Iterable
from typing import Final

from momentum_opt.errors import UsageError

FAILED: Final = 1
REFUSED: Final = 2

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_OF_STREAMS: Final = {*_FULL, errno.EBADF}
_REMEDIES: Final = {
    errno.ENOSPC: "make room, and run the command again",
    errno.EDQUOT: "make room, and run the command again",
    errno.EFBIG: "raise the limit on the size of files, and run the command again",
    errno.EIO: "see whether the disk is sound, and run the command again",
    errno.EACCES: "give another place, or yourself the right to it",
    errno.EPERM: "give another place, or yourself the right to it",
    errno.EROFS: "give another place, one that can be written to",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EBADF: "send it to a place that can be written to",
    errno.EMFILE: "raise the number of files that may be open (ulimit -n)",
}
_VARIABLE: Final = re.compile(r"(.*?) for (?:environment(?: variable)?|JAX flag) '?(\w+)'?")
"""How JAX words its own settings that it cannot read."""


def check_names(arguments: Iterable[str]) -> None:
    """Refuse names that cannot be written into a file of UTF-8, as every result names its files.

    Raises:
        UsageError: there is one among the arguments, or it is the working folder's, or that is gone.
    """
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:
        raise UsageError("the working folder is gone; go to one that exists") from None
    for name in (*arguments, here):
        if not _is_text(name):
            raise UsageError(_not_text(name))


def explained(error: Exception) -> tuple[str, int] | None:
    """A line about what the surroundings have refused, and the exit code; None where it was something else."""
    if isinstance(error, UnicodeEncodeError) and not _is_text(error.object):
        return _not_text(error.object), REFUSED
    if isinstance(error, OSError) and error.errno is not None:
        if error.filename is None and error.errno not in _OF_STREAMS:
            return None
        where = "standard output" if error.filename is None else os.fsdecode(error.filename)
        remedy = _REMEDIES.get(error.errno, "see whether it is the right place, and can be used")
        return f"{where}: {error.strerror}; {remedy}", FAILED if error.errno in _FULL else REFUSED
    if isinstance(error, Warning):  # raised because the environment asks for it
        return f"{type(error).__name__}: {error}; unset PYTHONWARNINGS, which makes errors of warnings", REFUSED
    found = _VARIABLE.match(str(error)) if isinstance(error, ValueError) else None
    if found is not None:
        return f"{found[2].upper()}: {found[1]}; unset it, or give another value", REFUSED
    return None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_text(name: str) -> str:
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"{plain}: this name is not UTF-8; rename it, or set LC_ALL=C.UTF-8 where your terminal is set otherwise"
