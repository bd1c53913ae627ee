"""Real workers on a real PostgreSQL that do all of a worker's work, but sleep where they would score."""

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from benchmarks.overhead import MadeUpScores
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study import relational
from momentum_opt.study.block_sums import ROWS
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import BatchScores
from momentum_opt.study.loop import Study
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import DurableStudy, open_store

START_SECONDS: Final = 300
"""How long the workers may take to be ready."""


class SleepingScores(MadeUpScores):
    """Scores of as many bytes as real ones, after a while.

    Args:
        seconds: per batch.
        blocks: columns of the sums per block.
    """

    def __init__(self, seconds: float, blocks: int) -> None:
        self._seconds = seconds
        self._shape = (len(ROWS), blocks + 1)

    def score(self, sets: Sequence[ParamSet]) -> BatchScores:
        """Scores of a batch."""
        time.sleep(self._seconds)
        sums = np.random.default_rng(0).random((len(sets), *self._shape))
        return super().score(sets)._replace(blocks=sums)


def open_durable(url: str, name: str) -> DurableStudy:
    """A study in a PostgreSQL, through connections of its own."""
    return open_store(url, Path()).open_study(name, 1, {})


def sleeping_study(fingerprint: Fingerprint, durable: DurableStudy, seconds: float = 0.0) -> Study:
    """A study whose batches take so long to score, and come out with made-up scores."""
    scores: Any = SleepingScores(seconds, fingerprint.evidence.blocks)
    return Study(fingerprint, search_space(fingerprint), scores, durable)


def count_connections(url: str) -> int:
    """Connections of one worker in the midst of its study."""
    durable = open_durable(url, "connections")
    engine = relational.connect(relational.database_url(url))
    with durable.worker(), engine.connect() as connection:
        durable.finished()
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        found = int(connection.scalar(sa.text(query)) or 0) - 1
    engine.dispose()
    durable.close()
    return found


def real_throughput(url: str, fingerprint: Fingerprint, workers: int, score: float, batches: int) -> float:
    """Trials per second of real processes that do all of a worker's work but sleep instead of scoring.

    By the median time from batch to batch, so that a pause of the machine does not count.
    """
    context, name = multiprocessing.get_context("spawn"), f"{workers} workers {time.monotonic_ns()}"
    n_trials = workers * batches * fingerprint.search.batch_size
    open_durable(url, name).close()
    start, cycles = context.Barrier(workers), context.SimpleQueue()
    crew = [
        context.Process(target=_work, args=(url, name, fingerprint.to_dict(), score, n_trials, start, cycles))
        for _ in range(workers)
    ]
    for process in crew:
        process.start()
    seconds = [one for _ in crew for one in cycles.get()]
    for process in crew:
        process.join()
    return workers * fingerprint.search.batch_size / statistics.median(seconds)


def _work(
    url: str,
    name: str,
    fingerprint: dict[str, Any],
    score: float,
    n_trials: int,
    start: Barrier,
    cycles: "SimpleQueue[list[float]]",
) -> None:
    durable, ends = open_durable(url, name), list[float]()
    study = sleeping_study(Fingerprint.from_dict(fingerprint), durable, score)
    start.wait(START_SECONDS)
    study.run(n_trials, on_batch=lambda _: ends.append(time.perf_counter()))
    cycles.put(np.diff(ends).tolist())
    durable.close()
