"""The rehearsal: its simulation against the oracle's minute loop, its contract against the model asked bar by bar."""

import math
from dataclasses import replace
from datetime import date
from functools import cache

import mpmath
import numpy as np
import pytest

from momentum_opt.errors import UsageError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market, load_market
from momentum_opt.onchain.contract import update
from momentum_opt.onchain.deploying import build_deployment
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import ONE, from_float
from momentum_opt.onchain.history import chunk_history
from momentum_opt.onchain.keeper import Keeper, schedule
from momentum_opt.onchain.path import contract_path
from momentum_opt.onchain.rehearsal import rehearse
from momentum_opt.onchain.resolution import factor_error, resolution
from momentum_opt.onchain.simulated import pool_value, simulated_weights
from tests.onchain.pools import START_MS, Given, given_pool
from tests.reference.minute_loop import Pool
from tests.shared_data import minute_prices, needs_shared
from tests.simulation_case import pool_fingerprint

HOURS = Pool(chunk_period=1440, bar_minutes=60, arb_frequency=60)
TOKENS = ("BTC", "ETH", "USDC")


def deployed(given: Given) -> Deployment:
    return build_deployment(given.params, given.fingerprint, given.history(START_MS))


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(Pool(chunk_period=360), id="zero cost"),
        pytest.param(
            Pool(chunk_period=4320, bar_minutes=60, arb_frequency=120), id="three days", marks=pytest.mark.slow
        ),
        pytest.param(replace(HOURS, fees=0.003, gas_cost=1.0), id="with costs", marks=pytest.mark.slow),
    ],
)
def test_the_simulation_against_the_minute_loop(pool: Pool):
    given = given_pool(pool, 3, 6)
    path = given.case.reference(given.params)
    weights = simulated_weights(given.fingerprint, given.market, given.params)
    np.testing.assert_allclose(weights, path.weights, atol=1e-13)
    np.testing.assert_allclose(pool_value(given.fingerprint, given.market, weights), path.value, rtol=1e-9)


