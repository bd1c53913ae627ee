"""The study (SPEC §12): batches are asked of a sampler, scored at once, told, and appended to the durable storage.

The sampler works on an in-memory mirror of the durable study. A batch depends only on the seed, the worker's number
and the trials finished before it, so the same command goes on where the last one stopped. Any number of workers may
be at work on one study: each reads the others' finished trials in before it asks, and appends a batch as a whole.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.block_sums import encoded
from momentum_opt.study.dropping import result_unless
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.improvement import improver_of
from momentum_opt.study.ledger import Ledger, Outcome, Progress
from momentum_opt.study.mirror import Mirror
from momentum_opt.study.screening import KEPT, Screened, kept_trials, screen
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.storage import DurableStudy
from momentum_opt.study.trials import (
    BATCH_SIZE,
    BATCH_START,
    BLOCKS,
    FAIL_REASON,
    WORKER,
    TrialRecord,
    metric_attributes,
    record_of,
    was_sampled,
)

POLL_SECONDS = 0.2
"""Between two looks at whether another worker has finished the screening."""


class Study:
    """One study as one worker sees it.

    Args:
        fingerprint: what is searched and how.
        space: its search space.
        evaluator: scores the batches.
        durable: the study in its storage.
        proposals: what screening and memetic are scored by, where that is another engine than the trials'.
    """

    def __init__(
        self,
        fingerprint: Fingerprint,
        space: SearchSpace,
        evaluator: Evaluator,
        durable: DurableStudy,
        proposals: Evaluator | None = None,
    ) -> None:
        self._fingerprint = fingerprint
        self._space = space
        self._evaluator = evaluator
        self.durable = durable
        self._proposals = proposals or evaluator
        self._improver = improver_of(fingerprint, space, self._proposals)

    def run(
        self,
        n_trials: int,
        *,
        on_batch: Callable[[Progress], None] = lambda _: None,
        on_screened: Callable[[Screened], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        should_drop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Screen, and go on until the study has `n_trials` finished trials besides, or is stopped.

        Args:
            n_trials: finished trials of all workers and all runs together, of those that count.
            on_batch: called after every batch, and after every chunk of the screening.
            on_screened: called with all screened candidates, before the best of them enter the study.
            should_stop: asked between two batches; True ends the run.
            should_drop: asked all the time while a batch is scored; True ends the run without that batch.
        """
        began = time.monotonic()

        def reason_to_stop() -> str | None:
            return self._reason_to_stop(began, should_stop)

        with self.durable.worker() as worker:
            self._begin(worker)
            reason = self._screen(began, on_batch, on_screened, reason_to_stop, should_drop)
            if reason:
                return self._outcome(reason, dropped=should_drop())
            had = self._ledger.sampled
            while (start := self._ledger.sampled) < n_trials:
                reason = reason_to_stop()
                if reason:
                    return self._outcome(reason)
                size = min(self._fingerprint.search.batch_size, n_trials - start)
                told = self._ask_and_tell(start, size, should_drop)
                if told is None:
                    return self._outcome("interrupted", dropped=True)
                self.durable.append(told)
                self._read_in(own_batch=start)
                done, seconds = self._ledger.sampled, time.monotonic() - began
                on_batch(Progress(done, n_trials, self._ledger.failed, self._ledger.best, done - had, seconds))
        return self._outcome("finished")

    def _begin(self, worker: int) -> None:
        """Take up the study where it stands."""
        self._worker = worker
        self._complete_last_batch()
        self._ledger = Ledger()
        self._known: set[int] = set()
        self._n_kept = 0
        self._mirror = self._mirror_of([])
        self._read_in()

    def _read_in(self, own_batch: int | None = None) -> None:
        """Take in the trials that have been finished since; those of `own_batch` are in the mirror already."""
        for trial in self.durable.finished():
            if trial.number in self._known:
                continue
            self._known.add(trial.number)
            self._ledger.add(record_of(trial))
            self._n_kept = max(self._n_kept, trial.user_attrs.get(KEPT, 0))
            if own_batch is None or _batch_of(trial)[:2] != (self._worker, own_batch):
                self._mirror.absorb([trial])

    def _screen(
        self,
        began: float,
        on_batch: Callable[[Progress], None],
        on_screened: Callable[[Screened], None],
        reason_to_stop: Callable[[], str | None],
        should_drop: Callable[[], bool],
    ) -> str | None:
        """Screen where the configuration asks for it and no worker has done so; why it was stopped, or None."""
        total = self._fingerprint.search.screen

        def note(done: int, best: TrialRecord | None, failed: int) -> None:
            on_batch(Progress(done, total, failed, best, done, time.monotonic() - began, "candidates"))

        while total and not self._is_screened():
            if reason := reason_to_stop():
                return reason
            with self.durable.sole("screening") as is_mine:
                self._read_in()
                if self._is_screened():
                    break
                if not is_mine:
                    time.sleep(POLL_SECONDS)
                    continue
                screened = screen(
                    self._fingerprint, self._space, self._proposals, note, lambda: bool(reason_to_stop()), should_drop
                )
                if screened is None:
                    return reason_to_stop() or "interrupted"
                on_screened(screened)
                there = self._ledger.screened
                trials = kept_trials(screened, self._space, self._fingerprint, self._kept_scores(screened))
                self.durable.append(trials[there:], expected=len(self._ledger.records))
                self._read_in()
                if not trials:
                    break  # none can be kept, so there is nothing to wait for
        return None

    def _kept_scores(self, screened: Screened) -> BatchScores | None:
        """What the trials' own engine says of the candidates that are kept; None where it has screened them."""
        if self._proposals is self._evaluator or not screened.kept.size:
            return None
        return self._evaluator.score_columns(self._space.columns(screened.numbers[screened.kept]))

    def _is_screened(self) -> bool:
        """Whether the screened candidates that were kept are in the study; a sampler's trial comes after them all."""
        screened = self._ledger.screened
        return self._ledger.sampled > 0 or (screened > 0 and screened >= self._n_kept)

    def _outcome(self, stopped: str, *, dropped: bool = False) -> Outcome:
        return Outcome(tuple(self._ledger.records), stopped, dropped)

    def _reason_to_stop(self, began: float, should_stop: Callable[[], bool]) -> str | None:
        search = self._fingerprint.search
        if should_stop():
            return "interrupted"
        if search.timeout is not None and time.monotonic() - began >= search.timeout:
            return "timeout"
        rule = search.early_stopping
        if rule is not None and self._ledger.has_stalled(rule.patience, rule.min_improvement):
            return "early stopping"
        return None

    def _ask_and_tell(
        self, start: int, size: int, should_drop: Callable[[], bool] = lambda: False
    ) -> list[FrozenTrial] | None:
        """Ask a batch, score it, tell every trial; the trials as the durable study is to have them."""
        trials = result_unless(should_drop, lambda: self._mirror.ask(size))
        if trials is None:
            return None
        sets = [self._space.params(trial.params) for trial in trials]
        scores = result_unless(should_drop, lambda: self._evaluator.score(sets))
        if scores is None:
            return None
        batch = {BATCH_START: start, BATCH_SIZE: size, WORKER: self._worker}
        return [_tell(self._mirror, trial, scores, place, batch) for place, trial in enumerate(trials)]

    def _complete_last_batch(self) -> None:
        """Ask this worker's last batch again where its append was cut short, and append only what is missing.

        The batch depends on the seed, the worker and the trials before it alone, so the trials that are there come
        out the same. Where they do not, the worker knew of others' trials in another order; what is there stays then.
        """
        trials = self.durable.finished()
        if not trials:
            return
        worker, start, size = batch = _batch_of(trials[-1])
        before = start + len(trials) - sum(map(was_sampled, trials))
        kept = trials[before:]
        if worker != self._worker or not 0 < len(kept) < size or any(_batch_of(one) != batch for one in kept):
            return
        self._mirror = self._mirror_of(trials[:before])
        told = self._ask_and_tell(start, size)
        if told and [one.params for one in told[: len(kept)]] == [one.params for one in kept]:
            self.durable.append(told[len(kept) :], expected=len(trials))

    def _mirror_of(self, trials: Sequence[FrozenTrial]) -> Mirror:
        return Mirror(self._fingerprint, self._space, self._worker, trials, self._improver)


def _batch_of(trial: FrozenTrial) -> tuple[int, int, int]:
    """Worker, start and size of the batch of a trial; a trial of another program belongs to no worker's."""
    attributes = trial.user_attrs
    return attributes.get(WORKER, -1), attributes.get(BATCH_START, 0), attributes.get(BATCH_SIZE, 0)


def _tell(
    mirror: Mirror, trial: optuna.Trial, scores: BatchScores, place: int, batch: Mapping[str, int]
) -> FrozenTrial:
    """Finish a trial in the mirror; the trial as the durable study is to have it."""
    values, problem = scores.objectives[place], scores.problem(place)
    if problem is not None:
        return mirror.tell(trial, None, {**batch, FAIL_REASON: problem})
    attributes: dict[str, Any] = metric_attributes(scores.train, scores.validation, place)
    if scores.blocks is not None:
        attributes[BLOCKS] = encoded(scores.blocks[place])
    found = [float(value) for value in values]
    return mirror.tell(trial, found, {**batch, **attributes}, scores.excesses_of(place))
