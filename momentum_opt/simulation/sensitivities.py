"""Differentiate a simulation without costs: the path of `engine.simulate`, with exact derivatives at a low price.

JAX's reverse mode through `simulate` gives the same numbers at many times the price of a value. Here the parts whose
derivatives have a structure carry them along (docs/equations.md, "Derivatives"):

- **Signals, forwards.** What a token's estimator remembers depends on the token's own memory alone, so the state's
  derivative in it is one number per token more, found in the same scan; the burn-in is never walked backwards.
- **Weights, backwards.** w′ = w + m·d(w, u): one scan in reverse, each step from the weights that the forward scan
  left, whatever the number of parameters.
- **Values.** Δ log V of a block is a function of its chunk's origin and step, whose slopes cost little besides the
  value and are kept instead of the path.

`boundary_path` takes reverse mode (`jax.grad`, `jax.vjp`), and no other.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.arbitrage import token_growth
from momentum_opt.pool.guard_rails import step_per_minute, step_pullback, target_weights
from momentum_opt.pool.pool import RuleConstants, RuleSettings, RuleState
from momentum_opt.pool.registry import POOLS
from momentum_opt.simulation.boundary_weights import BoundaryWeights
from momentum_opt.simulation.closed_form import block_growth
from momentum_opt.simulation.engine import BoundaryPath, kept_boundaries
from momentum_opt.simulation.in_chunk import arbitrage_path
from momentum_opt.simulation.inputs import BlockInputs, MarketArrays
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, ChunkState, Settings
from momentum_opt.vocabulary.metrics import Cadence

Chunks = Float[Array, "chunk asset *batch"]
"""Numbers per token of every chunk."""
Directions = Mapping[str, Any]
"""Derivatives of a tree in one parameter each, token by token, by the parameter's name."""
Bars = NDArray[np.int64]


def serves(spec: SimulationSpec) -> bool:
    """Whether `boundary_path` can differentiate the simulations of `spec`."""
    tokenwise = POOLS[spec.rule].STATE_PARAMS is not None
    return tokenwise and spec.engine != "with_costs" and spec.method == "linear"


