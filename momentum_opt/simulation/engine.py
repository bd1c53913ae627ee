"""The zero-cost engine (SPEC §8): price arrays and a batch of candidates in, values at day boundaries out.

One scan over days, inside it one over the blocks of a day; every operation acts on all candidates at once. Boundary k
is minute kD. The last one, T, has no price and only serves to find the value one bar before it.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, Int, PerAsset, PerCandidate
from momentum_opt.simulation.boundary_weights import BoundaryWeights
from momentum_opt.simulation.closed_form import block_growth
from momentum_opt.simulation.costs import CostPath, Reduction, simulate_with_costs
from momentum_opt.simulation.in_chunk import arbitrage_path
from momentum_opt.simulation.inputs import ArbitrageInputs, BlockInputs, MarketArrays
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


class BlockStart(NamedTuple):
    """All that is needed to rebuild a block's minutes."""

    chunk: ChunkState
    """Weights' start and step in the block's chunk."""
    log_value: PerCandidate
    """log V at the last arbitrage at or before the block's first bar."""
    arb_weights: PerAsset
    """Weights at that arbitrage."""


class BoundaryPath(NamedTuple):
    """The simulation at day boundaries."""

    log_value: Float[Array, "boundary *batch"]
    """log V at the last arbitrage at or before each boundary."""
    weights: BoundaryWeights
    blocks: BlockStart | None = None
    """Every block, with leading axes day and block, for the rebuild of minute values; None unless asked for."""


class _Carry(NamedTuple):
    chunk: ChunkState
    log_value: PerCandidate
    arb_weights: PerAsset
    before_weights: PerAsset | None
    """At the last arbitrage at or before the block's last bar; None where the closed form finds them when asked."""
    turnover: PerCandidate


class _Day(NamedTuple):
    blocks: BlockInputs
    place: Int[Array, ""]
    """Where the weights at the day's end are put."""


def simulate(
    spec: SimulationSpec,
    arrays: MarketArrays,
    settings: Settings,
    candidates: Candidates,
    cadence: Cadence,
    reduction: Reduction | None = None,
    ends: tuple[int, ...] | None = None,
) -> BoundaryPath | CostPath:
    """Run all candidates from start to the end of the last period; a lane that goes wrong stays in its lane.

    Args:
        spec: static description.
        arrays: from `market_arrays` of the same spec.
        settings: traced pool settings.
        candidates: parameters, tokens first and candidates last; initial weights on the simplex, none under the floor
            (that is checked on the host).
        cadence: how much the metrics need; DAILY keeps log values only, MINUTE also what the rebuild needs.
        reduction: with costs, what to make of each day's minute values instead of keeping what the rebuild needs.
        ends: without costs, the boundaries whose weights LAST_MINUTE needs, in order; None: all.
    """
    if spec.engine == "with_costs" and spec.minute_loop == "pallas":
        # Not every installation of JAX has what kernels need; `minute_gpu` finds out before it asks for one.
        from momentum_opt.simulation.minute_pallas import simulate_in_kernel

        return simulate_in_kernel(spec, arrays, settings, candidates)
    if spec.engine == "with_costs":
        return simulate_with_costs(spec, arrays, settings, candidates, cadence, reduction)
    rule = rule_constants(candidates, settings, spec)
    chunk = warm_up(arrays.burn_in, candidates, rule, settings, spec)
    weights = candidates.initial_weights
    log_value = jnp.broadcast_to(jnp.log(settings.initial_pool_value), weights.shape[1:])
    before = None if spec.engine == "closed_form" else weights
    carry = _Carry(chunk, log_value, weights, before, jnp.zeros_like(log_value))
    kept = BoundaryWeights.empty(kept_boundaries(spec, cadence, ends), weights)
    places = kept.places(spec.n_days)

    def block_step(carry: _Carry, block: BlockInputs) -> tuple[_Carry, BlockStart | None]:
        chunk = enter_block(carry.chunk, block, rule, settings, spec)
        start = BlockStart(chunk, carry.log_value, carry.arb_weights) if cadence == Cadence.MINUTE else None
        return _cross_block(carry._replace(chunk=chunk), block, spec), start

    def day_step(
        state: tuple[_Carry, BoundaryWeights], day: _Day
    ) -> tuple[tuple[_Carry, BoundaryWeights], tuple[PerCandidate, BlockStart | None]]:
        carry, starts = jax.lax.scan(block_step, state[0], day.blocks)
        last = jax.tree.map(lambda x: x[-1], day.blocks)
        kept = state[1].put(day.place, lambda: (carry.arb_weights, _before_weights(carry, last, spec), carry.turnover))
        return (carry, kept), (carry.log_value, starts)

    start = carry, kept.put(places[0], lambda: (weights, weights, carry.turnover))
    (_, kept), (log_values, starts) = jax.lax.scan(day_step, start, _Day(arrays.blocks, places[1:]))
    return BoundaryPath(jnp.concatenate([log_value[None], log_values]), kept, starts)


