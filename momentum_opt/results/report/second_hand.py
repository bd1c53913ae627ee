"""A second process that draws half of a run's figures: a run folder in, drawings by key out.

Drawing takes as long as hundreds of trials, on one core, and what it needs takes a second to import: the process does
that while the search goes on. It reads the folder from its standard input, and ends when that is closed, which is also
what happens when this process dies. Whatever goes wrong with it, the figures are drawn here instead.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from momentum_opt.cores import available_cores

Figures = Mapping[str, tuple[str, str, bytes]]
"""Key of a plot → its inline SVGs, wide and narrow, and its PNG."""


class SecondHand:
    """The process, once it has been started; a context that ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, where there is a core for it."""
        if self._process is not None or available_cores() < 2:
            return
        with suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the search
            )

    def begin(self, run: Path) -> None:
        """Let it draw the figures of a run folder."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(os.fsencode(run.resolve()))
                self._process.stdin.close()

    def figures(self) -> Figures:
        """What it has drawn, once it has; nothing where it was not started, or failed."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return {}
        try:
            self._process.stdin.close()  # one that was given nothing to draw ends
            return pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def main() -> None:
    """Draw half of the figures."""
    from momentum_opt.results.report.canvas import draw
    from momentum_opt.results.report.content import run_content
    from momentum_opt.results.report.run_page import second_half
    from momentum_opt.results.run_folder import RunFolder

    folder = os.fsdecode(sys.stdin.buffer.read())
    if folder:
        drawings = map(draw, second_half(run_content(RunFolder(Path(folder)))))
        pickle.dump({one.plot.key: (one.wide, one.narrow, one.png) for one in drawings}, sys.stdout.buffer)


if __name__ == "__main__":
    main()
