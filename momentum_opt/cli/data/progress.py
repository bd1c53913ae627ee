"""Progress over files on stderr: a bar on a terminal, a plain line every few seconds elsewhere (SPEC §16)."""

import sys
import time
from typing import TYPE_CHECKING

import typer

from momentum_opt.cli.progress import PLAIN_SECONDS

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class FileProgress:
    """Shows how many files are done; use it as a context. Quick work shows nothing where there is no terminal."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._next = time.monotonic() + PLAIN_SECONDS

    def __enter__(self) -> "FileProgress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
            console = Console(stderr=True)  # honours NO_COLOR
            self._bar = Progress(*columns, TextColumn("{task.description}"), console=console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` files are done, and what is next or was last."""
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=total)
            self._bar.update(self._task, completed=done, description=what)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_SECONDS
            typer.echo(f"{done}/{total} files, {what}", err=True)
