"""What the loop of SPEC §9 reads: prices on the bar grid in, one entry per arbitrage of every block out.

A block holds the arbitrages at the bars t ≡ 0 mod q with block start < t ≤ block end; the first bar of all, where
nothing can be gained, is left out, and T, one bar after the data, takes the last price and changes nothing that is
read. Blocks with fewer arbitrages than others are padded.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float, Int
from momentum_opt.simulation.spec import SimulationSpec

Prices = NDArray[np.float64]


class CostInputs(NamedTuple):
    """The steps of the loop, per block."""

    tau: Float[Array, "day block step"]
    """Bars from the chunk's start."""
    price: Float[Array, "day block step asset"]
    before_end: Int[Array, "day block"]
    """How many of the block's steps are not later than its last bar."""
    length: Int[Array, "day block"]
    """How many steps the block has; the rest is padding."""


def cost_inputs(window: Prices, spec: SimulationSpec) -> CostInputs:
    """Build the steps of `spec` from the prices (time, asset) of the simulated window."""
    number = np.arange(spec.n_blocks)
    start = number[:, None] * spec.block
    first = start // spec.arb + 1
    last = (start + spec.block) // spec.arb
    index = first + np.arange(-(-spec.block // spec.arb))
    bar = np.minimum(index, last) * spec.arb
    offset = number[:, None] % spec.blocks_per_chunk * spec.block
    return CostInputs(
        tau=_per_day((offset + bar - start).astype(np.float64), spec),
        price=_per_day(window[np.minimum(bar, spec.n_bars - 1)], spec),
        before_end=_per_day(((start + spec.block - 1) // spec.arb - first + 1)[:, 0], spec),
        length=_per_day((last - first + 1)[:, 0], spec),
    )


def step_bars(spec: SimulationSpec) -> NDArray[np.int64]:
    """(day, block, step) the bar of every step, as `cost_inputs` lays them out."""
    first = np.arange(spec.n_blocks)[:, None] * spec.block // spec.arb + 1
    bar = (first + np.arange(-(-spec.block // spec.arb))) * spec.arb
    return bar.reshape(spec.n_days, spec.blocks_per_day, -1)


def _per_day(values: NDArray[np.generic], spec: SimulationSpec) -> Array:
    return jnp.asarray(values.reshape(spec.n_days, spec.blocks_per_day, *values.shape[1:]))
