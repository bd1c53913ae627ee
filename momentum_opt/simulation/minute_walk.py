"""The engine with costs on a CPU, a tile of candidates at a time: JAX moves the weights, the kernel walks the minutes.

Serves what a search asks most: fees and other costs, as numbers or files, linear weights, values at day boundaries and
what most metrics of minutes read. Everything else (outside trades, an LP supply, percentiles of minutes, replays) is
the XLA loop of `costs`.
"""

import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.simulation.cost_inputs import WalkedSteps, walked_steps
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.inputs import BlockInputs, MarketArrays
from momentum_opt.simulation.minute_kernel import LANES, TILE, Walk, Walked, walk, why_not
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings, block_weights, moved_at_boundaries
from momentum_opt.simulation.watch import NOTHING, Watch
from momentum_opt.vocabulary.metrics import Cadence

WEIGHT_BYTES = 2**26
"""Memory for the weights of all blocks of the candidates that a thread walks with at once."""

MOST_TOKENS = 4
"""The kernel's formula is written out pair by pair: for eight tokens it takes over a minute to compile, XLA 25 s."""


@partial(jax.jit, static_argnums=4)
def _weights(
    burn_in: Array, blocks: BlockInputs, candidates: Candidates, settings: Settings, spec: SimulationSpec
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`block_weights`; and what a path has of how they move, at the days' boundaries and in the step to each."""
    origin, step = block_weights(burn_in, blocks, candidates, settings, spec)
    return (origin, step), moved_at_boundaries(step, blocks, spec)


class WatchedDays(NamedTuple):
    """What a kernel watched of every day, by the names of `Watch.rows`."""

    inside: dict[str, Float[Array, "day *batch"]]
    """At the day's last bar."""
    after: dict[str, Float[Array, "day *batch"]]
    """One step later, at the first bar of the next day."""


class KernelWarning(UserWarning):
    """The kernel cannot be had on this machine, and XLA's loop takes its place."""


def kernel_serves(spec: SimulationSpec, cadence: Cadence, dtype: Any, watch: Watch | None = NOTHING) -> bool:
    """Whether `walk_with_costs` can take the place of `simulate`, here and for this; None cannot be watched."""
    watched = spec.arb == 1 and watch is not None and watch != NOTHING
    most = Cadence.DAY_END if cadence == Cadence.MINUTE and watched else cadence
    return arbitrage_alone(spec, most, dtype) and jax.default_backend() == "cpu"


def kernel_works(spec: SimulationSpec, watch: Watch = NOTHING) -> bool:
    """Whether the kernel for this can be compiled here, which is done by then; with one warning where it cannot."""
    return works(why_not(spec.n_assets, spec.trade, watch))


def works(problem: str | None) -> bool:
    """Whether there is no problem with a kernel; with one warning where there is."""
    if problem is not None:
        _warn_once(problem)
    return problem is None


@lru_cache
def _warn_once(problem: str) -> None:
    warnings.warn(
        f"Numba's kernel cannot be used ({problem}); XLA's loop walks the minutes instead, which takes longer",
        KernelWarning,
        stacklevel=3,
    )


def arbitrage_alone(spec: SimulationSpec, cadence: Cadence, dtype: Any) -> bool:
    """Whether the minutes hold nothing that a kernel leaves out, and little enough to be written out in one."""
    return (
        spec.engine == "with_costs"
        and spec.n_assets <= MOST_TOKENS
        and spec.trade != "either"
        and spec.method == "linear"
        and not spec.every_bar
        and cadence < Cadence.MINUTE
        and dtype == np.float64
    )


def walk_with_costs(
    spec: SimulationSpec,
    arrays: MarketArrays,
    settings: Settings,
    candidates: Candidates,
    threads: int,
    watch: Watch = NOTHING,
) -> CostPath:
    """As `simulate_with_costs`, which says what the arguments are; `threads` share the candidates.

    The result is that of the XLA loop up to rounding, for every candidate whatever its neighbours are. What is kept of
    the minutes is a `WatchedDays`, where there is a watch.
    """
    assert arrays.blocks.cost is not None
    blocks = arrays.blocks._replace(cost=None, bars=None)
    width = candidates.initial_weights.shape[1]
    piece = piece_of(spec, width, threads)
    steps = _flat(walked_steps(arrays.blocks.cost, settings.costs, spec))
    steps["first_price"] = np.ascontiguousarray(arrays.days.price[0])
    steps["exchange_cost"] = np.atleast_1d(np.asarray(settings.exchange_cost))
    tokens_of_all = np.asarray(settings.initial_pool_value / arrays.days.price[0])[:, None]
    one_at_a_time = threading.Lock()

    def run(some: Candidates) -> tuple[Walked, tuple[Any, Any]]:
        with one_at_a_time:  # so that the weights are compiled once, and few of them wait in memory
            (origin, move), moved = jax.device_get(_weights(arrays.burn_in, blocks, some, settings, spec))
        first = np.ascontiguousarray(some.initial_weights * tokens_of_all)
        weights = np.ascontiguousarray(origin), np.ascontiguousarray(move), first
        return walk(Walk(*weights, **steps), spec.trade, spec.blocks_per_day, watch), moved

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(run, pieces(candidates, piece)))
    whole: Any = jax.tree.map(lambda *each: np.concatenate(each, axis=-1)[..., :width], *parts)
    walked, moved = whole
    first = jnp.concatenate([(candidates.initial_weights * tokens_of_all)[None], walked.reserves])
    kept = watched_days(walked.inside, walked.after, watch) if watch.rows else None
    shown, crossing = map(jnp.asarray, moved)
    return CostPath(first, jnp.asarray(walked.before), shown, crossing, kept=kept)


def watched_days(inside: Any, after: Any, watch: Watch) -> WatchedDays:
    """From the kernel's (day, row, candidate) numbers at each day's last bar, and one step later."""
    found = ({name: jnp.asarray(rows[:, place]) for place, name in enumerate(watch.rows)} for rows in (inside, after))
    return WatchedDays(*found)


def _flat(steps: WalkedSteps) -> dict[str, NDArray[Any]]:
    """The steps block by block on the host, as the kernel reads them."""

    def flat(values: Any, dtype: Any = np.float64) -> NDArray[Any]:
        return np.ascontiguousarray(np.asarray(values, dtype).reshape(-1, *values.shape[2:]))

    numbers = steps.costs.shape[:3] != steps.moved.shape  # the same on all days
    return {
        "price": flat(steps.price),
        "moved": flat(steps.moved),
        "costs": flat(steps.costs[:1] if numbers else steps.costs),
        "before_end": flat(steps.before_end, np.int64),
        "length": flat(steps.length, np.int64),
    }


def piece_of(spec: SimulationSpec, width: int, threads: int) -> int:
    """Candidates of one walk: a thread's share, unless the weights of that many would not fit; whole vectors."""
    fits = WEIGHT_BYTES // (2 * 8 * spec.n_blocks * spec.n_assets) // TILE * TILE
    share = -(-width // threads)
    return max(LANES, -(-min(share, max(fits, LANES)) // LANES) * LANES)


def pieces(candidates: Candidates, piece: int) -> Iterator[Candidates]:
    """All candidates in order, `piece` at a time, the last piece filled up with the last candidate."""
    width = candidates.initial_weights.shape[1]
    for first in range(0, width, piece):
        at = np.minimum(np.arange(first, first + piece), width - 1)
        yield jax.tree.map(lambda x, at=at: x[:, at], candidates)
