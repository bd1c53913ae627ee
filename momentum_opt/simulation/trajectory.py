"""How the weights move (SPEC §6, §7): candidates and chunk prices in, the start weights and step of each chunk out.

The price path alone decides it, not the arbitrage, so every engine shares this file. Tokens are the first axis and
candidates the last.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.costs import Costs
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.pool import RuleConstants, RuleSettings, RuleState
from momentum_opt.pool.registry import POOLS
from momentum_opt.simulation.inputs import BlockInputs
from momentum_opt.simulation.spec import SimulationSpec


class Settings(NamedTuple):
    """Pool settings that are traced: changing one compiles nothing new."""

    maximum_change: Float[Array, ""]
    """Largest step of a weight per minute."""
    minimum_weight: Float[Array, ""]
    """Floor of the guard rails."""
    max_memory_days: Float[Array, ""]
    """Cap of the memory in days."""
    initial_pool_value: Float[Array, ""]
    """Value at minute 0, in the numeraire."""
    costs: Costs
    """What trading costs; read by the engine with costs only."""
    exchange_cost: Float[Array, ""]
    """What a trade on an exchange costs, as a share of its value; read by `rebalanced` and the metric lvr only."""


class Candidates(NamedTuple):
    """Parameter sets, one column each."""

    initial_weights: PerAsset
    params: Mapping[str, PerAsset]
    """The rule's own parameters, by name."""


class ChunkState(NamedTuple):
    """Where the pool is: weights at the chunk's start, the step that moves them, the rule's state."""

    origin: PerAsset
    """Weights at the start of the current chunk."""
    step: PerAsset
    """d of the current chunk, per bar."""
    rule: RuleState


def rule_constants(candidates: Candidates, settings: Settings, spec: SimulationSpec) -> RuleConstants:
    """What candidates and settings fix before the first price."""
    return POOLS[spec.rule].rule_constants(candidates.params, _rule_settings(settings, spec))


def warm_up(
    burn_in: Float[Array, "chunk asset"],
    candidates: Candidates,
    constants: RuleConstants,
    settings: Settings,
    spec: SimulationSpec,
) -> ChunkState:
    """The state just before minute 0: the rule has read the history, the weights are the initial ones."""
    pool, shape = POOLS[spec.rule], candidates.initial_weights.shape

    def read(state: RuleState, price: Float[Array, " asset"]) -> tuple[RuleState, None]:
        return pool.read_price(state, _per_candidate(price, len(shape)), constants), None

    first = jnp.broadcast_to(_per_candidate(burn_in[0], len(shape)), shape)
    state, _ = jax.lax.scan(read, pool.rule_state(first, _rule_settings(settings, spec)), burn_in[1:])
    return ChunkState(candidates.initial_weights, jnp.zeros(shape, first.dtype), state)


def enter_block(
    state: ChunkState, block: BlockInputs, constants: RuleConstants, settings: Settings, spec: SimulationSpec
) -> ChunkState:
    """Let the pool update at the block's first bar, where a chunk starts there."""
    updated = _update(state, block, constants, settings, spec)
    if spec.blocks_per_chunk == 1:
        return updated
    return jax.tree.map(lambda new, old: jnp.where(block.updates, new, old), updated, state)


def enter_blocks(
    state: ChunkState, blocks: BlockInputs, constants: RuleConstants, settings: Settings, spec: SimulationSpec
) -> tuple[ChunkState, tuple[Float[Array, "block asset *batch"], Float[Array, "block asset *batch"]]]:
    """Enter block after block: the last state, and weights at the start of each one's chunk and their step per bar."""

    def enter(state: ChunkState, block: BlockInputs) -> tuple[ChunkState, tuple[PerAsset, PerAsset]]:
        state = enter_block(state, block, constants, settings, spec)
        return state, (state.origin, state.step)

    return jax.lax.scan(enter, state, blocks)


