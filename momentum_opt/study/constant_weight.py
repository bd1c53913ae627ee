"""The constant-weight pool (SPEC §13): the pool that keeps its initial weights, on the same prices and costs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.reserves import reserves_with_costs
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Settings
from momentum_opt.study.candidates import initial_weights, settings_of
from momentum_opt.study.space import start_params


def constant_weight_value(
    weights: Float[Array, " asset"], prices: Float[Array, "time asset"], settings: Settings, spec: SimulationSpec
) -> Float[Array, " time"]:
    """Value at every bar of the pool that keeps its initial weights, at the same costs."""
    kept = jnp.broadcast_to(weights, prices.shape)
    if spec.engine == "with_costs":
        reserves = reserves_with_costs(kept, prices, settings.initial_pool_value, settings.costs, spec.arb)
    else:
        reserves = perfect_arbitrage_reserves(kept, prices, settings.initial_pool_value, spec.arb)
    return jnp.sum(reserves * prices, axis=1)


def constant_weight_log_growth(fingerprint: Fingerprint, market: Market) -> NDArray[np.float64]:
    """(day,) log of the constant-weight pool's value at minute kD over its value at minute 0.

    Its weights are the configuration's initial ones, also where the search samples initial weights: one pool to be
    better than, for all candidates.

    Raises:
        ConfigError: a period is no multiple of the market's bar.
    """
    spec = simulation_spec(fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days)
    weights = initial_weights(start_params(fingerprint))
    prices = market.prices[market.start_row : market.start_row + spec.n_bars]
    if spec.engine == "with_costs":
        value = _daily_value(spec, jnp.asarray(weights), jnp.asarray(prices), settings_of(fingerprint, jnp.float64))
        return np.log(np.asarray(value) / float(value[0]))
    boundary = np.arange(0, spec.n_bars, spec.bars_per_day)
    arbitraged = prices[boundary // spec.arb * spec.arb]
    growth = np.log(arbitraged / arbitraged[0]) @ weights  # perfect arbitrage: log V moves by Σ w Δ log p
    return growth + np.log((prices[boundary] / arbitraged) @ weights)


@partial(jax.jit, static_argnums=0)
def _daily_value(
    spec: SimulationSpec, weights: Float[Array, " asset"], prices: Float[Array, "time asset"], settings: Settings
) -> Float[Array, " day"]:
    return constant_weight_value(weights, prices, settings, spec)[:: spec.bars_per_day]
