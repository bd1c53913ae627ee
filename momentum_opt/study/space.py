"""The search space (SPEC §4, §5): a fingerprint in, one Optuna distribution per sampled number out, and back to params.

A parameter with one value per token gives `log_k_BTC`, `log_k_ETH`, …; a scalar one gives `log_k`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution

from momentum_opt.fingerprint import Fingerprint, clipped, search_ranges
from momentum_opt.pool.memory import effective_logit_limit
from momentum_opt.pool.parameters import initial_parameters
from momentum_opt.study.candidates import ParamSet, lifted_logits
from momentum_opt.study.known import require_known
from momentum_opt.vocabulary.rules import RULES
from momentum_opt.vocabulary.schema import OptunaRange


@dataclass(frozen=True)
class Sampled:
    """One parameter that the search samples.

    Attributes:
        name: the parameter.
        keys: names of its numbers in a trial, one per token or a single one.
        whole: per key where, after the fingerprint's overrides and the clip to effective values.
        around: per key, the part of that range around known parameters; None where the whole of it is searched.
    """

    name: str
    keys: tuple[str, ...]
    whole: tuple[OptunaRange, ...]
    around: tuple[OptunaRange, ...] | None = None

    @property
    def ranges(self) -> tuple[OptunaRange, ...]:
        """Where each key is searched."""
        return self.around or self.whole

    def placed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(asset,) values; logits outside their ranges all moved by the same, which changes no weight.

        They come to lie as far inside at one end as at the other, or as little outside.
        """
        low, high = (np.array([getattr(one, end) for one in self.whole]) for end in ("low", "high"))
        inside = (values >= low).all() and (values <= high).all()
        if self.name != "initial_weights_logits" or inside:
            return values
        below, above = np.argmax(low - values), np.argmin(high - values)
        low, high = np.broadcast_to(low, values.shape), np.broadcast_to(high, values.shape)
        return values + (low[below] + high[above] - values[below] - values[above]) / 2.0

    def inside(self, values: NDArray[np.float64]) -> dict[str, float]:
        """(asset,) values as numbers by key, moved into the ranges; a shared number is the tokens' mean."""
        own = [values.mean()] if len(self.keys) < len(values) else self.placed(values)
        return {
            key: float(np.clip(value, bounds.low, bounds.high))
            for key, value, bounds in zip(self.keys, own, self.ranges, strict=True)
        }


