"""Compile a generated module by Numba and keep it in the user's cache: its source in, its function `walk` out."""

import base64
import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from momentum_opt.caching import Cache, cache_folder

MOST_KEPT: Final = 32
"""Kernels that are kept for other processes, those that were used last."""

MOST_SAID: Final = 160
"""Characters of a compiler's complaint."""

one_compiles = threading.Lock()
"""Held by whoever asks for a kernel, as Numba's compiler serves one thread."""

Kernel = Callable[..., None]


class Compiler:
    """Compiles sources whose `walk` takes arguments of the same types.

    Args:
        signature: gives Numba's types of the arguments; it is asked for when something is compiled.
    """

    def __init__(self, signature: Callable[[], Any]) -> None:
        self._signature = signature

    def compiled(self, source: str) -> Kernel:
        """The kernel of a source, from the user's cache where it is there."""
        folder = cache_folder()
        kernel = None if folder is None else self.from_cache(source, Cache(folder / "numba", most=MOST_KEPT))
        return cast("Kernel", kernel or self.defined(source, Path(f"<{__name__}>"), keep=False))

    def from_cache(self, source: str, cache: Cache) -> Any:
        """The kernel, compiled where the cache has none for it, and then put there; None where that has no place.

        Numba reads whatever lies in its own cache, by pickle. So it gets a new folder for this one call, with the files
        that an earlier process was left by it and that have just been checked.
        """
        key = sha256("\n".join([import_module("numba").__version__, sys.version, source]).encode()).hexdigest()
        with contextlib.suppress(OSError), tempfile.TemporaryDirectory(prefix="momentum-opt-") as folder:
            path = Path(folder, "minutes.py")
            files = path.parent / "__pycache__"
            files.mkdir()
            path.write_text(source)
            os.utime(path, (0, 0))  # older versions of Numba compare it
            _unpack(cache.get(key), files)
            with _beside_the_source():
                kernel = self.defined(source, path, keep=True)
            if not kernel.stats.cache_hits:
                cache.put(key, _packed(files))
            return kernel
        return None

    def defined(self, source: str, path: Path, *, keep: bool) -> Any:
        """The compiled kernel of a source; kept beside it if asked to."""
        module = ModuleType(f"minutes_{sha256(source.encode()).hexdigest()[:16]}")
        module.__dict__["KEEP"] = keep
        sys.modules[module.__name__] = module  # where Numba looks for what its cache holds
        exec(compile(source, path, "exec"), module.__dict__)
        kernel = module.__dict__["walk"]
        kernel.compile(self._signature())
        kernel.disable_compile()  # for arrays that are not read-only it would be compiled once more
        return kernel


def array_of(axes: int, *, counts: bool = False, readonly: bool = True) -> Any:
    """Numba's type of a C contiguous array of float64, or of int64 where it holds counts."""
    types: Any = import_module("numba").types
    return types.Array(types.int64 if counts else types.float64, axes, "C", readonly=readonly)


def nothing_of(*arguments: Any) -> Any:
    """The type of a kernel: no result, and arguments of these types."""
    types: Any = import_module("numba").types
    return types.void(*arguments)


def integer() -> Any:
    """Numba's type of a count."""
    types: Any = import_module("numba").types
    return types.int64


def why_no(kernel: Callable[[], Kernel]) -> str | None:
    """Why there can be no such kernel on this machine; None where there is one, compiled by then."""
    try:
        with one_compiles:
            kernel()
    except Exception as error:  # whatever a compiler may raise, or that there is none
        return " ".join(f"{type(error).__name__}: {error}".split("\n")[0].split())[:MOST_SAID]
    return None


def indented(lines: list[str], depth: int) -> str:
    """Lines inside `depth` blocks, the first of which is indented where it is put."""
    return "\n".join("    " * depth + line for line in lines).lstrip()


def _packed(files: Path) -> bytes:
    content = {one.name: base64.b64encode(one.read_bytes()).decode() for one in sorted(files.iterdir())}
    return json.dumps(content).encode()


def _unpack(content: bytes | None, files: Path) -> None:
    packed: Mapping[str, str] = json.loads(content or b"{}")
    for name, text in packed.items():
        (files / name).write_bytes(base64.b64decode(text))


@contextlib.contextmanager
def _beside_the_source() -> Generator[None]:
    """Have Numba keep what it compiles beside the source, wherever the user has it keep other things."""
    settings: Any = import_module("numba").config
    elsewhere, settings.CACHE_DIR = settings.CACHE_DIR, ""
    try:
        yield
    finally:
        settings.CACHE_DIR = elsewhere