def boundary_path(
    spec: SimulationSpec,
    arrays: MarketArrays,
    settings: Settings,
    candidates: Candidates,
    cadence: Cadence,
    ends: tuple[int, ...] | None = None,
) -> BoundaryPath:
    """The path of `simulate`, of which this takes the arguments; differentiable in the candidates alone.

    `serves` says for which specs. Cadences up to DAY_END: it keeps no blocks to rebuild minutes from. Under reverse
    mode some 80 bytes per token, block and candidate are kept for the way back: 7 MB for 64 candidates with three
    tokens and a year and a quarter of daily chunks.
    """
    blocks = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), arrays.blocks)
    origins, steps = chunk_weights(spec, settings, arrays.burn_in, blocks, candidates)
    number = np.arange(spec.n_blocks)
    block_chunks = number // spec.blocks_per_chunk
    before = None
    if spec.engine == "in_chunk" and spec.block % spec.arb:
        before = _weights_at(origins, steps, number * spec.block // spec.arb * spec.arb, spec)
    begin = jnp.broadcast_to(jnp.log(settings.initial_pool_value), origins.shape[2:])
    moves = _BlockWeights(_rows(origins, block_chunks), _rows(steps, block_chunks), before)
    log_value = log_values(spec, blocks, begin, moves)
    return BoundaryPath(log_value, _kept_weights(spec, origins, steps, kept_boundaries(spec, cadence, ends)))


# The weights


class _Memory(NamedTuple):
    """What a chunk's update leaves for the way back."""

    state: RuleState
    directions: Directions
    """Derivatives of the state in each parameter of `Pool.STATE_PARAMS`."""


class _Rule(NamedTuple):
    """What the parameters fix."""

    constants: RuleConstants
    directions: Directions
    """Derivatives of the constants in each parameter of `Pool.STATE_PARAMS`."""


def chunk_weights(
    spec: SimulationSpec,
    settings: Settings,
    burn_in: Float[Array, "history asset"],
    blocks: BlockInputs,
    candidates: Candidates,
) -> tuple[Chunks, Chunks]:
    """Weights at the start of every chunk, and their step per bar; `blocks` flat, as in `block_weights`."""
    return _differentiable_weights(spec, settings, burn_in, blocks, candidates)


def _chunk_weights(
    spec: SimulationSpec,
    settings: Settings,
    burn_in: Float[Array, "history asset"],
    blocks: BlockInputs,
    candidates: Candidates,
) -> tuple[tuple[Chunks, Chunks], _Memory]:
    pool, rule = POOLS[spec.rule], _rule(spec, settings, candidates.params)
    shape = candidates.initial_weights.shape

    def read(memory: _Memory, price: Float[Array, " asset"]) -> tuple[_Memory, None]:
        return _read(spec, memory, _per_candidate(price, shape), rule), None

    def enter(
        carry: tuple[_Memory, PerAsset], chunk: tuple[Array, Array]
    ) -> tuple[tuple[_Memory, PerAsset], tuple[PerAsset, PerAsset, _Memory]]:
        (memory, weights), (price, moves) = carry, chunk
        memory = _read(spec, memory, _per_candidate(price, shape), rule)
        change = pool.weight_change(memory.state, rule.constants)
        target = target_weights(weights, change, settings.minimum_weight)
        step = step_per_minute(weights, target, spec.interpolation * spec.bar_minutes, settings.maximum_change)
        step = step * (spec.bar_minutes * moves)
        return (memory, weights + step * spec.interpolation), (weights, step, memory)

    first = jnp.broadcast_to(_per_candidate(burn_in[0], shape), shape)
    state = pool.rule_state(first, _rule_settings(spec, settings))
    still = {name: jax.tree.map(jnp.zeros_like, state) for name in rule.directions}
    memory, _ = jax.lax.scan(read, _Memory(state, still), burn_in[1:])
    _, (origins, steps, memories) = jax.lax.scan(enter, (memory, candidates.initial_weights), _per_chunk(spec, blocks))
    return (origins, steps), memories


def _forth(
    spec: SimulationSpec,
    settings: Settings,
    burn_in: Float[Array, "history asset"],
    blocks: BlockInputs,
    candidates: Candidates,
) -> tuple[tuple[Chunks, Chunks], tuple[Any, ...]]:
    (origins, steps), memories = _chunk_weights(spec, settings, burn_in, blocks, candidates)
    return (origins, steps), (settings, _per_chunk(spec, blocks)[1], candidates.params, origins, memories)


def _back(
    spec: SimulationSpec, kept: tuple[Any, ...], slopes: tuple[Chunks, Chunks]
) -> tuple[None, None, None, Candidates]:
    """Slopes in all chunks' origins and steps to slopes in the candidates.

    With ō, d̄ the slopes that are given and w̄′ the one in the next chunk's origin: the step's is d̄ + m·w̄′, which
    `step_pullback` takes to the change u and, in part, to the origin, w̄ = ō + w̄′ + …; the rule's own derivative takes ū
    to state and constants, and the state's derivative in each parameter was found forwards.
    """
    settings, moves, params, origins, memories = kept
    pool, rule = POOLS[spec.rule], _rule(spec, settings, params)
    minutes = spec.interpolation * spec.bar_minutes
    still = jnp.zeros_like(origins[0])

    def leave(
        carry: tuple[PerAsset, RuleConstants, dict[str, PerAsset]], chunk: tuple[Any, ...]
    ) -> tuple[tuple[PerAsset, RuleConstants, dict[str, PerAsset]], None]:
        by_next, by_constants, by_params = carry
        weights, memory, moved, by_origin, by_step = chunk
        change, pull = jax.vjp(pool.weight_change, memory.state, rule.constants)
        slope = (by_step + spec.interpolation * by_next) * (spec.bar_minutes * moved)
        by_weights, by_change = step_pullback(
            weights, change, settings.minimum_weight, minutes, settings.maximum_change, slope
        )
        by_state, more = pull(by_change)
        by_constants = jax.tree.map(jnp.add, by_constants, more)
        by_params = {
            name: total + _along(by_state, memory.directions[name], still) for name, total in by_params.items()
        }
        return (by_next + by_origin + by_weights, by_constants, by_params), None

    start = (still, jax.tree.map(jnp.zeros_like, rule.constants), dict.fromkeys(rule.directions, still))
    chunks = (origins, memories, moves, *slopes)
    (by_weights, by_constants, by_params), _ = jax.lax.scan(leave, start, chunks, reverse=True)
    _, pull = jax.vjp(lambda own: pool.rule_constants(own, _rule_settings(spec, settings)), params)
    own = {name: slope + by_params.get(name, 0.0) for name, slope in pull(by_constants)[0].items()}
    return None, None, None, Candidates(by_weights, own)


def _weights_alone(*inputs: Any) -> tuple[Chunks, Chunks]:
    return _chunk_weights(*inputs)[0]


_differentiable_weights: Any = jax.custom_vjp(_weights_alone, nondiff_argnums=(0,))
_differentiable_weights.defvjp(_forth, _back)


def _rule(spec: SimulationSpec, settings: Settings, params: Mapping[str, PerAsset]) -> _Rule:
    """The rule's constants, and their derivative in each parameter that the state depends on, in all tokens at once."""
    pool = POOLS[spec.rule]

    def constants(own: Mapping[str, PerAsset]) -> RuleConstants:
        return pool.rule_constants(own, _rule_settings(spec, settings))

    def along(name: str) -> RuleConstants:
        ones = {other: jnp.full_like(values, other == name) for other, values in params.items()}
        return jax.jvp(constants, (params,), (ones,))[1]

    names = [name for name in pool.STATE_PARAMS or () if name in params]
    return _Rule(constants(params), {name: along(name) for name in names})


def _read(spec: SimulationSpec, memory: _Memory, price: Array, rule: _Rule) -> _Memory:
    """The rule's state after one price more, and its derivatives."""
    pool = POOLS[spec.rule]

    def read(state: RuleState, constants: RuleConstants) -> RuleState:
        return pool.read_price(state, price, constants)

    here = memory.state, rule.constants
    along = {
        name: jax.jvp(read, here, (memory.directions[name], constants))[1]
        for name, constants in rule.directions.items()
    }
    return _Memory(read(*here), along)


def _along(slopes: RuleState, direction: RuleState, like: PerAsset) -> PerAsset:
    """Σ over the state's parts of slope times derivative: the slope in a parameter."""
    parts = zip(jax.tree.leaves(slopes), jax.tree.leaves(direction), strict=True)
    return sum((slope * derivative for slope, derivative in parts), start=jnp.zeros_like(like))


def _per_chunk(spec: SimulationSpec, blocks: BlockInputs) -> tuple[Array, Array]:
    """Price and motion of each chunk, of the blocks in which one begins."""
    return blocks.chunk_price[:: spec.blocks_per_chunk], blocks.moves[:: spec.blocks_per_chunk]


# The values


class _BlockWeights(NamedTuple):
    """What moves the value of a block, or the slopes in that."""

    origin: Float[Array, "..."]
    """Weights at the start of the block's chunk."""
    step: Float[Array, "..."]
    """Their step per bar."""
    before: Float[Array, "..."] | None
    """Weights at the last arbitrage at or before the block's first bar, where they are not those of that bar."""


def log_values(
    spec: SimulationSpec, blocks: BlockInputs, begin: PerCandidate, weights: _BlockWeights
) -> Float[Array, "boundary *batch"]:
    """log V at all day boundaries, `begin` at the first."""
    return _differentiable_values(spec, blocks, begin, weights)


def _values_alone(
    spec: SimulationSpec, blocks: BlockInputs, begin: PerCandidate, weights: _BlockWeights
) -> Float[Array, "boundary *batch"]:
    def cross(log_value: PerCandidate, at: tuple[BlockInputs, _BlockWeights]) -> tuple[PerCandidate, PerCandidate]:
        log_value = log_value + _growth(spec, *at)
        return log_value, log_value

    return _at_boundaries(spec, begin, jax.lax.scan(cross, begin, (blocks, weights))[1])


def _values_forth(
    spec: SimulationSpec, blocks: BlockInputs, begin: PerCandidate, weights: _BlockWeights
) -> tuple[Float[Array, "boundary *batch"], _BlockWeights]:
    """The values, and for the way back the slopes of every block's growth."""

    def cross(
        log_value: PerCandidate, at: tuple[BlockInputs, _BlockWeights]
    ) -> tuple[PerCandidate, tuple[PerCandidate, _BlockWeights]]:
        growth, pull = jax.vjp(partial(_growth, spec, at[0]), at[1])
        log_value = log_value + growth
        return log_value, (log_value, pull(jnp.ones_like(growth))[0])

    _, (log_value, slopes) = jax.lax.scan(cross, begin, (blocks, weights))
    return _at_boundaries(spec, begin, log_value), slopes


def _values_back(
    spec: SimulationSpec, slopes: _BlockWeights, by_value: Float[Array, "boundary *batch"]
) -> tuple[None, PerCandidate, _BlockWeights]:
    """A block's growth is in all later values: its slope is the sum of theirs, times the slopes of the growth."""

    def sum_up(later: PerCandidate, own: PerCandidate) -> tuple[PerCandidate, PerCandidate]:
        return later + own, later + own

    by_begin, by_day = jax.lax.scan(sum_up, jnp.zeros_like(by_value[0]), by_value[1:], reverse=True)
    by_block = jnp.repeat(by_day, spec.blocks_per_day, axis=0)[:, None]
    return None, by_begin + by_value[0], jax.tree.map(lambda slope: slope * by_block, slopes)


_differentiable_values: Any = jax.custom_vjp(_values_alone, nondiff_argnums=(0,))
_differentiable_values.defvjp(_values_forth, _values_back)


def _at_boundaries(
    spec: SimulationSpec, begin: PerCandidate, after: Float[Array, "block *batch"]
) -> Float[Array, "boundary *batch"]:
    """From the values after each block to those at the boundaries."""
    return jnp.concatenate([begin[None], after[spec.blocks_per_day - 1 :: spec.blocks_per_day]])


def _growth(spec: SimulationSpec, block: BlockInputs, weights: _BlockWeights) -> PerCandidate:
    """Δ log V of one block, as the engines compute it."""
    origin, step, before = weights
    if before is not None:
        assert block.arb is not None
        state = ChunkState(origin, step, rule=())
        return jnp.sum(arbitrage_path(state, before, block.arb, spec).growth, axis=0)
    if block.arb is not None:
        after = jnp.minimum(block.arb.tau, spec.interpolation)
        first = jnp.minimum(block.arb.tau - spec.arb, spec.interpolation)
        inside = (origin + step * _per_candidate(tau, (1, *origin.shape)) for tau in (first, after))
        ratio = block.arb.log_ratio
        return jnp.sum(token_growth(*inside, ratio.reshape(ratio.shape + (1,) * (origin.ndim - 1))), axis=(0, 1))
    assert block.mu0 is not None
    assert block.mu1 is not None
    start = origin + step * jnp.minimum(block.offset, spec.interpolation)
    end = origin + step * jnp.minimum(block.offset + spec.block, spec.interpolation)
    mu0, mu1 = _per_candidate(block.mu0, origin.shape), _per_candidate(block.mu1, origin.shape)
    return block_growth(start, end, step * spec.arb, mu0, mu1)


# The weights that metrics read


def _kept_weights(spec: SimulationSpec, origins: Chunks, steps: Chunks, kept: tuple[int, ...]) -> BoundaryWeights:
    bars = np.array(kept, np.int64) * spec.bars_per_day
    at = bars // spec.arb * spec.arb
    ahead = np.maximum(bars - 1, 0) // spec.arb * spec.arb
    arb, before = _weights_at(origins, steps, at, spec), _weights_at(origins, steps, ahead, spec)
    crossing = _turnover(spec, steps, bars, np.maximum(bars - 1, 0))
    return BoundaryWeights(kept, arb, before, _turnover(spec, steps, bars), crossing)


def _weights_at(origins: Chunks, steps: Chunks, bars: Bars, spec: SimulationSpec) -> Float[Array, "row asset *batch"]:
    """Weights at the given bars, up to T."""
    chunk = np.minimum(bars // spec.chunk, len(origins) - 1)
    moved = np.minimum(bars - chunk * spec.chunk, spec.interpolation).astype(np.float64)
    start = _rows(origins, chunk)
    if not moved.any():
        return start
    return start + _rows(steps, chunk) * _per_candidate(jnp.asarray(moved, steps.dtype), steps.shape)


def _turnover(spec: SimulationSpec, steps: Chunks, bars: Bars, since: Bars | int = 0) -> Float[Array, "row *batch"]:
    """Σ |Δw| from the bars `since`, minute 0 by default, to the given ones: weights move straight on inside a chunk."""
    begins = np.arange(len(steps)) * spec.chunk

    def moved_at(at: Bars) -> NDArray[np.float64]:
        return np.clip(at[:, None] - begins, 0, spec.interpolation).astype(np.float64)

    moved = moved_at(bars) - moved_at(np.broadcast_to(since, bars.shape))
    return jnp.tensordot(jnp.asarray(moved, steps.dtype), jnp.sum(jnp.abs(steps), axis=1), axes=1)


def _rows(values: Array, rows: Bars) -> Array:
    """The rows of `values`, without a copy where they are all of them in order."""
    return values if np.array_equal(rows, np.arange(len(values))) else values[rows]


def _per_candidate(values: Array, shape: tuple[int, ...]) -> Array:
    return values.reshape(values.shape + (1,) * (len(shape) - 1))


def _rule_settings(spec: SimulationSpec, settings: Settings) -> RuleSettings:
    return RuleSettings(spec.chunk * spec.bar_minutes, settings.max_memory_days, spec.use_alt_lamb)
