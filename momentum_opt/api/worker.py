"""One worker process of `momentum_opt.api.workers`: a job on standard input in, a JSON document per batch out."""

import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from momentum_opt.caching import CacheWarning
from momentum_opt.errors import MomentumOptError
from momentum_opt.study.ledger import Progress

GRACE_SECONDS = 3.0
"""How long the batch in flight may take once the worker has been asked to stop."""


def main() -> int:
    """Take the job and do it; the exit code."""
    warnings.simplefilter("ignore", CacheWarning)  # the process that started this one has said so
    warnings.showwarning = lambda message, category, *_: _say(f"warning: {category.__name__}: {message}")
    job = json.loads(sys.stdin.readline())
    if job["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cores"])  # before JAX counts them
    try:
        stopped, dropped = _work(job, StopSignal())
    except MomentumOptError as error:
        _say(f"error: {' '.join(str(error).split())}")
        return error.exit_code
    _report({"stopped": stopped})
    if dropped:
        os._exit(0)  # a batch is still being computed, and nobody waits for it
    return 0


class StopSignal:
    """Whether to go on: until a signal comes, or standard input is closed, on purpose or by the death of its holder."""

    def __init__(self) -> None:
        self._since: float | None = None
        threading.Thread(target=self._wait, daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._let_go)

    def has_gone(self) -> bool:
        """Whether the worker is to stop."""
        return self._since is not None

    def is_overdue(self) -> bool:
        """Whether it was to stop a while ago."""
        return self._since is not None and time.monotonic() - self._since > GRACE_SECONDS

    def _wait(self) -> None:
        os.read(sys.stdin.fileno(), 1)  # not through sys.stdin, whose lock would be held when the process ends
        self._let_go()

    def _let_go(self, *_: object) -> None:
        self._since = self._since or time.monotonic()


def _work(job: Mapping[str, Any], stop: StopSignal) -> tuple[str, bool]:
    from momentum_opt.api.opening import open_run
    from momentum_opt.api.searching import Watch, search_here
    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.study.storage import ForeignTrialsWarning

    warnings.simplefilter("ignore", ForeignTrialsWarning)  # one line says so: that of the process that began the search
    fingerprint = Fingerprint.from_dict(job["fingerprint"])
    run = open_run(fingerprint, Path(job["run_dir"]), "", job["study"], resume=True)
    watch = Watch(on_batch=_report_batch, should_stop=stop.has_gone, should_drop=stop.is_overdue)
    outcome = search_here(run, watch)
    return outcome.stopped, outcome.dropped


BEST_FIELDS: Final = ("number", "objectives", "violation")
"""What a worker reports of the best trial."""


def _report_batch(progress: Progress) -> None:
    best = progress.best
    _report(
        {
            "what": progress.what,
            "total": progress.total,
            "done": progress.done,
            "failed": progress.failed,
            "best": None if best is None else {name: getattr(best, name) for name in BEST_FIELDS},
        }
    )


def _report(event: Mapping[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody is there any more


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
