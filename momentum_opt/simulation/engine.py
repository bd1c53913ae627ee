"""The zero-cost engine (SPEC §8): price arrays and a batch of candidates in, values at day boundaries out.

One scan over days, inside it one over the blocks of a day; every operation acts on all candidates at once. Boundary k
is minute kD. The last one, T, has no price and only serves to find the value one bar before it.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, Int, PerAsset, PerCandidate
from momentum_opt.simulation.block_bars import BlockBars, Reduction, bars_without_costs, day_flows
from momentum_opt.simulation.boundary_weights import BoundaryWeights
from momentum_opt.simulation.closed_form import block_growth
from momentum_opt.simulation.costs import CostPath, simulate_with_costs
from momentum_opt.simulation.in_chunk import arbitrage_path
from momentum_opt.simulation.inputs import ArbitrageInputs, BlockInputs, MarketArrays
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import (
    Candidates,
    ChunkState,
    Settings,
    bars_moved,
    enter_block,
    rule_constants,
    warm_up,
    weights_moved,
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
    kept: Any = None
    """What the reduction kept of each day."""


class _Carry(NamedTuple):
    chunk: ChunkState
    log_value: PerCandidate
    arb_weights: PerAsset
    before_weights: PerAsset | None
    """At the last arbitrage at or before the block's last bar; None where the closed form finds them when asked."""
    turnover: PerCandidate


class _DayCarry(NamedTuple):
    inner: _Carry
    weights: BoundaryWeights
    reduced: Any
    """The reduction's state."""
    into: dict[str, PerCandidate]
    """Flows of the step into the day."""


class _Day(NamedTuple):
    blocks: BlockInputs
    place: Int[Array, ""]
    """Where the weights at the day's end are put."""
    marks: Any
    """The reduction's."""


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
        reduction: what to make of each day's minute values instead of keeping what the rebuild needs; the arrays must
            hold every bar then.
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
    keeps_blocks = cadence == Cadence.MINUTE and reduction is None

    def block_step(carry: _Carry, block: BlockInputs) -> tuple[_Carry, tuple[BlockStart | None, BlockBars | None]]:
        chunk = enter_block(carry.chunk, block, rule, settings, spec)
        start = BlockStart(chunk, carry.log_value, carry.arb_weights)
        bars = (
            None
            if reduction is None
            else bars_without_costs(*start, block, settings.exchange_cost, reduction.flows, spec)
        )
        return _cross_block(carry._replace(chunk=chunk), block, spec), (start if keeps_blocks else None, bars)

    def day_step(carry: _DayCarry, day: _Day) -> tuple[_DayCarry, tuple[PerCandidate, BlockStart | None, Any]]:
        inner, (starts, bars) = jax.lax.scan(block_step, carry.inner, day.blocks)
        last = jax.tree.map(lambda x: x[-1], day.blocks)
        kept = carry.weights.put(day.place, lambda: _weights_row(inner, last, spec))
        if reduction is None or bars is None:
            return _DayCarry(inner, kept, None, {}), (inner.log_value, starts, None)
        flows, out = day_flows(bars.flows, carry.into)
        values = bars.values.reshape(-1, *bars.values.shape[2:])
        state, summary = reduction.day(carry.reduced, values, flows, day.marks)
        return _DayCarry(inner, kept, state, out), (inner.log_value, starts, summary)

    start = _DayCarry(
        carry,
        kept.put(places[0], lambda: (weights, weights, carry.turnover, carry.turnover)),
        None if reduction is None else reduction.start(log_value),
        {} if reduction is None else dict.fromkeys(reduction.flows, jnp.zeros_like(log_value)),
    )
    days = _Day(arrays.blocks, places[1:], None if reduction is None else reduction.marks)
    end, (log_values, starts, summaries) = jax.lax.scan(day_step, start, days)
    return BoundaryPath(jnp.concatenate([log_value[None], log_values]), end.weights, starts, summaries)


def _cross_block(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    if spec.engine == "closed_form":
        return _cross_closed(carry, block, spec)
    return _cross_summed(carry, block, spec)


def _cross_closed(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    origin, step = carry.chunk.origin, carry.chunk.step
    first, last = bars_moved(0, block, spec), bars_moved(spec.block, block, spec)
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


def _weights_row(
    carry: _Carry, last: BlockInputs, spec: SimulationSpec
) -> tuple[PerAsset, PerAsset, PerCandidate, PerCandidate]:
    """What is kept of the weights at the end of the block `last`, which was just crossed."""
    return (
        carry.arb_weights,
        _before_weights(carry, last, spec),
        carry.turnover,
        weights_moved(carry.chunk, last, spec)[1],
    )


def _before_weights(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> PerAsset:
    """Weights at the last arbitrage at or before the last bar of the block that was crossed."""
    if carry.before_weights is not None:
        return carry.before_weights
    return carry.chunk.origin + carry.chunk.step * bars_moved(spec.block - spec.arb, block, spec)


def _cross_summed(carry: _Carry, block: BlockInputs, spec: SimulationSpec) -> _Carry:
    assert block.arb is not None
    growth, arb_weights, before_weights, turnover = _walk(carry.chunk, carry.arb_weights, block.arb, spec)
    if spec.method == "linear" or spec.arb > 1:  # else the weights at the arbitrages are those that the pool shows
        turnover = weights_moved(carry.chunk, block, spec)[0]
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
    """Growth over a block, weights at its last arbitrage and at the last before its last bar, and Σ |Δw| between them.

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
