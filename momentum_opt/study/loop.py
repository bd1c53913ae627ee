"""The study (SPEC §12): batches are asked of a sampler, scored at once, told, and appended to the durable storage.

The sampler works on an in-memory study that mirrors the durable one. A batch depends only on the seed and on the
trials finished before it, so the same command goes on where the last one stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.block_sums import encoded
from momentum_opt.study.candidates import floor_problem, initial_weights
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.samplers import ask_batch, batch_sampler
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import (
    BATCH_SIZE,
    BATCH_START,
    BLOCKS,
    FAIL_REASON,
    TRAIN,
    VALIDATION,
    TrialRecord,
    best_record,
    json_metrics,
    record_of,
)

IDENTITY = "identity"
"""Study attribute that says what the study searches, and on which prices."""


@dataclass(frozen=True)
class Progress:
    """Where a study stands after a batch.

    Attributes:
        done: finished trials, all runs of the study counted.
        total: trials it is to have.
        failed: of the finished ones.
        best: the best trial so far; None while all have failed.
        new: trials that this run has finished.
        seconds: since this run began.
    """

    done: int
    total: int
    failed: int
    best: TrialRecord | None
    new: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a run of a study ended.

    Attributes:
        records: all finished trials, by number.
        stopped: `finished`, `timeout`, `early stopping` or `interrupted`.
    """

    records: tuple[TrialRecord, ...]
    stopped: str


class Study:
    """One study: an in-memory mirror for the sampler, a durable storage for everything else.

    Args:
        fingerprint: what is searched and how.
        space: its search space.
        evaluator: scores the batches.
        storage: durable storage.
        name: of the study in the storage.
    """

    def __init__(
        self, fingerprint: Fingerprint, space: SearchSpace, evaluator: Evaluator, storage: BaseStorage, name: str
    ) -> None:
        self._fingerprint = fingerprint
        self._space = space
        self._evaluator = evaluator
        n_objectives = 3 if fingerprint.objective.multi_objective else 1
        self._directions = [StudyDirection.MAXIMIZE] * n_objectives
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line per trial would drown the progress
        self.durable = optuna.create_study(
            storage=storage, study_name=name, directions=self._directions, load_if_exists=True
        )
        self._mirror = self._mirror_of(self._finished())

    def claim(self, identity: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts that the study in the storage was made with; `identity` where it is new, and then kept with it.

        Args:
            identity: JSON-ready facts that tell this study from another one of the same name.
        """
        kept = self.durable.user_attrs.get(IDENTITY)
        if kept is None:
            self.durable.set_user_attr(IDENTITY, dict(identity))
            return identity
        return kept

    def run(
        self,
        n_trials: int,
        *,
        on_batch: Callable[[Progress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Go on until the study has `n_trials` finished trials, or is stopped between two batches."""
        began = time.monotonic()
        search = self._fingerprint.search
        had = len(self._finished())
        stopped = "finished"
        self._complete_last_batch()
        while (start := len(self._mirror.trials)) < n_trials:
            reason = self._reason_to_stop(began, should_stop)
            if reason:
                stopped = reason
                break
            self._run_batch(start, min(search.batch_size, n_trials - start))
            records = self.records()
            done = len(records)
            failed = sum(record.failed for record in records)
            seconds = time.monotonic() - began
            on_batch(Progress(done, n_trials, failed, best_record(records), done - had, seconds))
        return Outcome(tuple(self.records()), stopped)

    def records(self) -> list[TrialRecord]:
        """All finished trials of the mirror, by number."""
        return [record_of(trial) for trial in self._mirror.get_trials(deepcopy=False)]

    def _reason_to_stop(self, began: float, should_stop: Callable[[], bool]) -> str | None:
        search = self._fingerprint.search
        if should_stop():
            return "interrupted"
        if search.timeout is not None and time.monotonic() - began >= search.timeout:
            return "timeout"
        rule = search.early_stopping
        if rule is not None and has_stalled(self.records(), rule.patience, rule.min_improvement):
            return "early stopping"
        return None

    def _run_batch(self, start: int, size: int) -> None:
        told = self._ask_and_tell(start, size)
        self.durable.add_trials(told)

    def _ask_and_tell(self, start: int, size: int) -> list[FrozenTrial]:
        """Ask a batch of a fresh sampler, score it, tell every trial; the finished trials of the mirror."""
        search, space = self._fingerprint.search, self._space
        distributions = space.distributions
        self._mirror.sampler = batch_sampler(search.sampler, search.seed, start, search.batch_size, distributions)
        if start == 0:
            self._mirror.enqueue_trial(space.first_trial)
        trials = ask_batch(self._mirror, distributions, size)
        sets = [space.params(trial.params) for trial in trials]
        problems = [floor_problem(initial_weights(params), self._fingerprint) for params in sets]
        scores = self._evaluator.score(sets)
        for place, (trial, problem) in enumerate(zip(trials, problems, strict=True)):
            trial.set_user_attr(BATCH_START, start)
            trial.set_user_attr(BATCH_SIZE, size)
            _tell(self._mirror, trial, scores, place, problem)
        return self._mirror.get_trials(deepcopy=False)[start : start + size]

    def _complete_last_batch(self) -> None:
        """Ask the last batch again where its append was cut short, and append only what is missing.

        The batch depends on the seed and its start alone, so the trials that are there already come out the same.
        """
        trials = self._finished()
        if not trials:
            return
        start, size = (trials[-1].user_attrs.get(key) for key in (BATCH_START, BATCH_SIZE))
        if start is None or size is None or len(trials) >= start + size:
            return
        self._mirror = self._mirror_of(trials[:start])
        told = self._ask_and_tell(start, size)
        self.durable.add_trials(told[len(trials) - start :])

    def _finished(self) -> list[FrozenTrial]:
        return self.durable.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))

    def _mirror_of(self, trials: Sequence[FrozenTrial]) -> optuna.Study:
        mirror = optuna.create_study(directions=self._directions)
        mirror.add_trials(trials)
        return mirror


def has_stalled(records: Sequence[TrialRecord], patience: int, min_improvement: float) -> bool:
    """Whether the best objective has not risen by min_improvement · |best| within the last `patience` trials.

    The (first) objective counts; never true before there are more than `patience` trials with a complete one among
    the earlier ones.
    """
    earlier, recent = records[:-patience], records[-patience:]
    before = [record.objectives[0] for record in earlier if not record.failed]
    after = [record.objectives[0] for record in recent if not record.failed]
    if not before:
        return False
    best = max(before)
    needed = best + min_improvement * abs(best)
    return not any(value > best and value >= needed for value in after)


def _tell(study: optuna.Study, trial: optuna.Trial, scores: BatchScores, place: int, problem: str | None) -> None:
    values = scores.objectives[place]
    if problem is None and not np.isfinite(values).all():
        problem = f"objective is not finite ({', '.join(f'{value:g}' for value in values)})"
    if problem is not None:
        trial.set_user_attr(FAIL_REASON, problem)
        study.tell(trial, state=TrialState.FAIL)
        return
    for key, metrics in ((TRAIN, scores.train), (VALIDATION, scores.validation)):
        trial.set_user_attr(key, json_metrics({name: metrics[name][place] for name in metrics}))
    if scores.blocks is not None:
        trial.set_user_attr(BLOCKS, encoded(scores.blocks[place]))
    study.tell(trial, [float(value) for value in values])
