"""The constant-weight pool (SPEC §13): the pool that keeps its initial weights, on the same prices and costs."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.reserves import Flow, reserves_with_costs
from momentum_opt.simulation.cost_inputs import VaryingCosts, start_swaps, swap_spans
from momentum_opt.simulation.external_bars import ExternalBars, external_bars
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Settings
from momentum_opt.study.candidates import ParamSet, initial_weights, settings_of
from momentum_opt.study.sharding import on_a_core
from momentum_opt.study.space import start_params
from momentum_opt.vocabulary.rules import RULES
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA


class Environment(NamedTuple):
    """Costs and what others do, bar by bar."""

    costs: VaryingCosts
    flow: Flow


def environment_of(external: ExternalBars, spec: SimulationSpec) -> Environment:
    """The environment that a market's files describe."""
    outside = start_swaps(external)
    return Environment(
        VaryingCosts(**{name: jnp.asarray(values) for name, values in external.costs.items()}),
        Flow(
            lp_supply=None if external.supply is None else jnp.asarray(external.supply),
            swaps=None if outside is None else outside.swaps,
            spans=swap_spans(external, spec),
        ),
    )


def constant_weight_value(
    weights: Float[Array, " asset"],
    prices: Float[Array, "time asset"],
    settings: Settings,
    environment: Environment,
    spec: SimulationSpec,
) -> Float[Array, " time"]:
    """Value at every bar of the pool that keeps its initial weights; per first pool token where the supply changes."""
    kept = jnp.broadcast_to(weights, prices.shape)
    if spec.engine != "with_costs":
        reserves = perfect_arbitrage_reserves(kept, prices, settings.initial_pool_value, spec.arb)
        return jnp.sum(reserves * prices, axis=1)
    costs, flow = environment.costs.over(settings.costs), environment.flow
    reserves = reserves_with_costs(kept, prices, settings.initial_pool_value, costs, spec.arb, flow)
    value = jnp.sum(reserves * prices, axis=1)
    return value if flow.lp_supply is None else value / flow.lp_supply


def compared_weights(params: ParamSet, fingerprint: Fingerprint) -> NDArray[np.float64]:
    """(asset,) weights of the constant-weight pool that a replay of `params` stands beside: the same initial ones.

    Of a rule that has no other parameters the configuration's, because a pool compared with itself says nothing.
    """
    return initial_weights(start_params(fingerprint) if _has_no_rule(fingerprint) else params)


def compares_with_own_weights(fingerprint: Fingerprint) -> bool:
    """Whether a search's candidates differ in the constant-weight pool that each of them stands beside."""
    return "initial_weights_logits" in fingerprint.search.parameters and not _has_no_rule(fingerprint)


def has_own_weights(params: ParamSet, fingerprint: Fingerprint) -> bool:
    """Whether a parameter set stands beside another constant-weight pool than the configuration's."""
    own, configured = compared_weights(params, fingerprint), initial_weights(start_params(fingerprint))
    return not np.array_equal(own, configured)


def _has_no_rule(fingerprint: Fingerprint) -> bool:
    return RULES[fingerprint.pool.rule].schema.keys() == COMMON_PARAM_SCHEMA.keys()


def constant_weight_log_growth(fingerprint: Fingerprint, market: Market) -> NDArray[np.float64]:
    """(day,) log of the constant-weight pool's value at minute kD over its value at minute 0.

    Its weights are the configuration's initial ones, also where the search samples initial weights: one pool to be
    better than, for all candidates.

    Raises:
        ConfigError: a period is no multiple of the market's bar.
    """
    spec = simulation_spec(
        fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days, external=market.external
    )
    weights = initial_weights(start_params(fingerprint))
    prices = market.prices[market.start_row : market.start_row + spec.n_bars]
    if spec.engine == "with_costs":
        with on_a_core():
            environment = environment_of(external_bars(market, spec.n_bars), spec)
            settings = settings_of(fingerprint, jnp.float64)
            value = np.asarray(_daily_value(spec, jnp.asarray(weights), jnp.asarray(prices), settings, environment))
        return np.log(value / value[0])
    boundary = np.arange(0, spec.n_bars, spec.bars_per_day)
    arbitraged = prices[boundary // spec.arb * spec.arb]
    growth = np.log(arbitraged / arbitraged[0]) @ weights  # perfect arbitrage: log V moves by Σ w Δ log p
    return growth + np.log((prices[boundary] / arbitraged) @ weights)


@partial(jax.jit, static_argnums=0)
def _daily_value(
    spec: SimulationSpec,
    weights: Float[Array, " asset"],
    prices: Float[Array, "time asset"],
    settings: Settings,
    environment: Environment,
) -> Float[Array, " day"]:
    return constant_weight_value(weights, prices, settings, environment, spec)[:: spec.bars_per_day]
