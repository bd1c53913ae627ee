"""The oracle against closed forms and by hand, where the golden file is silent (SPEC §18 lists those places)."""

from dataclasses import replace
from math import e, prod

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.reference import arbitrage, estimator, rule
from tests.reference.metrics import all_metrics
from tests.reference.minute_loop import Pool, simulate, turnover, zero_cost_longdouble
from tests.reference.plan import burn_in_chunks, plan_weights, rule_k

Floats = NDArray[np.float64]


def random_prices(rows: int, n: int, seed: int = 0, volatility: float = 1e-3) -> Floats:
    moves = np.random.default_rng(seed).normal(0.0, volatility, (rows, n))
    return np.array([30000.0, 2000.0, 1.0, 20.0, 7.0, 0.3, 90.0, 1.5])[:n] * np.exp(np.cumsum(moves, axis=0))


STILL = {"absolute_k": 0.0, "logit_lamb": 2.0}
MOVING = {"log_k": 7.0, "logit_lamb": 2.0}
SHORT = Pool(chunk_period=60, max_memory_days=1.0)


@pytest.mark.parametrize("P", [1, 60, 1440, 10080])
@pytest.mark.parametrize("days", [0.01, 1.0, 365.0, 3650.0])
def test_decay_solves_its_cubic(days: float, P: int) -> None:
    lamb = estimator.decay(days, P)
    assert float(estimator.memory_days(lamb, P)) == pytest.approx(days, rel=1e-10)
    assert 0.0 < lamb < 1.0
    assert estimator.decay(0.0, P) == 0.0


def test_estimator_by_hand() -> None:
    states = estimator.estimate(np.array([[1.0], [2.0]]), np.array([0.5]), np.array([0.25]))
    assert states.ewma.tolist() == [[1.0], [1.5]]
    assert states.running_a.tolist() == [[0.0], [1.0]]
    assert states.gradients[1] == pytest.approx(1.0 / (4.0 * 1.5))
    assert states.rule_gradients[1] == pytest.approx(1.0 / (4.0 * 1.75))


def test_updates_sum_to_zero_and_skip_assets_without_k() -> None:
    g = np.array([0.3, -0.1, 0.2, 0.05])
    for k in (np.array([1.0, 2.0, 0.0, 5.0]), np.asarray(3.0)):
        assert rule.weight_update(k, g).sum() == pytest.approx(0.0, abs=1e-15)
    assert rule.weight_update(np.array([1.0, 2.0, 0.0, 5.0]), g)[2] == 0.0
    assert rule.weight_update(np.zeros(4), g).tolist() == [0.0] * 4
    np.testing.assert_allclose(rule.weight_update(np.asarray(3.0), g), 3.0 * (g - g.mean()), rtol=1e-14)


def test_target_may_fall_below_the_floor_by_the_stated_factor() -> None:
    n = 4
    floor = 0.1 / n
    w = np.full(n, 1 / n)
    high = 1.0 - (n - 1) * floor
    target = rule.guarded_target(w, np.array([high + floor, floor, floor, -high]) - w, floor)
    lowest = floor * (1 - floor) / ((n - 2) * (1 - (n - 1) * floor) + floor)
    assert lowest / floor == pytest.approx(0.52, abs=0.01)
    assert target.min() >= lowest - 1e-15
    assert target.sum() == pytest.approx(1.0, abs=1e-15)
    assert rule.guarded_target(np.full(3, 1 / 3), np.array([0.1, -0.1, 0.0]), 1 / 3) == pytest.approx(1 / 3)


def test_step_is_limited_per_row() -> None:
    d = rule.limited_step(np.array([0.5, 0.5]), np.array([0.9, 0.1]), 10, 0.01)
    np.testing.assert_allclose(d, [0.01, -0.01], rtol=1e-8)
    np.testing.assert_allclose(
        rule.limited_step(np.array([0.5, 0.5]), np.array([0.52, 0.48]), 10, 0.01), [0.002, -0.002]
    )


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_constant_weights_without_costs_give_the_geometric_mean(n: int) -> None:
    prices = random_prices(3001, n)
    path = simulate(prices, 1440, STILL, Pool(chunk_period=60))
    mean = np.prod((prices[1440:] / prices[1440]) ** (1 / n), axis=1)
    np.testing.assert_allclose(path.value, 1e6 * mean, rtol=1e-12)
    assert turnover(path, prices) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("method", ["linear", "approx_optimal"])
