"""A live pool (SPEC §6, §7): its position and the chunk prices since in, its position now out, one step per price.

This is how a keeper would run the pool: nothing but the position is carried from one update to the next.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Bool, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.onchain.history import ChunkHistory
from momentum_opt.pool import POOLS
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.study.candidates import ParamSet, initial_weights
from momentum_opt.units import MS_PER_DAY


class Move(NamedTuple):
    """What one update decides."""

    start: Float[Array, " asset"]
    """Weights at the update."""
    target: Float[Array, " asset"]
    """Where the rule and the guard rails want them."""
    step: Float[Array, " asset"]
    """Change per minute, after the speed limit."""


class Position(NamedTuple):
    """All that a pool carries from one update to the next."""

    carry: dict[str, Float[Array, " asset"]]
    """The rule's state."""
    change: Float[Array, " asset"]
    """The rule's output at the last update."""
    move: Move
    """The last update."""


def first_position(prices: NDArray[np.float64], params: ParamSet, fingerprint: Fingerprint) -> Position:
    """The pool at c_0: the estimator holds the first price, the weights are the initial ones and rest."""
    weights = jnp.asarray(initial_weights(params))
    carry = POOLS[fingerprint.pool.rule].get_initial_rule_state(jnp.asarray(prices), params, fingerprint)
    return Position(carry, jnp.zeros_like(weights), Move(weights, weights, jnp.zeros_like(weights)))


def advance(position: Position, chunks: ChunkHistory, params: ParamSet, fingerprint: Fingerprint) -> Position:
    """The pool after reading `chunks`, one step each.

    Up to the simulation's start, and at it, the estimator reads and the weights rest (SPEC §7).
    """
    if not len(chunks.times_ms):
        return position
    moves = jnp.asarray(chunks.times_ms > start_ms(fingerprint))
    return _advance(position, jnp.asarray(chunks.prices), moves, _arrays(params), fingerprint)


def with_weights(position: Position, weights: NDArray[np.float64], fingerprint: Fingerprint) -> Position:
    """The same update, decided from other weights than the simulated ones."""
    move = _decide(jnp.asarray(weights), position.change, fingerprint)
    return position._replace(move=move)


def end_weights(move: Move, fingerprint: Fingerprint) -> NDArray[np.float64]:
    """Weights when the interpolation is over: w + d·m."""
    return np.asarray(move.start + move.step * fingerprint.pool.weight_interpolation_period)


def start_ms(fingerprint: Fingerprint) -> int:
    """Minute 0 of the simulation, UTC ms."""
    return int(np.datetime64(fingerprint.window.start, "D").astype(np.int64)) * MS_PER_DAY


def _arrays(params: ParamSet) -> dict[str, Array]:
    return {name: jnp.asarray(values) for name, values in params.items()}


@partial(jax.jit, static_argnums=4)
def _advance(
    position: Position,
    prices: Float[Array, "chunk asset"],
    moves: Bool[Array, " chunk"],
    params: Mapping[str, Any],
    fingerprint: Fingerprint,
) -> Position:
    pool = POOLS[fingerprint.pool.rule]

    def read(position: Position, chunk: tuple[Array, Array]) -> tuple[Position, None]:
        price, may_move = chunk
        carry, change = pool.calculate_rule_output_step(position.carry, price, params, fingerprint)
        change = jnp.where(may_move, change, 0.0)
        weights = position.move.start + position.move.step * fingerprint.pool.weight_interpolation_period
        decided = _decide(weights, change, fingerprint)
        rests = Move(weights, weights, jnp.zeros_like(weights))
        move = jax.tree.map(lambda one, other: jnp.where(may_move, one, other), decided, rests)
        return Position(carry, change, move), None

    return jax.lax.scan(read, position, (prices, moves))[0]


def _decide(weights: Array, change: Array, fingerprint: Fingerprint) -> Move:
    pool = fingerprint.pool
    target = target_weights(weights, change, pool.minimum_weight)
    step = step_per_minute(weights, target, pool.weight_interpolation_period, pool.maximum_change)
    return Move(weights, target, step)
