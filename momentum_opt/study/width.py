"""How many candidates a device takes at once: what is simulated and the device's memory in, a number out."""

from pathlib import Path
from typing import Final

import jax

from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.study.scoring import ScoreSpec
from momentum_opt.study.sharding import Device
from momentum_opt.vocabulary.metrics import Cadence

MOST_ON_A_CORE: Final = 1024
"""A wider batch is not scored faster by a core of a CPU."""
MOST_ON_A_GPU: Final = 131_072
"""The same for a GPU; `docs/benchmarks.md` has what an H200 did."""
MEMORY_SHARE: Final = 0.5
"""Of the free memory of a device; the rest is for prices, the program, and what a compiler adds."""


def bytes_per_candidate(spec: SimulationSpec, scoring: ScoreSpec, itemsize: int = 8) -> int:
    """Memory that one more candidate takes on its device, counted generously.

    A handful of numbers per day for the values and the metrics; weights of all tokens where every day's are kept; with
    costs the reserves; inside a chunk, the weights at every arbitrage. `tests/study/test_width.py` holds it against
    what XLA allocates.
    """
    n = spec.n_assets
    per_day = 10
    if spec.engine == "with_costs" or not spec.arbitrages_daily or scoring.cadence >= Cadence.DAY_END:
        per_day += 8 * n
    in_block = 8 * n * (spec.block // spec.arb) if spec.engine == "in_chunk" else 0
    in_day = 8 * spec.bars_per_day if spec.engine == "with_costs" and scoring.cadence == Cadence.MINUTE else 0
    return itemsize * (per_day * spec.n_days + in_block + in_day + 64 * n)


def most_per_device(spec: SimulationSpec, scoring: ScoreSpec, device: Device, itemsize: int = 8) -> int:
    """The largest power of two of candidates that `device` can hold, up to where more is no faster."""
    most = MOST_ON_A_CORE if device.platform == "cpu" else MOST_ON_A_GPU
    fits = int(MEMORY_SHARE * free_memory(device)) // bytes_per_candidate(spec, scoring, itemsize)
    return 1 << max(0, min(most, fits).bit_length() - 1)


def free_memory(device: Device) -> int:
    """Bytes that are free on the device; for a core of a CPU its share of the machine's."""
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return _free_on_the_machine() // len(jax.local_devices())


def _free_on_the_machine() -> int:
    """What the kernel calls available; 1 GiB where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":") for line in lines)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 2**30