@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize("q", [1, 7])
def test_shares_are_the_weights_and_extended_precision_agrees(n: int, q: int, method: str) -> None:
    pool = Pool(
        chunk_period=60,
        weight_interpolation_period=45,
        weight_interpolation_method=method,
        max_memory_days=1.0,
        minimum_weight=0.02,
        initial_pool_value=5e4,
        arb_frequency=q,
    )
    prices = random_prices(4001, n)
    path = simulate(prices, 1500, MOVING, pool)
    shares = (path.reserves * prices[1500:] / path.value[:, None])[::q]
    np.testing.assert_allclose(shares, path.weights[::q], rtol=1e-11)
    np.testing.assert_allclose(path.weights.sum(axis=1), 1.0, rtol=1e-13)
    value, _ = zero_cost_longdouble(prices, 1500, MOVING, pool)
    np.testing.assert_allclose(value.astype(float), path.value, rtol=1e-12)
    assert path.value[0] == pytest.approx(5e4)
    held = path.reserves[np.arange(len(path.value)) // q * q]
    assert (path.reserves == held).all()


def test_chunks_of_several_days_and_a_broken_last_chunk() -> None:
    prices = random_prices(9 * 1440 + 77, 3)
    pool = Pool(chunk_period=2880)
    path = simulate(prices, 3 * 1440, MOVING, pool)
    assert burn_in_chunks(3 * 1440, pool) == 1
    assert path.gradients.shape == (3, 3)
    assert len(path.value) == 6 * 1440 + 77
    for u in (1, 2, 3):  # the update's own bar has not moved yet
        np.testing.assert_array_equal(path.weights[2880 * u : 2880 * u + 1], path.positions[u : u + 1])
    value, _ = zero_cost_longdouble(prices, 3 * 1440, MOVING, pool)
    np.testing.assert_allclose(value.astype(float), path.value, rtol=1e-12)


def test_turnover_by_hand() -> None:
    prices = np.array([[2.0, 4.0]] * 1441 + [[4.0, 4.0]])
    path = simulate(prices, 1440, STILL, Pool(gas_cost=1e9))
    assert turnover(path, prices) == pytest.approx(2 * (2 / 3 - 1 / 2))


def test_updates_use_prices_up_to_their_minute_and_move_the_weights_after_it() -> None:
    prices = random_prices(2000, 3)
    changed = prices.copy()
    changed[1440 + 120 :, 0] *= 1.5
    before, after = (simulate(p, 1440, MOVING, SHORT).weights for p in (prices, changed))
    assert (before[:121] == after[:121]).all()
    assert (before[121] != after[121]).any()
    assert (before[:60] == before[0]).all()


def test_longer_bars_follow_the_minute_grid_at_their_times() -> None:
    """Hourly bars move by d·60 per row and see the chunk prices that a minute grid with held prices sees."""
    hourly = random_prices(24 * 20, 3, volatility=5e-3)
    pool = Pool(chunk_period=240, weight_interpolation_period=120, max_memory_days=5.0, arb_frequency=60)
    by_hour = simulate(hourly, 24 * 7, MOVING, replace(pool, bar_minutes=60))
    by_minute = simulate(hourly.repeat(60, axis=0), 24 * 7 * 60, MOVING, pool)
    np.testing.assert_allclose(by_minute.weights[::60], by_hour.weights, rtol=1e-13)
    np.testing.assert_allclose(by_minute.value[::60], by_hour.value, rtol=1e-12)


def test_burn_in_is_whole_days_and_whole_chunks() -> None:
    assert burn_in_chunks(10 * 1440 + 700, Pool(chunk_period=2880)) == 5
    assert burn_in_chunks(10 * 1440 + 700, Pool(chunk_period=10080)) == 1
    assert burn_in_chunks(10 * 1440, Pool(chunk_period=60, max_memory_days=2.1)) == 72
    assert burn_in_chunks(10 * 24, Pool(chunk_period=60, max_memory_days=2.1, bar_minutes=60)) == 72
    plan = plan_weights(random_prices(12 * 1440, 2), 10 * 1440, MOVING, Pool(chunk_period=2880))
    assert plan.positions.shape == (1, 2)


def test_three_forms_of_k() -> None:
    lamb = np.array([0.5, 0.9])
    memory = estimator.memory_days(lamb, 1440)
    np.testing.assert_allclose(rule_k({"log_k": [1.0, 2.0]}, lamb, Pool()), [2.0, 4.0] * memory)
    np.testing.assert_allclose(rule_k({"k": [3.0, 5.0]}, lamb, Pool()), [3.0, 5.0] * memory)
    assert rule_k({"absolute_k": 7.0}, lamb, Pool()).tolist() == 7.0


def test_expm1_minus_has_no_seam() -> None:
    for x in (0.0999999, 0.1000001, -0.0999999, -0.1000001):
        assert arbitrage.expm1_minus(x) == pytest.approx(np.expm1(x) - x, rel=1e-13)
    assert arbitrage.expm1_minus(1.0) == pytest.approx(e - 2.0)
    assert arbitrage.expm1_minus(1e-9) == pytest.approx(5e-19, rel=1e-8)


def test_zero_fee_swap_lands_on_the_weights() -> None:
    reserves, prices, weights = [2.0, 30.0, 900.0], [500.0, 40.0, 1.0], [0.5, 0.3, 0.2]
    swap = arbitrage.zero_fee_swap(reserves, prices, weights)
    after = np.add(reserves, swap.changes)
    np.testing.assert_allclose(after * prices / (after @ prices), weights, rtol=1e-14)
    assert swap.profit == pytest.approx(-np.dot(swap.changes, prices), rel=1e-12)
    assert prod(after**weights) == pytest.approx(prod(np.power(reserves, weights)), rel=1e-14)


def test_best_pair_is_an_optimum_of_the_exact_in_swap() -> None:
    reserves, prices, weights, gamma = [2.0, 30.0, 900.0], [500.0, 40.0, 1.0], [0.5, 0.3, 0.2], 0.997
    swap = arbitrage.best_pair_swap(reserves, prices, weights, gamma)
    assert swap is not None
    i, j = int(np.argmax(swap.changes)), int(np.argmin(swap.changes))

    def profit(i: int, j: int, amount: float) -> float:
        out = arbitrage.exact_in_amount_out(reserves[i], reserves[j], weights[i], weights[j], amount, gamma)
        return out * prices[j] - amount * prices[i]

    assert swap.profit == pytest.approx(profit(i, j, swap.changes[i]), rel=1e-12)
    assert swap.profit == pytest.approx(-np.dot(swap.changes, prices), rel=1e-12)
    amounts = np.linspace(1e-3, 2.0, 400)
    others = [profit(i, j, share * reserves[i]) for i in range(3) for j in range(3) if i != j for share in amounts]
    assert max(others) <= swap.profit
    assert arbitrage.best_pair_swap([1.0, 1.0], [1.0, 1.0], [0.5, 0.5], gamma) is None


def test_costs_as_arrays_equal_costs_as_numbers() -> None:
    prices = random_prices(2400, 3)
    rows = 2400 - 1440
    numbers = Pool(
        chunk_period=60, fees=0.001, gas_cost=0.5, arb_fees=1e-4, noise_trader_ratio=1.0, protocol_fee_split=0.5
    )
    arrays = Pool(
        chunk_period=60,
        fees=np.full(rows, 0.001),
        gas_cost=np.full(rows, 0.5),
        arb_fees=np.full(rows, 1e-4),
        noise_trader_ratio=1.0,
        protocol_fee_split=0.5,
    )
    one, other = (simulate(prices, 1440, MOVING, pool) for pool in (numbers, arrays))
    assert (one.value == other.value).all()
    assert (one.fees_lp == other.fees_lp).all()
    assert one.fees_lp.sum() > 0
    # Half of the fees goes to the protocol; the providers' half comes with noise income of the same size (ν = 1).
    np.testing.assert_allclose(one.fees_lp, 2 * one.fees_protocol, rtol=1e-12)


def test_gas_that_no_trade_pays_for_holds_the_reserves() -> None:
    prices = random_prices(2000, 3)
    path = simulate(prices, 1440, MOVING, Pool(chunk_period=60, gas_cost=1e9))
    assert (path.reserves == path.reserves[0]).all()
    late = np.full(560, 1e9)
    late[300:] = 0.0
    path = simulate(prices, 1440, MOVING, Pool(chunk_period=60, gas_cost=late))
    assert (path.reserves[:300] == path.reserves[0]).all()
    np.testing.assert_allclose(
        path.reserves[300:] * prices[1740:] / path.value[300:, None], path.weights[300:], rtol=1e-12
    )


def test_zero_fee_through_the_cost_loop_equals_the_plain_loop() -> None:
    prices = random_prices(2400, 4)
    plain = simulate(prices, 1440, MOVING, SHORT)
    through = simulate(prices, 1440, MOVING, SHORT, lp_supply=np.ones(960))
    np.testing.assert_allclose(through.reserves, plain.reserves, rtol=1e-12)


def test_supply_scales_reserves_and_value() -> None:
    prices = random_prices(2400, 3)
    supply = np.where(np.arange(960) < 500, 100.0, 150.0)
    plain = simulate(prices, 1440, MOVING, SHORT)
    scaled = simulate(prices, 1440, MOVING, SHORT, lp_supply=supply)
    np.testing.assert_allclose(scaled.value, plain.value * supply / 100.0, rtol=1e-12)


@pytest.mark.parametrize("split", [0.0, 0.25])
def test_outside_swap_by_hand(split: float) -> None:
    prices = np.tile([2.0, 4.0], (1500, 1))
    pool = Pool(chunk_period=60, fees=0.01, protocol_fee_split=split, initial_pool_value=800.0)
    path = simulate(prices, 1440, STILL, pool, trades=[(10, 0, 1, 50.0)])
    assert path.reserves[9].tolist() == [200.0, 100.0]
    out = 100.0 * (1.0 - 200.0 / (200.0 + 0.99 * 50.0))
    np.testing.assert_allclose(path.reserves[10], [250.0 - 0.01 * split * 50.0, 100.0 - out], rtol=1e-14)
    assert path.fees_lp[10] == pytest.approx(0.01 * 50.0 * 2.0 * (1 - split))
    assert path.fees_protocol[10] == pytest.approx(0.01 * 50.0 * 2.0 * split)
    assert path.value[11] < path.value[10]  # an arbitrageur trades the pool back


def test_metrics_by_hand() -> None:
    values = np.array([100.0, 110.0, 99.0, 108.9])
    found = all_metrics(values, np.array([1.0, 50.0]), np.array([50.0, 1.0]), np.array([60.0, 1.0]), bars_per_day=1)
    assert found["returns"] == pytest.approx(0.089)
    assert found["returns_over_hodl"] == pytest.approx(108.9 / 110.0 - 1.0)
    assert found["max_drawdown"] == pytest.approx(-0.1)
    assert found["greatest_draw_down"] == pytest.approx(-0.01)
    assert found["cvar_95"] == pytest.approx(-0.1)
    assert found["sortino"] == pytest.approx(np.sqrt(365) * (0.1 / 3) / np.sqrt(0.01 / 3))
    assert found["daily_var_95%_trad"] == pytest.approx(-0.1 + 0.1 * 0.2)
    assert not np.isfinite(found["weekly_max_drawdown"])
    assert not np.isfinite(found["ulcer"])
