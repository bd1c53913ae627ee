"""What a metric reads: the values of one slice (train window, validation, test), as many as its cadence asks for."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jax import lax

from momentum_opt import logarithm
from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.metrics.blocks import returns
from momentum_opt.metrics.summary import SliceSummary

LOG_FLOOR = 1e-12
_ABOVE_FLOOR = 1e4
"""Where 1e-12 of a value is less than half a unit in the last place of its logarithm: 1e-16 against 8.9e-16."""


_FEWEST_VALUES = 3
"""Days with two daily returns."""


class Flows(NamedTuple):
    """What flowed through a pool over all bars of a slice; None where no metric asks for it."""

    mean_value: PerCandidate | None = None
    """Mean of the value over the bars."""
    traded: PerCandidate | None = None
    """Σ over the steps from bar to bar of ½ Σ_i |R_i(t+1) − R_i(t)| p_i(t+1)."""
    fees: PerCandidate | None = None
    """Fees that liquidity providers earned at the bars."""
    rebalanced: PerCandidate | None = None
    """log V^R_end/V^R_0 of holding the pool's weights on an exchange."""


class SlicePath(NamedTuple):
    """Values of one slice of k whole days of D bars, as absolute values, candidates last.

    Times count from the slice's own start. A field above the cadence that was asked for is None (`Cadence`).
    """

    daily: Float[Array, "day *batch"]
    """Value at bars 0, D, 2D, …: k of them. Always there."""

    last: Float[Array, "*batch"] | None = None
    """Value at the slice's last bar, kD − 1. From Cadence.LAST_MINUTE on."""
    day_end: Float[Array, "day *batch"] | None = None
    """Value at the last bar of each day; entry i is bar (i + 1)D − 1. From Cadence.DAY_END on."""
    minute: Float[Array, "time *batch"] | None = None
    """Value at every bar: k·D of them. Cadence.MINUTE only, unless there is a summary of them."""

    # What holding would have come to; from Cadence.LAST_MINUTE on.
    hodl_last: Float[Array, "*batch"] | None = None
    """Σ R_0 p_end: the slice's first reserves at the last bar's prices."""
    uniform_hodl_last: Float[Array, "*batch"] | None = None
    """Σ_i v_0/(n p_0i) p_end,i: equal values of all tokens bought at the first bar, at the last bar's prices."""

    summary: SliceSummary | None = None
    """In place of `minute`: what the minute metrics that were asked for need of every day."""
    daily_log: Float[Array, "day *batch"] | None = None
    """log of `daily`, from a simulation that has it anyway."""
    constant_weight: Float[Array, "day ..."] | None = None
    """log of the constant-weight pool's value at the same bars, up to a constant; from Cadence.DAILY on."""
    weights_moved: PerCandidate | None = None
    """Σ over the slice's bars of ½ Σ_i |w_i(t+1) − w_i(t)|. From Cadence.LAST_MINUTE on."""
    flows: Flows | None = None
    """What flowed through the pool over the slice. Cadence.MINUTE only."""


MetricFunction: TypeAlias = Callable[[SlicePath, int], PerCandidate]
"""A metric: the path of a slice and the bars per day D, to one number per candidate (NaN or infinite: unavailable)."""


def required(part: Array | None, name: str) -> Array:
    """The part `name` of a path that a metric cannot do without.

    Raises:
        ValueError: it was not simulated.
    """
    if part is None:
        raise ValueError(f"this metric reads `{name}` of the path, which is None; simulate at `cadence_of` the metrics")
    return part


def log_daily(path: SlicePath) -> Float[Array, "day *batch"]:
    """log(v + 1e-12) of the value v at bars 0, D, 2D, … (SPEC §10).

    The simulation's own logarithm where the floor is lost in rounding; each value for itself, whatever the others are.
    """
    daily, known = path.daily, path.daily_log
    if known is None:
        return logarithm.log(daily + LOG_FLOOR)

    def floored() -> Array:
        return jnp.where(daily < _ABOVE_FLOOR, logarithm.log(daily + LOG_FLOOR), known)

    return lax.cond(jnp.min(daily) < _ABOVE_FLOOR, floored, lambda: known)


def daily_returns(path: SlicePath) -> Float[Array, "day *batch"]:
    """Returns of the value at bars 0, D, 2D, …; a single NaN where there are fewer than two of them (SPEC §10)."""
    if whole_days(path) < _FEWEST_VALUES:
        return jnp.full_like(path.daily[:1], jnp.nan)
    return returns(path.daily)


def whole_days(path: SlicePath) -> int:
    """k, the number of days in the slice (static)."""
    return path.daily.shape[0]
