"""What walks the minutes on a machine with a GPU: a spec, its arrays and a batch in, the fastest way and why out.

There are three: XLA's loop on the GPU, a kernel of our own there, and the kernel of the CPU, which is faster for small
batches, because a GPU takes as long for a few candidates as for thousands. Another one than XLA's loop is taken only
where it was seen to be faster and to give the same reserves, on this machine, for a batch as wide and on the last days
of the very prices that are to be simulated; whatever else happens, XLA's loop it is.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.cores import available_cores
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import MarketArrays
from momentum_opt.simulation.minute_walk import arbitrage_alone, walk_with_costs
from momentum_opt.simulation.spec import MinuteLoop, SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.vocabulary.metrics import Cadence

PROBE_DAYS: Final = 4
"""Days of the probe. XLA's loop takes tens of milliseconds for each."""
PROBE_RUNS: Final = 3
"""The fastest of so many counts, so that what else the machine does is left out."""
MOST_ON_CORES: Final = 8192
"""Candidates of the widest batch that the CPU is tried with; a GPU has taken 3 s for a year of minutes of more."""
CLOSE: Final = 1e-9
"""Largest relative difference of reserves that are called equal."""

Clock = Callable[[], float]
"""Seconds since whenever."""
Walker = MinuteLoop | Literal["numba"]
"""What walks the minutes: a loop that is traced with everything else, or the CPU's kernel beside it."""

NAMES: Final[dict[Walker, str]] = {
    "xla": "XLA's loop on the GPU",
    "pallas": "the GPU's kernel",
    "numba": "the CPU's kernel",
}


class Choice(NamedTuple):
    """A walker and why it was taken, for one line of a report."""

    walker: Walker
    reason: str


_chosen: dict[tuple[SimulationSpec, int, str], Choice] = {}
"""What was chosen in this process, by spec, width of the batch and kind of device."""


def pallas_serves(spec: SimulationSpec, cadence: Cadence, dtype: Any) -> bool:
    """Whether the kernels may take the place of XLA's loop on a GPU, here and for this."""
    return arbitrage_alone(spec, cadence, dtype) and jax.default_backend() == "gpu"


def choose_walker(spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates) -> Choice:
    """The walker for a spec that `pallas_serves`; tried once per spec, width and kind of device in a process."""
    width = candidates.initial_weights.shape[1]
    key = spec, width, jax.local_devices()[0].device_kind
    if key not in _chosen:
        walkers: list[Walker] = ["xla", "pallas"]
        if width <= MOST_ON_CORES:
            walkers.append("numba")
        _chosen[key] = compared({one: probe(one, spec, arrays, settings, candidates) for one in walkers})
    return _chosen[key]


def probe(
    walker: Walker, spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates
) -> Callable[[], CostPath]:
    """A call that takes `candidates` through the last days with `walker`.

    Prices of minute 0 buy the pool, so its first trades are as large as the prices' moves since then: mostly too large
    for the short series, and so the exact functions are compared as well.
    """
    days = min(PROBE_DAYS, spec.n_days)
    some = replace(spec, n_days=days)
    last = arrays._replace(blocks=jax.tree.map(lambda x: x[-days:], arrays.blocks))
    if walker == "numba":
        return partial(walk_with_costs, some, last, settings, candidates, available_cores())
    placed = jax.tree.map(jnp.asarray, candidates)
    run = jax.jit(partial(simulate, replace(some, minute_loop=walker)), static_argnums=3)
    return lambda: cast("CostPath", run(last, settings, placed, Cadence.DAILY))


def compared(runs: Mapping[Walker, Callable[[], CostPath]], clock: Clock = time.perf_counter) -> Choice:
    """The fastest of those that run and give the reserves of XLA's loop to `CLOSE`."""
    wanted = jax.device_get(runs["xla"]())
    seconds: dict[Walker, float] = {"xla": _fastest(runs["xla"], clock)}
    remarks: list[str] = []
    for walker, run in runs.items():
        if walker == "xla":
            continue
        try:
            apart = _difference(jax.device_get(run()), wanted)
            if apart <= CLOSE:
                seconds[walker] = _fastest(run, clock)
            else:
                remarks.append(f"{NAMES[walker]} gives reserves that are {apart:.1e} apart from those")
        except Exception as error:  # whatever a compiler or a driver may raise: the loop does without them
            remarks.append(f"{NAMES[walker]} failed: {_first_line(error)}")
    fastest = min(seconds, key=lambda one: seconds[one])
    slower = [
        f"{NAMES[one]} takes {taken / seconds[fastest]:.2g} times as long"
        for one, taken in seconds.items()
        if one != fastest
    ]
    return Choice(fastest, "; ".join([NAMES[fastest], *slower, *remarks]))


def _difference(found: CostPath, wanted: CostPath) -> float:
    """The largest relative difference of any reserve; NaN where it is a number in one of the two only."""
    one, other = (np.concatenate([path.reserves.ravel(), path.before_reserves.ravel()]) for path in (found, wanted))
    with np.errstate(invalid="ignore"):
        apart = np.where(np.isnan(one) & np.isnan(other), 0.0, np.abs(one / other - 1.0))
    return float(apart.max())


def _fastest(run: Callable[[], CostPath], clock: Clock) -> float:
    """Seconds of a call that is compiled already."""
    seconds: list[float] = []
    for _ in range(PROBE_RUNS):
        start = clock()
        jax.block_until_ready(run())
        seconds.append(clock() - start)
    return min(seconds)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
