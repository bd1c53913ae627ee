"""The sampler's side of a study (SPEC §12): finished trials in; batches of parameter sets asked, and told, out.

The sampler works on an Optuna study in memory. It holds what samplers read of every finished trial (numbers, values,
the sampler's own notes), in the order in which this process came to know them.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.limits import merit
from momentum_opt.study.memetic import Memetic, finished_of, memetic_of, notes
from momentum_opt.study.samplers import GivenPoints, ask_batch, batch_sampler, work_out_parents
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import (
    BLOCKS,
    NEAR,
    SOURCE,
    WARM_START,
    WORKER,
    violation_of_trial,
    was_sampled,
    was_screened,
)

if TYPE_CHECKING:
    from momentum_opt.study.improvement import Improver


class Mirror:
    """An in-memory study for one worker.

    Args:
        fingerprint: how the study searches.
        space: what it samples.
        worker: number of this worker.
        trials: finished trials of the durable study, by number.
        improver: of memetic, where it improves what it proposes.
    """

    def __init__(
        self,
        fingerprint: Fingerprint,
        space: SearchSpace,
        worker: int,
        trials: Iterable[FrozenTrial] = (),
        improver: "Improver | None" = None,
    ) -> None:
        self._search = fingerprint.search
        self._space = space
        self._worker = worker
        n_objectives = len(fingerprint.objective.parts)
        self._study = optuna.create_study(directions=[StudyDirection.MAXIMIZE] * n_objectives)
        self._finished = 0
        self._own = 0
        self._generation = 0
        self._complete = 0
        self._given = 0
        self._mean: Mapping[str, float] | None = next(iter(self._space.warm), None)
        self._near: int | None = None
        self._warm: set[int] = set()
        self._notes: dict[int, dict[str, Any]] = {}
        self._memetic = (
            memetic_of(fingerprint, space, improver, worker) if fingerprint.search.sampler == "memetic" else None
        )
        self.absorb(trials)

    def absorb(self, trials: Iterable[FrozenTrial]) -> None:
        """Take in finished trials of the durable study."""
        for trial in trials:
            bare = copy.copy(trial)
            # No sampler reads more of them, and copies of all would cost most of the time.
            bare.user_attrs = {key: trial.user_attrs[key] for key in (SOURCE,) if key in trial.user_attrs}
            bare.system_attrs = {key: value for key, value in trial.system_attrs.items() if key != BLOCKS}
            self._study.add_trial(bare)
            self._complete += trial.state == TrialState.COMPLETE
            if was_sampled(trial):
                self._count(trial.user_attrs.get(WORKER, -1))
            else:
                self._take_given(trial)

    def _take_given(self, trial: FrozenTrial) -> None:
        """A trial that no sampler asked for: cmaes begins after the last of them, at the best of the last lot."""
        near = trial.user_attrs.get(NEAR)
        if self._given == 0 or near != self._near:  # the best of a lot comes first
            self._mean, self._near = trial.params, near
        self._given = self._complete

    def ask(self, size: int) -> Sequence[optuna.Trial]:
        """A batch of new trials; it depends on the seed, the worker and the trials finished before it alone."""
        if self._memetic is not None:
            return self._ask_memetic(self._memetic, size)
        search, distributions = self._search, self._space.distributions
        self._study.sampler = batch_sampler(
            search.sampler,
            search.seed,
            self._finished,
            search.batch_size,
            distributions,
            worker=self._worker,
            own=self._own,
            screened=search.screen,
            kept=self._given,
            mean=self._mean,
        )
        self._generation = work_out_parents(self._study, self._generation)
        first = self._first
        for numbers in self._space.first_trials[first : first + size]:
            self._study.enqueue_trial(dict(numbers))
        return self._asked(size)

    def _ask_memetic(self, memetic: Memetic, size: int) -> Sequence[optuna.Trial]:
        keys = tuple(self._space.distributions)
        known = self._space.first_trials[self._first : self._first + size]
        numbers = np.array([[one[key] for key in keys] for one in known]).reshape(-1, len(keys))
        rows = [
            ([trial.params[key] for key in keys], _merit(trial), was_screened(trial))
            for trial in self._study.get_trials(deepcopy=False)
        ]
        proposed = memetic.propose(
            finished_of(rows, len(keys)), self._own // self._search.batch_size, self._finished, size, numbers
        )
        self._study.sampler = GivenPoints(proposed.numbers, self._space.distributions)
        trials = self._asked(size)
        self._notes = {
            trial.number: notes(keys, start, points)
            for trial, start, points in zip(trials, proposed.starts.tolist(), proposed.points, strict=True)
        }
        return trials

    @property
    def _first(self) -> int:
        """Which of the trials that the space begins with is next."""
        return self._own if self._worker == 0 else len(self._space.first_trials)

    def _asked(self, size: int) -> Sequence[optuna.Trial]:
        first = self._first
        trials = ask_batch(self._study, self._space.distributions, size)
        self._warm = {trial.number for trial in trials[: max(0, len(self._space.warm) - first)]}
        return trials

    def tell(
        self,
        trial: optuna.Trial,
        values: Sequence[float] | None,
        attributes: dict[str, Any],
        excesses: Mapping[str, float] = MappingProxyType({}),
    ) -> FrozenTrial:
        """Finish a trial.

        Args:
            trial: from `ask`.
            values: its objectives; None where it failed.
            attributes: what the durable study keeps of it besides.
            excesses: metric → by how much it breaks its limit: Optuna's constraints, which tpe and nsga2 read.

        Returns:
            The trial as the durable study is to have it.
        """
        for name, excess in excesses.items():
            trial.set_constraint(name, excess)
        told = self._study.tell(trial, values, state=TrialState.FAIL if values is None else None)
        self._complete += values is not None
        self._count(self._worker)
        finished = copy.copy(told)
        source = {SOURCE: WARM_START} if trial.number in self._warm else {}
        finished.user_attrs = {**attributes, **self._notes.get(trial.number, {}), **source}
        return finished

    def _count(self, worker: int) -> None:
        self._finished += 1
        self._own += worker == self._worker


def _merit(trial: FrozenTrial) -> float:
    if trial.state != TrialState.COMPLETE:
        return -math.inf
    return merit(float(trial.values[0]), violation_of_trial(trial))
