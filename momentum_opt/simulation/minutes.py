"""Minute values (SPEC §8): the starts of all blocks in, value, weights and reserves at every bar out.

Each block is rebuilt on its own from its start by prefix sums; there is no scan over the minutes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.arrays import Array, Float, Int
from momentum_opt.pool.costs import Costs, Income
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.outside import SwapOutcome, Swaps
from momentum_opt.simulation.cost_inputs import CostInputs, cost_inputs, start_swaps, step_bars
from momentum_opt.simulation.cost_minutes import rerun_blocks
from momentum_opt.simulation.costs import CostBlockStart, CostPath
from momentum_opt.simulation.engine import BlockStart, BoundaryPath, simulate
from momentum_opt.simulation.external_bars import ExternalBars
from momentum_opt.simulation.in_chunk import arbitrage_path
from momentum_opt.simulation.inputs import ArbitrageInputs, MarketArrays, Prices, arbitrage_inputs
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, ChunkState, Settings
from momentum_opt.vocabulary.metrics import Cadence

DAYS_AT_ONCE = 32
"""Days rebuilt together; bounds the memory of the intermediate arrays."""


class MinuteInputs(NamedTuple):
    """Per block, what the rebuild reads besides its start."""

    arb: ArbitrageInputs | None
    """Without costs."""
    cost: CostInputs | None
    """With costs."""
    step_bar: Int[Array, "day block step"] | None
    """With costs: the bar of each step."""
    swaps: Swaps | None
    """With costs: outside trades."""
    supply: Float[Array, " time"] | None
    """Pool tokens there are at each bar, as a multiple of those at bar 0; None: their number never changes."""
    offset: Float[Array, "day block"]
    """Bars from the chunk's start to the block's."""
    last_arb: Int[Array, "day block bar"]
    """How many of the block's arbitrages, or steps of the loop with costs, are not later than each bar."""
    price: Float[Array, "day block bar asset"]
    """Prices at each bar."""
    arb_price: Float[Array, "day block bar asset"]
    """Prices at the last arbitrage at or before each bar."""


class BarFlows(NamedTuple):
    """What flows in the step to each bar from the one before, per pool token of bar 0; 0 at bar 0."""

    turnover: Float[Array, "time *batch"]
    """½ Σ_i |Δw_i| of the weights that the pool shows."""
    traded: Float[Array, "time *batch"]
    """½ Σ_i |ΔR_i| p_i."""
    fees: Float[Array, "time *batch"]
    """What liquidity providers earn at the bar."""
    rebalanced: Float[Array, "time *batch"]
    """Growth of log V^R, the pool's weights held on an exchange (SPEC §10)."""


class MinutePath(NamedTuple):
    """The simulation at every bar."""

    value: Float[Array, "time *batch"]
    weights: Float[Array, "time asset *batch"]
    """The weights the pool shows; its reserves follow them at the next arbitrage."""
    reserves: Float[Array, "time asset *batch"]
    shares: Float[Array, "time asset *batch"]
    """R_i p_i / V."""
    income: Income | None = None
    """(time, *batch) fees earned at every bar; None without costs."""
    refused: Float[Array, "time *batch"] | None = None
    """How many outside trades the pool refused at every bar; None where there are none."""
    supply: Float[Array, " time"] | None = None
    """Pool tokens there are at every bar, as a multiple of those at bar 0; None: their number never changes."""
    steps: "BarFlows | None" = None
    """What flows from bar to bar; None from the rebuild alone."""

    @property
    def value_of_first_tokens(self) -> Float[Array, "time *batch"]:
        """What the pool tokens of bar 0 are worth at every bar: deposits and withdrawals of others do not move it."""
        return self.value if self.supply is None else self.value / _beside(self.supply, self.value)

    def reserves_of_first_tokens(self, bar: int) -> Float[Array, "asset *batch"]:
        """The reserves at `bar` that belong to the pool tokens of bar 0."""
        return self.reserves[bar] if self.supply is None else self.reserves[bar] / self.supply[bar]

    @property
    def rebalanced_value(self) -> Float[Array, "time *batch"]:
        """V^R at every bar, of the same first money."""
        assert self.steps is not None
        return self.value[0] * jnp.exp(jnp.cumsum(self.steps.rebalanced, axis=0))


