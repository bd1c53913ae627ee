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
    low_side = values <= separator(lax.stop_gradient(values), rank, axis)
    lower = jnp.max(jnp.where(low_side, values, -jnp.inf), axis=axis)
    above = jnp.min(jnp.where(low_side, jnp.inf, values), axis=axis)
    tied = (jnp.sum(low_side, axis=axis) > rank + 1) | (rank + 1 >= count)
    upper = jnp.where(tied, lower, above)
    result = lower + (position - rank) * (upper - lower)
    return jnp.where(jnp.any(jnp.isnan(values), axis=axis), jnp.nan, result)


def _keys(values: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Integers in the order of the floats: the bits of a float, with all but the sign flipped where it is negative."""
    integer = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    return _flipped(lax.bitcast_convert_type(values, integer))


def _of_keys(keys: Int[Array, "*shape"], dtype: jnp.dtype) -> Float[Array, "*shape"]:
    """The floats that have these keys."""
    return lax.bitcast_convert_type(_flipped(keys), dtype)


def _flipped(bits: Int[Array, "*shape"]) -> Int[Array, "*shape"]:
    return jnp.where(bits < 0, bits ^ jnp.iinfo(bits.dtype).max, bits)


def separator(values: Float[Array, "*shape"], rank: int, axis: int) -> Float[Array, "*kept"]:
    """A number with the order statistic `rank` (from 0) as the largest one at or below it; `axis` has length 1 then.

    Bisection: `high` always has more than `rank` values at or below it, and what is just below `low` at most `rank`. A
    row is settled as soon as exactly rank + 1 values are at or below the middle. The middle is that of the numbers,
    which parts returns quickly; every fourth step it is that of their places among all floats (`_keys`), so that
    no distribution needs more than 4 · 64 steps, and only ties need many.
    """

    def unsettled(state: tuple[Array, Array, Array]) -> Array:
        _, low, high = state
        return jnp.any(low < high)

    def halve(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, low, high = state
        by_place = (low & high) + ((low ^ high) >> 1)  # the floor of the mean, without overflow
        mean = 0.5 * _of_keys(low, values.dtype) + 0.5 * _of_keys(high, values.dtype)
        by_number = _keys(mean)
        inside = (by_number >= low) & (by_number < high) & (step % 4 != 3)
        middle = jnp.where(inside, by_number, by_place)
        below = _count_at_or_below(values, _of_keys(middle, values.dtype), axis)
        open_row = low < high
        low = jnp.where(open_row & (below != rank + 1), jnp.where(below <= rank, middle + 1, low), low)
        high = jnp.where(open_row & (below > rank), middle, high)
        return step + 1, jnp.where(open_row & (below == rank + 1), high, low), high

    bounds = _keys(jnp.min(values, axis=axis, keepdims=True)), _keys(jnp.max(values, axis=axis, keepdims=True))
    return _of_keys(lax.while_loop(unsettled, halve, (jnp.zeros((), jnp.int32), *bounds))[2], values.dtype)


def _count_at_or_below(values: Float[Array, "*shape"], edge: Float[Array, "*kept"], axis: int) -> Float[Array, "*kept"]:
    """How many values along `axis` are at or below `edge`, as a float.

    On a CPU row by row, which is several times faster there: XLA's reduction of comparisons is no vector code.
    """

    def at_or_below(some: Array) -> Array:
        return jnp.where(some <= edge, 1.0, 0.0).astype(values.dtype)

    def row_by_row() -> Array:
        def add(row: Array, total: Array) -> Array:
            return total + at_or_below(lax.dynamic_slice_in_dim(values, row, 1, axis))

        return lax.fori_loop(0, values.shape[axis], add, jnp.zeros_like(edge), unroll=8)

    def at_once() -> Array:
        return jnp.sum(at_or_below(values), axis=axis, keepdims=True)

    return lax.platform_dependent(cpu=row_by_row, default=at_once)
