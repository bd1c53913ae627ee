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
from momentum_opt.simulation.minute_gpu import NAMES, choose_walker, pallas_serves
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
    assert np.isfinite(kernel.reserves).all()
    np.testing.assert_allclose(kernel.reserves, loop.reserves, rtol=1e-9)
    np.testing.assert_allclose(kernel.before_reserves, loop.before_reserves, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_golden_cases_as_on_a_cpu(name: str) -> None:
    """What serves a search on each: on a GPU the kernel wherever it may."""
    fingerprint, market, params = golden_run(name)
    spec = simulation_spec(fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days)
    on_gpu = replace(spec, minute_loop="pallas" if pallas_serves(spec, Cadence.DAILY, jnp.dtype("float64")) else "xla")

    def run(spec: SimulationSpec) -> list[np.ndarray]:
        arrays = market_arrays(market.prices, market.start_row, spec)
        candidates = stack([params], LANES, jnp.float64)
        path = in_loop(spec, arrays, settings_of(fingerprint, jnp.float64), candidates, Cadence.DAILY)
        return jax.device_get(jax.tree.leaves(path))

    found = run(on_gpu)
    with jax.default_device(jax.devices("cpu")[0]):
        wanted = run(spec)
    for one, other in zip(found, wanted, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["zero_fee_daily_3", "zero_fee_hourly", "fee_30bps_daily"])
def test_a_batch_scores_as_a_replay_on_a_cpu(name: str) -> None:
    fingerprint, market, params = golden_run(name)
    scores = Evaluator(fingerprint, market, batch_size=LANES).score([params] * LANES)
    wanted = replay(fingerprint, market, params).objectives[0]
    np.testing.assert_allclose(scores.objectives[:, 0], wanted, rtol=1e-9)


def inputs(case: Case) -> Inputs:
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(LANES)]
    arrays = market_arrays(case.prices, case.start_row, case.spec)
    return case.spec, arrays, settings_of(case.fingerprint(), jnp.float64), stack(sets, LANES, jnp.float64)


@pytest.mark.parametrize("name", KERNEL_CASES)
def test_made_up_cases_in_the_kernel(name: str) -> None:
    assert_loops_agree(*inputs(KERNEL_CASES[name]))


def test_the_choice_finds_kernels_that_run_and_agree() -> None:
    """Which one is faster is the machine's to say."""
    choice = choose_walker(*inputs(KERNEL_CASES["a jump, all costs"]))
    assert "failed" not in choice.reason
    assert "reserves" not in choice.reason
    assert all(name in choice.reason for name in NAMES.values())


def test_the_evaluator_scores_with_what_was_chosen() -> None:
    case = KERNEL_CASES["a jump, all costs"]
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]
    evaluator = Evaluator(case.fingerprint(), case.market, batch_size=3)
    scores = evaluator.score(sets)
    assert evaluator.choice is not None
    for place, one in enumerate(sets):
        wanted = replay(case.fingerprint(), case.market, one).objectives[0]
        assert scores.objectives[place, 0] == pytest.approx(wanted, rel=1e-9)
