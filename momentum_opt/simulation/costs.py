"""The engine with costs (SPEC §9): price arrays and a batch of candidates in, reserves at day boundaries out.

One scan over days, inside it one over the blocks of a day as without costs, and inside a block one arbitrage after
the other. Boundary k is minute kD; the loop runs from boundary to boundary, so a block's state before its end is the
one at the block's last bar.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.pool.costs import Costs, Outcome, arbitrage_minute
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.pool.swap import Tokens
from momentum_opt.simulation.cost_inputs import CostInputs
from momentum_opt.simulation.inputs import BlockInputs, MarketArrays
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import (
    Candidates,
    ChunkState,
    Settings,
    enter_block,
    rule_constants,
    warm_up,
)
from momentum_opt.vocabulary.metrics import Cadence


class Holdings(NamedTuple):
    """What a pool carries from one arbitrage to the next."""

    reserves: Tokens
    arb_weights: Tokens
    """Weights at the last arbitrage."""


class CostBlockStart(NamedTuple):
    """All that is needed to run a block again."""

    chunk: ChunkState
    holdings: Holdings


class CostPath(NamedTuple):
    """The simulation at day boundaries."""

    reserves: Float[Array, "boundary asset *batch"]
    before_reserves: Float[Array, "day asset *batch"]
    """Reserves at each day's last bar."""
    blocks: CostBlockStart | None = None
    """Every block, with leading axes day and block; for the rebuild of minute values."""


class _Carry(NamedTuple):
    chunk: ChunkState
    holdings: Holdings
    before: Tokens


def simulate_with_costs(
    spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates, cadence: Cadence
) -> CostPath:
    """Run all candidates from start to the end of the last period; a lane that goes wrong stays in its lane.

    Args:
        spec: static description.
        arrays: from `market_arrays` of the same spec.
        settings: traced pool settings and costs.
        candidates: as for `simulate`.
        cadence: MINUTE keeps what the rebuild needs.
    """
    rule = rule_constants(candidates, settings, spec)
    chunk = warm_up(arrays.burn_in, candidates, rule, spec)
    weights = candidates.initial_weights
    first = tuple(weights[i] * (settings.initial_pool_value / arrays.days.price[0, i]) for i in range(spec.n_assets))
    carry = _Carry(chunk, Holdings(first, tuple(weights)), first)

    def block_step(carry: _Carry, block: BlockInputs) -> tuple[_Carry, CostBlockStart | None]:
        chunk = enter_block(carry.chunk, block, rule, settings, spec)
        holdings = carry.holdings._replace(reserves=_broken_with(chunk, carry.holdings.reserves))
        start = CostBlockStart(chunk, holdings) if cadence == Cadence.MINUTE else None
        assert block.cost is not None
        before, holdings = _cross_block(chunk, holdings, block.cost, settings.costs, spec)
        return _Carry(chunk, holdings, before), start

    def day_step(carry: _Carry, day: BlockInputs) -> tuple[_Carry, CostPath]:
        carry, starts = jax.lax.scan(block_step, carry, day)
        return carry, CostPath(jnp.stack(carry.holdings.reserves), jnp.stack(carry.before), starts)

    _, path = jax.lax.scan(day_step, carry, arrays.blocks)
    return path._replace(reserves=jnp.concatenate([jnp.stack(first)[None], path.reserves]))


def step(
    chunk: ChunkState, holdings: Holdings, at: CostInputs, costs: Costs, spec: SimulationSpec, functions: Functions
) -> tuple[Holdings, Outcome]:
    """The pool after the arbitrage at one step; `at` has no leading axes."""
    weights = tuple(weight_path(spec.method, chunk.origin, chunk.step, at.tau[None], spec.interpolation)[0])
    outcome = arbitrage_minute(
        holdings.reserves, tuple(at.price), holdings.arb_weights, weights, costs, spec.trade, functions
    )
    return Holdings(outcome.reserves, weights), outcome


def _cross_block(
    chunk: ChunkState, holdings: Holdings, block: CostInputs, costs: Costs, spec: SimulationSpec
) -> tuple[Tokens, Holdings]:
    """Reserves at the block's last bar, and the pool at its end.

    The whole block is run with the short series; where they did not hold, a candidate gets the block run exactly.
    """
    short, reach = _run_block(chunk, holdings, block, costs, spec, SHORT)
    held = reach <= SMALL

    def again() -> tuple[Tokens, Holdings]:
        exact, _ = _run_block(chunk, holdings, block, costs, spec, EXACT)
        return jax.tree.map(lambda one, other: jnp.where(held, one, other), short, exact)

    return jax.lax.cond(jnp.all(held), lambda: short, again)


def _run_block(
    chunk: ChunkState, holdings: Holdings, block: CostInputs, costs: Costs, spec: SimulationSpec, functions: Functions
) -> tuple[tuple[Tokens, Holdings], Array]:
    """Reserves at the last bar, the pool at the end, and the largest z of all trades."""

    def one(number: Array, carry: tuple[Holdings, Array]) -> tuple[Holdings, Array]:
        at = CostInputs(block.tau[number], block.price[number], block.before_end, block.length)
        holdings, outcome = step(chunk, carry[0], at, costs, spec, functions)
        return holdings, jnp.maximum(carry[1], outcome.reach)

    def part(carry: tuple[Holdings, Array], bounds: Array) -> tuple[tuple[Holdings, Array], Tokens]:
        """The steps in `bounds`; both parts share one compiled body."""
        carry = jax.lax.fori_loop(bounds[0], bounds[1], one, carry)
        return carry, carry[0].reserves

    zero = jnp.zeros((), block.before_end.dtype)
    bounds = jnp.stack([jnp.stack([zero, block.before_end]), jnp.stack([block.before_end, block.length])])
    (holdings, reach), reserves = jax.lax.scan(part, (holdings, jnp.zeros_like(holdings.reserves[0])), bounds)
    return (tuple(kept[0] for kept in reserves), holdings), reach


def _broken_with(chunk: ChunkState, reserves: Tokens) -> Tokens:
    """NaN where the weights are no numbers: no trade would be found there, and the pool would look like holding."""
    whole: PerAsset = jnp.isfinite(jnp.sum(chunk.origin + chunk.step, axis=0))
    return tuple(jnp.where(whole, reserve, jnp.nan) for reserve in reserves)
