"""Show on stderr what is at work: a bar or a spinner on a terminal, plain lines elsewhere (SPEC §16)."""

import sys
import time
from typing import TYPE_CHECKING, Final

import typer

from momentum_opt.vocabulary.metrics import figure

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID

    from momentum_opt.fingerprint.sections import Objective
    from momentum_opt.study.ledger import Progress

BAR_COLUMNS = 120
"""Columns of a terminal from which there is room for a bar beside the words."""

PLAIN_SECONDS = 5.0
"""Seconds between two plain lines."""

PHASES: Final = {
    "prices": "reading prices",
    "compile": "compiling the search",
    "replay": "replaying the winner minute by minute",
    "evidence": "gathering evidence",
    "report": "drawing the report",
    "test": "evaluating the winner out of sample",
    "summary": "summing up the folds",
}
"""Phase → what is said of it; a search has its own words."""


def describe(progress: "Progress", aim: "Objective | None" = None) -> str:
    """One line: done/total, best so far, trials/s, failed, elapsed and remaining.

    Args:
        progress: of the study.
        aim: its objective, whose sign the best is shown in.
    """
    best = "none" if progress.best is None else _best(progress.best.objectives[0], aim)
    if progress.best is not None and progress.best.violation > 0:
        best += " (breaks a limit)"
    rate = progress.new / progress.seconds if progress.seconds > 0 else 0.0
    rest = max(0, progress.total - progress.done)  # several workers may finish more than were asked for
    left = f"{rest / rate:.0f} s" if rate > 0 else "0 s" if not rest else "unknown"
    return (
        f"{progress.done}/{progress.total} {progress.what}, best {best}, {rate:.0f} {progress.what}/s, "
        f"{progress.failed} failed, "
        f"{max(0.0, progress.seconds):.0f} s elapsed, {left} left"
    )


def _best(value: float, aim: "Objective | None") -> str:
    return f"{value:.6g}" if aim is None else figure(aim.metric, aim.signs[0] * value, ".6g")


_SAID: Final = ("replay", "evidence", "report")
"""Phases that a plain line tells of; the others are short, or told of by lines of their own."""


class Reporter:
    """Shows phase after phase, and the progress of a search; use it as a context.

    Args:
        aim: its objective.
    """

    def __init__(self, aim: "Objective | None" = None) -> None:
        self._aim = aim
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}
        self._next = 0.0
        self._phase: tuple[str, float] | None = None

    def __enter__(self) -> "Reporter":
        return self

    def enter(self, name: str) -> None:
        """Begin a phase: what there is to be told of the one before it has been told."""
        self._end()
        words = PHASES.get(name)
        if words is None:
            return
        self._phase = (words, time.monotonic())
        if not sys.stderr.isatty():
            if name in _SAID:
                typer.echo(f"{words} …", err=True)
            return
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._start(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True)
        if self._bar is not None:
            self._bar.add_task(words, total=None)

    def leave(self) -> None:
        """End a phase, so that something else can be printed."""
        self._end()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._tasks = None, {}
            if self._phase is not None:
                words, began = self._phase
                typer.echo(f"{words}: {time.monotonic() - began:.1f} s", err=True)
        self._phase = None

    def _start(self, *columns: "ProgressColumn", transient: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(*columns, console=Console(stderr=True), transient=transient)  # honours NO_COLOR
        self._bar.start()

    def _start_bar(self) -> None:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.table import Column

            words = TextColumn("{task.description}", table_column=Column(no_wrap=False))  # wrapped, not cut
            bar = [BarColumn(bar_width=24)] if Console(stderr=True).width >= BAR_COLUMNS else []
            self._start(*bar, words, transient=False)

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, progress: "Progress") -> None:
        """Show `progress`; lines are thinned out, the last one is always shown."""
        if self._bar is None or self._phase is not None:
            self._end()
            self._start_bar()
        if self._bar is not None:
            if progress.what not in self._tasks:
                self._tasks[progress.what] = self._bar.add_task("", total=progress.total)
            self._bar.update(
                self._tasks[progress.what], completed=progress.done, description=describe(progress, self._aim)
            )
            return
        now = time.monotonic()
        if now >= self._next or progress.done >= progress.total:
            self._next = now + PLAIN_SECONDS
            typer.echo(describe(progress, self._aim), err=True)
