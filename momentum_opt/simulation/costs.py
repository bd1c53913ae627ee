"""The engine with costs (SPEC §9): price arrays and a batch of candidates in, reserves at day boundaries out.

One scan over days, inside it one over the blocks of a day as without costs, and inside a block one step after the
other. Boundary k is minute kD; the loop runs from boundary to boundary, so a block's state before its end is the
one at the block's last bar. Minute values exist for one day at a time: a `Reduction` makes of them what is kept.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.costs import Costs, Income, Outcome, arbitrage_minute
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.outside import SwapOutcome, Swaps, outside_swaps
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.pool.swap import Tokens, total
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
)
from momentum_opt.vocabulary.metrics import Cadence


class Reduction(NamedTuple):
    """What is kept of the minute values; it needs a spec with `every_bar`."""

    start: Callable[[PerCandidate], Any]
    """From an array of the candidates' shape to the state before the first day."""
    day: Callable[[Any, Float[Array, "bar *batch"], Any], tuple[Any, Any]]
    """State, the day's values per pool token and its marks to the next state and what is kept of the day."""
    marks: Any
    """Arrays with a leading axis of days, handed to `day` one by one."""
    turnover: bool
    """Whether to sum up the changes of the value shares."""


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
    """The simulation at day boundaries; the fields after the second are None unless asked for."""

    reserves: Float[Array, "boundary asset *batch"]
    before_reserves: Float[Array, "day asset *batch"]
    """Reserves at each day's last bar."""
    blocks: CostBlockStart | None = None
    """Every block, with leading axes day and block; for the rebuild of minute values."""
    kept: Any = None
    """What the reduction kept of each day."""
    turnover: Float[Array, "boundary *batch"] | None = None
    """Σ over the bars from minute 0 of Σ |Δ(R p/V)|."""
    at_start: SwapOutcome | None = None
    """What outside trades did at minute 0, which has no step."""


class _Watched(NamedTuple):
    """Minute values and turnover of a block, where a reduction asks for them."""

    values: Float[Array, "bar_and_one *batch"]
    """Value at each bar of the block, and at the first of the next one."""
    shares: Tokens | None
    """R p/V at the last bar."""
    turnover: PerCandidate | None


class _Carry(NamedTuple):
    chunk: ChunkState
    holdings: Holdings
    before: Tokens
    turnover: PerCandidate | None


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
    carry = _Carry(chunk, Holdings(first, weights), first, zero if reduction and reduction.turnover else None)

    def block_step(carry: _Carry, block: BlockInputs) -> tuple[_Carry, tuple[CostBlockStart | None, Array | None]]:
        chunk = enter_block(carry.chunk, block, rule, settings, spec)
        holdings = carry.holdings._replace(reserves=_broken_with(chunk, carry.holdings.reserves))
        start = CostBlockStart(chunk, holdings) if keeps_blocks else None
        assert block.cost is not None
        watched = None if reduction is None else _watch_from(holdings, block, reduction.turnover, spec)
        run = _Block(chunk, block.cost, swaps, settings.costs, spec)
        before, holdings, watched = _cross_block(run, holdings, watched)
        turnover = carry.turnover
        if turnover is not None:
            assert watched is not None
            assert watched.turnover is not None
            turnover = turnover + watched.turnover
        values = None if watched is None else watched.values[:-1]
        return _Carry(chunk, holdings, before, turnover), (start, values)

    def day_step(carry: tuple[_Carry, Any], day: tuple[BlockInputs, Any]) -> tuple[tuple[_Carry, Any], CostPath]:
        (inner, state), (blocks, marks) = carry, day
        inner, (starts, values) = jax.lax.scan(block_step, inner, blocks)
        kept = None
        if reduction is not None:
            assert values is not None
            state, kept = reduction.day(state, _per_pool_token(values, blocks), marks)
        reserves, before = jnp.stack(inner.holdings.reserves), jnp.stack(inner.before)
        return (inner, state), CostPath(reserves, before, starts, kept, inner.turnover)

    state = None if reduction is None else reduction.start(first[0])
    marks = None if reduction is None else reduction.marks
    _, path = jax.lax.scan(day_step, (carry, state), (arrays.blocks, marks))
    return path._replace(
        reserves=jnp.concatenate([jnp.stack(first)[None], path.reserves]),
        turnover=None if path.turnover is None else jnp.concatenate([zero[None], path.turnover]),
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
        watched = None if carry.watched is None else _watch(carry.watched, number, outcome.reserves, at.price)
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


def _watch_from(holdings: Holdings, block: BlockInputs, turnover: bool, spec: SimulationSpec) -> _Watched:
    """Values of a block of which only the first is known."""
    value, shares = _appraise(holdings.reserves, block.chunk_price)
    values = jnp.zeros((spec.block + 1, *value.shape), value.dtype).at[0].set(value)
    return _Watched(values, shares if turnover else None, jnp.zeros_like(value) if turnover else None)


def _watch(watched: _Watched, number: Array, reserves: Tokens, price: Float[Array, " asset"]) -> _Watched:
    """One bar more: step `number` leads to bar number + 1 of the block."""
    value, shares = _appraise(reserves, price)
    values = jax.lax.dynamic_update_index_in_dim(watched.values, value, number + 1, 0)
    if watched.shares is None or watched.turnover is None:
        return _Watched(values, None, None)
    moved = total(jnp.abs(now - before) for now, before in zip(shares, watched.shares, strict=True))
    return _Watched(values, shares, watched.turnover + moved)


def _appraise(reserves: Tokens, price: Float[Array, " asset"]) -> tuple[PerCandidate, Tokens]:
    """Value, and each token's share of it."""
    worth = tuple(reserve * price[i] for i, reserve in enumerate(reserves))
    value = total(worth)
    return value, tuple(one / value for one in worth)


def _per_pool_token(values: Float[Array, "block bar *batch"], blocks: BlockInputs) -> Float[Array, "bars *batch"]:
    """A day's values, over the pool tokens there are where their number changes."""
    assert blocks.cost is not None
    day = values.reshape(-1, *values.shape[2:])
    if blocks.cost.supply is None:
        return day
    return day / blocks.cost.supply.reshape(-1, *(1,) * (day.ndim - 1))


def _broken_with(chunk: ChunkState, reserves: Tokens) -> Tokens:
    """NaN where the weights are no numbers: no trade would be found there, and the pool would look like holding."""
    whole: PerAsset = jnp.isfinite(jnp.sum(chunk.origin + chunk.step, axis=0))
    return tuple(jnp.where(whole, reserve, jnp.nan) for reserve in reserves)
