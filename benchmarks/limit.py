"""The physical limit of the engine without costs: a candidate's operations and bytes against what a device can do.

    python -m benchmarks.limit        as JSON

Operations are counted in the traced program itself, loops as often as they turn: one for each number that an
elementwise operation makes or a reduction reads. A core's rates are measured on arrays that stay in its first cache, a
GPU's in its registers, so the time that numbers take from and to memory is not in them. `carried_bytes` is what goes to
memory and back where, as on a GPU, a turn of a loop is a program of its own: what it hands on and what it leaves.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from benchmarks.measuring import Row, alone, median_seconds, random_columns, row, workload
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.candidates import stack_columns
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.scoring import score_candidates
from momentum_opt.study.space import search_space

BATCH: Final = 1024
"""Candidates of a batch on a CPU; on a GPU it is the widest."""
PASSES: Final = 18
"""Turns of a loop that ends by itself: those of the bisection for a percentile, seen on W1."""
FREE: Final = frozenset({
    "broadcast_in_dim", "reshape", "squeeze", "transpose", "concatenate", "slice", "dynamic_slice", "copy", "pad",
    "dynamic_update_slice", "convert_element_type", "bitcast_convert_type", "iota", "stop_gradient", "gather", "rev",
})  # fmt: skip
"""Operations that move numbers at most."""
KINDS: Final = {"div": "divisions", "exp": "exponentials", "log": "logarithms", "sqrt": "divisions"}
NUMBERS, TURNS = 4096, 400
"""Numbers in the array that rates are measured on, and how often an operation is done to all of them in a call."""
GPU_NUMBERS, TILE = 2**20, 128
"""The same on a GPU, and how many of them a program of its grid takes: one per lane of four warps."""
COPIED: Final = 2**27
"""Numbers in the array that a device's memory is measured on."""


def counted(program: Any, times: int = 1) -> Counter[str]:
    """Operations of a traced program by kind, and the bytes that its loops keep."""
    total: Counter[str] = Counter()
    for equation in program.eqns:
        name, parameters = equation.primitive.name, equation.params
        turns = {"scan": parameters.get("length"), "while": PASSES}.get(name, 1)
        inner = _programs(parameters)
        if name == "cond":  # that of a CPU, of a day whose weights are not kept, of a value far above the floor
            inner = inner[:1]
        for one in inner:
            total += counted(one, times * turns)
        if name == "scan":
            made = inner[0].outvars  # by one turn
            handed_on = [one for one, out in zip(made, equation.outvars, strict=True) if one.aval.ndim == out.aval.ndim]
            left = _bytes(equation.outvars) - _bytes(handed_on)
            total["stored_bytes"] += times * left
            total["carried_bytes"] += times * (turns * 2 * _bytes(handed_on) + left)
        if not inner and name not in FREE:
            read = equation.invars if name.startswith(("reduce", "argmax", "cumsum")) else equation.outvars
            total[KINDS.get(name, "simple")] += times * max(prod(one.aval.shape) for one in read)
    return total


def _bytes(variables: Sequence[Any]) -> int:
    return sum(prod(one.aval.shape) * one.aval.dtype.itemsize for one in variables)


def _programs(parameters: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                found.append(one)
    return found


def _turn(kind: str, x: jax.Array) -> jax.Array:
    if kind == "simple":
        for _ in range(8):  # in one pass over the array: it stays in a register
            x = (x * 0.999 + 0.001) * 0.998 + 0.002
        return x
    return 1.0 / (x + 1.0) if kind == "divisions" else jnp.exp(x * 0.1)


@partial(jax.jit, static_argnums=0)
def _again(kind: str, x: jax.Array) -> jax.Array:
    return jax.lax.fori_loop(0, TURNS, lambda _, x: _turn(kind, x), x)


@partial(jax.jit, static_argnums=0)
def _again_in_registers(kind: str, x: jax.Array) -> jax.Array:
    """The same on a GPU."""

    def kernel(x: Any, y: Any) -> None:
        y[:] = jax.lax.fori_loop(0, TURNS, lambda _, x: _turn(kind, x), x[:])

    tile = pl.BlockSpec((TILE,), lambda place: (place,))
    call = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(x.size // TILE,),
        in_specs=[tile],
        out_specs=tile,
        compiler_params=triton.CompilerParams(num_warps=4),
    )
    return call(x)


def rates() -> dict[str, float]:
    """Numbers per second of one core or of a GPU, by kind of operation."""
    on_gpu = jax.default_backend() == "gpu"
    numbers = jnp.linspace(1.0, 2.0, GPU_NUMBERS if on_gpu else NUMBERS)
    again = _again_in_registers if on_gpu else _again
    done = {"simple": 32, "divisions": 1, "exponentials": 1}
    found: dict[str, float] = {}
    for kind, each in done.items():
        jax.block_until_ready(again(kind, numbers))  # compiles
        found[kind] = numbers.size * TURNS * each / median_seconds(partial(again, kind, numbers), 9)
    return found


def memory_limit(each: Mapping[str, float]) -> dict[str, float]:
    """What a GPU's memory gives and takes, both counted, and the candidates whose `carried_bytes` that are."""
    numbers = jnp.linspace(1.0, 2.0, COPIED)
    step = jax.jit(lambda x: x + 1.0)
    jax.block_until_ready(step(numbers))
    moved = 2 * numbers.nbytes / median_seconds(lambda: step(numbers), 9)
    return {
        "bytes per second of memory": moved,
        "candidates per second whose carried bytes those are": moved / each["carried_bytes"],
    }


def limit() -> dict[str, float]:
    """Operations, rates, and candidates per second and core that they allow."""
    config, overrides, _ = workload()
    fingerprint = load_fingerprint(config, overrides)
    market, space = market_of(fingerprint), search_space(fingerprint)
    on_gpu = jax.default_backend() == "gpu"
    evaluator = Evaluator(fingerprint, market, batch_size=BATCH)
    evaluator = evaluator.of_width(evaluator.most) if on_gpu else evaluator
    columns = random_columns(space, evaluator.width)
    candidates = jax.tree.map(jnp.asarray, stack_columns(columns, evaluator.width, jnp.dtype("float64")))
    score = partial(score_candidates, evaluator.spec, evaluator.scoring)
    program = jax.make_jaxpr(score)(*evaluator._placed[0], candidates)
    each = {kind: number / evaluator.width for kind, number in counted(program.jaxpr).items()}
    rate = rates()
    needed = sum(each.get(kind, 0.0) / rate[kind] for kind in rate)
    memory = memory_limit(each) if on_gpu else {}
    evaluator.score_columns(columns)  # compiles
    per = "GPU" if on_gpu else "core"
    return {
        **{f"{kind} per candidate": number for kind, number in each.items()},
        **{f"{kind} per second and {per}": number for kind, number in rate.items()},
        **memory,
        f"candidates per second and {per}": 1.0 / needed,
        "candidates per second": evaluator.width / median_seconds(lambda: evaluator.score_columns(columns), 15),
        "devices": len(jax.local_devices()),
    }


def limit_rows() -> list[Row]:
    """The limit in the table, in a process of its own."""
    return [row(f"limit: {what}", figure, "") for what, figure in alone("benchmarks.limit").items()]


if __name__ == "__main__":
    device.configure()
    print(json.dumps(limit()))
