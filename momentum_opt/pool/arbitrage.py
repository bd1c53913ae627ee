"""Perfect arbitrage without costs (SPEC §8): weights and prices in, growth of the log value and reserves out.

After each arbitrage R_i p_i = w_i V, so the growth of log V from one arbitrage to the next is all there is to compute.
"""

import jax.numpy as jnp

from momentum_opt import logarithm
from momentum_opt.arrays import Array, Float


def transition(
    before: Float[Array, "*shape"], after: Float[Array, "*shape"], log_ratio: Float[Array, "*#shape"], axis: int = 0
) -> Float[Array, "*less"]:
    """Δ log V between two arbitrages: Σ w log(p′/p) − Σ w′ log(w′/w); tokens on `axis`."""
    return jnp.sum(before * log_ratio - after * logarithm.log(after / before), axis=axis)


def perfect_arbitrage_reserves(
    weights: Float[Array, "time asset"],
    prices: Float[Array, "time asset"],
    initial_pool_value: Float[Array, ""] | float,
    arb_frequency: int = 1,
) -> Float[Array, "time asset"]:
    """Reserves at every bar, held between the arbitrages at bars t ≡ 0 mod `arb_frequency`; R_0 = w_0 V_0/p_0."""
    arb_weights, arb_prices = weights[::arb_frequency], prices[::arb_frequency]
    growth = transition(arb_weights[:-1], arb_weights[1:], jnp.diff(jnp.log(arb_prices), axis=0), axis=-1)
    log_value = jnp.concatenate([jnp.zeros(1, growth.dtype), jnp.cumsum(growth)])
    reserves = initial_pool_value * jnp.exp(log_value)[:, None] * arb_weights / arb_prices
    return jnp.repeat(reserves, arb_frequency, axis=0)[: weights.shape[0]]
