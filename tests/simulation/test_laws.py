"""Laws of the zero-cost simulation (STYLE habit 10) on random prices and parameters; one compilation per shape."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.minute_loop import Pool
from tests.simulation.cases import FIRST_PRICES, Case, random_params, run_engine

SEEDS = st.integers(0, 2**32 - 1)
N = 5
POOL = Pool(chunk_period=90, weight_interpolation_period=60, max_memory_days=2.0, minimum_weight=0.03)
LAWFUL = settings(max_examples=15)


def lowest_weight(n: int, floor: float) -> float:
    """The least that one pass of the guard rails leaves of the floor (SPEC §7, step 2)."""
    return floor if n < 4 else floor * (1 - floor) / ((n - 2) * (1 - (n - 1) * floor) + floor)


def case_of(seed: int, n: int = N, pool: Pool = POOL, days: int = 2) -> tuple[Case, dict[str, np.ndarray]]:
    return Case.random(pool, n, days, seed=seed), random_params(n, pool.floor(n), seed)


@pytest.mark.parametrize("n", [3, 4, 8])
def test_weights_sum_to_one_and_keep_to_the_rails(n):
    @LAWFUL
    @given(seed=SEEDS)
    def check(seed):
        case, params = case_of(seed, n)
        params["log_k"] = params["log_k"] + 6.0  # hard against the rails
        weights = run_engine(case, [params]).minutes.weights[..., 0]
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
        assert weights.min() >= lowest_weight(n, POOL.floor(n)) - 1e-12
        assert weights.max() <= 1.0 - (n - 1) * POOL.floor(n) + 1e-12

    check()


@LAWFUL
@given(seed=SEEDS, token=st.integers(0, N - 1), power=st.integers(-6, 6))
def test_scaling_a_tokens_prices_changes_no_weight(seed, token, power):
    """By a power of two not one bit of a weight or value; reserves go the other way."""
    case, params = case_of(seed)
    factor = np.where(np.arange(N) == token, 2.0**power, 1.0)
    found, scaled = (run_engine(one, [params]).minutes for one in (case, case.with_prices(case.prices * factor)))
    np.testing.assert_array_equal(scaled.weights, found.weights)
    np.testing.assert_allclose(scaled.value, found.value, rtol=1e-12)
    np.testing.assert_allclose(scaled.reserves * factor[:, None], found.reserves, rtol=1e-12)


@LAWFUL
@given(seed=SEEDS, bar=st.integers(1, 2 * 1440 - 1))
def test_later_prices_change_nothing_before_them(seed, bar):
    """Prices after minute t change no weight, value or reserve up to and including t, bit for bit."""
    case, params = case_of(seed)
    later = case.prices.copy()
    later[case.start_row + bar + 1 :] *= np.random.default_rng(seed).uniform(0.5, 2.0, N)
    before, after = (run_engine(one, [params]).minutes for one in (case, case.with_prices(later)))
    seen = slice(0, bar + 1)
    np.testing.assert_array_equal(after.weights[seen], before.weights[seen])
    np.testing.assert_allclose(after.value[seen], before.value[seen], rtol=1e-12)
    np.testing.assert_allclose(after.reserves[seen], before.reserves[seen], rtol=1e-12)


@pytest.mark.parametrize("method", ["linear", "approx_optimal"])
def test_constant_weights_give_the_weighted_geometric_mean(method):
    @LAWFUL
    @given(seed=SEEDS)
    def check(seed):
        case, params = case_of(seed, pool=replace(POOL, weight_interpolation_method=method))
        still = {"absolute_k": np.zeros(N), "logit_lamb": params["logit_lamb"]}
        w = params["initial_weights"]
        found = run_engine(case, [still | {"initial_weights": w}])
        prices = case.prices[case.start_row :]
        wanted = 1e6 * np.prod((prices / prices[0]) ** w, axis=1)
        np.testing.assert_allclose(found.minutes.value[:, 0], wanted, rtol=1e-11)
        np.testing.assert_allclose(found.daily[:, 0], wanted[::1440], rtol=1e-11)
        np.testing.assert_allclose(found.day_end[:, 0], wanted[1439::1440], rtol=1e-11)

    check()


@LAWFUL
@given(seed=SEEDS, order=st.permutations(range(N)))
def test_permuting_tokens_permutes_the_results(seed, order):
    case, params = case_of(seed)
    found = run_engine(case, [params])
    other = run_engine(case.with_prices(case.prices[:, order]), [{name: p[order] for name, p in params.items()}])
    np.testing.assert_allclose(other.minutes.weights, found.minutes.weights[:, order], atol=1e-11)
    np.testing.assert_allclose(other.minutes.reserves, found.minutes.reserves[:, order], rtol=1e-10)
    np.testing.assert_allclose(other.daily, found.daily, rtol=1e-11)


@LAWFUL
@given(seed=SEEDS, exponent=st.floats(-4, 6))
def test_the_initial_value_scales_everything(seed, exponent):
    case, params = case_of(seed)
    factor = 10.0**exponent
    rich = replace(case, pool=replace(POOL, initial_pool_value=1e6 * factor))
    found, scaled = (run_engine(one, [params]).minutes for one in (case, rich))
    np.testing.assert_array_equal(scaled.weights, found.weights)
    np.testing.assert_allclose(scaled.value, found.value * factor, rtol=1e-12)


def test_value_is_reserves_at_prices_and_shares_are_weights():
    case, params = case_of(3)
    minutes = run_engine(case, [params]).minutes
    prices = case.prices[case.start_row :, :, None]
    np.testing.assert_allclose((minutes.reserves * prices).sum(axis=1), minutes.value, rtol=1e-12)
    np.testing.assert_allclose(minutes.shares, minutes.weights, rtol=1e-11)


def test_prices_that_stand_still_move_nothing():
    case, params = case_of(0)
    flat = case.with_prices(np.tile(FIRST_PRICES[:N], (len(case.prices), 1)))
    minutes = run_engine(flat, [params]).minutes
    np.testing.assert_allclose(minutes.weights[..., 0], np.tile(params["initial_weights"], (2880, 1)), rtol=1e-13)
    np.testing.assert_allclose(minutes.value, 1e6, rtol=1e-12)
