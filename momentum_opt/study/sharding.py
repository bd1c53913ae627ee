"""One batch on several devices: a function of candidates in, its results for all of them out, a share per device.

Candidates know nothing of each other, so devices never talk: each runs a program of its own on its share. The cores of
a CPU, which JAX counts as devices too, all run the first one's program, each in a thread: compiled once, and several
times faster than XLA's own partitions there, which wait for each other.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from momentum_opt.study.programs import Traceable, compiled, shapes_of

Device = Any
"""A `jax.Device`, which type checkers do not know as a class."""


def choose_devices(width: int, fewest: int) -> tuple[Device, ...]:
    """The local devices that share a batch: as many as get at least `fewest` candidates each, and one at least."""
    devices = jax.local_devices()
    return tuple(devices[: max(1, min(len(devices), width // fewest))])


def on_a_core() -> contextlib.AbstractContextManager[Any]:
    """Whatever is made and run inside lies on a core of the CPU, also where there is a GPU.

    For one pool alone: it has nothing for a GPU to do side by side, and its numbers are then those of any machine.
    """
    if jax.default_backend() == "cpu":
        return contextlib.nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # JAX_PLATFORMS leaves the CPU out
        return contextlib.nullcontext()


def on_all(tree: Any, devices: Sequence[Device]) -> tuple[Any, ...]:
    """The arrays for each device: a copy on it, and for the cores of a CPU the same one."""
    copies = {home: jax.device_put(tree, home) for home in map(_home, devices)}
    return tuple(copies[_home(device)] for device in devices)


def run_shares(
    function: Traceable,
    devices: Sequence[Device],
    inputs: Sequence[Any],
    candidates: NDArray[Any],
    *,
    wide_registers: bool = False,
) -> Any:
    """`function` of all candidates, an equal share of them on each device; on the host.

    Args:
        function: of inputs and candidates, the last axis of an array; so it is of each array of its result. The same
            object whenever it is to be compiled no more.
        devices: that share the candidates, whose number is a multiple of theirs.
        inputs: from `on_all` of the same devices.
        candidates: on the host, as the results are.
        wide_registers: ask a CPU for its widest vectors.
    """
    shares = [
        (inputs[place], jax.device_put(share, _home(devices[place])))
        for place, share in enumerate(np.split(candidates, len(devices), axis=-1))
    ]
    programs = [compiled_for(function, *shapes_of(share), wide_registers) for share in shares]
    with ThreadPoolExecutor(len(devices)) as pool:
        found = pool.map(lambda program, share: jax.device_get(program(*share)), programs, shares)
        return jax.tree.map(lambda *parts: np.concatenate(parts, axis=-1), *found)


@lru_cache(maxsize=32)
def compiled_for(
    function: Traceable, structure: Any, shapes: tuple[jax.ShapeDtypeStruct, ...], wide_registers: bool
) -> Callable[..., Any]:
    """`function` compiled for arguments of this structure and these shapes, where they lie; kept for later calls."""
    options = (("xla_cpu_prefer_vector_width", 512),) if wide_registers else ()
    with _one_core():
        return compiled(function, structure, shapes, options)


def _home(device: Device) -> Device:
    """Where the arrays of a device lie."""
    return jax.local_devices()[0] if device.platform == "cpu" else device


@contextlib.contextmanager
def _one_core() -> Generator[None]:
    """Let XLA see one core while it compiles.

    For a CPU it would cut every operation of a loop's body into one piece per core that it sees, and hand them to other
    threads thousands of times a second; a share of the candidates is a core's work as it is.
    """
    if jax.default_backend() != "cpu" or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)  # of this thread alone
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
