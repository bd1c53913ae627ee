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
from momentum_opt.study.candidates import floor_problem, initial_weights
from momentum_opt.study.claims import Claim, Claimant
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.samplers import ask_batch, batch_sampler
from momentum_opt.study.screening import KEPT, Screened, kept_trials, screen
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import (
    BATCH_SIZE,
    BATCH_START,
    FAIL_REASON,
    SCREEN,
    SOURCE,
    TRAIN,
    VALIDATION,
    WARM_START,
    TrialRecord,
    best_record,
    json_metrics,
    not_finite,
    record_of,
)

POLL_SECONDS = 0.2
"""Between two looks at whether another worker has finished the screening."""

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
        what: is counted; candidates while the study screens.
    """

    done: int
    total: int
    failed: int
    best: TrialRecord | None
    new: int
    seconds: float
    what: str = "trials"


@dataclass(frozen=True)
class Outcome:
    """How a run of a study ended.

    Attributes:
        records: all finished trials, by number.
        stopped: `finished`, `timeout`, `early stopping` or `interrupted`.
    """

    records: tuple[TrialRecord, ...]
    stopped: str

    @property
    def sampled(self) -> tuple[TrialRecord, ...]:
        """Those that were asked of the sampler, without the screened ones."""
        return tuple(record for record in self.records if record.source != SCREEN)


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
        self._storage = storage
        n_objectives = 3 if fingerprint.objective.multi_objective else 1
        self._directions = [StudyDirection.MAXIMIZE] * n_objectives
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line per trial would drown the progress
        self.durable = optuna.create_study(
            storage=storage, study_name=name, directions=self._directions, load_if_exists=True
        )
        self._load()

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
        on_screened: Callable[[Screened], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Screen, and go on until the study has `n_trials` more finished trials, or is stopped between two batches.

        Args:
            n_trials: of the sampler, all runs counted; screened candidates are not.
            on_batch: called after every batch, and after every chunk of the screening.
            on_screened: called with all screened candidates before the kept ones enter the study.
            should_stop: asked between batches.
        """
        began = time.monotonic()
        search = self._fingerprint.search
        stopped = self._screen(began, on_batch, on_screened, should_stop)
        if stopped:
            return Outcome(tuple(self.records()), stopped)
        had = self._sampled
        stopped = "finished"
        self._complete_last_batch()
        while (start := self._sampled) < n_trials:
            reason = self._reason_to_stop(began, should_stop)
            if reason:
                stopped = reason
                break
            self._run_batch(start, min(search.batch_size, n_trials - start))
            records = self.records()
            done = self._sampled
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
        self._mirror.sampler = batch_sampler(
            search.sampler,
            search.seed,
            start,
            search.batch_size,
            distributions,
            screened=search.screen,
            kept=self._screened,
            mean=self._best_known(),
        )
        for numbers in space.first_trials[start : start + size]:
            self._mirror.enqueue_trial(dict(numbers))
        trials = ask_batch(self._mirror, distributions, size)
        sets = [space.params(trial.params) for trial in trials]
        problems = [floor_problem(initial_weights(params), self._fingerprint) for params in sets]
        scores = self._evaluator.score(sets)
        for place, (trial, problem) in enumerate(zip(trials, problems, strict=True)):
            trial.set_user_attr(BATCH_START, start)
            trial.set_user_attr(BATCH_SIZE, size)
            if start + place < len(space.warm):
                trial.set_user_attr(SOURCE, WARM_START)
            _tell(self._mirror, trial, scores, place, problem)
        return self._mirror.get_trials(deepcopy=False)[self._screened + start :]

    def _complete_last_batch(self) -> None:
        """Ask the last batch again where its append was cut short, and append only what is missing.

        The batch depends on the seed and its start alone, so the trials that are there already come out the same.
        """
        trials = self._finished()
        if not trials:
            return
        start, size = (trials[-1].user_attrs.get(key) for key in (BATCH_START, BATCH_SIZE))
        if start is None or size is None or self._sampled >= start + size:
            return
        there = self._sampled - start
        self._load(self._screened + start)
        self.durable.add_trials(self._ask_and_tell(start, size)[there:])

    def _screen(
        self,
        began: float,
        on_batch: Callable[[Progress], None],
        on_screened: Callable[[Screened], None],
        should_stop: Callable[[], bool],
    ) -> str | None:
        """Screen where the configuration asks for it and no worker has done so; why it was stopped, or None."""
        claimant = Claimant(self._storage, f"{self.durable.study_name}, screening")
        while self._fingerprint.search.screen and not self._is_screened():
            reason = self._reason_to_stop(began, should_stop)
            if reason:
                return reason
            claim = claimant.take()
            if claim is None:
                time.sleep(POLL_SECONDS)
                self._load()
                continue
            with claim:
                self._load()
                if not self._is_screened() and not self._screen_under(claim, began, on_batch, on_screened, should_stop):
                    return None  # no candidate can be kept, so there is nothing to wait for
        return None

    def _screen_under(
        self,
        claim: Claim,
        began: float,
        on_batch: Callable[[Progress], None],
        on_screened: Callable[[Screened], None],
        should_stop: Callable[[], bool],
    ) -> bool:
        """Screen, and add the kept candidates that are not in the study yet; False where none could be kept."""
        total = self._fingerprint.search.screen

        def note(done: int, best: TrialRecord | None, failed: int) -> None:
            claim.beat()
            on_batch(Progress(done, total, failed, best, done, time.monotonic() - began, "candidates"))

        def stopping() -> bool:
            return self._reason_to_stop(began, should_stop) is not None

        screened = screen(self._fingerprint, self._space, self._evaluator, on_chunk=note, should_stop=stopping)
        if screened is None:
            return True
        on_screened(screened)
        self.durable.add_trials(kept_trials(screened, self._space, self._fingerprint)[self._screened :])
        self._load()
        return len(screened.kept) > 0

    def _is_screened(self) -> bool:
        """Whether all candidates that were kept are in the study."""
        trials = self._mirror.get_trials(deepcopy=False)
        return self._sampled > 0 or (self._screened > 0 and self._screened >= trials[0].user_attrs[KEPT])

    def _best_known(self) -> Mapping[str, float] | None:
        """Where a search that starts from one point starts: the best screened candidate, or the first known one."""
        if self._screened:
            return self._mirror.get_trials(deepcopy=False)[0].params
        return next(iter(self._space.warm), None)

    @property
    def _sampled(self) -> int:
        """Finished trials that were asked of the sampler, in the mirror."""
        return len(self._mirror.get_trials(deepcopy=False)) - self._screened

    def _finished(self) -> list[FrozenTrial]:
        return self.durable.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))

    def _load(self, count: int | None = None) -> None:
        """Make the mirror anew, of the first `count` trials of the storage; the screened ones come first."""
        self._mirror = optuna.create_study(directions=self._directions)
        self._mirror.add_trials(self._finished()[:count])
        self._screened = sum(record.source == SCREEN for record in self.records())


def has_stalled(records: Sequence[TrialRecord], patience: int, min_improvement: float) -> bool:
    """Whether the best objective has not risen by min_improvement · |best| within the last `patience` trials.

    The (first) objective counts. Screened candidates are earlier ones, never among the last; never true before there
    are `patience` trials, and a complete one among the earlier ones.
    """
    sampled = [record for record in records if record.source != SCREEN]
    if len(sampled) < patience:
        return False
    earlier = [record for record in records if record.source == SCREEN] + sampled[:-patience]
    recent = sampled[-patience:]
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
        problem = not_finite(values)
    if problem is not None:
        trial.set_user_attr(FAIL_REASON, problem)
        study.tell(trial, state=TrialState.FAIL)
        return
    for key, metrics in ((TRAIN, scores.train), (VALIDATION, scores.validation)):
        trial.set_user_attr(key, json_metrics({name: metrics[name][place] for name in metrics}))
    study.tell(trial, [float(value) for value in values])
