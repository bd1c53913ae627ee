"""The engine with costs (SPEC §9) against the oracle's minute loop, and its laws."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import market_arrays
from momentum_opt.simulation.minutes import MinutePath, minute_inputs, rebuild_minutes
from momentum_opt.simulation.values import daily_values, last_bar_values
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params, run_engine

QUICK = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3, fees=0.003)


class Found(NamedTuple):
    path: CostPath
    daily: jax.Array
    day_end: jax.Array
    minutes: MinutePath


@partial(jax.jit, static_argnums=0)
def run(spec, arrays, inputs, settings, candidates) -> Found:
    path = simulate(spec, arrays, settings, candidates, Cadence.MINUTE)
    assert path.blocks is not None
    minutes = rebuild_minutes(path.blocks, inputs, spec, settings.costs)
    return Found(
        path, daily_values(path, arrays.days, spec), last_bar_values(path, arrays.days, spec, slice(None)), minutes
    )


def run_costs(case: Case, sets) -> Found:
    spec = case.spec
    assert spec.engine == "with_costs"
    arrays = market_arrays(case.prices, case.start_row, spec)
    inputs = minute_inputs(case.prices, case.start_row, spec)
    candidates = stack(sets, len(sets), jnp.float64)
    return jax.tree.map(np.asarray, run(spec, arrays, inputs, settings_of(case.fingerprint(), jnp.float64), candidates))


CASES = {
    "two tokens": (QUICK, 2, 3),
    "eight tokens": (replace(QUICK, fees=0.0005), 8, 2),
    "all costs": (
        replace(QUICK, fees=0.01, gas_cost=3.0, arb_fees=5e-4, noise_trader_ratio=1.5, protocol_fee_split=0.25), 3, 3,
    ),
    "gas alone": (replace(QUICK, fees=0.0, gas_cost=2.0, noise_trader_ratio=1.0), 4, 2),
    "arb_fees alone": (replace(QUICK, fees=0.0, arb_fees=3e-4), 3, 2),
    "daily chunks, short ramp": (replace(QUICK, chunk_period=1440, weight_interpolation_period=360), 3, 4),
    "chunks of three days, q = 7": (replace(QUICK, chunk_period=4320, arb_frequency=7), 3, 7),
    "q = 7, hourly": (replace(QUICK, arb_frequency=7), 3, 2),
    "q = 90, beyond the chunk": (replace(QUICK, arb_frequency=90), 3, 3),
    "q = 2000, beyond the day": (replace(QUICK, chunk_period=1440, arb_frequency=2000), 2, 6),
    "bars of 5, approx_optimal": (
        replace(QUICK, bar_minutes=5, arb_frequency=10, weight_interpolation_method="approx_optimal",
                weight_interpolation_period=30), 3, 5,
    ),
    "hourly bars, large moves": (
        replace(QUICK, bar_minutes=60, arb_frequency=60, chunk_period=240, maximum_change=1e-2, minimum_weight=0.01,
                initial_pool_value=5e3), 3, 40,
    ),
}  # fmt: skip


LONG = (
    "eight tokens", "gas alone", "q = 7, hourly", "chunks of three days, q = 7", "daily chunks, short ramp",
    "q = 90, beyond the chunk", "hourly bars, large moves", "arb_fees alone",
)  # fmt: skip
"""Mostly compilation."""
SLOW = dict.fromkeys(LONG, pytest.mark.slow)


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_against_the_minute_loop(name: str) -> None:
    pool, n, days = CASES[name]
    case = Case.random(pool, n, days, seed=len(name))
    sets = [random_params(n, pool.floor(n), seed) for seed in range(3)]
    found = run_costs(case, sets)
    D = case.spec.bars_per_day
    for lane, params in enumerate(sets):
        wanted = case.reference(params)
        close = partial(np.testing.assert_allclose, rtol=1e-9)
        np.testing.assert_allclose(found.minutes.weights[..., lane], wanted.weights, rtol=0, atol=1e-12)
        close(found.minutes.value[:, lane], wanted.value)
        close(found.minutes.reserves[..., lane], wanted.reserves)
        close(found.daily[:, lane], wanted.value[::D])
        close(found.day_end[:, lane], wanted.value[D - 1 :: D])
        close(found.path.reserves[:-1, :, lane], wanted.reserves[::D])
        assert found.minutes.income is not None
        close(found.minutes.income.liquidity_providers[:, lane], wanted.fees_lp, atol=1e-7)
        close(found.minutes.income.protocol[:, lane], wanted.fees_protocol, atol=1e-7)


def jumping() -> Case:
    return Case.random(QUICK, 3, 2, seed=5).with_jump()


def test_trades_too_large_for_the_series_are_exact() -> None:
    case, params = jumping(), random_params(3, QUICK.floor(3), 0)
    found, wanted = run_costs(case, [params]), case.reference(params)
    np.testing.assert_allclose(found.minutes.value[:, 0], wanted.value, rtol=1e-12)
    np.testing.assert_allclose(found.daily[:, 0], wanted.value[::1440], rtol=1e-12)


def test_a_candidate_alone_equals_one_of_a_batch() -> None:
    case = jumping()
    sets = [random_params(3, QUICK.floor(3), seed) for seed in range(5)]
    together = run_costs(case, sets)
    for lane in (0, 4):
        alone = run_costs(case, [sets[lane]])
        np.testing.assert_allclose(together.minutes.value[:, lane], alone.minutes.value[:, 0], rtol=1e-13)
        np.testing.assert_allclose(together.path.reserves[..., lane], alone.path.reserves[..., 0], rtol=1e-13)


def test_the_rebuild_repeats_the_loop() -> None:
    found = run_costs(jumping(), [random_params(3, QUICK.floor(3), seed) for seed in range(2)])
    np.testing.assert_allclose(found.minutes.reserves[::1440], found.path.reserves[:-1], rtol=1e-13)
    np.testing.assert_allclose(found.minutes.reserves[1439::1440], found.path.before_reserves, rtol=1e-13)


@pytest.mark.parametrize(
    "costs", [{"fees": 0.9, "maximum_change": 1e-5}, {"gas_cost": 1e12}, {"fees": 0.0, "gas_cost": 1e12}]
)
def test_costs_that_forbid_all_trades_give_hodl(costs: dict[str, float]) -> None:
    pool = replace(QUICK, **costs)
    found = run_costs(Case.random(pool, 3, 2), [random_params(3, pool.floor(3), 0)])
    assert (found.minutes.reserves == found.minutes.reserves[0]).all()
    assert (found.path.reserves == found.path.reserves[0]).all()
    assert not np.any(found.minutes.income)


def test_constant_prices_and_weights_give_no_trade() -> None:
    case = Case.random(QUICK, 3, 2)
    still = {**random_params(3, QUICK.floor(3), 0, "absolute_k"), "absolute_k": np.zeros(3)}
    found = run_costs(case.with_prices(np.tile(case.prices[0], (len(case.prices), 1))), [still])
    assert (found.minutes.reserves == found.minutes.reserves[0]).all()


def test_vanishing_fees_converge_to_no_costs() -> None:
    params = random_params(2, QUICK.floor(2), 1)
    plain = run_engine(Case.random(replace(QUICK, fees=0.0), 2, 2), [params]).minutes.value[:, 0]
    distances = []
    for fee in (1e-4, 1e-6, 1e-8):
        found = run_costs(Case.random(replace(QUICK, fees=fee), 2, 2), [params])
        distances.append(np.abs(found.minutes.value[:, 0] / plain - 1.0).max())
    assert distances[0] > 10 * distances[1] > 100 * distances[2]
    assert distances[2] < 1e-6


def test_permuting_tokens_permutes_the_result() -> None:
    pool = replace(QUICK, gas_cost=1.0)
    case, params, order = Case.random(pool, 4, 2), random_params(4, pool.floor(4), 2), [2, 0, 3, 1]
    plain = run_costs(case, [params])
    moved = run_costs(case.with_prices(case.prices[:, order]), [{name: row[order] for name, row in params.items()}])
    np.testing.assert_allclose(moved.minutes.reserves, plain.minutes.reserves[:, order], rtol=1e-11)


def test_sweeping_costs_compiles_nothing_new() -> None:
    params = random_params(3, QUICK.floor(3), 0)
    run_costs(Case.random(QUICK, 3, 2), [params])
    before = run._cache_size()
    values = set()
    for changed in ({"fees": 0.01}, {"gas_cost": 5.0}, {"arb_fees": 1e-3}, {"protocol_fee_split": 0.5},
                    {"noise_trader_ratio": 1.0}):  # fmt: skip
        values.add(float(run_costs(Case.random(replace(QUICK, **changed), 3, 2), [params]).daily[-1, 0]))
    assert len(values) == 5
    assert run._cache_size() == before


def test_a_broken_candidate_is_not_taken_for_a_holder() -> None:
    sets = [random_params(3, QUICK.floor(3), seed) for seed in range(2)]
    sets[0]["log_k"] = np.full(3, np.nan)
    found = run_costs(Case.random(QUICK, 3, 2), sets)
    assert np.isnan(found.day_end[-1, 0])
    assert np.isfinite(found.daily[:, 1]).all()
