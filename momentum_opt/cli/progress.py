"""Progress of a study on stderr: a bar on a terminal, a plain line every few seconds elsewhere (SPEC §16)."""

import sys
import time
from typing import TYPE_CHECKING

import typer

from momentum_opt.vocabulary.metrics import figure

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from momentum_opt.fingerprint.sections import Objective
    from momentum_opt.study.ledger import Progress

BAR_COLUMNS = 120
"""Columns of a terminal from which there is room for a bar beside the words."""

PLAIN_SECONDS = 5.0
"""Seconds between two plain lines."""


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


class Reporter:
    """Shows the progress of one study; use it as a context.

    Args:
        aim: its objective.
    """

    def __init__(self, aim: "Objective | None" = None) -> None:
        self._aim = aim
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}
        self._next = 0.0

    def __enter__(self) -> "Reporter":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
            from rich.table import Column

            console = Console(stderr=True)  # honours NO_COLOR
            words = TextColumn("{task.description}", table_column=Column(no_wrap=False))  # wrapped, not cut
            bar = [BarColumn(bar_width=24)] if console.width >= BAR_COLUMNS else []
            self._bar = Progress(*bar, words, console=console)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: "Progress") -> None:
        """Show `progress`; lines are thinned out, the last one is always shown."""
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
