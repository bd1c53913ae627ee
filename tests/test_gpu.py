"""On a GPU: the golden cases give what they give on a CPU, and the kernel gives what XLA's loop gives.

Left out at collection where JAX finds no GPU, see `conftest.py`.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minute_gpu import choose_loop, pallas_serves
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.replay import replay
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.golden_cases import CASES
from tests.simulation.cases import Case, random_params
from tests.simulation.test_minute_pallas import CASES as KERNEL_CASES
from tests.simulation.test_minute_pallas import LANES
from tests.simulation_case import golden_run

pytestmark = pytest.mark.golden

in_loop = partial(jax.jit, static_argnums=(0, 4))(simulate)

Inputs = tuple[SimulationSpec, MarketArrays, Settings, Candidates]


def assert_loops_agree(spec: SimulationSpec, *arguments: object) -> None:
    """The kernel itself, so that one that fails is a failure here and not a reason to take the loop."""
    assert pallas_serves(spec, Cadence.DAILY, jnp.dtype("float64"))
    loop, kernel = (
        jax.device_get(in_loop(replace(spec, minute_loop=name), *arguments, Cadence.DAILY))
        for name in ("xla", "pallas")
    )
    np.testing.assert_allclose(kernel.reserves, loop.reserves, rtol=1e-9)
    np.testing.assert_allclose(kernel.before_reserves, loop.before_reserves, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_golden_cases_as_on_a_cpu(name: str) -> None:
    fingerprint, market, params = golden_run(name)
    found = replay(fingerprint, market, params)
    with jax.default_device(jax.devices("cpu")[0]):
        wanted = replay(fingerprint, market, params)
    for quantity in ("value", "reserves"):
        np.testing.assert_allclose(getattr(found, quantity), getattr(wanted, quantity), rtol=1e-9)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=0, atol=1e-12)


LINEAR = [name for name, entry in CASES.items() if {"fees", "gas_cost"} & set(entry["case"]) and
          entry["case"].get("weight_interpolation_method", "linear") == "linear"]  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_golden_cases_in_the_kernel(name: str) -> None:
    fingerprint, market, params = golden_run(name)
    spec = simulation_spec(fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days)
    arrays = market_arrays(market.prices, market.start_row, spec)
    assert_loops_agree(spec, arrays, settings_of(fingerprint, jnp.float64), stack([params], LANES, jnp.float64))


def inputs(case: Case) -> Inputs:
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(LANES)]
    arrays = market_arrays(case.prices, case.start_row, case.spec)
    return case.spec, arrays, settings_of(case.fingerprint(), jnp.float64), stack(sets, LANES, jnp.float64)


@pytest.mark.parametrize("name", KERNEL_CASES)
def test_made_up_cases_in_the_kernel(name: str) -> None:
    assert_loops_agree(*inputs(KERNEL_CASES[name]))


def test_the_choice_finds_a_kernel_that_runs_and_agrees() -> None:
    """Which one is faster is the machine's to say."""
    choice = choose_loop(*inputs(KERNEL_CASES["a jump, all costs"]))
    assert "failed" not in choice.reason
    assert "reserves" not in choice.reason


def test_the_evaluator_scores_with_what_was_chosen() -> None:
    case = KERNEL_CASES["a jump, all costs"]
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]
    evaluator = Evaluator(case.fingerprint(), case.market, batch_size=3)
    scores = evaluator.score(sets)
    assert evaluator.minute_loop is not None
    for place, one in enumerate(sets):
        wanted = replay(case.fingerprint(), case.market, one).objectives[0]
        assert scores.objectives[place, 0] == pytest.approx(wanted, rel=1e-9)
