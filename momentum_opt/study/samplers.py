"""Samplers (SPEC §12): a name, a seed and the number of finished trials in, a fresh Optuna sampler out.

A batch is always asked of a fresh sampler whose random stream depends on the seed and the number of trials finished
before the batch, so that a study that was interrupted goes on as one that was not.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from scipy.stats import qmc

from momentum_opt.vocabulary.schema import OptunaRange, sample_in_range

Distributions = Mapping[str, BaseDistribution]


class SobolSampler(BaseSampler):
    """One scrambled Sobol sequence over the whole study; trial number i gets its point i.

    Optuna's own quasi-random sampler keeps its counter outside the trials, so it cannot be taken up again.
    """

    def __init__(self, seed: int | Sequence[int], finished: int, distributions: Distributions) -> None:
        self._distributions = dict(distributions)
        self._points = qmc.Sobol(len(distributions), rng=np.random.default_rng(seed))
        if finished:  # scipy refuses to skip none
            self._points.fast_forward(finished)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters at once."""
        del study, trial
        return self._distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point of the sequence, in the ranges."""
        del study, trial
        units = self._points.random(1)[0]
        return {name: _in_range(unit, kind) for unit, (name, kind) in zip(units, search_space.items(), strict=True)}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never reached: every distribution is fixed before the ask."""
        raise NotImplementedError(f"`{param_name}` is not one of the fixed distributions")


def _in_range(unit: float, kind: BaseDistribution) -> float:
    assert isinstance(kind, FloatDistribution)
    return float(sample_in_range(unit, OptunaRange(kind.low, kind.high, kind.log)))


def _tpe(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, batch_size, distributions
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=False, seed=seed)


def _cmaes(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, distributions
    return optuna.samplers.CmaEsSampler(popsize=batch_size, seed=seed, warn_independent_sampling=False)


def _nsga2(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, distributions
    return optuna.samplers.NSGAIISampler(population_size=batch_size, seed=seed)


def _random(seed: int, finished: int, batch_size: int, distributions: Distributions) -> BaseSampler:
    del finished, batch_size, distributions
    return optuna.samplers.RandomSampler(seed=seed)


SAMPLER_FACTORIES: Final[Mapping[str, Callable[[int, int, int, Distributions], BaseSampler]]] = MappingProxyType(
    {"tpe": _tpe, "cmaes": _cmaes, "nsga2": _nsga2, "random": _random}
)
"""Name → factory (seed of the batch, finished trials, batch size, distributions); `qmc` keeps one seed throughout."""


def batch_sampler(
    name: str,
    seed: int,
    finished: int,
    batch_size: int,
    distributions: Distributions,
    *,
    worker: int = 0,
    own: int | None = None,
) -> BaseSampler:
    """A fresh sampler for the batch that starts after `finished` trials.

    Args:
        name: of `vocabulary.names.SAMPLERS`.
        seed: of the study.
        finished: trials finished before the batch.
        batch_size: trials per full batch; the population of cmaes and nsga2.
        distributions: what is sampled.
        worker: number of the worker that asks; each has a random stream of its own, and 0 that of a study with one.
        own: how many of the finished trials are this worker's, None for all; `qmc` goes on in its sequence from there.
    """
    stream = [worker] if worker else []
    if name == "qmc":
        return SobolSampler([seed, *stream] if stream else seed, finished if own is None else own, distributions)
    batch_seed = int(np.random.SeedSequence([seed, finished, *stream]).generate_state(1)[0])
    return SAMPLER_FACTORIES[name](batch_seed, finished, batch_size, distributions)


def ask_batch(study: optuna.Study, distributions: Distributions, size: int) -> Sequence[optuna.Trial]:
    """`size` new trials with fixed distributions."""
    fixed = dict(distributions)
    return [study.ask(fixed_distributions=fixed) for _ in range(size)]
