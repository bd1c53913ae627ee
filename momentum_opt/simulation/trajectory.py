"""How the weights move (SPEC §6, §7): candidates and chunk prices in, the start weights and step of each chunk out.

The price path alone decides it, not the arbitrage, so every engine shares this file. Tokens are the first axis and
candidates the last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.pool.costs import Costs
from momentum_opt.pool.estimator import (
    EstimatorConstants,
    EstimatorState,
    estimator_constants,
    estimator_step,
    gradient,
    initial_state,
)
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.memory import calc_k, capped_lamb, lamb_to_memory_days_clipped
from momentum_opt.pool.rule import momentum_weight_update
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


class Candidates(NamedTuple):
    """Parameter sets, one column each; the k of the rule is the one of `log_k`, `k` and `absolute_k` that is given."""

    logit_lamb: PerAsset
    initial_weights: PerAsset
    log_k: PerAsset | None = None
    k: PerAsset | None = None
    absolute_k: PerAsset | None = None
    logit_delta_lamb: PerAsset | None = None


class Rule(NamedTuple):
    """What candidates and settings fix before the first price."""

    k: PerAsset
    constants: EstimatorConstants


class ChunkState(NamedTuple):
    """Where the pool is: weights at the chunk's start, the step that moves them, the estimator's state."""

    origin: PerAsset
    """Weights at the start of the current chunk."""
    step: PerAsset
    """d of the current chunk, per bar."""
    estimator: EstimatorState


def rule_constants(candidates: Candidates, settings: Settings, spec: SimulationSpec) -> Rule:
    """k, λ and what follows from them, per token and candidate."""
    chunk_minutes = spec.chunk * spec.bar_minutes
    lamb = capped_lamb(candidates.logit_lamb, settings.max_memory_days, chunk_minutes)
    memory_days = lamb_to_memory_days_clipped(lamb, chunk_minutes, settings.max_memory_days)
    lamb_alt = None
    if spec.use_alt_lamb:
        assert candidates.logit_delta_lamb is not None
        logit = candidates.logit_lamb + candidates.logit_delta_lamb
        lamb_alt = capped_lamb(logit, settings.max_memory_days, chunk_minutes)
    given = {name: getattr(candidates, name) for name in ("log_k", "absolute_k", "k")}
    k = calc_k({name: value for name, value in given.items() if value is not None}, memory_days)
    return Rule(k=jnp.broadcast_to(k, lamb.shape), constants=estimator_constants(lamb, lamb_alt))


def warm_up(
    burn_in: Float[Array, "chunk asset"], candidates: Candidates, rule: Rule, spec: SimulationSpec
) -> ChunkState:
    """The state just before minute 0: the estimator has read the history, the weights are the initial ones."""
    shape = candidates.initial_weights.shape

    def read(state: EstimatorState, price: Float[Array, " asset"]) -> tuple[EstimatorState, None]:
        return estimator_step(state, _per_candidate(price, len(shape)), rule.constants), None

    first = jnp.broadcast_to(_per_candidate(burn_in[0], len(shape)), shape)
    estimator, _ = jax.lax.scan(read, initial_state(first, spec.use_alt_lamb), burn_in[1:])
    return ChunkState(candidates.initial_weights, jnp.zeros(shape, first.dtype), estimator)


def enter_block(
    state: ChunkState, block: BlockInputs, rule: Rule, settings: Settings, spec: SimulationSpec
) -> ChunkState:
    """Let the pool update at the block's first bar, where a chunk starts there."""
    updated = _update(state, block, rule, settings, spec)
    if spec.blocks_per_chunk == 1:
        return updated
    return jax.tree.map(lambda new, old: jnp.where(block.updates, new, old), updated, state)


def block_weights(
    burn_in: Float[Array, "chunk asset"],
    blocks: BlockInputs,
    candidates: Candidates,
    settings: Settings,
    spec: SimulationSpec,
) -> tuple[Float[Array, "block asset *batch"], Float[Array, "block asset *batch"]]:
    """Weights at the start of every block's chunk, and their step per bar; `blocks` without what engines read."""
    rule = rule_constants(candidates, settings, spec)

    def enter(state: ChunkState, block: BlockInputs) -> tuple[ChunkState, tuple[PerAsset, PerAsset]]:
        state = enter_block(state, block, rule, settings, spec)
        return state, (state.origin, state.step)

    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), blocks)
    _, weights = jax.lax.scan(enter, warm_up(burn_in, candidates, rule, spec), flat)
    return weights


def _update(state: ChunkState, block: BlockInputs, rule: Rule, settings: Settings, spec: SimulationSpec) -> ChunkState:
    weights = state.origin + state.step * spec.interpolation
    price = _per_candidate(block.chunk_price, weights.ndim)
    estimator = estimator_step(state.estimator, price, rule.constants)
    change = momentum_weight_update(gradient(estimator, rule.constants), rule.k)
    target = target_weights(weights, change, settings.minimum_weight)
    minutes = spec.interpolation * spec.bar_minutes
    step = step_per_minute(weights, target, minutes, settings.maximum_change) * (spec.bar_minutes * block.moves)
    return ChunkState(weights, step, estimator)


def _per_candidate(price: Float[Array, " asset"], ndim: int) -> Array:
    return price.reshape(price.shape + (1,) * (ndim - 1))