def weights_moved(chunk: ChunkState, block: BlockInputs, spec: SimulationSpec) -> tuple[PerCandidate, PerCandidate]:
    """Σ |Δw| of the weights that the pool shows, over the steps from bar to bar of a block, and of the last of them.

    The last one leads to the first bar of the next block. On a straight line the steps of a token add up.
    """
    if spec.method == "linear":
        speed = jnp.sum(jnp.abs(chunk.step), axis=0)
        first, ahead, last = (bars_moved(bars, block, spec) for bars in (0, spec.block - 1, spec.block))
        return speed * (last - first), speed * (last - ahead)
    tau = block.offset + jnp.arange(spec.block + 1, dtype=chunk.origin.dtype)
    path = weight_path(spec.method, chunk.origin, chunk.step, tau, spec.interpolation)
    steps = jnp.sum(jnp.abs(jnp.diff(path, axis=0)), axis=1)
    return jnp.sum(steps, axis=0), steps[-1]


def moved_at_boundaries(
    steps: Float[Array, "block asset *batch"], blocks: BlockInputs, spec: SimulationSpec
) -> tuple[Float[Array, "boundary *batch"], Float[Array, "day *batch"]]:
    """Σ |Δw| from minute 0 to every day boundary, and the part of each in the step from the bar before it.

    Of weights on straight lines, from the step per bar of every block; `blocks` by day.
    """
    speed = jnp.sum(jnp.abs(steps), axis=1).reshape(spec.n_days, spec.blocks_per_day, *steps.shape[2:])
    first, ahead, last = (
        jnp.broadcast_to(bars_moved(bars, blocks, spec), blocks.offset.shape)
        for bars in (0, spec.block - 1, spec.block)
    )
    moved, crossing = (
        speed * part.reshape(part.shape + (1,) * (speed.ndim - 2)) for part in (last - first, last - ahead)
    )
    path = jnp.cumsum(jnp.sum(moved, axis=1), axis=0)
    return jnp.concatenate([jnp.zeros_like(path[:1]), path]), crossing[:, -1]


def bars_moved(bars: int, block: BlockInputs, spec: SimulationSpec) -> Array | int:
    """Bars that the weights have moved `bars` into the block; plain numbers unless the chunk lasts several blocks."""
    m = spec.interpolation
    return min(bars, m) if spec.blocks_per_chunk == 1 else jnp.minimum(block.offset + bars, m)


def block_weights(
    burn_in: Float[Array, "chunk asset"],
    blocks: BlockInputs,
    candidates: Candidates,
    settings: Settings,
    spec: SimulationSpec,
) -> tuple[Float[Array, "block asset *batch"], Float[Array, "block asset *batch"]]:
    """Weights at the start of every block's chunk, and their step per bar; `blocks` without what engines read."""
    constants = rule_constants(candidates, settings, spec)
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), blocks)
    return enter_blocks(warm_up(burn_in, candidates, constants, settings, spec), flat, constants, settings, spec)[1]


def _update(
    state: ChunkState, block: BlockInputs, constants: RuleConstants, settings: Settings, spec: SimulationSpec
) -> ChunkState:
    weights = state.origin + state.step * spec.interpolation
    price = _per_candidate(block.chunk_price, weights.ndim)
    pool = POOLS[spec.rule]
    rule = pool.read_price(state.rule, price, constants)
    target = target_weights(weights, pool.weight_change(rule, constants), settings.minimum_weight)
    minutes = spec.interpolation * spec.bar_minutes
    step = step_per_minute(weights, target, minutes, settings.maximum_change) * (spec.bar_minutes * block.moves)
    return ChunkState(weights, step, rule)


def _per_candidate(price: Float[Array, " asset"], ndim: int) -> Array:
    return price.reshape(price.shape + (1,) * (ndim - 1))


def _rule_settings(settings: Settings, spec: SimulationSpec) -> RuleSettings:
    return RuleSettings(spec.chunk * spec.bar_minutes, settings.max_memory_days, spec.use_alt_lamb)
