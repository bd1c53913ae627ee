"""The momentum rule (SPEC §7): signals in, zero-sum weight changes out. Tokens are the first axis."""

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset


def momentum_weight_update(price_gradient: PerAsset, k: Float[Array, "..."]) -> PerAsset:
    """u_i = k_i (g_i − Σ k_j g_j / Σ k_j); 0 where k_i = 0, and 0 everywhere if all k are 0.

    `k` has the gradient's shape or one that broadcasts to it; a scalar k acts as an equal vector, so that Σ u = 0.
    """
    k = jnp.broadcast_to(k, price_gradient.shape)
    total = jnp.sum(k, axis=0, keepdims=True)
    mean = jnp.sum(k * price_gradient, axis=0, keepdims=True) / jnp.where(total == 0.0, 1.0, total)
    return jnp.where(k == 0.0, 0.0, k * (price_gradient - mean))
