"""The engine with costs (SPEC §9): price arrays and a batch of candidates in, reserves at day boundaries out.

One scan over days, inside it one over the blocks of a day as without costs, and inside a block one step after the
other. Boundary k is minute kD; the loop runs from boundary to boundary, so a block's state before its end is the
one at the block's last bar. Minute values exist for one day at a time: a `Reduction` makes of them what is kept.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.costs import Costs, Income, Outcome, arbitrage_minute
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.outside import SwapOutcome, Swaps, outside_swaps
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.pool.swap import Tokens, total
from momentum_opt.simulation.block_bars import BlockBars, BlockFlows, Reduction, day_flows, with_rebalanced
from momentum_opt.simulation.cost_inputs import CostInputs, Step
from momentum_opt.simulation.inputs import BlockInputs, MarketArrays
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import (
    Candidates,
    ChunkState,
    Settings,
    enter_block,
    rule_constants,
    warm_up,
    weights_moved,
)
from momentum_opt.vocabulary.metrics import Cadence


class Holdings(NamedTuple):
    """What a pool carries from one step to the next."""

    reserves: Tokens
    arb_weights: Tokens
    """Weights at the last arbitrage."""


class CostBlockStart(NamedTuple):
    """All that is needed to run a block again."""

    chunk: ChunkState
    holdings: Holdings


class CostPath(NamedTuple):
    """The simulation at day boundaries; the fields after the fourth are None unless asked for."""

    reserves: Float[Array, "boundary asset *batch"]
    before_reserves: Float[Array, "day asset *batch"]
    """Reserves at each day's last bar."""
    moved: Float[Array, "boundary *batch"]
    """Σ |Δw| of the weights that the pool shows, from bar to bar since minute 0."""
    crossing: Float[Array, "day *batch"]
    """The part of it from each day's last bar to the boundary after it."""
    blocks: CostBlockStart | None = None
    """Every block, with leading axes day and block; for the rebuild of minute values."""
    kept: Any = None
    """What the reduction kept of each day."""
    at_start: SwapOutcome | None = None
    """What outside trades did at minute 0, which has no step."""


class _Watched(NamedTuple):
    """Minute values and flows of a block, where a reduction asks for them."""

    values: Float[Array, "bar_and_one *batch"]
    """Value at each bar of the block, and at the first of the next one; per pool token of minute 0."""
    reserves: Tokens
    """At the bar before; per pool token likewise."""
    shares: Tokens | None
    """R p/V at the bar before, where their changes are asked for."""
    supply: PerCandidate
    """Pool tokens there are, as a multiple of those at minute 0."""
    flows: BlockFlows


class _Carry(NamedTuple):
    chunk: ChunkState
    holdings: Holdings
    before: Tokens
    moved: PerCandidate
    crossing: PerCandidate
    supply: PerCandidate
    """Pool tokens there are, as a multiple of those at minute 0."""


class _DayCarry(NamedTuple):
    inner: _Carry
    reduced: Any
    """The reduction's state."""
    into: dict[str, PerCandidate]
    """Flows of the step into the day."""


