"""The physical limit of the engine without costs: a candidate's operations against what a core can do.

    python -m benchmarks.limit        as JSON

Operations are counted in the traced program itself, loops as often as they turn: one for each number that an
elementwise operation makes or a reduction reads. A core's rates are measured on arrays that stay in its first cache, so
the time that numbers take from and to memory is not in it; `stored_bytes` says how many the loops leave.
"""

import json
from collections import Counter
from functools import partial
from math import prod
from typing import Any, Final

import jax
import jax.numpy as jnp

from benchmarks.measuring import Row, alone, median_seconds, random_columns, row, workload
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.candidates import stack_columns
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.scoring import score_candidates
from momentum_opt.study.space import search_space

BATCH: Final = 1024
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
            stacked = equation.outvars[parameters["num_carry"] :]
            total["stored_bytes"] += times * sum(prod(out.aval.shape) * out.aval.dtype.itemsize for out in stacked)
        if not inner and name not in FREE:
            read = equation.invars if name.startswith(("reduce", "argmax", "cumsum")) else equation.outvars
            total[KINDS.get(name, "simple")] += times * max(prod(one.aval.shape) for one in read)
    return total


def _programs(parameters: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                found.append(one)
    return found


def rates() -> dict[str, float]:
    """Numbers per second of one core, by kind of operation."""
    numbers = jnp.linspace(1.0, 2.0, NUMBERS)

    @partial(jax.jit, static_argnums=0)
    def again(kind: str, x: jax.Array) -> jax.Array:
        def turn(_: int, x: jax.Array) -> jax.Array:
            if kind == "simple":
                for _ in range(8):  # in one pass over the array: it stays in a register
                    x = (x * 0.999 + 0.001) * 0.998 + 0.002
                return x
            return 1.0 / (x + 1.0) if kind == "divisions" else jnp.exp(x * 0.1)

        return jax.lax.fori_loop(0, TURNS, turn, x)

    done = {"simple": 32, "divisions": 1, "exponentials": 1}
    return {
        kind: NUMBERS * TURNS * each / median_seconds(partial(again, kind, numbers), 9) for kind, each in done.items()
    }


def limit() -> dict[str, float]:
    """Operations, rates, and candidates per second and core that they allow."""
    config, overrides, _ = workload()
    fingerprint = load_fingerprint(config, overrides)
    market, space = market_of(fingerprint), search_space(fingerprint)
    evaluator = Evaluator(fingerprint, market, batch_size=BATCH)
    columns = random_columns(space, BATCH)
    candidates = jax.tree.map(jnp.asarray, stack_columns(columns, BATCH, jnp.dtype("float64")))
    score = partial(score_candidates, evaluator.spec, evaluator.scoring)
    program = jax.make_jaxpr(score)(*evaluator._placed[0], candidates)
    each = {kind: number / BATCH for kind, number in counted(program.jaxpr).items()}
    rate = rates()
    needed = sum(each.get(kind, 0.0) / rate[kind] for kind in rate)
    return {
        **{f"{kind} per candidate": number for kind, number in each.items()},
        **{f"{kind} per second and core": number for kind, number in rate.items()},
        "candidates per second and core": 1.0 / needed,
        "candidates per second": BATCH / median_seconds(lambda: evaluator.score_columns(columns), 15),
        "cores": len(jax.local_devices()),
    }


def limit_rows() -> list[Row]:
    """The limit in the table, in a process of its own."""
    return [row(f"limit: {what}", figure, "") for what, figure in alone("benchmarks.limit").items()]


if __name__ == "__main__":
    device.configure()
    print(json.dumps(limit()))
