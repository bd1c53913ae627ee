"""The one module that touches JAX's global settings: float64, compilation caches (Numba's too), the device list."""

import contextlib
import os
from pathlib import Path

import jax

from momentum_opt.cores import available_cores


def configure() -> None:
    """Turn on float64 and the compilation caches in the user's cache folder; call once, before any array is made."""
    jax.config.update("jax_enable_x64", True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "momentum-opt"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache / "numba"))
    jax.config.update("jax_compilation_cache_dir", str(cache / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # dozens of small ones add up
    _cores_as_devices()


def _cores_as_devices() -> None:
    """Make every core of a CPU a device, unless a flag of XLA says how many there are, or JAX is at work already."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", available_cores())


def describe_devices() -> str:
    """The devices that run the simulation, for example `cpu × 1`."""
    devices = jax.local_devices()
    return f"{devices[0].device_kind} × {len(devices)}"


def leave_memory() -> None:
    """Take GPU memory only as it is needed, and so leave it to others; call before any array is made."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
