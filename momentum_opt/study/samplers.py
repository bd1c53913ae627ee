"""Samplers (SPEC §12): a name, a seed and the number of finished trials in, a fresh Optuna sampler out.

A batch is always asked of a fresh sampler whose random stream depends on the seed and the number of trials finished
before the batch, so that a study that was interrupted goes on as one that was not.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.study.evolution import PopulationSampler, WholeSpaceSampler, range_of
from momentum_opt.vocabulary.schema import OptunaRange, sample_in_range

Distributions = Mapping[str, BaseDistribution]


class SobolSampler(WholeSpaceSampler):
    """One scrambled Sobol sequence over the whole study; trial number i gets its point i.

    Optuna's own quasi-random sampler keeps its counter outside the trials, so it cannot be taken up again.
    """

    def __init__(self, seed: int | Sequence[int], finished: int, distributions: Distributions) -> None:
        super().__init__(distributions)
        self._points = _sobol(len(distributions), seed)
        if finished:  # scipy refuses to skip none
            self._points.fast_forward(finished)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point of the sequence, in the ranges."""
        del study, trial
        units = self._points.random(1)[0]
        return {name: _in_range(unit, kind) for unit, (name, kind) in zip(units, search_space.items(), strict=True)}


class GivenPoints(WholeSpaceSampler):
    """Points that were chosen beforehand, one after another.

    Args:
        numbers: (trial, key) in the order of the distributions.
        distributions: what they lie in.
    """

    def __init__(self, numbers: NDArray[np.float64], distributions: Distributions) -> None:
        super().__init__(distributions)
        self._numbers = iter(numbers.tolist())

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point."""
        del study, trial
        return dict(zip(search_space, next(self._numbers), strict=True))


class NSGAIISampler(optuna.samplers.NSGAIISampler):
    """Optuna's, for one batch that is asked at once: what all its trials share is found once, not by each anew.

    Each ask would look through all finished trials for their generation and for the parameters that they share; in a
    study of 1,000 that is half of the time of an ask. The name is the same because what it notes in the trials has it.
    """

    def __init__(self, seed: int, population_size: int, distributions: Distributions) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._generation: int | None = None
        self._distributions = {name: kind for name, kind in sorted(distributions.items()) if not kind.single()}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters, in the order of their names, as Optuna has them."""
        del study, trial
        return self._distributions

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        """That of the batch: no trial of it finishes before the last is asked."""
        if self._generation is None:
            self._generation = super().get_trial_generation(study, trial)
        elif self._get_generation_key() not in trial.system_attrs:
            storage, number = study._storage, trial._trial_id  # pyright: ignore[reportPrivateUsage]  # as Optuna does
            storage.set_trial_system_attr(number, self._get_generation_key(), self._generation)
        return self._generation


def sobol_numbers(seed: int, first: int, count: int, ranges: Mapping[str, OptunaRange]) -> NDArray[np.float64]:
    """Points `first` to `first + count` of the sequence that `SobolSampler` walks, in the ranges; (point, key)."""
    points = _sobol(len(ranges), seed)
    if first:
        points.fast_forward(first)
    units = points.random(1 << (count - 1).bit_length())[:count]  # scipy warns of any other size
    return np.stack(
        [sample_in_range(unit, bounds) for unit, bounds in zip(units.T, ranges.values(), strict=True)], axis=1
    )


def _sobol(dimensions: int, seed: int | Sequence[int]) -> Any:
    """A scrambled Sobol sequence."""
    from scipy.stats import qmc  # takes a second to import, and few samplers need it

    return qmc.Sobol(dimensions, rng=np.random.default_rng(seed))


def _in_range(unit: float, kind: BaseDistribution) -> float:
    return float(sample_in_range(unit, range_of(kind)))


def _tpe(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, batch_size, distributions
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=False, seed=seed)


def _nsga2(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished
    return NSGAIISampler(seed, batch_size, distributions)


def _random(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, batch_size, distributions
    return optuna.samplers.RandomSampler(seed=seed)


SAMPLER_FACTORIES: Final[Mapping[str, Callable[[int, int, int, Distributions], BaseSampler]]] = MappingProxyType(
    {"tpe": _tpe, "nsga2": _nsga2, "random": _random}
)
"""Name → factory (seed of the batch, finished trials, batch size, distributions), of Optuna's own samplers."""


def batch_sampler(
    name: str,
    seed: int,
    finished: int,
    batch_size: int,
    distributions: Distributions,
    *,
    worker: int = 0,
    own: int | None = None,
    screened: int = 0,
    kept: int = 0,
    mean: Mapping[str, float] | None = None,
) -> BaseSampler:
    """A fresh sampler for the batch that starts after `finished` trials.

    Args:
        name: of `vocabulary.names.SAMPLERS`.
        seed: of the study.
        finished: trials finished before the batch, without the screened ones.
        batch_size: trials per full batch; the population of cmaes and nsga2.
        distributions: what is sampled.
        worker: number of the worker that asks; each has a random stream of its own, and 0 that of a study with one.
        own: how many of the finished trials are this worker's, None for all; `qmc` goes on in its sequence from there.
        screened: candidates of the screening; qmc goes on after them.
        kept: complete trials of the study up to the last one that no sampler asked for; cmaes begins after them.
        mean: where cmaes begins; None is the middle of the ranges.
    """
    stream = [worker] if worker else []
    if name == "qmc":
        first = screened + (finished if own is None else own)
        return SobolSampler([seed, *stream] if stream else seed, first, distributions)
    batch_seed = int(np.random.SeedSequence([seed, finished, *stream]).generate_state(1)[0])
    if name == "cmaes":
        return PopulationSampler(seed, batch_seed, batch_size, distributions, skip=kept, mean=mean)
    return SAMPLER_FACTORIES[name](batch_seed, finished, batch_size, distributions)


def first_generation(name: str) -> dict[str, int]:
    """What makes a trial that was not asked for one of a sampler's first generation: nsga2 breeds from no other."""
    return {f"{optuna.samplers.NSGAIISampler.__name__}:generation": 0} if name == "nsga2" else {}


def work_out_parents(study: optuna.Study, known: int) -> int:
    """Let nsga2 choose the parents of every generation that there is, the first one first; the last generation.

    Optuna chooses them when they are asked for, and those of all generations before in one recursion, which Python ends
    at about 490 generations: a worker that took up a study of 31,000 trials in batches of 64 could not ask.

    Args:
        study: with the sampler that will be asked.
        known: the generation up to which this has been done.
    """
    sampler = study.sampler
    if not isinstance(sampler, optuna.samplers.NSGAIISampler):
        return known
    (key,) = first_generation("nsga2")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    last = max((trial.system_attrs.get(key, 0) for trial in complete), default=0)
    for generation in range(known + 1, last + 1):
        sampler.get_parent_population(study, generation)
    return max(known, last)


def ask_batch(study: optuna.Study, distributions: Distributions, size: int) -> Sequence[optuna.Trial]:
    """`size` new trials with fixed distributions."""
    fixed = dict(distributions)
    return [study.ask(fixed_distributions=fixed) for _ in range(size)]