def simulate_with_costs(
    spec: SimulationSpec,
    arrays: MarketArrays,
    settings: Settings,
    candidates: Candidates,
    cadence: Cadence,
    reduction: Reduction | None = None,
) -> CostPath:
    """Run all candidates from start to the end of the last period; a lane that goes wrong stays in its lane.

    Args:
        spec: static description.
        arrays: from `market_arrays` of the same spec.
        settings: traced pool settings and costs.
        candidates: as for `simulate`.
        cadence: MINUTE keeps what the rebuild needs, unless there is a reduction.
        reduction: what to make of each day's minute values.
    """
    rule = rule_constants(candidates, settings, spec)
    chunk = warm_up(arrays.burn_in, candidates, rule, settings, spec)
    weights = tuple(candidates.initial_weights)
    price = arrays.days.price[0]
    first = tuple(w * (settings.initial_pool_value / price[i]) for i, w in enumerate(weights))
    at_start = None
    if arrays.outside is not None:
        costs = arrays.outside.costs.over(settings.costs)
        at_start = outside_swaps(first, tuple(price), weights, costs, arrays.outside.swaps, arrays.outside.span)
        first = at_start.reserves
    keeps_blocks = cadence == Cadence.MINUTE and reduction is None
    swaps = None if arrays.outside is None else arrays.outside.swaps
    zero = jnp.zeros_like(first[0])
    carry = _Carry(chunk, Holdings(first, weights), first, zero, zero, jnp.ones_like(zero))

    def block_step(carry: _Carry, block: BlockInputs) -> tuple[_Carry, tuple[CostBlockStart | None, BlockBars | None]]:
        chunk = enter_block(carry.chunk, block, rule, settings, spec)
        holdings = carry.holdings._replace(reserves=_broken_with(chunk, carry.holdings.reserves))
        start = CostBlockStart(chunk, holdings) if keeps_blocks else None
        assert block.cost is not None
        watched = None if reduction is None else _watch_from(holdings, block, carry.supply, reduction.flows, spec)
        run = _Block(chunk, block.cost, swaps, settings.costs, spec)
        before, holdings, watched = _cross_block(run, holdings, watched)
        total, crossing = weights_moved(chunk, block, spec)
        supply = carry.supply if watched is None else watched.supply
        bars = None
        if reduction is not None and watched is not None:
            flows = watched.flows
            if "rebalanced" in reduction.flows:
                flows = with_rebalanced(flows, chunk, block, settings.exchange_cost, spec)
            bars = BlockBars(watched.values[:-1], flows)
        return _Carry(chunk, holdings, before, carry.moved + total, crossing, supply), (start, bars)

    def day_step(carry: _DayCarry, day: tuple[BlockInputs, Any]) -> tuple[_DayCarry, CostPath]:
        blocks, marks = day
        inner, (starts, bars) = jax.lax.scan(block_step, carry.inner, blocks)
        state, into, kept = carry.reduced, carry.into, None
        if reduction is not None and bars is not None:
            flows, into = day_flows(bars.flows, into)
            state, kept = reduction.day(state, bars.values.reshape(-1, *bars.values.shape[2:]), flows, marks)
        reserves, before = jnp.stack(inner.holdings.reserves), jnp.stack(inner.before)
        path = CostPath(reserves, before, inner.moved, inner.crossing, starts, kept)
        return _DayCarry(inner, state, into), path

    state = None if reduction is None else reduction.start(zero)
    into = {} if reduction is None else dict.fromkeys(reduction.flows, zero)
    if "fees" in into and at_start is not None:
        into["fees"] = at_start.income.liquidity_providers
    marks = None if reduction is None else reduction.marks
    _, path = jax.lax.scan(day_step, _DayCarry(carry, state, into), (arrays.blocks, marks))
    return path._replace(
        reserves=jnp.concatenate([jnp.stack(first)[None], path.reserves]),
        moved=jnp.concatenate([zero[None], path.moved]),
        at_start=at_start,
    )


class _Block(NamedTuple):
    """What the steps of a block share."""

    chunk: ChunkState
    inputs: CostInputs
    swaps: Swaps | None
    costs: Costs
    spec: SimulationSpec


def step(
    chunk: ChunkState,
    holdings: Holdings,
    at: Step,
    swaps: Swaps | None,
    costs: Costs,
    spec: SimulationSpec,
    functions: Functions,
) -> tuple[Holdings, Outcome, PerCandidate | None]:
    """The pool after one step: change of the supply, arbitrage, outside trades.

    Args:
        chunk: how the weights move.
        holdings: after the step before.
        at: this step, without leading axes.
        swaps: all outside trades.
        costs: those that are numbers.
        spec: static description.
        functions: short or exact.

    Returns:
        The pool, its outcome, and how many trades it refused (None where there is no list of trades).
    """
    costs, prices = at.costs.over(costs), tuple(at.price)
    weights = tuple(weight_path(spec.method, chunk.origin, chunk.step, at.tau[None], spec.interpolation)[0])
    reserves, arb_weights = holdings.reserves, weights
    if at.growth is not None:
        reserves = tuple(reserve * at.growth for reserve in reserves)

    def arbitraged() -> Outcome:
        return arbitrage_minute(reserves, prices, holdings.arb_weights, weights, costs, spec.trade, functions)

    none = jnp.zeros_like(reserves[0])
    if at.acts is None:
        outcome = arbitraged()
    else:
        outcome = jax.lax.cond(at.acts, arbitraged, lambda: Outcome(reserves, Income(none, none), none))
        arb_weights = tuple(
            jnp.where(at.acts, new, old) for new, old in zip(weights, holdings.arb_weights, strict=True)
        )
    if swaps is None:
        return Holdings(outcome.reserves, arb_weights), outcome, None
    assert at.span is not None
    span, idle = at.span, SwapOutcome(outcome.reserves, Income(none, none), none)
    traded = jax.lax.cond(
        span.length > 0, lambda: outside_swaps(idle.reserves, prices, weights, costs, swaps, span), lambda: idle
    )
    income = Income(*map(jnp.add, outcome.income, traded.income))
    return Holdings(traded.reserves, arb_weights), Outcome(traded.reserves, income, outcome.reach), traded.refused


