"""The search space (SPEC §4, §5): a fingerprint in, one Optuna distribution per sampled number out, and back to params.

A parameter with one value per token gives `log_k_BTC`, `log_k_ETH`, …; a scalar one gives `log_k`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool import MomentumPool
from momentum_opt.pool.memory import effective_logit_limit
from momentum_opt.pool.parameters import initial_parameters
from momentum_opt.vocabulary.schema import OptunaRange, get_optuna_range


@dataclass(frozen=True)
class Sampled:
    """One parameter that the search samples.

    Attributes:
        name: the parameter.
        range: where, after the fingerprint's overrides and the clip to effective values.
        keys: names of its numbers in a trial, one per token or a single one.
    """

    name: str
    range: OptunaRange
    keys: tuple[str, ...]


@dataclass(frozen=True)
class SearchSpace:
    """What a study samples and what it holds fixed.

    Attributes:
        sampled: sampled parameters.
        start: parameter → (asset,) values of the first trial; also the values of what is not sampled.
        notes: one line for each range that was clipped.
    """

    sampled: tuple[Sampled, ...]
    start: Mapping[str, NDArray[np.float64]]
    notes: tuple[str, ...]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Fixed distributions for Optuna, in a stable order."""
        return {
            key: FloatDistribution(one.range.low, one.range.high, log=one.range.log_scale)
            for one in self.sampled
            for key in one.keys
        }

    @property
    def first_trial(self) -> dict[str, float]:
        """The numbers of the first trial: the initial values, moved into the ranges."""
        return {
            key: float(np.clip(value, one.range.low, one.range.high))
            for one in self.sampled
            for key, value in zip(one.keys, self.start[one.name], strict=False)
        }

    def params(self, numbers: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
        """A trial's numbers as parameters: name → (asset,), scalars repeated for every token."""
        n_assets = len(next(iter(self.start.values())))
        sampled = {
            one.name: np.broadcast_to(np.array([numbers[key] for key in one.keys]), (n_assets,)) for one in self.sampled
        }
        return {**self.start, **sampled}


def search_space(fingerprint: Fingerprint) -> SearchSpace:
    """Which numbers the study of `fingerprint` samples, and from where (SPEC §3, §4).

    Raises:
        ConfigError: a range is asked for around a starting point that no run has given.
    """
    search = fingerprint.search
    schema = MomentumPool.get_param_schema()
    fixed = {"logit_delta_lamb"} if not fingerprint.pool.use_alt_lamb else set[str]()
    names = [
        name
        for name, spec in schema.items()
        if name not in fixed and spec.optuna is not None and (spec.trainable or name in search.parameters)
    ]
    around = [name for name in names if name in search.parameters and search.parameters[name].around is not None]
    if around:
        raise ConfigError(
            [
                f"search.parameters.{name}.around: no known parameters to search around; give low and high"
                for name in around
            ]
        )
    sampled: list[Sampled] = []
    notes: list[str] = []
    for name in names:
        bounds = get_optuna_range(name, fingerprint, schema)
        assert bounds is not None
        if name == "logit_lamb" and search.clip_to_effective:
            bounds, note = _clip_to_effective(bounds, fingerprint)
            notes.extend(note)
        scalar = bounds.scalar or search.force_scalar
        keys = (name,) if scalar else tuple(f"{name}_{token}" for token in fingerprint.tokens)
        sampled.append(Sampled(name, bounds, keys))
    return SearchSpace(tuple(sampled), _start(fingerprint), tuple(notes))


def _clip_to_effective(bounds: OptunaRange, fingerprint: Fingerprint) -> tuple[OptunaRange, list[str]]:
    pool = fingerprint.pool
    limit = effective_logit_limit(pool.max_memory_days, pool.chunk_period)
    if bounds.high <= limit or math.isclose(bounds.high, limit):
        return bounds, []
    reason = f"logits above {limit:.4f} all act as the cap of {pool.max_memory_days:g} days"
    if bounds.low >= limit:
        return bounds, [f"logit_lamb: {reason}, so its whole range [{bounds.low:g}, {bounds.high:g}] acts the same"]
    note = f"logit_lamb: searched up to {limit:.4f} instead of {bounds.high:g}: {reason}"
    return OptunaRange(bounds.low, limit, bounds.log_scale, bounds.scalar), [note]


def _start(fingerprint: Fingerprint) -> dict[str, NDArray[np.float64]]:
    """The initial values as (asset,) parameters: what `init_base_parameters` gives as its set 0."""
    keys = ("initial_k_per_day", "initial_memory_length", "initial_memory_length_delta", "initial_weights_logits")
    values = {key: _by_token(fingerprint[key], fingerprint.tokens) for key in keys}
    per_token = {"chunk_period": fingerprint["chunk_period"], "optimisation_settings": {"force_scalar": False}}
    stacked = initial_parameters(values, per_token, fingerprint.n_assets, 1)
    params = {name: np.array(sets[0]) for name, sets in stacked.items()}
    if not fingerprint.pool.use_alt_lamb:
        del params["logit_delta_lamb"]
    return params


def _by_token(value: float | Mapping[str, float], tokens: tuple[str, ...]) -> float | list[float]:
    return [value[token] for token in tokens] if isinstance(value, Mapping) else value
