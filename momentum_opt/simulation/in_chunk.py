"""The log value at every arbitrage of a block (SPEC §8): weights at the arbitrages and log price ratios in, sums out.

Used where the closed form does not hold, and to rebuild minute values. All arbitrages of a block at once; the first
axis counts them, candidates are last.
"""

from typing import NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.pool.arbitrage import transition
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.simulation.inputs import ArbitrageInputs
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import ChunkState


class ArbitragePath(NamedTuple):
    """A block's arbitrages, led by the last one before the block."""

    weights: Float[Array, "arb_and_one asset *batch"]
    growth: Float[Array, "arb *batch"]
    """Change of the log value by each arbitrage."""


def arbitrage_path(
    state: ChunkState, arb_weights: PerAsset, arb: ArbitrageInputs, spec: SimulationSpec
) -> ArbitragePath:
    """Weights and growth at the arbitrages of one block; `arb_weights` are those of the arbitrage before it."""
    inside = weight_path(spec.method, state.origin, state.step, arb.tau, spec.interpolation)
    inside = jnp.where(arb.happens, inside, arb_weights)
    weights = jnp.concatenate([arb_weights[None], inside])
    log_ratio = arb.log_ratio.reshape(arb.log_ratio.shape + (1,) * (inside.ndim - 2))
    return ArbitragePath(weights, growth=transition(weights[:-1], weights[1:], log_ratio, axis=1))
