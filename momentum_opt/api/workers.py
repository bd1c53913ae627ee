"""Several worker processes on one study of this machine (SPEC §12): a run and their number in, the search's end out.

A worker is `python -m momentum_opt.api.worker`. It reads its job from its standard input and goes on until the study
is finished or that input is closed, which is how it is asked to stop, and what happens when this process dies. Its
standard output carries one JSON document per batch.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from momentum_opt import device
from momentum_opt.api.opening import Run
from momentum_opt.api.searching import Watch
from momentum_opt.api.warm_starting import space_of
from momentum_opt.errors import StudyError
from momentum_opt.passwords import without_passwords
from momentum_opt.study.ledger import Outcome, Progress
from momentum_opt.study.trials import TrialRecord

Event = Mapping[str, Any]

GPU_FOLDER: Final = Path("/proc/driver/nvidia/gpus")
GPU_MEMORY: Final = 0.75
"""Share of a GPU's memory that JAX takes at once; workers on one GPU share it."""
WAIT_SECONDS: Final = 0.1


@dataclass
class Worker:
    """One worker process.

    Attributes:
        number: from 1.
        process: the process.
        stopped: why it says its search ended; None until it does.
    """

    number: int
    process: subprocess.Popen[str]
    stopped: str | None = None


@dataclass
class WorkerProgress:
    """What the workers have reported so far.

    Attributes:
        done: finished trials of the study.
        failed: of them.
        best: the best of them.
        at_start: finished trials when the workers began.
        began: when that was, by the monotonic clock.
    """

    at_start: int
    done: int = 0
    failed: int = 0
    best: TrialRecord | None = None
    began: float = field(default_factory=time.monotonic)

    def take(self, event: Event, total: int) -> Progress:
        """Merge a worker's report; every worker counts the whole study."""
        if event["what"] != "trials":  # one worker screens, the others wait
            best, seconds = _record(event["best"]), time.monotonic() - self.began
            return Progress(event["done"], event["total"], event["failed"], best, event["done"], seconds, event["what"])
        self.done = max(self.done, event["done"])
        self.failed = max(self.failed, event["failed"])
        self.best = _record(event["best"]) or self.best
        return Progress(
            self.done, total, self.failed, self.best, self.done - self.at_start, time.monotonic() - self.began
        )


def _record(best: Event | None) -> TrialRecord | None:
    if best is None:
        return None
    return TrialRecord(best["number"], {}, tuple(best["objectives"]), {}, {}, None, violation=best["violation"])


def search_with_workers(run: Run, watch: Watch, n_workers: int) -> Outcome:
    """Go on with the study in several processes that share the cores or GPUs of this machine.

    One that dies does not disturb the others.

    Raises:
        StudyError: all have died before the study was finished.
    """
    device.leave_memory()
    device.configure()
    watch.on_start(run.folder, run.market, space_of(run))
    events: queue.SimpleQueue[tuple[Worker, Event | str | None]] = queue.SimpleQueue()
    total, crew = run.fingerprint.search.n_trials, WorkerProgress(run.study.count_sampled())
    workers = [_start(run, place, n_workers, events) for place in range(n_workers)]
    living, asked, said = set(range(n_workers)), False, set[str]()
    try:
        while living:
            if not asked and watch.should_stop():
                asked = True
                _ask_to_stop(workers)
            try:
                worker, event = events.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                continue
            if event is None:
                living.discard(worker.number - 1)
                _note_end(worker, watch, others=bool(living))
            elif isinstance(event, str):
                if event not in said:  # what is so of the machine, each of them would say
                    watch.on_message(f"worker {worker.number}: {event}")
                said.add(event)
            elif "stopped" in event:
                worker.stopped = event["stopped"]
            else:
                watch.on_batch(crew.take(event, total))
    finally:
        _ask_to_stop(workers)
    return _outcome(run, workers, asked=asked)


def _outcome(run: Run, workers: Sequence[Worker], *, asked: bool) -> Outcome:
    reasons = [worker.stopped for worker in workers if worker.stopped is not None]
    done, total = run.study.count_sampled(), run.fingerprint.search.n_trials
    if asked:
        return Outcome((), "interrupted")
    if done >= total:
        return Outcome((), "finished")
    if not reasons:
        raise StudyError(
            f"all {len(workers)} workers ended before the study was finished, with {done} of {total} trials; "
            "see what they wrote above, and run the command again"
        )
    return Outcome((), reasons[0])


def _note_end(worker: Worker, watch: Watch, *, others: bool) -> None:
    code = worker.process.wait()
    if worker.stopped is None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        watch.on_message(f"worker {worker.number} {how}{'; the others go on' if others else ''}")


def _ask_to_stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        assert worker.process.stdin is not None
        with suppress(BrokenPipeError):
            worker.process.stdin.close()


def _start(
    run: Run, place: int, n_workers: int, events: "queue.SimpleQueue[tuple[Worker, Event | str | None]]"
) -> Worker:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    job = {
        "fingerprint": run.fingerprint.to_dict(),
        "run_dir": str(run.folder.path.resolve()),
        "study": run.study.name,
        "cores": share(cores, place, n_workers),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "momentum_opt.api.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **gpu_environment(visible_gpus(), place, n_workers)},
        start_new_session=True,  # Ctrl-C in a terminal reaches this process alone, which passes it on
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError):  # it has died already, which is noted when its output ends
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    worker = Worker(place + 1, process)
    threads = (
        threading.Thread(target=_read_messages, args=(worker, process.stderr, events), daemon=True),
        threading.Thread(target=_read_events, args=(worker, process.stdout, events), daemon=True),
    )
    for thread in threads:
        thread.start()
    return worker


def _read_messages(worker: Worker, stream: IO[str], events: "queue.SimpleQueue[Any]") -> None:
    for line in stream:
        events.put((worker, without_passwords(line.rstrip("\n"))))  # a driver may have written it


def _read_events(worker: Worker, stream: IO[str], events: "queue.SimpleQueue[Any]") -> None:
    for line in stream:
        events.put((worker, json.loads(line)))
    events.put((worker, None))


def share(things: Sequence[int], place: int, n_workers: int) -> list[int]:
    """What worker `place` of `n_workers` gets: equal shares, one each in turn where there are fewer than workers."""
    if len(things) < n_workers:
        return [things[place % len(things)]] if things else []
    return list(things[place * len(things) // n_workers : (place + 1) * len(things) // n_workers])


def visible_gpus() -> list[str]:
    """The GPUs that JAX would use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number, _ in enumerate(_folders(GPU_FOLDER))]


def gpu_environment(gpus: Sequence[str], place: int, n_workers: int) -> dict[str, str]:
    """The variables that give worker `place` its share of the GPUs, and of the memory of one that it shares."""
    if not gpus:
        return {}
    mine = share(range(len(gpus)), place, n_workers)
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(gpus[number] for number in mine)}
    together = -(-n_workers // len(gpus))
    if together > 1:
        environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{GPU_MEMORY / together:.3f}"
    return environment


def _folders(path: Path) -> Iterator[Path]:
    return path.iterdir() if path.is_dir() else iter(())
