"""What a study costs besides simulating: sampler, bookkeeping and storage, in this process, with scores made up."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import BatchScores
from momentum_opt.study.loop import Study
from momentum_opt.study.scoring import RECORDED
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import DurableStudy, JournalStore
from momentum_opt.vocabulary.names import SAMPLERS

N_TRIALS = 2048
BATCH_SIZE = 64


class MadeUpScores:
    """Stands in for the evaluator: a smooth objective and as many metrics as a real trial has, at no cost."""

    def score(self, sets: Sequence[ParamSet]) -> BatchScores:
        """Scores of a batch."""
        values = np.array([-sum(float(np.square(one).sum()) for one in params.values()) for params in sets])
        metrics = dict.fromkeys(RECORDED, values)
        return BatchScores(values[:, None], metrics, metrics)


class TimedStudy(DurableStudy):
    """A durable study that knows how long its appends have taken."""

    seconds = 0.0

    def append(self, *arguments: object, **options: object) -> bool:
        """The same, timed."""
        began = time.perf_counter()
        try:
            return super().append(*arguments, **options)  # type: ignore[arg-type]
        finally:
            self.seconds += time.perf_counter() - began


def overhead_rows(config: Path, overrides: Sequence[str]) -> list[Row]:
    """One row per sampler, and one for the appends to the journal that are part of it."""
    rows: list[Row] = []
    for sampler in SAMPLERS:
        total, appends = _one(config, [*overrides, f"search.sampler={sampler}", f"search.batch_size={BATCH_SIZE}"])
        name = f"overhead, {N_TRIALS:,} trials in batches of {BATCH_SIZE}, {sampler}"
        rows.append({"what": name, "figure": total, "unit": "s"})
        if sampler == "cmaes":
            rows.append({"what": f"{name}: journal appends", "figure": appends, "unit": "s"})
    return rows


def _one(config: Path, overrides: Sequence[str]) -> tuple[float, float]:
    fingerprint = load_fingerprint(config, overrides)
    with tempfile.TemporaryDirectory() as folder:
        store = JournalStore(Path(folder) / "study.journal")
        durable = TimedStudy(store, store.open_study("overhead", 1, {}).study)
        study = Study(fingerprint, search_space(fingerprint), MadeUpScores(), durable)  # type: ignore[arg-type]
        began = time.perf_counter()
        study.run(N_TRIALS)
        return time.perf_counter() - began, durable.seconds
