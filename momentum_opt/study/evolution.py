"""CMA-ES in whole batches (SPEC §12): the finished trials of a study in, the next population out.

The state follows from the trials alone: every `population` complete ones, in the order in which they were finished,
are one generation, ranked by merit (`limits`). A population that has converged is followed by a new one from a random
point, so that a long search does not end in the first optimum that it finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.study.limits import merit
from momentum_opt.study.trials import violation_of_trial
from momentum_opt.vocabulary.schema import OptunaRange, place_in_range, sample_in_range

if TYPE_CHECKING:
    from cmaes import CMA

SIGMA: Final = 1 / 6
"""First step size, in units of the ranges."""

FEWEST: Final = 4
"""Size of a population at least, plus 3 log of the dimension (Hansen's default); smaller batches share one."""


CONVERGED: Final = 1e-3
"""A population begins anew when its objectives spread over less than this part of what its first generation's did."""


@dataclass
class _State:
    """A population after `used` trials of a study, how many came before it, and the spread of its first generation.

    `skip` trials of the study came before the first of them.
    """

    optimizer: "CMA"
    skip: int
    used: int = 0
    restarts: int = 0
    spread: float | None = None


_states: WeakKeyDictionary[optuna.Study, _State] = WeakKeyDictionary()
"""What would otherwise be computed again from the first trial on for every batch of a study."""


class WholeSpaceSampler(BaseSampler):
    """A sampler of all parameters at once, whose distributions are fixed before the ask.

    Args:
        distributions: what is sampled.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self._distributions = dict(distributions)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters at once."""
        del study, trial
        return self._distributions

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never reached: every distribution is fixed before the ask."""
        raise NotImplementedError(f"`{param_name}` is not one of the fixed distributions")


class PopulationSampler(WholeSpaceSampler):
    """Asks one batch of a CMA-ES.

    Optuna's own keeps its state inside the trials, twice the size of everything else, and reads it for every ask.

    Args:
        seed: of the study; decides where later populations begin.
        batch_seed: of this batch.
        population: complete trials per generation, raised to what the dimension needs.
        distributions: what is sampled; floats alone.
        skip: complete trials of the study up to the last one that was not asked of a sampler.
        mean: where the first population begins; None is the middle of the ranges.
    """

    def __init__(
        self,
        seed: int,
        batch_seed: int,
        population: int,
        distributions: Mapping[str, BaseDistribution],
        *,
        skip: int = 0,
        mean: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(distributions)
        self._seed = seed
        self._batch_seed = batch_seed
        self._ranges = {name: range_of(kind) for name, kind in distributions.items()}
        self._population = max(population, FEWEST + int(3 * np.log(len(distributions))))
        self._skip = skip
        self._mean = np.full(len(distributions), 0.5) if mean is None else self._units(mean)
        self._asked: CMA | None = None

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next member of the population."""
        del trial, search_space
        if self._asked is None:
            self._asked = self._optimizer_for(study)
            self._asked.reseed_rng(self._batch_seed)
        units = self._asked.ask()
        return {
            name: min(max(float(sample_in_range(unit, bounds)), bounds.low), bounds.high)  # against rounding
            for unit, (name, bounds) in zip(units, self._ranges.items(), strict=True)
        }

    def _optimizer_for(self, study: optuna.Study) -> "CMA":
        """The optimizer after all whole generations of the study."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))[self._skip :]
        state = _states.get(study)
        if state is None or state.skip != self._skip:
            state = _states[study] = _State(self._new(self._mean), self._skip)
        while len(complete) >= state.used + self._population:
            generation = complete[state.used : state.used + self._population]
            values = [float(trial.values[0]) for trial in generation]
            state.optimizer.tell(
                [
                    (self._units(trial.params), -merit(value, violation_of_trial(trial)))
                    for trial, value in zip(generation, values, strict=True)
                ]
            )
            state.used += self._population
            spread = max(values) - min(values)
            if state.spread is None:
                state.spread = spread
            if spread < CONVERGED * state.spread or state.optimizer.should_stop():
                self._begin_anew(state)
        return state.optimizer

    def _begin_anew(self, state: _State) -> None:
        state.restarts += 1
        drawn = np.random.default_rng([self._seed, state.restarts]).random(len(self._ranges))
        state.optimizer, state.spread = self._new(drawn), None

    def _new(self, mean: NDArray[np.float64]) -> "CMA":
        from cmaes import CMA  # imports scipy.stats, which takes a second

        bounds = np.tile([0.0, 1.0], (len(self._ranges), 1))
        return CMA(mean=mean, sigma=SIGMA, bounds=bounds, population_size=self._population)

    def _units(self, numbers: Mapping[str, float]) -> NDArray[np.float64]:
        return np.array([place_in_range(numbers[name], bounds) for name, bounds in self._ranges.items()])


def range_of(kind: BaseDistribution) -> OptunaRange:
    """The range that a float distribution stands for."""
    assert isinstance(kind, FloatDistribution)
    return OptunaRange(kind.low, kind.high, kind.log)