def _cross_block(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    if spec.engine == "closed_form":
        return _cross_closed(carry, block, spec)
    return _cross_summed(carry, block, spec)


def _cross_closed(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    origin, step = carry.chunk.origin, carry.chunk.step
    first, last = _moved(0, block, spec), _moved(spec.block, block, spec)
    start, end = origin + step * first, origin + step * last
    shape = (spec.n_assets,) + (1,) * (origin.ndim - 1)
    assert block.mu0 is not None
    assert block.mu1 is not None
    growth = block_growth(start, end, step * spec.arb, block.mu0.reshape(shape), block.mu1.reshape(shape))
    return carry._replace(
        log_value=carry.log_value + growth,
        arb_weights=end,
        turnover=carry.turnover + jnp.sum(jnp.abs(step), axis=0) * (last - first),
    )


def _moved(bars: int, block: BlockInputs, spec: SimulationSpec) -> Array | int:
    """Bars moved `bars` into the block; plain numbers unless the chunk lasts several blocks."""
    m = spec.interpolation
    return min(bars, m) if spec.blocks_per_chunk == 1 else jnp.minimum(block.offset + bars, m)


def _before_weights(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> PerAsset:
    """Weights at the last arbitrage at or before the last bar of the block that was crossed."""
    if carry.before_weights is not None:
        return carry.before_weights
    return carry.chunk.origin + carry.chunk.step * _moved(spec.block - spec.arb, block, spec)


def _cross_summed(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    assert block.arb is not None
    growth, arb_weights, before_weights, turnover = _walk(carry.chunk, carry.arb_weights, block.arb, spec)
    return carry._replace(
        log_value=carry.log_value + growth,
        arb_weights=arb_weights,
        before_weights=before_weights,
        turnover=carry.turnover + turnover,
    )


@partial(jax.checkpoint, static_argnums=3)
def _walk(
    chunk: ChunkState, arb_weights: PerAsset, arb: ArbitrageInputs, spec: SimulationSpec
) -> tuple[PerCandidate, PerAsset, PerAsset, PerCandidate]:
    """Growth over a block, weights at its last arbitrage and at the last before its last bar, and Σ |Δw|.

    Where it is differentiated in reverse its path is walked again: to keep all of them would fill the memory.
    """
    path = arbitrage_path(chunk, arb_weights, arb, spec)
    turnover = jnp.sum(jnp.abs(jnp.diff(path.weights, axis=0)), axis=(0, 1))
    return jnp.sum(path.growth, axis=0), path.weights[-1], path.weights[arb.before_end], turnover


def kept_boundaries(spec: SimulationSpec, cadence: Cadence, ends: tuple[int, ...] | None) -> tuple[int, ...]:
    """Boundaries whose weights a simulation without costs keeps for metrics of `cadence`; `ends` as in `simulate`."""
    if not spec.arbitrages_daily or cadence > Cadence.LAST_MINUTE:
        return tuple(range(spec.n_days + 1))
    if cadence == Cadence.DAILY:
        return ()
    return tuple(range(spec.n_days + 1)) if ends is None else ends
