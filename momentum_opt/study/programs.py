"""Programs that outlive a process: a function of arrays and their shapes in, what XLA made of it out.

JAX keeps what XLA has compiled, but finds it only after it has traced and lowered the function anew, which takes longer
than what is left of a replay. So what was lowered is kept beside it, under all that it depends on: the source code of
this package, the versions of JAX, the function's static values, and the shapes. It is kept for CPUs only.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import jax
from jax import export
from jaxlib.version import __version__ as jaxlib_version

from momentum_opt.caching import Cache

MOST_KEPT: Final = 64
"""Programs that are kept, those that were used last; a tune has three or four."""


@runtime_checkable  # the tests check annotations as they run
class Traceable(Protocol):
    """A function of arrays that depends on nothing else but what its identity says."""

    identity: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Arrays in tuples, lists, dictionaries, and named tuples that were declared `keepable`."""
        ...


Kind = TypeVar("Kind")


def keepable(kind: type[Kind]) -> type[Kind]:
    """Declare a named tuple as a possible result of a function that is kept; a decorator."""
    return export.register_namedtuple_serialization(kind, serialized_name=f"{kind.__module__}.{kind.__qualname__}")


def compiled(
    function: Traceable,
    structure: Any,
    shapes: Sequence[jax.ShapeDtypeStruct],
    options: Sequence[tuple[str, bool | int]],
) -> Callable[..., Any]:
    """`function` compiled for arguments of this structure and these shapes, where they lie.

    Args:
        function: to be traced, unless that was done in another process.
        structure: of the tuple of its arguments, from `jax.tree.flatten`.
        shapes: of their arrays.
        options: the compiler's, by name.
    """
    run = _lowered(function, structure, shapes)
    program = jax.jit(run, compiler_options=dict(options)).lower(*shapes).compile()
    return lambda *arguments: program(*jax.tree.leaves(arguments))


def shapes_of(arguments: tuple[Any, ...]) -> tuple[Any, tuple[jax.ShapeDtypeStruct, ...]]:
    """Structure and shapes of arguments, for `compiled`."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for leaf in leaves)


def _lowered(function: Traceable, structure: Any, shapes: Sequence[jax.ShapeDtypeStruct]) -> Callable[..., Any]:
    """A function of the arrays themselves."""

    def flat(*leaves: Any) -> Any:
        return function(*jax.tree.unflatten(structure, leaves))

    folder = _folder()
    if folder is None:
        return flat
    anywhere = [jax.ShapeDtypeStruct(shape.shape, shape.dtype) for shape in shapes]
    cache, key = Cache(folder, most=MOST_KEPT), _key(function.identity, str(structure), repr(anywhere))
    kept = cache.get(key)
    if kept is not None:
        return export.deserialize(bytearray(kept)).call
    exported = export.export(jax.jit(flat))(*anywhere)
    cache.put(key, bytes(exported.serialize()))
    return exported.call


def _folder() -> Path | None:
    """Where programs are kept; None where nothing is to be."""
    settings = jax.config.values
    cache = settings["jax_compilation_cache_dir"]
    if cache is None or not settings["jax_enable_compilation_cache"] or jax.default_backend() != "cpu":
        return None
    return Path(cache) / "lowered"


def _key(*parts: str) -> str:
    versions = jax.__version__, jaxlib_version, str(jax.config.values["jax_enable_x64"])
    return sha256("\n".join([_source_digest(), *versions, *parts]).encode()).hexdigest()


@lru_cache
def _source_digest() -> str:
    """Of all of this package's source code, as any of it might be traced."""
    root, digest = Path(__file__).resolve().parents[1], sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
