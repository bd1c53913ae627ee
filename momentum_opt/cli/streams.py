"""Standard streams as a shell hands them over (closed, full, of any encoding) in; streams that can be written to out.

Where a stream is closed, the next file that is opened would get its number, and what is meant for the screen would land
in it. So the numbers are taken first. Progress and warnings that nobody can read end nothing; a result that cannot be
written is an error, which `app.main` tells of.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any

import typer


def open_streams() -> None:
    """Mend the standard streams of this process, once, before anything is opened; those of a test are left alone."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if not _is_open(number):
            _open_null(number)
        if getattr(sys, name) is None:  # Python found it closed
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of names, and of signs that the encoding lacks
    if sys.stderr is sys.__stderr__ and _has_number(sys.stderr, 2):
        raw = io.BufferedWriter(_Patient(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(raw, sys.stderr.encoding, "backslashreplace", line_buffering=True)


def drop_unwritten() -> None:
    """Let what standard output cannot take go nowhere, or the interpreter would try once more as it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            _open_null(sys.stdout.fileno())
            sys.stdout.flush()


class _Patient(io.FileIO):
    """A file that takes what it cannot write as written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _open_null(number: int) -> None:
    """The null device under a number, in place of what is open there."""
    found = os.open(os.devnull, os.O_RDWR)
    if found != number:
        os.dup2(found, number)
        os.close(found)
    os.set_inheritable(number, True)


def _has_number(stream: Any, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError, AttributeError):
        return False


def coloured(text: str, colour: str | None = None, *, bold: bool = False) -> str:
    """Text for stdout in a colour, where that is a terminal and nobody asked for none (NO_COLOR)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return typer.style(text, fg=colour, bold=bold or None)
