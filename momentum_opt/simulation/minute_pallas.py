"""The engine with costs on a GPU, in a kernel of its own: price arrays and candidates in, reserves at day ends out.

XLA's loop starts several small programs per minute and takes every number to memory and back between them. Here one
program takes `TILE` candidates, one per lane, through a whole day: their reserves and weights stay in registers, and
the arbitrage of `pool/costs.py` is traced into it. Between two days XLA moves the weights of the next day's blocks, so
that a device never holds more than a day of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.costs import Costs, Trade, arbitrage_minute
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.pool.swap import Tokens, total
from momentum_opt.simulation.cost_inputs import WalkedSteps, walked_steps
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.inputs import BlockInputs, MarketArrays
from momentum_opt.simulation.minute_kernel import UnitCosts
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import (
    Candidates,
    ChunkState,
    Settings,
    enter_blocks,
    rule_constants,
    warm_up,
    weights_moved,
)

TILE: Final = 32
"""Candidates of one program of the grid: a warp, so that a tile's exact second pass holds up as few as can be."""

_ALONE: Final = EXACT._replace(stacked=False)
"""The exact functions pair by pair: a kernel cannot stack arrays."""


class Day(NamedTuple):
    """What the kernel reads, candidates last and a multiple of `TILE`; inside it, references to the same."""

    origin: Float[Array, "block asset candidate"]
    """Weights at the start of the block's chunk."""
    move: Float[Array, "block asset candidate"]
    """Change of the weights per bar."""
    reserves: PerAsset
    """At the end of the day before."""
    arb_weights: PerAsset
    """At the last arbitrage of the days before."""
    steps: WalkedSteps


class DayEnd(NamedTuple):
    """What the kernel writes; the first two are the next day's."""

    reserves: PerAsset
    arb_weights: PerAsset
    before: PerAsset
    """Reserves at the day's last bar."""


class _Lanes(NamedTuple):
    """A tile of the pool, in registers."""

    reserves: Tokens
    arb_weights: Tokens
    before: Tokens
    """Reserves at the last bar of the block so far."""


def simulate_in_kernel(
    spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates
) -> CostPath:
    """As `simulate_with_costs`, which says what the arguments are, for what `pallas_serves` names."""
    cost, width = arrays.blocks.cost, candidates.initial_weights.shape[1]
    assert cost is not None
    filled = _whole_tiles(candidates)
    rule = rule_constants(filled, settings, spec)
    weights = filled.initial_weights
    first = weights * (settings.initial_pool_value / arrays.days.price[0])[:, None]

    def day_step(
        carry: tuple[ChunkState, PerAsset, PerAsset], day: tuple[BlockInputs, WalkedSteps]
    ) -> tuple[tuple[ChunkState, PerAsset, PerAsset], tuple[PerAsset, PerAsset, PerCandidate, PerCandidate]]:
        chunk, reserves, arb_weights = carry
        blocks, steps = day
        chunk, (origin, move) = enter_blocks(chunk, blocks, rule, settings, spec)
        end = walk_day(Day(origin, move, reserves, arb_weights, steps), spec.trade)
        total, last = jax.vmap(lambda step, block: weights_moved(chunk._replace(step=step), block, spec))(move, blocks)
        return (chunk, end.reserves, end.arb_weights), (end.reserves, end.before, jnp.sum(total, axis=0), last[-1])

    start = warm_up(arrays.burn_in, filled, rule, settings, spec), first, weights
    days = arrays.blocks._replace(cost=None, bars=None), walked_steps(cost, settings.costs, spec)
    _, (reserves, before, moved, crossing) = jax.lax.scan(day_step, start, days)
    path = jnp.concatenate([jnp.zeros_like(moved[:1]), jnp.cumsum(moved, axis=0)])
    found = CostPath(jnp.concatenate([first[None], reserves]), before, path, crossing)
    return jax.tree.map(lambda values: values[..., :width], found)


def walk_day(day: Day, trade: Trade) -> DayEnd:
    """Run all candidates through the steps of one day; interpreted on a CPU, which has no such kernels."""
    return jax.lax.platform_dependent(
        day, cpu=partial(_call, trade=trade, interpret=True), default=partial(_call, trade=trade, interpret=False)
    )


