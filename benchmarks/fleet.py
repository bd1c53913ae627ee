"""A model of many workers on one storage: what a batch costs and how many workers there are in, throughput out.

A worker asks a batch, scores it, appends it (one writer per study at a time), reads what has been appended to its study
since it last looked, its own batch included, and asks again. The storage has a number of cores, which all appending and
reading of all workers shares. Discrete events, in seconds; the study's size is held where `trials` says.
"""

import heapq
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

QUANTUM: Final = 0.05
"""Seconds of a core after which a long reading queues again, so that the storage's cores are shared, not taken."""

ROUNDS: Final = 6
"""Batches per worker that are simulated; the first `WARM_UP` of them are not counted."""
WARM_UP: Final = 2
FEWEST: Final = 200
"""Batches of all workers together at least."""


@dataclass(frozen=True)
class Line:
    """A cost that grows with the study: seconds at no trials, and more for each."""

    start: float
    slope: float = 0.0

    def at(self, trials: float) -> float:
        """Seconds at a size of the study."""
        return self.start + self.slope * trials


@dataclass(frozen=True)
class Costs:
    """What a batch costs besides its scores; seconds.

    Attributes:
        ask: of a worker's core, to ask and tell a batch.
        look: of a worker's core, to go through the known trials after a reading.
        take: of a worker's core, per trial read.
        write: that an append keeps other writers of the study out.
        serve_batch: of a core of the storage, within `write`.
        serve_trial: of a core of the storage, per trial read by one worker.
    """

    ask: Line
    look: Line
    take: float
    write: Line
    serve_batch: float
    serve_trial: float


@dataclass(frozen=True)
class Fleet:
    """Who works on what.

    Attributes:
        workers: of all studies together.
        score: seconds to score a batch.
        batch: trials per batch.
        trials: in each study.
        cores: of the storage.
        studies: that the workers are divided among.
        alone: whether workers have cores of their own; otherwise they share those of the storage.
    """

    workers: int
    score: float
    batch: int = 64
    trials: int = 20_000
    cores: int = 8
    studies: int = 1
    alone: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        throughput: trials per second of all studies together.
        staleness: batches that others appended to the study between a worker's reading and its next append, mean.
        lock_wait: seconds a batch waited for other writers, mean.
        lock_busy: share of the time that some writer was appending, mean over the studies.
        storage_busy: share of the storage's cores that was used.
    """

    throughput: float
    staleness: float
    lock_wait: float
    lock_busy: float
    storage_busy: float


class _Pool:
    """Things of which `size` workers may hold one each at a time; the others wait in line."""

    def __init__(self, size: int) -> None:
        self.free = size
        self.waiting: deque[Process] = deque()
        self.busy = 0.0


@dataclass
class _Board:
    """A study: its writers' lock, and how many batches have been appended."""

    lock: _Pool
    appended: int = 0


Process = Generator["float | _Pool", None, None]
"""Yields seconds to let pass, or a pool to take one of."""


class _Simulation:
    def __init__(self, costs: Costs, fleet: Fleet, seed: int) -> None:
        self.costs, self.fleet = costs, fleet
        self.now, self._events, self._order = 0.0, list[tuple[float, int, Process]](), count()
        self.cores = _Pool(fleet.cores)
        self.boards = [_Board(_Pool(1)) for _ in range(fleet.studies)]
        self.appends: list[tuple[float, int, float]] = []  # time, batches missed, seconds waited
        phases = np.random.default_rng(seed).random(fleet.workers)
        for worker, phase in enumerate(phases):
            self._at(0.0, self._worker(self.boards[worker % fleet.studies], float(phase)))

    def run(self, batches: int) -> None:
        """Let events happen until so many batches are appended."""
        while len(self.appends) < batches:
            self.now, _, process = heapq.heappop(self._events)
            wish = next(process)
            if isinstance(wish, float):
                self._at(self.now + wish, process)
            elif wish.free:
                wish.free -= 1
                self._at(self.now, process)
            else:
                wish.waiting.append(process)

    def _at(self, time: float, process: Process) -> None:
        heapq.heappush(self._events, (time, next(self._order), process))

    def _release(self, pool: _Pool) -> None:
        if pool.waiting:
            self._at(self.now, pool.waiting.popleft())
        else:
            pool.free += 1

    def _worker(self, board: _Board, phase: float) -> Process:
        costs, fleet = self.costs, self.fleet
        write = costs.write.at(fleet.trials)
        yield phase * (fleet.score + costs.ask.at(fleet.trials))
        known = board.appended
        while True:
            yield from self._compute(costs.ask.at(fleet.trials))
            yield fleet.score
            came = self.now
            yield board.lock
            waited, held = self.now - came, self.now
            yield from self._on_a_core(costs.serve_batch)
            yield max(0.0, write - costs.serve_batch)
            self.appends.append((self.now, board.appended - known, waited))
            board.appended += 1
            board.lock.busy += self.now - held
            self._release(board.lock)
            new = (board.appended - known) * fleet.batch
            known = board.appended
            yield from self._on_a_core(costs.serve_trial * new)
            yield from self._compute(costs.look.at(fleet.trials) + costs.take * new)

    def _compute(self, seconds: float) -> Process:
        if self.fleet.alone:
            yield seconds
        else:
            yield from self._on_a_core(seconds)

    def _on_a_core(self, seconds: float) -> Process:
        while seconds > 0:
            turn = min(seconds, QUANTUM)
            yield self.cores
            yield turn
            self.cores.busy += turn
            self._release(self.cores)
            seconds -= turn


def simulate(costs: Costs, fleet: Fleet, seed: int = 0) -> Outcome:
    """Let a fleet work until it is in its stride, and count.

    Args:
        costs: of a batch.
        fleet: who works on what.
        seed: of the moments at which the workers begin.
    """
    simulation = _Simulation(costs, fleet, seed)
    rounds = max(ROUNDS, -(-FEWEST // fleet.workers))
    simulation.run(WARM_UP * fleet.workers)
    began, locked, used = simulation.now, _lock_busy(simulation), simulation.cores.busy
    simulation.run(rounds * fleet.workers)
    seconds = simulation.now - began
    _, missed, waits = zip(*simulation.appends[WARM_UP * fleet.workers :], strict=True)
    return Outcome(
        throughput=len(missed) * fleet.batch / seconds,
        staleness=float(np.mean(missed)),
        lock_wait=float(np.mean(waits)),
        lock_busy=(_lock_busy(simulation) - locked) / seconds / fleet.studies,
        storage_busy=(simulation.cores.busy - used) / seconds / fleet.cores,
    )


def _lock_busy(simulation: _Simulation) -> float:
    return sum(board.lock.busy for board in simulation.boards)