def test_the_contract_path_is_the_model_asked_at_every_bar():
    given = given_pool(replace(HOURS, chunk_period=360), 4, 5)
    deployment = deployed(given)
    order = ("C", "A", "D", "B")
    times = [START_MS // 1000 + 21600 * number + 1850 for number in (1, 2, 4, 5, 9)]
    columns = [given.market.tokens.index(token) for token in order]
    mixed = replace(
        deployment,
        tokens=order,
        initial_weights=tuple(deployment.initial_weights[column] for column in columns),
        moving_averages=tuple(deployment.moving_averages[column] for column in columns),
        intermediates=tuple(deployment.intermediates[column] for column in columns),
        lamb=tuple(deployment.lamb[column] for column in columns),
        kappa=tuple(deployment.kappa[column] for column in columns),
    )
    path = contract_path(mixed.pool, mixed.settings, order, given.market, times)
    assert len(path.updates) == len(times)
    pool, due = mixed.pool, list(times)
    for bar, shown in enumerate(path.weights):
        now = START_MS // 1000 + 3600 * bar
        while due and due[0] <= now:
            closes = given.case.prices[given.case.start_row + (due[0] - START_MS // 1000) // 3600, columns]
            pool = update(pool, tuple(map(from_float, closes.tolist())), due.pop(0), mixed.settings).pool
        np.testing.assert_array_equal(shown[columns], [weight / ONE for weight in pool.motion.at(now)])


def test_the_schedule():
    on_time = schedule(100, 10, 145, Keeper())
    assert (on_time.times, on_time.missed) == ((100, 110, 120, 130, 140), ())
    assert schedule(100, 10, 145, Keeper(delay=6)).times == (106, 116, 126, 136)
    holey = schedule(0, 10, 100_000, Keeper(delay=3, miss=0.05, seed=1))
    assert sorted([*holey.times, *(time + 3 for time in holey.missed)]) == list(range(3, 100_000, 10))
    assert len(holey.missed) / 10_000 == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 10_000))
    assert holey == schedule(0, 10, 100_000, Keeper(delay=3, miss=0.05, seed=1))
    assert holey.missed != schedule(0, 10, 100_000, Keeper(delay=3, miss=0.05, seed=2)).missed


@pytest.mark.parametrize(
    ("keeper", "said"),
    [
        (Keeper(delay=86400), r"--delay: 86400 s does not lie from 0 to below"),
        (Keeper(delay=-1), "--delay: -1 s"),
        (Keeper(miss=1.0), "--miss: 1 is no share"),
        (Keeper(miss=math.nan), "--miss: nan is no share"),
    ],
)
def test_a_keeper_that_no_pool_has(keeper: Keeper, said: str):
    with pytest.raises(UsageError, match=said):
        keeper.check(86400)


def test_the_shares_add_up_to_the_gap():
    given = given_pool(HOURS, 3, 30)
    result = rehearse(given.params, given.fingerprint, deployed(given), given.market, Keeper(1800, 0.2, 3))
    assert list(result.shares) == ["arithmetic", "nine_decimals", "rails", "delay", "missed"]
    product = math.prod(1.0 + share.final_value for share in result.shares.values())
    assert product == pytest.approx(1.0 + result.gap.final_value, rel=1e-12)
    assert result.gap.largest_weight <= sum(share.largest_weight for share in result.shares.values()) + 1e-15
    assert result.shares["arithmetic"].largest_weight < 1e-6
    assert result.shares["missed"].largest_weight > 1e-3
    assert result.missed
    assert result.frozen == ()
    assert result.updates == 29 - len(result.missed)


def test_a_missed_update_lets_the_line_run_past_its_target():
    """Two tokens, one update: the target is reached after a day and passed on the second."""
    given = given_pool(HOURS, 2, 4, log_k=-3.0, logit_lamb=1.0, initial_weights=0.5)
    deployment = deployed(given)
    path = contract_path(deployment.pool, deployment.settings, ("A", "B"), given.market, [deployment.first_update])
    step = path.weights[48] - path.weights[24]
    assert np.abs(step).min() > 1e-5
    np.testing.assert_allclose(path.weights[72] - path.weights[48], step, atol=1e-12)


def test_days_at_a_rail_are_counted_and_attributed():
    """For four tokens and more a target may lie below the rail (SPEC §7): the line reaches it early and all stand."""
    given = given_pool(replace(HOURS, minimum_weight=0.08), 8, 30, seed=2)
    deployment = deployed(given)
    result = rehearse(given.params, given.fingerprint, deployment, given.market, Keeper())
    times = schedule(deployment.first_update, 86400, given.market.end_ms // 1000, Keeper()).times
    path = contract_path(deployment.pool, deployment.settings, deployment.tokens, given.market, times)
    ends = [(done.pool.motion, np.array(done.target), done.pool.motion.begin + 86400) for done in path.updates]
    cut = 1.1 * 86400 * 10**9
    short = [motion.begin for motion, target, end in ends if np.abs(motion.at(end) - target).max() > cut]
    assert set(result.frozen) >= set(short)
    assert short
    early = [motion for motion, _, end in ends if motion.at(end) == motion.at(end - 1) and any(motion.multipliers)]
    assert set(result.frozen) >= {motion.begin for motion in early}
    assert len(result.frozen) <= len(early) + 1
    assert result.shares["rails"].largest_weight > 1e-3


@pytest.mark.parametrize("lamb", [0.05, 0.9, 0.99, 0.9999, 0.99999, 0.999999])
def test_the_factors_error_against_high_precision(lamb: float):
    from momentum_opt.onchain.rule import gradient_factor

    decay = from_float(lamb)
    with mpmath.workdps(60):
        x = mpmath.mpf(decay) / ONE
        exact = (1 - x) ** 3 / x
        assert factor_error(decay) == pytest.approx(float(abs(gradient_factor(decay) / mpmath.mpf(ONE) / exact - 1)))


def test_a_decay_that_all_tokens_share_is_measured_for_each():
    deployment = deployed(given_pool(HOURS, 3, 3, logit_lamb=2.0))
    (lamb,) = deployment.lamb
    assert resolution(deployment, []).factor_error == dict.fromkeys(deployment.tokens, factor_error(lamb))


def test_resolution_warnings():
    """A decay near 1 loses digits of β; a small k loses whole steps."""
    given = given_pool(HOURS, 3, 12, log_k=[-6.0, 6.0, 6.0])
    near_one = replace(deployed(given), lamb=tuple(map(from_float, (0.3, 0.99999, 0.3))))
    result = rehearse(given.params, given.fingerprint, near_one, given.market, Keeper())
    warnings = list(result.resolution.warnings())
    assert any("λ of B is so near 1" in warning for warning in warnings)
    assert result.resolution.smallest_step == pytest.approx(8.64e-5)
    assert result.resolution.lost["A"] > 0.1
    assert result.resolution.lost["C"] < 1e-3  # its steps are thousands of the smallest one
    assert any("of what A was to move is lost" in warning for warning in warnings)
    assert not any("λ of A" in warning for warning in warnings)


@cache
def real_pool() -> tuple[Market, Fingerprint]:
    start, end = date(2022, 6, 1), date(2023, 7, 6)
    assert (end - start).days == 400
    market = load_market(minute_prices(), TOKENS, start=start, end=end, burn_in_days=365)
    return market, pool_fingerprint(Pool(), TOKENS, start, end)


@needs_shared
@pytest.mark.parametrize(
    ("k", "logit_lamb"),
    [
        (1.0, (0.0, 2.0, 3.0)),
        pytest.param(20.0, (2.0, 2.0, 2.0), marks=pytest.mark.slow),
        pytest.param(400.0, (-3.0, 1.0, 4.5), marks=pytest.mark.slow),
    ],
)
def test_on_real_prices_the_two_agree(k: float, logit_lamb: tuple[float, ...]):
    """BTC, ETH and USDC, 400 days: within 2e-3 in every weight for k per day of 1 and more (issue 6)."""
    market, fingerprint = real_pool()
    params = {"k": np.full(3, k), "logit_lamb": np.array(logit_lamb), "initial_weights_logits": np.ones(3)}
    deployment = build_deployment(params, fingerprint, chunk_history(market, 1440, market.start_ms))
    result = rehearse(params, fingerprint, deployment, market, Keeper())
    assert result.updates == 399
    assert result.gap.largest_weight < 2e-3
    assert result.gap.largest_value < 2e-3
    assert result.shares["arithmetic"].largest_weight < 1e-6


@pytest.mark.slow
@needs_shared
def test_on_real_prices_a_small_k_loses_its_steps_to_nine_decimals():
    market, fingerprint = real_pool()
    params = {"k": np.full(3, 0.003), "logit_lamb": np.full(3, 2.0), "initial_weights_logits": np.ones(3)}
    deployment = build_deployment(params, fingerprint, chunk_history(market, 1440, market.start_ms))
    result = rehearse(params, fingerprint, deployment, market, Keeper())
    share = result.shares["nine_decimals"]
    assert share.largest_weight == pytest.approx(result.gap.largest_weight, rel=0.05)
    assert result.resolution.lost["BTC"] > 0.1
    assert any("BTC was to move is lost" in warning for warning in result.resolution.warnings())