def _call(day: Day, *, trade: Trade, interpret: bool) -> DayEnd:
    def share(array: Array) -> pl.BlockSpec:
        """A tile of the candidates and all of the other axes."""
        axes = array.ndim - 1
        return pl.BlockSpec((*array.shape[:-1], TILE), lambda tile: (0,) * axes + (tile,))

    def whole(array: Array) -> pl.BlockSpec:
        return pl.BlockSpec(array.shape, lambda _: (0,) * array.ndim)

    tiles: Any = jax.tree.map(share, day._replace(steps=None))
    end: Any = jax.ShapeDtypeStruct(day.reserves.shape, day.reserves.dtype)
    end_tile: Any = share(day.reserves)
    call: Callable[[Day], DayEnd] = pl.pallas_call(
        partial(_walk, trade=trade),
        out_shape=DayEnd(end, end, end),
        grid=(day.reserves.shape[1] // TILE,),
        in_specs=[tiles._replace(steps=jax.tree.map(whole, day.steps))],
        out_specs=DayEnd(end_tile, end_tile, end_tile),
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=interpret,
    )
    return call(day)


def _walk(day: Any, *end: Any, trade: Trade) -> None:
    """The kernel: references to a tile of a `Day` and of a `DayEnd`."""
    reserves = _rows(day.reserves)
    lanes = _Lanes(reserves, _rows(day.arb_weights), reserves)
    lanes = jax.lax.fori_loop(0, day.origin.shape[0], partial(_cross_block, day, trade), lanes)
    for written, rows in zip(end, lanes, strict=True):
        for i, row in enumerate(rows):
            written[i, :] = row


def _cross_block(day: Any, trade: Trade, block: Array, lanes: _Lanes) -> _Lanes:
    """With the short series, and where they did not hold in a lane again exactly, for that lane only."""
    origin, move = _rows(day.origin, block), _rows(day.move, block)
    # No trade would be found at weights that are no numbers, and the pool would look like holding.
    sound = jnp.isfinite(total(origin) + total(move))
    reserves = tuple(jnp.where(sound, reserve, jnp.nan) for reserve in lanes.reserves)
    start = _Lanes(reserves, lanes.arb_weights, reserves)
    run = partial(_run_block, day.steps, block, origin, move, start, trade)
    short, reach = run(SHORT)
    beyond = reach > SMALL

    def again() -> _Lanes:
        exact, _ = run(_ALONE)
        return jax.tree.map(lambda one, other: jnp.where(beyond, one, other), exact, short)

    # Counted, as a GPU's largest of some numbers leaves NaN out and XLA's does not.
    return jax.lax.cond(jnp.max(jnp.where(beyond, 1, 0)) > 0, again, lambda: short)


def _run_block(
    steps: Any, block: Array, origin: Tokens, move: Tokens, start: _Lanes, trade: Trade, functions: Functions
) -> tuple[_Lanes, Array]:
    """The lanes at the block's end, and the largest z of all trades."""
    fixed = _costs(steps.costs, 0, 0) if steps.costs.shape[:2] == (1, 1) else None
    before_end = steps.before_end[block]

    def one(number: Array, carry: tuple[_Lanes, Array]) -> tuple[_Lanes, Array]:
        lanes, reach = carry
        costs = _costs(steps.costs, block, number) if fixed is None else fixed
        prices = tuple(steps.price[block, number, i] for i in range(len(origin)))
        moved = steps.moved[block, number]
        weights = tuple(w + d * moved for w, d in zip(origin, move, strict=True))
        outcome = arbitrage_minute(lanes.reserves, prices, lanes.arb_weights, weights, costs, trade, functions)
        now = tuple(
            jnp.where(number < before_end, new, old) for new, old in zip(outcome.reserves, lanes.before, strict=True)
        )
        return _Lanes(outcome.reserves, weights, now), jnp.maximum(reach, outcome.reach)

    return jax.lax.fori_loop(0, steps.length[block], one, (start, jnp.zeros_like(origin[0])))


def _costs(costs: Any, block: Array | int, step: Array | int) -> UnitCosts:
    return UnitCosts(*(costs[block, step, k] for k in range(len(Costs._fields))))


def _rows(reference: Any, *at: Array) -> Tokens:
    return tuple(reference[(*at, i, slice(None))] for i in range(reference.shape[-2]))


def _whole_tiles(candidates: Candidates) -> Candidates:
    """The last candidate repeated up to a multiple of `TILE`: a kernel reads past the end without asking."""
    missing = -candidates.initial_weights.shape[1] % TILE
    return jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, missing)), mode="edge"), candidates)
