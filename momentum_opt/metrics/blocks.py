"""Values along time in; consecutive blocks, returns and percentiles out (the words of SPEC §10's heading)."""

import math

import jax.numpy as jnp
from jax import lax

from momentum_opt.arrays import Array, Float, Int


def returns(values: Float[Array, "*shape"], axis: int = 0) -> Float[Array, "*less"]:
    """v_{t+1}/v_t − 1 along `axis`: one fewer than there are values."""
    count = values.shape[axis]
    later = lax.slice_in_dim(values, 1, count, axis=axis)
    return later / lax.slice_in_dim(values, 0, count - 1, axis=axis) - 1.0


def in_blocks(values: Float[Array, "time *batch"], length: int) -> Float[Array, "block bar *batch"]:
    """Cut `values` into consecutive blocks of `length` from the start; an incomplete last block is dropped.

    Where not even one block is complete the result is one block of NaN, so whatever is computed from it is NaN too.
    """
    count = values.shape[0] // length
    if count == 0:
        return jnp.full((1, length, *values.shape[1:]), jnp.nan, values.dtype)
    return values[: count * length].reshape(count, length, *values.shape[1:])


def lowest(values: Float[Array, "*shape"], axis: int = 0) -> Float[Array, "*less"]:
    """Minimum along `axis`, NaN where a value is NaN; jnp.min on a CPU does not always keep NaN, and hides failures."""
    return jnp.where(jnp.any(jnp.isnan(values), axis=axis), jnp.nan, jnp.min(values, axis=axis))


def percentile(values: Float[Array, "*shape"], percent: float, axis: int = 0) -> Float[Array, "*less"]:
    """Percentile along `axis` with linear interpolation, as numpy's default; NaN where a value is NaN or none is there.

    With candidates behind `axis` the two order statistics are found by bisection (`separator`): XLA's sort on a CPU is
    several times slower along a strided axis. A single path is sorted, which compiles several times faster. Both are
    exact, and differentiable in the values they are made of.
    """
    count = values.shape[axis]
    if count == 0:
        return jnp.full(values.shape[:axis] + values.shape[axis + 1 :], jnp.nan, values.dtype)
    if axis == values.ndim - 1:
        return jnp.percentile(values, percent, axis=axis)
    position = percent / 100.0 * (count - 1)
    rank = math.floor(position)
    keys = ordered_keys(lax.stop_gradient(values))
    low_side = keys <= separator(keys, rank, axis)
    lower = jnp.max(jnp.where(low_side, values, -jnp.inf), axis=axis)
    above = jnp.min(jnp.where(low_side, jnp.inf, values), axis=axis)
    tied = (jnp.sum(low_side, axis=axis) > rank + 1) | (rank + 1 >= count)
    upper = jnp.where(tied, lower, above)
    result = lower + (position - rank) * (upper - lower)
    return jnp.where(jnp.any(jnp.isnan(values), axis=axis), jnp.nan, result)


def ordered_keys(values: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Integers in the order of the floats: the bits of a float, with all but the sign flipped where it is negative."""
    integer = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    bits = lax.bitcast_convert_type(values, integer)
    return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)


def separator(keys: Int[Array, "*shape"], rank: int, axis: int) -> Int[Array, "*kept"]:
    """A key with the order statistic `rank` (from 0) as the largest one at or below it; `axis` is kept with length 1.

    Bisection on integers: `high` always has more than `rank` keys at or below it, and `low − 1` at most `rank`. A row
    is settled as soon as exactly rank + 1 keys are at or below the middle; only ties need all 64 steps.
    """

    def unsettled(bounds: tuple[Array, Array]) -> Array:
        low, high = bounds
        return jnp.any(low < high)

    def halve(bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low & high) + ((low ^ high) >> 1)  # the floor of the mean, without overflow
        below = jnp.sum(keys <= middle, axis=axis, keepdims=True, dtype=jnp.int32)
        open_row = low < high
        low = jnp.where(open_row & (below != rank + 1), jnp.where(below <= rank, middle + 1, low), low)
        high = jnp.where(open_row & (below > rank), middle, high)
        return jnp.where(open_row & (below == rank + 1), high, low), high

    bounds = jnp.min(keys, axis=axis, keepdims=True), jnp.max(keys, axis=axis, keepdims=True)
    return lax.while_loop(unsettled, halve, bounds)[1]
