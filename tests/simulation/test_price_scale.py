"""A price has no natural unit: scaling one token's prices changes no weight, value, trade or metric, on any engine."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.pool.momentum import MomentumPool
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import market_arrays
from momentum_opt.simulation.minute_pallas import simulate_in_kernel
from momentum_opt.simulation.minute_walk import walk_with_costs
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params, run_engine

N = 3
FREE = Pool(chunk_period=120, max_memory_days=2.0, maximum_change=1e-3)
COSTLY = replace(FREE, fees=0.003, gas_cost=1.0, arb_fees=5e-4, noise_trader_ratio=0.5, protocol_fee_split=0.25)
POOLS = {
    "closed form": FREE,
    "in chunk": replace(FREE, weight_interpolation_method="approx_optimal"),
    "every fifth minute, two averages": replace(FREE, arb_frequency=5, use_alt_lamb=True),
}
SEEDS, TOKENS = st.integers(0, 2**32 - 1), st.integers(0, N - 1)
EXPONENTS = st.sampled_from((-12.0, -11.3, 7.7, 12.0))
FEW = settings(max_examples=8)

in_kernel = partial(jax.jit, static_argnums=0)(simulate_in_kernel)
in_loop = partial(jax.jit, static_argnums=(0, 4))(simulate)

POOL, FINGERPRINT = MomentumPool(), Case.random(FREE, N, 2).fingerprint()
live_step = jax.jit(lambda carry, price, params: POOL.calculate_rule_output_step(carry, price, params, FINGERPRINT))


def case_of(pool: Pool, seed: int) -> tuple[Case, dict[str, np.ndarray]]:
    params = random_params(N, pool.floor(N), seed, alt=pool.use_alt_lamb)
    return Case.random(pool, N, 2, seed=seed), params | {"log_k": params["log_k"] + 3.0}


def scaled(case: Case, token: int, exponent: float) -> tuple[Case, np.ndarray]:
    """The case with a token's prices times 10^exponent, and what its reserves are to be multiplied by."""
    factor = np.where(np.arange(case.n) == token, 10.0**exponent, 1.0)
    return case.with_prices(case.prices * factor), factor


@pytest.mark.parametrize("name", POOLS)
def test_weights_and_values_without_costs(name: str):
    """Of boundaries and rebuilt minutes; the floor on `a` is what a cheap token would lose its signal to."""

    @FEW
    @given(seed=SEEDS, token=TOKENS, exponent=EXPONENTS)
    def check(seed, token, exponent):
        case, params = case_of(POOLS[name], seed)
        other, factor = scaled(case, token, exponent)
        found, again = (run_engine(one, [params]) for one in (case, other))
        np.testing.assert_allclose(again.minutes.weights, found.minutes.weights, rtol=0, atol=1e-10)
        np.testing.assert_allclose(again.minutes.value, found.minutes.value, rtol=1e-10)
        np.testing.assert_allclose(again.minutes.reserves * factor[:, None], found.minutes.reserves, rtol=1e-9)
        np.testing.assert_allclose(again.daily, found.daily, rtol=1e-10)

    check()


def walked_by_numba(case: Case, params: dict[str, np.ndarray]) -> np.ndarray:
    arrays, some = market_arrays(case.prices, case.start_row, case.spec), stack([params] * 8, 8, jnp.float64)
    path = walk_with_costs(case.spec, arrays, settings_of(case.fingerprint(), jnp.float64), some, 1)
    return np.asarray(path.reserves)[:-1, :, 0]


def walked_by_pallas(case: Case, params: dict[str, np.ndarray]) -> np.ndarray:
    arrays, some = market_arrays(case.prices, case.start_row, case.spec), stack([params], 1, jnp.float64)
    path = in_kernel(case.spec, arrays, settings_of(case.fingerprint(), jnp.float64), some)
    return np.asarray(path.reserves)[:-1, :, 0]


def walked_by_xla(case: Case, params: dict[str, np.ndarray]) -> np.ndarray:
    arrays, some = market_arrays(case.prices, case.start_row, case.spec), stack([params], 1, jnp.float64)
    path = in_loop(case.spec, arrays, settings_of(case.fingerprint(), jnp.float64), some, Cadence.DAILY)
    return np.asarray(path.reserves)[:-1, :, 0]


@pytest.mark.parametrize("walk", [walked_by_xla, walked_by_numba, walked_by_pallas])
def test_trades_with_costs(walk: Callable[..., np.ndarray]):
    """The reserves show every trade that was done or refused; the exact functions are reached by a jump."""

    @settings(max_examples=4)
    @given(seed=SEEDS, token=TOKENS, exponent=EXPONENTS)
    def check(seed, token, exponent):
        case, params = case_of(COSTLY, seed)
        other, factor = scaled(case.with_jump(), token, exponent)
        np.testing.assert_allclose(walk(other, params) * factor, walk(case.with_jump(), params), rtol=1e-9)

    check()


@pytest.mark.parametrize("pool", [FREE, COSTLY], ids=["without costs", "with costs"])
@pytest.mark.parametrize("metric", ["daily_log_sharpe", "calmar"])
def test_metrics_of_a_study(pool: Pool, metric: str):
    """All that a trial records, and a metric of minutes, for every power of ten at once."""
    case, _ = case_of(pool, 0)
    sets = [case_of(pool, seed)[1] for seed in range(4)]
    wanted = None
    for exponent in (0.0, -12.0, -10.0, 12.0):
        other, _ = scaled(replace(case, prices=Case.random(pool, N, 5).prices), 0, exponent)
        scores = Evaluator(other.fingerprint(return_val=metric), other.market, batch_size=8).score(sets)
        wanted = scores if wanted is None else wanted
        np.testing.assert_allclose(scores.objectives, wanted.objectives, rtol=1e-8, err_msg=f"{exponent}")
        for name, values in scores.train.items():
            np.testing.assert_allclose(values, wanted.train[name], rtol=1e-7, atol=1e-12, err_msg=name)


@FEW
@given(seed=SEEDS, token=TOKENS, power=st.integers(-40, 40))
def test_a_live_pool_by_powers_of_two(seed, token, power):
    """Step by step not one bit of a weight change differs."""
    case, params = case_of(FREE, seed)
    factor = np.where(np.arange(N) == token, 2.0**power, 1.0)
    prices = jnp.asarray(case.prices[:2880:120])
    np.testing.assert_array_equal(lived(prices * factor, params), lived(prices, params))


def lived(prices: jax.Array, params: dict[str, np.ndarray]) -> np.ndarray:
    """(update, asset) weight changes of a pool that reads one price after the other."""
    carry, rows = POOL.get_initial_rule_state(prices[0], params, FINGERPRINT), []
    for price in prices[1:]:
        carry, change = live_step(carry, price, params)
        rows.append(np.asarray(change))
    return np.array(rows)
