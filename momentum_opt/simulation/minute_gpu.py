"""What walks the minutes on a machine with a GPU: a spec, its arrays and a batch in, the fastest way and why out.

There are three: XLA's loop on the GPU, a kernel of our own there, and the kernel of the CPU, which is faster for small
batches, because a GPU takes as long for a few candidates as for thousands. Another one than XLA's loop is taken only
where it was seen to be faster and to give the same reserves, on this machine, for such a batch and on the last days of
the very prices that are to be simulated; whatever else happens, XLA's loop it is.
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
PROBE_WIDTHS: Final = (1024, 32_768)
"""Candidates of the probe on a GPU: the fewest that are as many as the batch's, or the most. A program for each."""
PROBE_ON_CORES: Final = 512
"""Most candidates of the probe on the CPU, whose time grows with their number."""
PROBE_RUNS: Final = 3
"""The fastest of so many counts, so that what else the machine does is left out."""
CLOSE: Final = 1e-9
"""Largest relative difference of reserves that are called equal."""

Clock = Callable[[], float]
"""Seconds since whenever."""
Walker = MinuteLoop | Literal["numba"]
"""What walks the minutes: a loop that is traced with everything else, or the CPU's kernel beside it."""

NAMES: Final[dict[Walker, str]] = {
    "xla": "XLA on the GPU",
    "pallas": "Pallas kernel on the GPU",
    "numba": "Numba kernel on the CPU",
}


class Choice(NamedTuple):
    """A walker and why it was taken, for one line of a report."""

    walker: Walker
    reason: str


class Probe(NamedTuple):
    """A call that takes some candidates through a few days."""

    run: Callable[[], CostPath]
    lanes: int
    """How many candidates."""
    grows: bool
    """Whether fewer take less time."""


class Pace(NamedTuple):
    """What is left of a probe, whose arrays are not to stay on the device."""

    seconds: float
    lanes: int
    grows: bool

    def of(self, width: int) -> float:
        """Seconds for so many candidates."""
        share = width / self.lanes
        return self.seconds * (share if self.grows else max(1.0, share))


class Timing(NamedTuple):
    """What probes have shown."""

    paces: Mapping[Walker, Pace]
    """Of those that agree with XLA's loop."""
    remarks: tuple[str, ...]
    """Why others are not among them."""

    def choice(self, width: int) -> Choice:
        """The fastest for so many candidates."""
        taken: dict[Walker, float] = {walker: pace.of(width) for walker, pace in self.paces.items()}
        fastest = min(taken, key=taken.__getitem__)
        slower = (
            f"{NAMES[walker]} {seconds / taken[fastest]:.2g}× slower"
            for walker, seconds in taken.items()
            if walker != fastest
        )
        return Choice(fastest, "; ".join([NAMES[fastest], *slower, *self.remarks]))


_timed: dict[tuple[SimulationSpec, int, str], Timing] = {}
"""What was seen in this process, by spec, width of the probe and kind of device."""


def pallas_serves(spec: SimulationSpec, cadence: Cadence, dtype: Any) -> bool:
    """Whether the kernels may take the place of XLA's loop on a GPU, here and for this."""
    return arbitrage_alone(spec, cadence, dtype) and jax.default_backend() == "gpu"


def choose_walker(spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates) -> Choice:
    """The walker of a batch for a spec that `pallas_serves`; each is tried once per spec and width of the probe."""
    width = candidates.initial_weights.shape[1]
    lanes = next((enough for enough in PROBE_WIDTHS if enough >= width), PROBE_WIDTHS[-1])
    key = spec, lanes, jax.local_devices()[0].device_kind
    if key not in _timed:
        _timed[key] = compared({one: probe(one, spec, arrays, settings, candidates, lanes) for one in NAMES})
    return _timed[key].choice(width)


def probe(
    walker: Walker, spec: SimulationSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates, lanes: int
) -> Probe:
    """A probe of `walker` with `candidates`, again and again, through the last days.

    Prices of minute 0 buy the pool, so its first trades are as large as the prices' moves since then: mostly too large
    for the short series, and so the exact functions are compared as well.
    """
    days = min(PROBE_DAYS, spec.n_days)
    some = replace(spec, n_days=days)
    last = arrays._replace(blocks=jax.tree.map(lambda x: x[-days:], arrays.blocks))
    on_cores = walker == "numba"
    at = np.arange(min(lanes, PROBE_ON_CORES) if on_cores else lanes) % candidates.initial_weights.shape[1]
    few = jax.tree.map(lambda x: jnp.asarray(x[:, at]), candidates)
    if on_cores:
        return Probe(partial(walk_with_costs, some, last, settings, few, available_cores()), at.size, grows=True)
    run = jax.jit(partial(simulate, replace(some, minute_loop=walker)), static_argnums=3)
    return Probe(lambda: cast("CostPath", run(last, settings, few, Cadence.DAILY)), at.size, grows=False)


def compared(probes: Mapping[Walker, Probe], clock: Clock = time.perf_counter) -> Timing:
    """How long each takes that runs and gives the reserves of XLA's loop to `CLOSE`."""
    wanted = jax.device_get(probes["xla"].run())
    paces: dict[Walker, Pace] = {}
    remarks: list[str] = []
    for walker, one in probes.items():
        try:
            apart = 0.0 if walker == "xla" else _difference(jax.device_get(one.run()), wanted)
            if apart <= CLOSE:
                paces[walker] = Pace(_fastest(one.run, clock), one.lanes, one.grows)
            else:
                remarks.append(f"{NAMES[walker]} gives reserves that are {apart:.1e} apart from those")
        except Exception as error:  # whatever a compiler or a driver may raise: the loop does without them
            remarks.append(f"{NAMES[walker]} failed: {_first_line(error)}")
    return Timing(paces, tuple(remarks))


def _difference(found: CostPath, wanted: CostPath) -> float:
    """The largest relative difference of any reserve that both have; NaN where it is a number in one of them only."""
    both = found.reserves.shape[-1]
    one, other = (
        np.concatenate([path.reserves[..., :both].ravel(), path.before_reserves[..., :both].ravel()])
        for path in (found, wanted)
    )
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
