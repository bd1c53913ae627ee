"""The lowest returns of a block, gathered day by day: numbers in, a percentile out, exact (SPEC §10).

A percentile near the bottom is made of two order statistics, so only the lowest numbers up to the second of them must
be remembered: a twentieth of a block for the 5th percentile.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import Array, Bool, Float, PerCandidate
from momentum_opt.metrics.blocks import separator


class Tail(NamedTuple):
    """The lowest numbers so far, in any order; infinity where there are fewer."""

    numbers: Float[Array, "rank *batch"]
    broken: Bool[Array, "*batch"]
    """Whether a NaN was among them."""

    def empty(self) -> "Tail":
        """A tail of this size without numbers."""
        return Tail(jnp.full_like(self.numbers, jnp.inf), jnp.zeros_like(self.broken))


def start_tail(like: PerCandidate, count: int, percent: float) -> Tail:
    """An empty tail for the percentile `percent` of `count` numbers in all."""
    kept = min(count, math.floor(percent / 100.0 * (count - 1)) + 2)
    return Tail(jnp.full((kept, *like.shape), jnp.inf, like.dtype), jnp.zeros(like.shape, bool))


def add_to_tail(tail: Tail, numbers: Float[Array, "number *batch"]) -> Tail:
    """The tail with some numbers more; infinite ones count as absent."""
    broken = tail.broken | jnp.any(jnp.isnan(numbers), axis=0)
    return Tail(lowest_of(jnp.concatenate([tail.numbers, numbers]), tail.numbers.shape[0]), broken)


def tail_percentile(tail: Tail, count: int, percent: float) -> PerCandidate:
    """The percentile, interpolated linearly, once all `count` numbers have been added; NaN where one of them is."""
    position = percent / 100.0 * (count - 1)
    rank = math.floor(position)
    upper = jnp.max(tail.numbers, axis=0)
    lower = upper
    if tail.numbers.shape[0] == rank + 2:
        place = jnp.arange(rank + 2).reshape(-1, *(1,) * upper.ndim)
        lower = jnp.max(jnp.where(place == jnp.argmax(tail.numbers, axis=0), -jnp.inf, tail.numbers), axis=0)
    return jnp.where(tail.broken, jnp.nan, lower + (position - rank) * (upper - lower))


def lowest_of(numbers: Float[Array, "number *batch"], kept: int) -> Float[Array, "kept *batch"]:
    """The `kept` lowest, in any order.

    Not a sort, which is several times slower on a CPU: the largest number that is kept is found by bisection, those
    below it are moved up, and the rest of the places hold it, as all that is left is equal to it.
    """
    edge = separator(numbers, kept - 1, 0)
    below = numbers < edge
    largest = jnp.max(jnp.where(numbers == edge, numbers, -jnp.inf), axis=0)
    place = jnp.where(below, jnp.cumsum(below, axis=0, dtype=jnp.int32) - 1, kept)
    lane = jnp.indices(place.shape, sparse=True)[1:]
    return jnp.broadcast_to(largest, (kept, *largest.shape)).at[place, *lane].set(numbers, mode="drop")
