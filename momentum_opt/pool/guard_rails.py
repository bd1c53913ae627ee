"""Guard rails and speed limit (SPEC §7, steps 1 to 3): weights and changes in, the step per minute out.

Tokens are the first axis. One pass, as incumbent and contract do: for n ≥ 4 a weight just above the floor can be
scaled below it, and stays there.
"""

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset

Scalar = Float[Array, ""] | float

_SPEED_LIMIT_GUARD = 1e-10
"""Added to the largest step before dividing by it (SPEC §7, step 3)."""


def target_weights(weights: PerAsset, update: PerAsset, floor: Scalar) -> PerAsset:
    """Where the weights want to go: w + u, clipped to [floor, 1 − (n−1)·floor] and brought back to sum one."""
    n = weights.shape[0]
    wanted = weights + update
    wanted = wanted * (1.0 / jnp.sum(wanted, axis=0, keepdims=True))
    low = wanted < floor
    clipped = jnp.clip(wanted, floor, 1.0 - (n - 1) * floor)
    taken = floor * jnp.sum(low, axis=0, keepdims=True)
    free = jnp.sum(jnp.where(low, 0.0, clipped), axis=0, keepdims=True)
    # With a floor of 1/n rounding may put every token under it, and nothing is left to scale.
    scale = (1.0 - taken) / jnp.where(free > 0.0, free, 1.0)
    scaled = jnp.where(low, clipped, clipped * scale)
    lack = 1.0 - jnp.sum(scaled, axis=0, keepdims=True)
    return scaled + jnp.where(_is_first_largest(scaled), lack, 0.0)


def step_per_minute(weights: PerAsset, target: PerAsset, interpolation_minutes: Scalar, limit: Scalar) -> PerAsset:
    """d = (target − w)/m per minute, all of it scaled down where the largest |d| exceeds `limit` (maximum_change)."""
    step = (target - weights) * (1.0 / interpolation_minutes)
    largest = jnp.max(jnp.abs(step), axis=0, keepdims=True)
    return jnp.where(largest > limit, step * (limit / (largest + _SPEED_LIMIT_GUARD)), step)


def _is_first_largest(values: PerAsset) -> Array:
    """True at the largest entry along the first axis, at the lowest index among equals."""
    index = jnp.arange(values.shape[0]).reshape((-1,) + (1,) * (values.ndim - 1))
    return index == jnp.argmax(values, axis=0, keepdims=True)
