"""SIGINT and SIGTERM in; whether the user wants to stop, and since when, out (SPEC §12)."""

import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import typer

from momentum_opt.errors import StudyError

INTERRUPTED = 130
GRACE_SECONDS = 3.0
"""How long the batch in flight may take once the user wants to stop."""

_CLOSED = b"\0"


class Stop:
    """What the user has asked for so far."""

    def __init__(self) -> None:
        self._since: float | None = None

    def was_asked(self) -> bool:
        """Whether to stop after the batch in flight."""
        return self._since is not None

    def is_overdue(self) -> bool:
        """Whether to wait for the batch in flight no longer."""
        return self._since is not None and time.monotonic() - self._since > GRACE_SECONDS

    def ask(self) -> None:
        """Note that the user wants to stop."""
        self._since = self._since or time.monotonic()


def leave_if(computing: bool) -> None:
    """End the process at once where a batch is still being computed that nobody waits for."""
    if computing:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def leave_without_result(stop: Stop, error: StudyError) -> NoReturn:
    """End a command whose study has no result yet.

    Raises:
        StudyError: `error`, where nobody asked to stop.
        typer.Exit: the user asked to stop, and `error` has been shown.
    """
    if not stop.was_asked():
        raise error
    typer.echo(f"error: {error}", err=True)
    leave_if(stop.is_overdue())
    raise typer.Exit(INTERRUPTED) from error


@contextmanager
def stop_request() -> Generator[Stop]:
    """Take SIGINT and SIGTERM: the first one asks to stop, the second one ends the process at once.

    At once even where Python waits for compiled code: signals arrive through a file descriptor that a thread reads.
    """
    stop = Stop()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def watch() -> None:
        for count, signals in enumerate(iter(lambda: os.read(reader, 1), _CLOSED)):
            del signals
            if count:
                os._exit(INTERRUPTED)
            stop.ask()
            # Not through sys.stderr: the main thread may be in the middle of a write to it.
            os.write(2, b"stopping after this batch; once more to stop at once\n")

    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    taken = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.ask()) for number in taken}
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(writer, _CLOSED)
        watcher.join()
        os.close(reader)
        os.close(writer)