def minute_inputs(
    prices: Prices, start_row: int, spec: SimulationSpec, external: ExternalBars | None = None
) -> MinuteInputs:
    """Build the rebuild's arrays from prices (time, asset) on the bar grid; row `start_row` is minute 0."""
    window = prices[start_row : start_row + spec.n_bars]
    bar = np.arange(spec.n_bars)
    shape = (spec.n_days, spec.blocks_per_day, spec.block)
    offset = (np.arange(spec.n_blocks) % spec.blocks_per_chunk * spec.block).astype(np.float64)
    costly = spec.engine == "with_costs"
    every = spec.stride if costly else spec.arb
    first = (bar // spec.block * spec.block) // every
    external = external or ExternalBars()
    outside = start_swaps(external)
    return MinuteInputs(
        arb=None if costly else arbitrage_inputs(window, spec),
        cost=cost_inputs(window, spec, external) if costly else None,
        step_bar=jnp.asarray(step_bars(spec)) if costly else None,
        swaps=None if outside is None else outside.swaps,
        supply=None if external.supply is None else jnp.asarray(external.supply),
        offset=jnp.asarray(offset.reshape(shape[:2])),
        last_arb=jnp.asarray((bar // every - first).reshape(shape)),
        price=jnp.asarray(window.reshape(*shape, spec.n_assets)),
        arb_price=jnp.asarray(window[bar // spec.arb * spec.arb].reshape(*shape, spec.n_assets)),
    )


def simulate_minutes(
    spec: SimulationSpec, arrays: MarketArrays, inputs: MinuteInputs, settings: Settings, candidates: Candidates
) -> tuple[BoundaryPath | CostPath, MinutePath]:
    """Run candidates, as `simulate` does, and rebuild every bar of them."""
    path = simulate(spec, arrays, settings, candidates, Cadence.MINUTE)
    assert path.blocks is not None
    at_start = path.at_start if isinstance(path, CostPath) else None
    minutes = rebuild_minutes(path.blocks, inputs, spec, settings.costs, at_start)
    prices = inputs.price.reshape(spec.n_bars, spec.n_assets)
    return path, minutes._replace(steps=_bar_flows(minutes, prices, settings.exchange_cost))


def _bar_flows(minutes: MinutePath, prices: Float[Array, "time asset"], exchange_cost: Float[Array, ""]) -> BarFlows:
    """What flows from bar to bar."""
    weights, reserves = minutes.weights, minutes.reserves
    price = prices.reshape(prices.shape + (1,) * (weights.ndim - 2))
    fees = jnp.zeros_like(minutes.value) if minutes.income is None else minutes.income.liquidity_providers
    if minutes.supply is not None:
        reserves = reserves / _beside(minutes.supply, reserves)
        fees = fees / _beside(minutes.supply, fees)
    drifted = weights[:-1] * (price[1:] / price[:-1])
    gross = jnp.sum(drifted, axis=1)
    paid = exchange_cost * jnp.sum(jnp.abs(weights[1:] * gross[:, None] - drifted), axis=1)

    def to_every_bar(steps: Float[Array, "step *batch"]) -> Float[Array, "time *batch"]:
        return jnp.concatenate([jnp.zeros_like(minutes.value[:1]), steps])

    return BarFlows(
        turnover=to_every_bar(0.5 * jnp.sum(jnp.abs(jnp.diff(weights, axis=0)), axis=1)),
        traded=to_every_bar(0.5 * jnp.sum(jnp.abs(jnp.diff(reserves, axis=0)) * price[1:], axis=1)),
        fees=fees,
        rebalanced=to_every_bar(jnp.log(gross - paid)),
    )


def rebuild_minutes(
    blocks: BlockStart | CostBlockStart,
    inputs: MinuteInputs,
    spec: SimulationSpec,
    costs: Costs | None = None,
    at_start: SwapOutcome | None = None,
) -> MinutePath:
    """Value, weights, reserves and shares at every bar, from the block starts of a MINUTE simulation.

    `costs`, as they were simulated, and what outside trades did `at_start`, are needed by the engine with costs only.
    """
    if isinstance(blocks, CostBlockStart):
        assert costs is not None
        return _rerun(blocks, inputs, costs, at_start, spec)

    def day(arguments: tuple[BlockStart, MinuteInputs]) -> MinutePath:
        return jax.vmap(lambda start, block: _rebuild_block(start, block, spec))(*arguments)

    path = jax.lax.map(day, (blocks, inputs), batch_size=min(DAYS_AT_ONCE, spec.n_days))
    return jax.tree.map(lambda values: values.reshape(spec.n_bars, *values.shape[3:]), path)


def _rebuild_block(start: BlockStart, block: MinuteInputs, spec: SimulationSpec) -> MinutePath:
    assert block.arb is not None
    path = arbitrage_path(start.chunk, start.arb_weights, block.arb, spec)
    log_value = jnp.concatenate([start.log_value[None], start.log_value + jnp.cumsum(path.growth, axis=0)])
    held = path.weights[block.last_arb]
    trailing = (1,) * (held.ndim - 2)
    price, arb_price = (p.reshape(p.shape + trailing) for p in (block.price, block.arb_price))
    worth = held * (price / arb_price)
    growth = jnp.sum(worth, axis=1)
    arb_value = jnp.exp(log_value[block.last_arb])
    tau = block.offset + jnp.arange(spec.block, dtype=held.dtype)
    return MinutePath(
        value=arb_value * growth,
        weights=weight_path(spec.method, start.chunk.origin, start.chunk.step, tau, spec.interpolation),
        reserves=arb_value[:, None] * held / arb_price,
        shares=worth / growth[:, None],
    )


def _rerun(
    blocks: CostBlockStart, inputs: MinuteInputs, costs: Costs, at_start: SwapOutcome | None, spec: SimulationSpec
) -> MinutePath:
    assert inputs.cost is not None
    assert inputs.step_bar is not None
    found = rerun_blocks(blocks, inputs.cost, inputs.swaps, inputs.last_arb, inputs.step_bar, costs, spec)
    if at_start is not None:
        assert found.refused is not None
        income = Income(*(bars.at[0].add(first) for bars, first in zip(found.income, at_start.income, strict=True)))
        found = found._replace(income=income, refused=found.refused.at[0].add(at_start.refused))

    def shown(chunk: ChunkState, offset: Array) -> Array:
        tau = offset + jnp.arange(spec.block, dtype=offset.dtype)
        return weight_path(spec.method, chunk.origin, chunk.step, tau, spec.interpolation)

    weights = jax.vmap(jax.vmap(shown))(blocks.chunk, inputs.offset)
    price = inputs.price.reshape(spec.n_bars, spec.n_assets, *(1,) * (found.reserves.ndim - 2))
    worth = found.reserves * price
    value = jnp.sum(worth, axis=1)
    return MinutePath(
        value=value,
        weights=weights.reshape(spec.n_bars, *weights.shape[3:]),
        reserves=found.reserves,
        shares=worth / value[:, None],
        income=found.income,
        refused=found.refused,
        supply=inputs.supply,
    )


def _beside(supply: Float[Array, " time"], values: Float[Array, "time *batch"]) -> Array:
    return supply.reshape(-1, *(1,) * (values.ndim - 1))
