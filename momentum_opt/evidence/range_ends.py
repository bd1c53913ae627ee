"""Name the numbers of a winner that lie at an end of their range, in natural units too (SPEC §12)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool.memory import capped_lamb, effective_logit_limit, lamb_to_memory_days_clipped
from momentum_opt.study.space import SearchSpace
from momentum_opt.vocabulary.schema import OptunaRange

END_SHARE: Final = 0.02
"""Of its range: a number that lies this close to an end lies at it."""

NATURAL_KEYS: Final = {"log_k": "k_per_day", "logit_lamb": "memory_days"}
"""Parameter → the key of `search.parameters` that gives its range in natural units."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class RangeEnd:
    """A number of the winner that lies at an end of its range.

    Attributes:
        name: the parameter, by its internal name.
        token: whose; `all` where one number serves all tokens.
        end: `low` or `high`.
        value: the winner's, internal.
        range: low and high, internal.
        natural: what it is called in natural units; None where it has none.
        natural_value: the winner's.
        natural_range: low and high.
        widen: the configuration key that widens the range.
    """

    name: str
    token: str
    end: str
    value: float
    range: tuple[float, float]
    natural: str | None
    natural_value: float | None
    natural_range: tuple[float, float] | None
    widen: str

    @property
    def words(self) -> str:
        """Name, token, end, and the range, in natural units first."""
        internal = f"{self.name} {self.value:.4g} of {self.range[0]:g} to {self.range[1]:.5g}"
        shown = internal
        if self.natural is not None and self.natural_range is not None:
            low, high = self.natural_range
            shown = f"{self.natural_value:,.4g} of {low:,.3g} to {high:,.4g}; {internal}"
        side = "upper" if self.end == "high" else "lower"
        return f"{self.natural or self.name} of {self.token} at the {side} end of its range ({shown})"


def range_ends(numbers: Mapping[str, float], space: SearchSpace, fingerprint: Fingerprint) -> tuple[RangeEnd, ...]:
    """The numbers that lie within 2 % of an end of their range.

    Args:
        numbers: a trial's, by Optuna name.
        space: what is searched.
        fingerprint: of the study.
    """
    (places,) = places_of([numbers], space)
    keys = [(one.name, key, bounds) for one in space.sampled for key, bounds in zip(one.keys, one.ranges, strict=True)]
    return tuple(
        _range_end(name, key, "low" if place <= END_SHARE else "high", numbers[key], bounds, fingerprint)
        for place, (name, key, bounds) in zip(places, keys, strict=True)
        if not END_SHARE < place < 1.0 - END_SHARE
    )


def places_of(rows: Sequence[Mapping[str, float]], space: SearchSpace) -> Values:
    """(row, number) places in the ranges, from 0 to 1; of rows of numbers by Optuna name."""
    columns = [
        _places(np.array([row[key] for row in rows], np.float64), bounds) for key, bounds in space.ranges.items()
    ]
    return np.stack(columns, axis=1)


def _places(numbers: Values, bounds: OptunaRange) -> Values:
    if bounds.log_scale:
        return np.log(numbers / bounds.low) / math.log(bounds.high / bounds.low)
    return (numbers - bounds.low) / (bounds.high - bounds.low)


def _range_end(name: str, key: str, end: str, value: float, bounds: OptunaRange, fingerprint: Fingerprint) -> RangeEnd:
    natural = natural_values(name, np.array([value, bounds.low, bounds.high]), fingerprint)
    own, low, high = (None, None, None) if natural is None else natural[1].tolist()
    return RangeEnd(
        name=name,
        token=key.removeprefix(f"{name}_") if key != name else "all",
        end=end,
        value=value,
        range=(bounds.low, bounds.high),
        natural=None if natural is None else natural[0],
        natural_value=own,
        natural_range=None if low is None or high is None else (low, high),
        widen=_widening_key(name, end, bounds, fingerprint),
    )


def natural_values(name: str, values: Values, fingerprint: Fingerprint) -> tuple[str, Values] | None:
    """What a parameter is called in natural units, and values of it in them."""
    if name == "log_k":
        return "k per day", np.exp2(values)
    if name == "logit_lamb":
        pool = fingerprint.pool
        lamb = capped_lamb(jnp.asarray(values), pool.max_memory_days, pool.chunk_period)
        return "memory in days", np.asarray(lamb_to_memory_days_clipped(lamb, pool.chunk_period, pool.max_memory_days))
    return None


def _widening_key(name: str, end: str, bounds: OptunaRange, fingerprint: Fingerprint) -> str:
    """The key that moves this end: a memory that ends at its cap grows with the cap alone."""
    pool = fingerprint.pool
    limit = effective_logit_limit(pool.max_memory_days, pool.chunk_period)
    if name == "logit_lamb" and end == "high" and (bounds.high >= limit or math.isclose(bounds.high, limit)):
        return "pool.max_memory_days"
    override = fingerprint.search.parameters.get(name)
    narrowed = override is not None and override.around is not None
    if narrowed:
        return f"search.parameters.{name}.around.half_width"
    return f"search.parameters.{NATURAL_KEYS.get(name, name)}"
