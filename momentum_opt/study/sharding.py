"""One batch on several devices: a function of candidates in, the same one compiled for a share on each device out.

Candidates know nothing of each other, so devices never talk: each runs the program of one device on its share.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import Any, Final

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from momentum_opt.arrays import Array

_AXIS: Final = "candidate"
_EVERYWHERE: Final = PartitionSpec()

Device = Any
"""A `jax.Device`, which type checkers do not know as a class."""

Compiled = Callable[..., Any]


def choose_devices(width: int, fewest: int) -> tuple[Device, ...]:
    """The local devices that share a batch: as many as get at least `fewest` candidates each, and one at least."""
    devices = jax.local_devices()
    return tuple(devices[: max(1, min(len(devices), width // fewest))])


def on_all(tree: Any, devices: Sequence[Device]) -> Any:
    """A copy of the arrays on each device."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), _EVERYWHERE))


def shared_out(candidates: Any, devices: Sequence[Device]) -> Array:
    """An array whose last axis are the candidates, in equal shares on the devices."""
    return jax.device_put(candidates, NamedSharding(_mesh(devices), _last(candidates.ndim)))


@lru_cache(maxsize=32)
def compiled_for(
    function: Callable[[Any, Array], Array],
    devices: tuple[Device, ...],
    structure: Any,
    shapes: tuple[jax.ShapeDtypeStruct, ...],
    wide_registers: bool,
) -> Compiled:
    """`function(inputs, candidates)` compiled, kept for every later call that asks for the same.

    Args:
        function: its result, two axes, has the candidates as the last one.
        devices: that share the candidates.
        structure: of the arguments.
        shapes: of the arrays in them, from `shapes_of`.
        wide_registers: ask a CPU for its widest vectors.
    """
    spread = jax.shard_map(
        function,
        mesh=_mesh(devices),
        in_specs=(_EVERYWHERE, _last(2)),
        out_specs=_last(2),
        check_vma=False,
    )
    options: dict[str, bool | int] = {"xla_cpu_prefer_vector_width": 512} if wide_registers else {}
    with _one_core():
        return jax.jit(spread, compiler_options=options).lower(*jax.tree.unflatten(structure, shapes)).compile()


def shapes_of(*arguments: Any) -> tuple[Any, tuple[jax.ShapeDtypeStruct, ...]]:
    """Structure of arguments, and shapes, types and places of their arrays."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for leaf in leaves)


@lru_cache(maxsize=32)
def _mesh_of(devices: tuple[Device, ...]) -> Mesh:
    return jax.make_mesh((len(devices),), (_AXIS,), (AxisType.Auto,), devices=devices)


def _mesh(devices: Sequence[Device]) -> Mesh:
    return _mesh_of(tuple(devices))


def _last(ndim: int) -> PartitionSpec:
    return PartitionSpec(*(None,) * (ndim - 1), _AXIS)


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
