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


def step_pullback(
    weights: PerAsset, update: PerAsset, floor: Scalar, interpolation_minutes: Scalar, limit: Scalar, slope: PerAsset
) -> tuple[PerAsset, PerAsset]:
    """From the slope of any function in the step to its slopes in weights and update, as JAX's reverse mode finds them.

    With x = w + u, v = x/Σx, the scale c of those not below the floor, target t, raw step d = (t − w)/m and a bar for
    the slope in each:

    - t̄ = d̄/m, where d̄ = q·s̄ − q/L · sign(d_j) Σ s̄ d at the largest |d_j| = L that is scaled down by q, else s̄;
    - v̄ = c·(t̄ − Σ' t̄ v'/Σ' v') for those between floor and ceiling, 0 for those that are clipped; Σ' over those that
      are not below the floor, v' clipped. What rounding leaves to the largest has no slope, as the sum is one anyway;
    - x̄ = (v̄ − Σ v̄ v)/Σx is the slope in the update, and x̄ − t̄ the one in the weights.

    Equally large |d_j| share their term, as in JAX. Written out because it takes two thirds of the time of that.
    """
    n = weights.shape[0]
    wanted = weights + update
    inverse = 1.0 / jnp.sum(wanted, axis=0, keepdims=True)
    wanted = wanted * inverse
    ceiling = 1.0 - (n - 1) * floor
    low, high = wanted < floor, wanted > ceiling
    clipped = jnp.clip(wanted, floor, ceiling)
    free = jnp.sum(jnp.where(low, 0.0, clipped), axis=0, keepdims=True)
    share = 1.0 / jnp.where(free > 0.0, free, 1.0)
    scale = (1.0 - floor * jnp.sum(low, axis=0, keepdims=True)) * share
    step = (jnp.where(low, clipped, clipped * scale) - weights) * (1.0 / interpolation_minutes)
    by_target = _unlimited(step, slope, limit) * (1.0 / interpolation_minutes)
    by_scale = share * jnp.sum(jnp.where(low, 0.0, by_target * clipped), axis=0, keepdims=True)
    by_wanted = jnp.where(low | high, 0.0, scale * (by_target - by_scale))
    by_update = (by_wanted - jnp.sum(by_wanted * wanted, axis=0, keepdims=True)) * inverse
    return by_update - by_target, by_update


def _unlimited(step: PerAsset, slope: PerAsset, limit: Scalar) -> PerAsset:
    """From the slope in the limited step to the one in the step before the speed limit."""
    size = jnp.abs(step)
    largest = jnp.max(size, axis=0, keepdims=True)
    inverse = 1.0 / (largest + _SPEED_LIMIT_GUARD)
    factor, top = limit * inverse, size == largest
    by_largest = factor * inverse * jnp.sum(slope * step, axis=0, keepdims=True)
    by_largest = by_largest / jnp.sum(top, axis=0, keepdims=True)
    limited = factor * slope - jnp.where(top, jnp.sign(step) * by_largest, 0.0)
    return jnp.where(largest > limit, limited, slope)


def _is_first_largest(values: PerAsset) -> Array:
    """True at the largest entry along the first axis, at the lowest index among equals."""
    index = jnp.arange(values.shape[0]).reshape((-1,) + (1,) * (values.ndim - 1))
    return index == jnp.argmax(values, axis=0, keepdims=True)
