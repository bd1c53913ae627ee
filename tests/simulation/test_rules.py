"""The engines under the other rules: against the oracle's minute loop, and by what follows from momentum itself."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation.inputs import market_arrays
from momentum_opt.simulation.trajectory import block_weights
from momentum_opt.study.candidates import settings_of, stack
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, assert_matches_reference, random_params, run_engine
from tests.simulation.test_costs import run_costs

FLOOR = 0.02
SMALL = Pool(chunk_period=120, weight_interpolation_period=90, max_memory_days=2.0, minimum_weight=FLOOR)
RULES = ("anti_momentum", "constant_weight")


def case_of(rule: str, **keys: Any) -> Case:
    return Case.random(replace(SMALL, rule=rule, **keys), 3, 2, history=2, seed=3)


def params_of(rule: str, seed: int, form: str = "log_k") -> dict[str, np.ndarray]:
    params = random_params(3, FLOOR, seed, form)
    return {"initial_weights": params["initial_weights"]} if rule == "constant_weight" else params


@pytest.mark.parametrize("rule", RULES)
def test_the_closed_form_is_the_minute_loop(rule: str):
    case, sets = case_of(rule, maximum_change=5e-4), [params_of(rule, seed) for seed in range(2)]
    assert case.spec.engine == "closed_form"
    found = run_engine(case, sets)
    for column, params in enumerate(sets):
        assert_matches_reference(found, column, case.reference(params), 1440, 1e-11)


def test_sums_inside_chunks_are_the_minute_loop():
    case, params = case_of("anti_momentum", weight_interpolation_method="approx_optimal"), params_of("anti_momentum", 1)
    assert case.spec.engine == "in_chunk"
    assert_matches_reference(run_engine(case, [params]), 0, case.reference(params), 1440, 1e-11)


@pytest.mark.parametrize("rule", ["anti_momentum", pytest.param("constant_weight", marks=pytest.mark.slow)])
def test_costs_are_those_of_the_minute_loop(rule: str):
    case, params = case_of(rule, fees=0.003), params_of(rule, 2)
    wanted = case.reference(params)
    found = run_costs(case, [params])
    np.testing.assert_allclose(found.minutes.reserves[..., 0], wanted.reserves, rtol=1e-10)
    np.testing.assert_allclose(found.minutes.weights[..., 0], wanted.weights, atol=1e-12)


def test_anti_momentum_is_momentum_with_k_negated():
    """Through the absolute k, whose sign the oracle's momentum rule takes as it is; the weights do move apart."""
    case, params = case_of("anti_momentum"), params_of("anti_momentum", 4, "absolute_k")
    mirrored = replace(case, pool=replace(case.pool, rule="momentum"))
    negated = mirrored.reference({**params, "absolute_k": -params["absolute_k"]})
    arrays = market_arrays(case.prices, case.start_row, case.spec)
    candidates = stack([params], 1, jnp.float64)
    weights = jax.jit(block_weights, static_argnums=4)  # what the kernel of the minutes with costs reads
    origin, step = weights(
        arrays.burn_in, arrays.blocks, candidates, settings_of(case.fingerprint(), jnp.float64), case.spec
    )
    np.testing.assert_allclose(np.asarray(origin)[..., 0], negated.positions, atol=1e-12)
    np.testing.assert_allclose(np.asarray(step)[..., 0], negated.steps, atol=1e-15)
    along = mirrored.reference(params)
    assert np.abs(negated.positions - along.positions).max() > 0.01


def test_constant_weights_give_the_weighted_geometric_mean():
    """V = V_0 Π (p_i/p_i0)^w_i at every minute, and the weights stay where they are."""
    case, params = case_of("constant_weight"), params_of("constant_weight", 5)
    minutes, w = run_engine(case, [params, params]).minutes, params["initial_weights"]
    prices = case.prices[case.start_row :]
    np.testing.assert_allclose(minutes.value[:, 0], 1e6 * np.prod((prices / prices[0]) ** w, axis=1), rtol=1e-12)
    np.testing.assert_allclose(minutes.weights[..., 0], np.tile(w, (len(prices), 1)), atol=1e-15)
