"""The simulation's side of a rehearsal (SPEC §7 to §9): parameters and prices in, weights at every bar out.

And what a pool on any weights is worth, with the arbitrage and the costs of the configuration.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.costs import Costs
from momentum_opt.pool.reserves import reserves_with_costs
from momentum_opt.simulation.inputs import BlockInputs
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings, enter_blocks, rule_constants, warm_up
from momentum_opt.study.candidates import ParamSet, settings_of, stack

Series = NDArray[np.float64]


def simulated_weights(fingerprint: Fingerprint, market: Market, params: ParamSet) -> Series:
    """(time, asset) weights at every bar of the window: those of the engine, whose trajectory this runs.

    Only for linear interpolation with m = P, as the contract moves.
    """
    spec = _spec(fingerprint, market)
    window = market.prices[market.start_row :]
    first = market.start_row - spec.burn_in_chunks * spec.chunk
    burn_in = market.prices[first : market.start_row : spec.chunk] if spec.burn_in_chunks else window[:1]
    number = np.arange(spec.n_blocks)
    per_chunk = spec.blocks_per_chunk
    offset = number % per_chunk * spec.block
    blocks = BlockInputs(
        chunk_price=jnp.asarray(window[:: spec.block]),
        updates=jnp.asarray(number % per_chunk == 0),
        moves=jnp.asarray((number >= per_chunk).astype(np.float64)),
        offset=jnp.asarray(offset.astype(np.float64)),
        mu0=None,
        mu1=None,
        arb=None,
    )
    candidate = jax.tree.map(lambda column: column[:, 0], stack([params], 1, jnp.float64))
    chunks = _chunks(spec, jnp.asarray(burn_in), blocks, settings_of(fingerprint, jnp.float64), candidate)
    origin, step = map(np.asarray, chunks)
    tau = (offset[:, None] + np.arange(spec.block)).astype(np.float64)[..., None]
    return (origin[:, None] + step[:, None] * tau).reshape(spec.n_bars, spec.n_assets)


def pool_value(fingerprint: Fingerprint, market: Market, weights: Series) -> Series:
    """(time,) value at every bar of a pool that shows `weights`, in the numeraire."""
    spec = _spec(fingerprint, market)
    prices = market.prices[market.start_row :]
    settings = settings_of(fingerprint, jnp.float64)
    costs = settings.costs if spec.engine == "with_costs" else None
    return np.asarray(_value(jnp.asarray(weights), jnp.asarray(prices), settings.initial_pool_value, costs, spec.arb))


def _spec(fingerprint: Fingerprint, market: Market) -> SimulationSpec:
    return simulation_spec(fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days)


@partial(jax.jit, static_argnums=0)
def _chunks(
    spec: SimulationSpec,
    burn_in: Float[Array, "chunk asset"],
    blocks: BlockInputs,
    settings: Settings,
    candidate: Candidates,
) -> tuple[Float[Array, "block asset"], Float[Array, "block asset"]]:
    """Start weights and step of every block's chunk."""
    rule = rule_constants(candidate, settings, spec)
    return enter_blocks(warm_up(burn_in, candidate, rule, settings, spec), blocks, rule, settings, spec)[1]


@partial(jax.jit, static_argnums=4)
def _value(
    weights: Float[Array, "time asset"],
    prices: Float[Array, "time asset"],
    initial_pool_value: Float[Array, ""],
    costs: Costs | None,
    arb_frequency: int,
) -> Float[Array, " time"]:
    if costs is None:
        reserves = perfect_arbitrage_reserves(weights, prices, initial_pool_value, arb_frequency)
    else:
        reserves = reserves_with_costs(weights, prices, initial_pool_value, costs, arb_frequency)
    return jnp.sum(reserves * prices, axis=1)
