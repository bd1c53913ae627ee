"""The one module that touches JAX's global settings: float64, the compilation cache, the list of devices."""

import contextlib
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jax

from momentum_opt.caching import Cache, CacheWarning, cache_folder, why_unusable
from momentum_opt.cores import available_cores
from momentum_opt.errors import ConfigError


def configure() -> None:
    """Turn on float64 and the compilation cache in the user's cache folder; call once, before any array is made.

    Raises:
        ConfigError: `JAX_PLATFORMS` asks for a device that JAX does not find.
    """
    jax.config.update("jax_enable_x64", True)
    keep_programs()
    _cores_as_devices()
    _check_devices()


def keep_programs() -> None:
    """Turn on the compilation cache in the user's cache folder, or off where nothing can be kept there."""
    folder = _usable_folder()
    guarded = folder is not None and _guard_programs()
    jax.config.update("jax_compilation_cache_dir", str(folder / "xla") if folder and guarded else None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # dozens of small ones add up


def _usable_folder() -> Path | None:
    """Where programs are kept; None, and one warning, where none can be."""
    folder = cache_folder()
    problem = "no home folder" if folder is None else why_unusable(folder)
    if problem is None:
        return folder
    _warn_once("" if folder is None else f"{folder}: ", problem)
    return None


@lru_cache
def _warn_once(where: str, problem: str) -> None:
    """Python's own way of warning once forgets that it has, whenever a library changes what is warned of."""
    warnings.warn(
        f"{where}{problem}, so every process compiles anew; give XDG_CACHE_HOME=FOLDER, a folder of your own",
        CacheWarning,
        stacklevel=5,
    )


@dataclass(frozen=True)
class _CheckedPrograms(Cache):
    """JAX's cache of compiled programs, each with a checksum: JAX itself would run whatever lies there."""

    suffix: str = "-cache"


def _guard_programs() -> bool:
    """Have JAX keep its programs in such a cache; whether that was possible with this JAX."""
    try:
        inside: Any = import_module("jax._src.compilation_cache")
        inside.get_file_cache  # noqa: B018  is still what makes the cache
    except (ImportError, AttributeError):
        return False
    inside.get_file_cache = lambda path: (_CheckedPrograms(Path(path)), path)
    return True


def _check_devices() -> None:
    """Start the devices.

    Raises:
        ConfigError: there are none of the kind that was asked for.
    """
    try:
        jax.devices()
    except Exception as error:  # a RuntimeError, or of CUDA an AssertionError without a word
        asked = os.environ.get("JAX_PLATFORMS", "")
        reason = str(error).partition("(set JAX_PLATFORMS")[0].strip().rstrip(".") or "there is none"
        raise ConfigError(
            f"JAX_PLATFORMS={asked}: no device of this kind can be used here ({reason}); set JAX_PLATFORMS=cpu"
        ) from error


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
