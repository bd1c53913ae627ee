"""What a batch costs besides its scores, measured here: a configuration in, the `Costs` of the fleet model out.

Costs of a core are processor time, of this process and of PostgreSQL's, so that a busy machine hardly changes them;
only how long an append keeps others out is time on the clock, of the quickest of several.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import sqlalchemy as sa
from optuna.trial import FrozenTrial

from benchmarks.fleet import Costs, Line
from benchmarks.real_fleet import open_durable, sleeping_study
from momentum_opt.fingerprint import Fingerprint, override_fingerprint
from momentum_opt.study import relational
from momentum_opt.study.ledger import Ledger
from momentum_opt.study.mirror import Mirror
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import DurableStudy
from momentum_opt.study.trials import record_of

SIZES: Final = (1_000, 5_000, 20_000)
"""Trials of the study at which the costs are measured."""
REPEATS: Final = 5
SAMPLERS: Final = ("nsga2", "cmaes", "qmc", "random")
"""Measured; the first one is the study's. `tpe` takes minutes per batch at the largest of `SIZES`."""
TICK: Final = os.sysconf("SC_CLK_TCK")


class Reader:
    """A worker's reading side: what `Study` does with the trials that have come since it last looked."""

    def __init__(self, fingerprint: Fingerprint, durable: DurableStudy) -> None:
        self.durable = durable
        self.mirror = Mirror(fingerprint, search_space(fingerprint), worker=0)
        self._ledger = Ledger()
        self._known: set[int] = set()

    def read(self) -> int:
        """Take in what is new; how many trials that were."""
        new = [trial for trial in self.durable.finished() if trial.number not in self._known]
        self._known.update(trial.number for trial in new)
        for trial in new:
            self._ledger.add(record_of(trial))
        self.mirror.absorb(new)
        return len(new)


def measure_costs(url: str, fingerprint: Fingerprint) -> dict[str, Costs]:
    """Fill a study of an empty database, and time what a worker does at each of `SIZES`; sampler → costs."""
    fingerprint = override_fingerprint(fingerprint, [f"search.sampler={SAMPLERS[0]}"])
    writer, reader = open_durable(url, "costs"), Reader(fingerprint, open_durable(url, "costs"))
    engine = relational.connect(relational.database_url(url))
    found: list[Mapping[str, float]] = []
    asks: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    try:
        sleeping_study(fingerprint, writer).run(fingerprint.search.batch_size)
        pattern = writer.finished()
        for size in SIZES:
            _fill(writer, pattern, size)
            reader.read()
            found.append(_storage_costs(writer, reader, pattern, engine))
            for name in SAMPLERS:
                asks[name].append(_ask_cost(fingerprint, name, writer.finished()))
            print(f"{size:,} trials: {found[-1]}; ask { ({name: seconds[-1] for name, seconds in asks.items()}) }")
    finally:
        engine.dispose()
        writer.close()
        reader.durable.close()
    costs = Costs(
        ask=_line(asks[SAMPLERS[0]]),
        look=_line([one["look"] for one in found]),
        take=statistics.median(one["take"] for one in found),
        write=_line([one["write"] for one in found]),
        serve_batch=statistics.median(one["serve_batch"] for one in found),
        serve_trial=statistics.median(one["serve_trial"] for one in found),
    )
    return {name: replace(costs, ask=_line(seconds)) for name, seconds in asks.items()}


def _fill(durable: DurableStudy, pattern: Sequence[FrozenTrial], size: int) -> None:
    """Append copies of a batch, a generation each, until the study has `size` trials."""
    there = len(durable.finished())
    while there < size:
        durable.append(_next_batch(pattern, there))
        there += len(pattern)


def _next_batch(pattern: Sequence[FrozenTrial], there: int) -> list[FrozenTrial]:
    batch = [copy.copy(trial) for trial in pattern]
    for trial in batch:
        trial.system_attrs = dict.fromkeys(trial.system_attrs, there // len(pattern))
    return batch


def _storage_costs(
    writer: DurableStudy, reader: Reader, pattern: Sequence[FrozenTrial], engine: sa.Engine
) -> dict[str, float]:
    """Seconds of each cost but the sampler's, the study as large as it is."""
    there = len(writer.finished())
    before, writes = _server_seconds(engine), []
    for number in range(REPEATS):
        batch = _next_batch(pattern, there + number * len(pattern))
        began = time.perf_counter()
        writer.append(batch)
        writes.append(time.perf_counter() - began)
    appended = _server_seconds(engine)
    took = _cpu_seconds(reader.read)
    served = _server_seconds(engine)
    look = min(_cpu_seconds(reader.read) for _ in range(REPEATS))
    n_new = REPEATS * len(pattern)
    return {
        "look": look,
        "take": (took - look) / n_new,
        "write": min(writes),
        "serve_batch": (appended - before) / REPEATS,
        "serve_trial": (served - appended) / n_new,
    }


def _ask_cost(fingerprint: Fingerprint, sampler: str, trials: Sequence[FrozenTrial]) -> float:
    """Seconds to ask and tell a batch after these trials."""
    fingerprint = override_fingerprint(fingerprint, [f"search.sampler={sampler}"])
    mirror = Mirror(fingerprint, search_space(fingerprint), 0, trials)

    def ask_and_tell() -> None:
        for trial in mirror.ask(fingerprint.search.batch_size):
            mirror.tell(trial, [-sum(value**2 for value in trial.params.values())], {})

    ask_and_tell()  # the first one works out what later ones remember
    return min(_cpu_seconds(ask_and_tell) for _ in range(REPEATS))


def _cpu_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _server_seconds(engine: sa.Engine) -> float:
    """Processor time of all connections of the server, which is on this machine."""
    with engine.connect() as connection:
        pids = connection.scalars(sa.text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"))
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICK


def _line(seconds: Sequence[float]) -> Line:
    """The line through what was measured at `SIZES`, of least relative error."""
    slope, start = np.polyfit(SIZES, seconds, 1, w=1 / np.array(seconds))
    return Line(max(float(start), 0.0), max(float(slope), 0.0))
