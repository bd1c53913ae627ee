"""SIGINT and SIGTERM in; what is at work ended, the study between two batches, all else at once (SPEC §12, §16)."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

import typer

from momentum_opt.errors import StudyError

INTERRUPTED = 130
GRACE_SECONDS = 3.0
"""How long what is at work may take to end once the user wants to stop."""

_CLOSED = b"\0"


class Interrupted(BaseException):
    """A signal has ended what was at work; the text says what, and how to go on. No library catches it on its way."""


@dataclass(frozen=True)
class Phase:
    """What a signal would end.

    Attributes:
        doing: what is at work, as in "interrupted while …".
        remedy: what is kept, and how to go on.
        waits: a search, which ends between two batches and then writes its results.
    """

    doing: str = ""
    remedy: str = "run the command again"
    waits: bool = False

    @property
    def words(self) -> str:
        """What is said once it has been ended."""
        return f"interrupted{' while ' if self.doing else ''}{self.doing}; {self.remedy}"


SEARCH = Phase(waits=True)


class Stop:
    """What the user has asked for so far, and what it would end."""

    def __init__(self, phase: Phase) -> None:
        self._since: float | None = None
        self.phase = phase

    def was_asked(self) -> bool:
        """Whether to stop after the batch in flight."""
        return self._since is not None

    def is_overdue(self) -> bool:
        """Whether to wait for the batch in flight no longer."""
        return self._since is not None and time.monotonic() - self._since > GRACE_SECONDS

    def enter(self, phase: Phase) -> None:
        """Begin another phase.

        Raises:
            Interrupted: the user has asked to stop, too late for the search to end with that.
        """
        self.phase = phase
        if self.was_asked() and not phase.waits:
            raise Interrupted(phase.words)

    def ask(self) -> None:
        """Note that the user wants to stop.

        Raises:
            Interrupted: what is at work does not wait.
        """
        self._since = self._since or time.monotonic()
        if not self.phase.waits:
            raise Interrupted(self.phase.words)


_stops: list[Stop] = []
"""Of the requests that are taken now, the innermost last."""


def ignore_signals() -> None:
    """Take no signal from here on, but inside `stop_request`."""
    if threading.current_thread() is threading.main_thread():  # which alone may
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def in_phase(doing: str, remedy: str) -> None:
    """Say what a signal would end from here on."""
    if _stops:
        _stops[-1].enter(Phase(doing, remedy))


def leave_if(computing: bool) -> None:
    """End the process at once where something is still being computed, or was cut short, that nobody waits for."""
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
def stop_request(phase: Phase = SEARCH) -> Generator[Stop]:
    """Take SIGINT and SIGTERM: the first one ends the phase, the second one the process, at once.

    At once even where Python waits for compiled code: signals arrive through a file descriptor that a thread reads. A
    phase that has not ended some seconds after the first one ends with the process: it may be inside such code, or the
    exception came where Python can raise none, as when it frees an object.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may take signals
        yield Stop(phase)
        return
    stop = Stop(phase)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watcher = threading.Thread(target=_watch, args=(stop, reader), name="signals", daemon=True)
    watcher.start()
    taken = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.ask()) for number in taken}
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is Interrupted else unraisable(lost)
    _stops.append(stop)
    try:
        yield stop
    finally:
        sys.unraisablehook = unraisable
        _stops.remove(stop)
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(writer, _CLOSED)
        watcher.join()
        os.close(reader)
        os.close(writer)


def _watch(stop: Stop, reader: int) -> None:
    """What the main thread may be too busy for."""
    signals, patience = 0, None
    while True:
        if not select.select([reader], [], [], patience)[0]:
            if not stop.phase.waits:
                _say(f"error: {stop.phase.words}")
                os._exit(INTERRUPTED)
            patience = None  # the search sees to that
            continue
        if os.read(reader, 1) == _CLOSED:
            return
        signals += 1
        if signals > 1:
            os._exit(INTERRUPTED)
        patience = GRACE_SECONDS
        if stop.phase.waits:
            _say("finishing this batch, then saving; press Ctrl-C again to quit now")


def _say(line: str) -> None:
    """Not through sys.stderr: the main thread may be in the middle of a write to it."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
