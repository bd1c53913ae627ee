"""Values along time in; consecutive blocks, returns and percentiles out (the words of SPEC §10's heading)."""

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

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
    edge = separator(lax.stop_gradient(values), rank, axis)

    def sides(some: Array) -> tuple[Array, ...]:
        low, number = some <= edge, jnp.ones_like(some)
        lower, above = jnp.where(low, some, -jnp.inf), jnp.where(low, jnp.inf, some)
        return lower, above, jnp.where(low, number, 0.0), jnp.where(jnp.isnan(some), number, 0.0)

    lower, above, count_low, count_nan = reduced(values, sides, ("max", "min", "sum", "sum"), axis)
    tied = (count_low > rank + 1) | (rank + 1 >= count)
    upper = jnp.where(tied, lower, above)
    return jnp.where(count_nan > 0, jnp.nan, lower + (position - rank) * (upper - lower))


def reduced(
    values: Float[Array, "*shape"],
    parts: Callable[[Array], tuple[Array, ...]],
    how: Sequence[Literal["sum", "max", "min"]],
    axis: int = 0,
) -> tuple[Float[Array, "*less"], ...]:
    """Several reductions along `axis`, in one pass.

    On a CPU row by row, which is several times faster there: XLA reads the values anew for each, and a comparison in a
    reduction makes it no vector code.

    Args:
        values: what is reduced.
        parts: of values, whose length along `axis` is any: floats of their shape, one array for each reduction.
        how: the reductions.
        axis: along which; candidates behind it, or a CPU has nothing to vectorise.
    """
    kept = values.shape[:axis] + values.shape[axis + 1 :]

    def row_by_row() -> tuple[Array, ...]:
        def add(row: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
            found = parts(lax.dynamic_slice_in_dim(values, row, 1, axis))
            return tuple(
                _PAIRS[one](total, jnp.squeeze(part, axis)) for one, total, part in zip(how, totals, found, strict=True)
            )

        start = tuple(jnp.full(kept, _NOTHING[one], values.dtype) for one in how)
        return lax.fori_loop(0, values.shape[axis], add, start, unroll=8)

    def at_once() -> tuple[Array, ...]:
        found = zip(how, parts(values), strict=True)
        return tuple(_ALL[one](part, axis=axis, initial=_NOTHING[one]) for one, part in found)

    return lax.platform_dependent(cpu=row_by_row, default=at_once) if values.shape[axis] else at_once()


_NOTHING: Final = {"sum": 0.0, "max": -math.inf, "min": math.inf}
_PAIRS: Final = {"sum": jnp.add, "max": jnp.maximum, "min": jnp.minimum}
_ALL: Final = {"sum": jnp.sum, "max": jnp.max, "min": jnp.min}


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

    def count_at_or_below(edge: Array) -> Array:
        def one(some: Array) -> tuple[Array]:
            return (jnp.where(some <= edge, jnp.ones_like(some), 0.0),)

        return jnp.expand_dims(reduced(values, one, ("sum",), axis)[0], axis)

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
        below = count_at_or_below(_of_keys(middle, values.dtype))
        open_row = low < high
        low = jnp.where(open_row & (below != rank + 1), jnp.where(below <= rank, middle + 1, low), low)
        high = jnp.where(open_row & (below > rank), middle, high)
        return step + 1, jnp.where(open_row & (below == rank + 1), high, low), high

    bounds = _keys(jnp.min(values, axis=axis, keepdims=True)), _keys(jnp.max(values, axis=axis, keepdims=True))
    return _of_keys(lax.while_loop(unsettled, halve, (jnp.zeros((), jnp.int32), *bounds))[2], values.dtype)