def _cross_block(run: _Block, holdings: Holdings, watched: _Watched | None) -> tuple[Tokens, Holdings, _Watched | None]:
    """Reserves at the block's last bar, the pool at its end, and what was watched.

    The whole block is run with the short series; where they did not hold, a candidate gets the block run exactly.
    """
    short, reach = _run_block(run, holdings, watched, SHORT)
    held = reach <= SMALL

    def again() -> tuple[Tokens, Holdings, _Watched | None]:
        exact, _ = _run_block(run, holdings, watched, EXACT)
        return jax.tree.map(lambda one, other: jnp.where(held, one, other), short, exact)

    return jax.lax.cond(jnp.all(held), lambda: short, again)


class _Loop(NamedTuple):
    holdings: Holdings
    reach: PerCandidate
    """The largest z of all trades."""
    watched: _Watched | None


def _run_block(
    run: _Block, holdings: Holdings, watched: _Watched | None, functions: Functions
) -> tuple[tuple[Tokens, Holdings, _Watched | None], PerCandidate]:
    """Reserves at the last bar, the pool at the end and what was watched; and the largest z of all trades."""
    block = run.inputs

    def one(number: Array, carry: _Loop) -> _Loop:
        at = jax.tree.map(lambda values: values[number], block.steps)
        holdings, outcome, _ = step(run.chunk, carry.holdings, at, run.swaps, run.costs, run.spec, functions)
        watched = None if carry.watched is None else _watch(carry.watched, number, outcome, at)
        return _Loop(holdings, jnp.maximum(carry.reach, outcome.reach), watched)

    def part(carry: _Loop, bounds: Array) -> tuple[_Loop, Tokens]:
        """The steps in `bounds`; both parts share one compiled body."""
        carry = jax.lax.fori_loop(bounds[0], bounds[1], one, carry)
        return carry, carry.holdings.reserves

    zero = jnp.zeros((), block.before_end.dtype)
    bounds = jnp.stack([jnp.stack([zero, block.before_end]), jnp.stack([block.before_end, block.length])])
    start = _Loop(holdings, jnp.zeros_like(holdings.reserves[0]), watched)
    end, reserves = jax.lax.scan(part, start, bounds)
    return (tuple(kept[0] for kept in reserves), end.holdings, end.watched), end.reach


def _watch_from(
    holdings: Holdings, block: BlockInputs, supply: PerCandidate, names: Sequence[str], spec: SimulationSpec
) -> _Watched:
    """A block of which only the first bar is known."""
    reserves = tuple(reserve / supply for reserve in holdings.reserves)
    worth = _worth(reserves, block.chunk_price)
    value = total(worth)
    values = jnp.zeros((spec.block + 1, *value.shape), value.dtype).at[0].set(value)
    none = {name: jnp.zeros_like(value) for name in names if name != "rebalanced"}
    shares = tuple(one / value for one in worth) if "shares" in names else None
    return _Watched(values, reserves, shares, supply, BlockFlows(none, none))


def _watch(watched: _Watched, number: Array, outcome: Outcome, at: Step) -> _Watched:
    """One bar more: step `number` leads to bar number + 1 of the block."""
    supply = watched.supply if at.growth is None else watched.supply * at.growth
    reserves = tuple(reserve / supply for reserve in outcome.reserves) if at.growth is not None else outcome.reserves
    worth = _worth(reserves, at.price)
    value = total(worth)
    values = jax.lax.dynamic_update_index_in_dim(watched.values, value, number + 1, 0)
    step: dict[str, PerCandidate] = {}
    names = watched.flows.total
    if "traded" in names:
        unchanged = _worth(watched.reserves, at.price)
        step["traded"] = 0.5 * total(jnp.abs(now - then) for now, then in zip(worth, unchanged, strict=True))
    if "fees" in names:
        step["fees"] = outcome.income.liquidity_providers / supply
    shares = None
    if watched.shares is not None:
        shares = tuple(one / value for one in worth)
        step["shares"] = total(jnp.abs(now - then) for now, then in zip(shares, watched.shares, strict=True))
    totals = {name: names[name] + amount for name, amount in step.items()}
    return _Watched(values, reserves, shares, supply, BlockFlows(totals, step))


def _worth(reserves: Tokens, price: Float[Array, " asset"]) -> Tokens:
    return tuple(reserve * price[i] for i, reserve in enumerate(reserves))


def _broken_with(chunk: ChunkState, reserves: Tokens) -> Tokens:
    """NaN where the weights are no numbers: no trade would be found there, and the pool would look like holding."""
    whole: PerAsset = jnp.isfinite(jnp.sum(chunk.origin + chunk.step, axis=0))
    return tuple(jnp.where(whole, reserve, jnp.nan) for reserve in reserves)
