"""What slopes cost beside a value: the objective of 64 candidates, alone and with its exact gradient, on one core.

    python -m benchmarks.gradients        least seconds of both, by problem, as JSON

A is W1 with its 6 parameters; C has 8 tokens on hourly bars, 2020-06-01 to 2021-09-01, with 16. Processor time, the
least of many calls in turn, so that a busy machine is not what is measured.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import jax
import jax.numpy as jnp

from benchmarks.measuring import Row, alone, random_columns, row, workload
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.study.candidates import stack_columns
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.gradients import objective_alone, value_and_gradient
from momentum_opt.study.scoring import score
from momentum_opt.study.space import search_space

LANES: Final = 64
CALLS: Final = {"A": 200, "C": 40}
TARGETS: Final = {"A": 8, "C": 16}
"""Values that value and gradient together may cost."""


def problems() -> dict[str, Fingerprint]:
    """A, and C where its prices are."""
    config, overrides, _ = workload()
    found = {"A": load_fingerprint(config, overrides)}
    root = next((Path(text.partition("=")[2]) for text in overrides if text.startswith("data.root=")), None)
    if root is not None and (hourly := root.parent / "hourly_2018").is_dir():
        found["C"] = load_fingerprint(config, eight_tokens(hourly))
    return found


def eight_tokens(prices: Path) -> list[str]:
    """Overrides that make C of A."""
    return [
        f"data.root={prices}",
        "tokens=[ADA, BNB, BTC, ETH, LTC, TRX, XLM, XRP]",
        "window.start=2020-06-01",
        "window.end=2021-06-01",
        "window.test_end=2021-09-01",
        "costs.arb_frequency=60",
    ]


def least_seconds(runs: Sequence[Callable[[], object]], calls: int) -> list[float]:
    """Processor time of each, the least of `calls`, in turn."""

    def once(run: Callable[[], object]) -> float:
        began = time.process_time()
        jax.block_until_ready(run())
        return time.process_time() - began

    for run in runs:
        once(run)  # compiles
    return [min(times) for times in zip(*([once(run) for run in runs] for _ in range(calls)), strict=True)]


def measured(fingerprint: Fingerprint, calls: int) -> dict[str, float]:
    """Seconds of the objective, and of objective and gradient."""
    evaluator = Evaluator(fingerprint, market_of(fingerprint), batch_size=LANES)
    columns = random_columns(search_space(fingerprint), LANES)
    candidates = jax.tree.map(jnp.asarray, stack_columns(columns, LANES, jnp.dtype("float64")))
    params = {**candidates.params, "initial_weights": candidates.initial_weights}
    arrays, minutes, settings, penalties = evaluator._placed[0]
    spec, scoring = evaluator.spec, evaluator.scoring
    value = jax.jit(partial(score, spec, objective_alone(scoring), arrays, minutes, settings, penalties))
    both = jax.jit(partial(value_and_gradient, spec, scoring, arrays, settings, penalties))
    one, two = least_seconds([lambda: value(candidates).objectives, lambda: both(params)], calls)
    return {"value": one, "gradient": two, "parameters": len(search_space(fingerprint).ranges)}


def gradient_rows() -> list[Row]:
    """Value, gradient and their ratio in the table, measured in a process of its own."""
    rows: list[Row] = []
    for problem, found in alone("benchmarks.gradients").items():
        name = f"{problem}, {found['parameters']} parameters, {LANES} candidates, one core"
        rows += [
            row(f"{name}: value", 1e3 * found["value"], "ms"),
            row(f"{name}: value and gradient", 1e3 * found["gradient"], "ms"),
            row(f"{name}: gradient/value", found["gradient"] / found["value"], f"(target {TARGETS[problem]})"),
        ]
    return rows


if __name__ == "__main__":
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    device.configure()
    print(json.dumps({problem: measured(fingerprint, CALLS[problem]) for problem, fingerprint in problems().items()}))