@dataclass(frozen=True)
class SearchSpace:
    """What a study samples and what it holds fixed.

    Attributes:
        sampled: sampled parameters.
        start: parameter → (asset,) values of the first trial; also the values of what is not sampled.
        notes: one line for each range that was clipped, and each known value that was moved into its range.
        warm: known parameters to begin with, as a trial's numbers.
        minimum_weight: sampled logits that leave a weight under it are moved to the nearest that do not.
    """

    sampled: tuple[Sampled, ...]
    start: ParamSet
    notes: tuple[str, ...]
    warm: tuple[Mapping[str, float], ...] = ()
    minimum_weight: float = 0.0

    @property
    def ranges(self) -> dict[str, OptunaRange]:
        """Where each number of a trial is searched, in a stable order."""
        return {key: bounds for one in self.sampled for key, bounds in zip(one.keys, one.ranges, strict=True)}

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(key,) lower and upper ends of the ranges, in their order."""
        low, high = (np.array([getattr(one, end) for one in self.ranges.values()]) for end in ("low", "high"))
        return low, high

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Fixed distributions for Optuna, in a stable order."""
        return {
            key: FloatDistribution(bounds.low, bounds.high, log=bounds.log_scale) for key, bounds in self.ranges.items()
        }

    @property
    def first_trial(self) -> dict[str, float]:
        """The numbers of the initial values, moved into the ranges."""
        return {key: value for one in self.sampled for key, value in one.inside(self.start[one.name]).items()}

    @property
    def first_trials(self) -> tuple[Mapping[str, float], ...]:
        """What a study tries before it asks its sampler: known parameters, then the initial values."""
        return (*self.warm, self.first_trial)

    def params(self, numbers: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
        """A trial's numbers as what is simulated: name → (asset,), scalars repeated for every token."""
        row = np.array([[numbers[key] for key in self.ranges]])
        return {name: values[:, 0] for name, values in self.columns(row).items()}

    def lifted(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """(candidate, key) numbers as they are simulated: initial weights under the floor moved to the nearest above.

        A sampler's trial keeps the numbers that were drawn, by which the search goes on; all that is simulated, and
        every table and result, comes of these.
        """
        keys = [key for one in self.sampled if one.name == "initial_weights_logits" for key in one.keys]
        if len(keys) < 2:  # one logit for all tokens means equal weights
            return numbers
        at = [list(self.ranges).index(key) for key in keys]
        moved = numbers.copy()
        moved[:, at] = lifted_logits(numbers[:, at].T, self.minimum_weight).T
        return moved

    def columns(self, numbers: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """`params` of many trials: (candidate, key) in; name → (asset, candidate) out."""
        numbers, count = self.lifted(numbers), len(numbers)
        n_assets = len(next(iter(self.start.values())))
        columns = {name: np.broadcast_to(values[:, None], (n_assets, count)) for name, values in self.start.items()}
        first = 0
        for one in self.sampled:
            own = numbers[:, first : first + len(one.keys)].T
            columns[one.name] = np.broadcast_to(own, (n_assets, count))
            first += len(one.keys)
        return columns


def search_space(fingerprint: Fingerprint, known: Sequence[ParamSet] = ()) -> SearchSpace:
    """Which numbers the study of `fingerprint` samples, and from where (SPEC §3, §4).

    Args:
        fingerprint: names and ranges.
        known: parameters to begin with, under the names that are sampled; ranges may be narrowed around them.

    Raises:
        ConfigError: a range is asked for around known parameters, and none are given.
    """
    require_known(fingerprint, known)
    search = fingerprint.search
    sampled: list[Sampled] = []
    notes: list[str] = []
    for name, whole in search_ranges(fingerprint).items():
        keys = (name,) if len(whole) == 1 else tuple(f"{name}_{token}" for token in fingerprint.tokens)
        if name == "logit_lamb" and search.clip_to_effective:
            whole, found = _clip_to_effective(keys, whole, fingerprint)
            notes += found
        one = Sampled(name, keys, whole)
        around = search.parameters[name].around if name in search.parameters else None
        sampled.append(one if around is None else _narrowed(one, known, around.half_width))
    notes += [note for place, params in enumerate(known) for one in sampled for note in _moved(one, params, place)]
    warm = tuple(
        {key: value for one in sampled for key, value in one.inside(params[one.name]).items()} for params in known
    )
    return SearchSpace(tuple(sampled), start_params(fingerprint), tuple(notes), warm, fingerprint.pool.minimum_weight)


def _narrowed(one: Sampled, known: Sequence[ParamSet], half_width: float) -> Sampled:
    """The range of each key from half a width below the lowest known value to half a width above the highest."""
    centres = [one.inside(params[one.name]) for params in known]
    narrow = tuple(
        OptunaRange(
            max(min(centre[key] for centre in centres) - half_width, whole.low),
            min(max(centre[key] for centre in centres) + half_width, whole.high),
        )
        for key, whole in zip(one.keys, one.whole, strict=True)
    )
    return replace(one, around=narrow)


def _moved(one: Sampled, params: ParamSet, place: int) -> Iterator[str]:
    """A line for each known value that lies outside the range, or that one number for all tokens replaces."""
    values = one.placed(params[one.name])
    if len(one.keys) < len(values) and np.ptp(values) > 0:
        yield f"known parameters {place + 1}: {one.name} is one number for all tokens, so it begins at their mean"
        values = values.mean(keepdims=True)
    for key, value, bounds in zip(one.keys, values, one.ranges, strict=False):
        if not bounds.low <= value <= bounds.high:
            end = bounds.low if value < bounds.low else bounds.high
            yield f"known parameters {place + 1}: {key} moved from {value:.6g} to {end:.6g}, the end of its range"


def _clip_to_effective(
    keys: Sequence[str], whole: Sequence[OptunaRange], fingerprint: Fingerprint
) -> tuple[tuple[OptunaRange, ...], list[str]]:
    """The ranges of logit_lamb up to the cap, and a line for each that was cut off or has no effect."""
    pool = fingerprint.pool
    limit = effective_logit_limit(pool.max_memory_days, pool.chunk_period)
    reason = f"memory is capped at {pool.max_memory_days:g} days (max_memory_days)"
    after = tuple(clipped(bounds, limit) for bounds in whole)
    alike = len(set(whole)) == 1
    notes: list[str] = []
    for key, old, new in [("logit_lamb", whole[0], after[0])] if alike else zip(keys, whole, after, strict=True):
        if new != old:
            notes.append(f"{key}: searched up to {limit:.4f} instead of {old.high:g}: {reason}")
        elif old.low >= limit:
            notes.append(f"{key}: {reason}, so its whole range [{old.low:g}, {old.high:g}] acts the same")
    return after, notes


def start_params(fingerprint: Fingerprint) -> dict[str, NDArray[np.float64]]:
    """The initial values as (asset,) parameters: what `init_base_parameters` gives as its set 0."""
    keys = ("initial_k_per_day", "initial_memory_length", "initial_memory_length_delta", "initial_weights_logits")
    values = {key: _by_token(fingerprint[key], fingerprint.tokens) for key in keys}
    per_token = {"chunk_period": fingerprint["chunk_period"], "optimisation_settings": {"force_scalar": False}}
    schema = RULES[fingerprint.pool.rule].schema
    stacked = initial_parameters(values, per_token, fingerprint.n_assets, 1, schema)
    params = {name: np.array(sets[0]) for name, sets in stacked.items()}
    if not fingerprint.pool.use_alt_lamb:
        params.pop("logit_delta_lamb", None)
    return params


def _by_token(value: float | Mapping[str, float], tokens: tuple[str, ...]) -> float | list[float]:
    return [value[token] for token in tokens] if isinstance(value, Mapping) else value
