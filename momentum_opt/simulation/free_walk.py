"""Minutes without costs on a CPU, a tile of candidates at a time: starts of blocks by JAX, the bars by the kernel.

Serves what most metrics of minutes read where the closed form does. Percentiles of minutes, weights in large steps and
GPUs are left to XLA, which rebuilds blocks in `block_bars`.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array
from momentum_opt.market import Market
from momentum_opt.simulation.engine import BoundaryPath, simulate
from momentum_opt.simulation.free_kernel import FreeBars, FreeStarts, free_bars, walk_free, why_not_free
from momentum_opt.simulation.inputs import MarketArrays
from momentum_opt.simulation.minute_walk import piece_of, pieces, watched_days, works
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.simulation.watch import NOTHING, Watch
from momentum_opt.vocabulary.metrics import Cadence

MOST_TOKENS: Final = 8
"""The kernel's formula is written out token by token."""


def free_kernel_serves(spec: SimulationSpec, cadence: Cadence, dtype: Any, watch: Watch | None) -> bool:
    """Whether `walk_without_costs` can take the place of `simulate`, here and for this; None cannot be watched."""
    return (
        spec.engine == "closed_form"
        and spec.arb == 1
        and spec.n_assets <= MOST_TOKENS
        and cadence == Cadence.MINUTE
        and watch not in (None, NOTHING)
        and dtype == np.float64
        and jax.default_backend() == "cpu"
    )


def free_kernel_works(spec: SimulationSpec, watch: Watch) -> bool:
    """Whether the kernel for this can be compiled here, which is done by then; with one warning where it cannot."""
    return works(why_not_free(spec.n_assets, watch))


def bars_of(market: Market, spec: SimulationSpec) -> FreeBars:
    """The prices of a simulation as the kernel reads them."""
    window = market.prices[market.start_row :][: spec.n_bars]
    return free_bars(window, spec.block, spec.interpolation - _moved(spec))


def walk_without_costs(
    spec: SimulationSpec,
    arrays: MarketArrays,
    bars: FreeBars,
    settings: Settings,
    candidates: Candidates,
    threads: int,
    watch: Watch,
) -> BoundaryPath:
    """As `simulate` with a reduction, whose arguments these are; what is kept of the minutes is a `WatchedDays`.

    Args:
        spec: static description.
        arrays: from `market_arrays` of the same spec.
        bars: from `bars_of` of the same spec.
        settings: traced pool settings.
        candidates: parameters.
        threads: that share the candidates.
        watch: what is kept of every bar.
    """
    width = candidates.initial_weights.shape[1]
    exchange_cost = float(settings.exchange_cost)
    one_at_a_time = threading.Lock()

    def run(some: Candidates) -> tuple[BoundaryPath, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        with one_at_a_time:  # so that it is compiled once, and few starts wait in memory
            path, starts = _starts(spec, arrays, settings, some)
            weights, step, value = map(np.ascontiguousarray, jax.device_get(starts))
        return path, walk_free(bars, FreeStarts(weights, step, value), exchange_cost, spec.blocks_per_day, watch)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(run, pieces(candidates, piece_of(spec, width, threads))))
    whole: Any = jax.tree.map(lambda *each: jnp.concatenate(each, axis=-1)[..., :width], *parts)
    path, (inside, after) = whole
    return path._replace(kept=watched_days(inside, after, watch))


@partial(jax.jit, static_argnums=0)
def _starts(
    spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates
) -> tuple[BoundaryPath, tuple[Array, Array, Array]]:
    """The simulation at day boundaries, and weights, step and value at the first bars of all blocks."""
    path: Any = simulate(spec, arrays, settings, candidates, Cadence.MINUTE)

    def of_blocks(values: Array) -> Array:
        return values.reshape(spec.n_blocks, *values.shape[2:])

    origin, step = of_blocks(path.blocks.chunk.origin), of_blocks(path.blocks.chunk.step)
    weights = origin + step * _moved(spec)[:, None, None]
    return path._replace(blocks=None), (weights, step, jnp.exp(of_blocks(path.blocks.log_value)))


def _moved(spec: SimulationSpec) -> NDArray[np.int64]:
    """(block,) bars that the weights of the block's chunk have moved at its first bar."""
    return np.minimum(np.arange(spec.n_blocks) % spec.blocks_per_chunk * spec.block, spec.interpolation)
