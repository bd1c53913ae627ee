"""Which loop walks the minutes on a GPU: a spec and its arrays in, the kernel or XLA's loop out, with the reason.

The kernel is taken only where it was seen to be faster and to give the same reserves, on this kind of device and on
the last days of the very prices that are to be simulated; whatever else happens, XLA's loop it is.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import MarketArrays
from momentum_opt.simulation.minute_walk import arbitrage_alone
from momentum_opt.simulation.spec import MinuteLoop, SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.vocabulary.metrics import Cadence

PROBE_CANDIDATES: Final = 1024
"""Candidates of the probe, the first of the batch again and again: enough to busy more than one part of a GPU."""
PROBE_DAYS: Final = 4
"""Days of the probe. XLA's loop takes a large fraction of a second for each."""
PROBE_RUNS: Final = 3
"""The fastest of so many counts, so that what else the machine does is left out."""
CLOSE: Final = 1e-9
"""Largest relative difference of reserves that are called equal."""

Clock = Callable[[], float]
"""Seconds since whenever."""


class Choice(NamedTuple):
    """A loop and why it was taken, for one line of a report."""

    loop: MinuteLoop
    reason: str


_LOOPS: Final[tuple[MinuteLoop, MinuteLoop]] = ("pallas", "xla")

_chosen: dict[tuple[SimulationSpec, str], Choice] = {}
"""What was chosen in this process, by spec and kind of device."""


def pallas_serves(spec: SimulationSpec, cadence: Cadence, dtype: Any) -> bool:
    """Whether the kernel of `minute_pallas` may take the place of XLA's loop, here and for this."""
    return arbitrage_alone(spec, cadence, dtype) and jax.default_backend() == "gpu"


def choose_loop(spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates) -> Choice:
    """The loop for a spec that `pallas_serves`; tried once per spec and kind of device in a process."""
    key = spec, jax.local_devices()[0].device_kind
    if key not in _chosen:
        kernel, loop = (probe(one, spec, arrays, settings, candidates) for one in _LOOPS)
        _chosen[key] = compared(kernel, loop)
    return _chosen[key]


def probe(
    loop: MinuteLoop, spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates
) -> Callable[[], CostPath]:
    """A call that takes a probe's share of `candidates` through the last days with `loop`.

    Prices of minute 0 buy the pool, so its first trades are as large as the prices' moves since then: mostly too large
    for the short series, and so the exact functions are compared as well.
    """
    days = min(PROBE_DAYS, spec.n_days)
    some = replace(spec, n_days=days, minute_loop=loop)
    last = arrays._replace(blocks=jax.tree.map(lambda x: x[-days:], arrays.blocks))
    at = np.arange(PROBE_CANDIDATES) % candidates.initial_weights.shape[1]
    few = jax.tree.map(lambda x: jnp.asarray(x[:, at]), candidates)
    run = jax.jit(partial(simulate, some), static_argnums=3)
    return lambda: cast("CostPath", run(last, settings, few, Cadence.DAILY))


def compared(kernel: Callable[[], CostPath], loop: Callable[[], CostPath], clock: Clock = time.perf_counter) -> Choice:
    """The kernel, where it runs, gives the loop's reserves to `CLOSE`, and is faster; else the loop."""
    try:
        found = jax.device_get(kernel())
        seconds = _fastest(kernel, clock)
    except Exception as error:  # whatever a compiler or a driver may raise: the loop does without them
        return Choice("xla", f"XLA's loop, as the kernel failed: {_first_line(error)}")
    apart = _difference(found, jax.device_get(loop()))
    if not apart <= CLOSE:
        return Choice("xla", f"XLA's loop, as the kernel's reserves are {apart:.1e} apart from its own")
    other = _fastest(loop, clock)
    if seconds >= other:
        return Choice("xla", f"XLA's loop, as the kernel takes {seconds / other:.2g} times as long")
    return Choice(
        "pallas", f"the kernel, {other / seconds:.2g} times as fast as XLA's loop and {apart:.1e} apart from it"
    )


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
