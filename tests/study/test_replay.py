"""Replay against the golden numbers and, slice by slice, against the oracle; baselines; no look-ahead."""

from datetime import date, timedelta
from functools import cache
from math import ceil

import numpy as np
import pytest

from momentum_opt.errors import ParamsError
from momentum_opt.market import Market
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.replay import BASELINES, replay
from momentum_opt.vocabulary.metrics import METRICS
from tests.reference import golden_cases
from tests.reference.golden_cases import CASES
from tests.reference.minute_loop import Pool
from tests.reference.minute_loop import simulate as reference
from tests.shared_data import needs_shared
from tests.simulation.cases import START, Case, random_params
from tests.simulation_case import pool_fingerprint, with_initial_weights
from tests.study.slices_oracle import constant_weight_path, slice_metrics

ZERO_COST = [
    name for name, entry in CASES.items() if not entry["case"].get("fees") and not entry["case"].get("gas_cost")
]
each_golden = pytest.mark.parametrize("name", ZERO_COST)


@cache
def golden_inputs(name):
    case, expected = CASES[name]["case"], CASES[name]["expected"]
    loaded = golden_cases.load(name)
    dates = (date.fromisoformat(case["start"]), date.fromisoformat(case["end"]))
    whole = {"val_fraction": 0.0}
    fingerprint = pool_fingerprint(loaded.pool, tuple(expected["order"]), *dates, optimisation_settings=whole)
    days = min(case["burn_in_days"], ceil(loaded.pool.max_memory_days))
    market = Market(fingerprint.tokens, 1, 0, loaded.prices, loaded.start_row, days, ())
    return fingerprint, market, with_initial_weights(loaded.params, len(fingerprint.tokens))


@cache
def golden_replay(name):
    """One replay per case for all tests of this file."""
    return replay(*golden_inputs(name))


def assert_golden_metrics(found, name, names=None):
    for metric, wanted in CASES[name]["expected"]["metrics"].items():
        if names is not None and metric not in names:
            continue
        if wanted is None:
            assert not np.isfinite(found[metric]), metric
        else:
            np.testing.assert_allclose(found[metric], wanted, rtol=1e-6, err_msg=metric)


@needs_shared
def test_there_are_nine_golden_cases_without_costs():
    assert len(ZERO_COST) == 9


@needs_shared
@each_golden
@pytest.mark.golden
def test_golden_values_and_reserves(name):
    found, expected = golden_replay(name), CASES[name]["expected"]
    assert found.value.shape == (expected["minutes"],)
    for quantity in ("value", "reserves"):
        rows = getattr(found, quantity)
        np.testing.assert_allclose(rows[::1440], expected[f"daily_{quantity}"], rtol=1e-9)
        np.testing.assert_allclose(rows[-1], expected[f"final_{quantity}"], rtol=1e-9)
    np.testing.assert_allclose(found.value[::360][:40], expected["six_hour_value"], rtol=1e-9)
    np.testing.assert_allclose(found.value[1440:1560], expected["minute_value_day2"], rtol=1e-9)


@needs_shared
@each_golden
@pytest.mark.golden
def test_golden_weights(name):
    found, expected = golden_replay(name), CASES[name]["expected"]
    np.testing.assert_allclose(found.weights[::1440], expected["daily_weights"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.weights[-1], expected["final_weights"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.weights[1440:1470], expected["minute_weights_day2"], rtol=0, atol=1e-9)


@needs_shared
@each_golden
@pytest.mark.golden
def test_golden_metrics(name):
    assert set(CASES[name]["expected"]["metrics"]) <= set(METRICS)
    assert_golden_metrics(golden_replay(name).metrics["train"], name)


@needs_shared
@pytest.mark.parametrize("name", [name for name in ZERO_COST if name.endswith(("daily_3", "hourly", "optimal", "5"))])
@pytest.mark.golden
def test_the_tunes_path_agrees(name):
    """Golden metrics from day boundaries alone, and the objective as the replay has it."""
    fingerprint, market, params = golden_inputs(name)
    scores = Evaluator(fingerprint, market, batch_size=2).score([params])
    train = {metric: values[0] for metric, values in scores.train.items()}
    assert_golden_metrics(train, name, set(train))
    np.testing.assert_allclose(scores.objectives[0], golden_replay(name).objectives, rtol=1e-9)


# 35 train days, 11 of validation, 9 of test: each slice with its own first reserves, months and weeks.
DAYS, TRAIN, VALIDATION, TEST = 46, (0, 35), (35, 46), (46, 55)
SLICED = Case.random(Pool(chunk_period=480, weight_interpolation_period=300, max_memory_days=3.0), 3, 55, history=4)
PARAMS = random_params(3, SLICED.pool.floor(3), 1)


EXCHANGE_COST = 3e-4


def sliced_fingerprint(**keys):
    keys = {"baselines": {"exchange_cost": EXCHANGE_COST}, **keys}
    return SLICED.fingerprint(DAYS, 0.24, endTestDateString=f"{START + timedelta(days=55)} 00:00:00", **keys)


@cache
def sliced():
    return replay(sliced_fingerprint(), SLICED.market, PARAMS)


@cache
def sliced_reference():
    return SLICED.reference(PARAMS)


@pytest.mark.parametrize(("period", "days"), [("train", TRAIN), ("validation", VALIDATION), ("test", TEST)])
@pytest.mark.slow
def test_every_metric_of_every_slice_is_the_oracles(period, days):
    still = constant_weight_path(SLICED, PARAMS["initial_weights"])
    wanted = slice_metrics(SLICED, sliced_reference(), days, constant_weight=still, exchange_cost=EXCHANGE_COST)
    found = sliced().metrics[period]
    assert list(found) == list(METRICS)
    for name in METRICS:
        if np.isfinite(wanted[name]):
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-8, atol=1e-12, err_msg=name)
        else:
            assert not np.isfinite(found[name]), name


def test_periods_come_in_the_order_of_time():
    assert list(sliced().metrics) == list(sliced().baseline_metrics) == ["train", "validation", "test"]


def test_test_days_need_not_be_there():
    found = replay(SLICED.fingerprint(4), SLICED.market, PARAMS)
    assert list(found.metrics) == ["train"]
    assert found.value.shape == (4 * 1440,)
    np.testing.assert_allclose(found.value, sliced().value[: 4 * 1440], rtol=1e-12)


def rebalanced_value(prices):
    """V^R of SPEC §10, bar by bar: the pool's weights, held by trading on an exchange."""
    shown = sliced_reference().weights
    path = [1e6]
    for t in range(len(prices) - 1):
        worth = shown[t] * prices[t + 1] / prices[t]
        paid = EXCHANGE_COST * np.abs(shown[t + 1] - worth / worth.sum()).sum()
        path.append(path[-1] * worth.sum() * (1.0 - paid))
    return np.array(path)


def test_flows_are_those_of_every_step():
    path, prices = sliced_reference(), SLICED.prices[SLICED.start_row :]
    wanted = {
        "turnover": 0.5 * np.abs(np.diff(path.weights, axis=0)).sum(axis=1),
        "volume": 0.5 * (np.abs(np.diff(path.reserves, axis=0)) * prices[1:]).sum(axis=1),
        "fees_earned": np.zeros(len(prices) - 1),
    }
    assert sliced().flows.keys() == wanted.keys()
    for name, steps in wanted.items():
        assert sliced().flows[name][0] == 0.0
        np.testing.assert_allclose(sliced().flows[name][1:], steps, rtol=1e-7, atol=1e-13 * 1e6, err_msg=name)
        np.testing.assert_allclose(sliced().flows[name].sum(), steps.sum(), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(("period", "days"), [("train", TRAIN), ("validation", VALIDATION), ("test", TEST)])
def test_the_log_return_splits_without_rest(period, days):
    rows = slice(days[0] * 1440, days[1] * 1440)
    path, prices = sliced_reference(), SLICED.prices[SLICED.start_row :]
    value, held = path.value[rows], prices[rows] @ path.reserves[rows][0]
    exchanged = rebalanced_value(prices)[rows]
    parts = sliced().decomposition[period]
    assert parts["total"] == pytest.approx(np.log(value[-1] / value[0]), rel=1e-9, abs=1e-12)
    assert parts["hodl"] == pytest.approx(np.log(held[-1] / held[0]), rel=1e-9, abs=1e-12)
    assert parts["weights"] == pytest.approx(np.log(exchanged[-1] / exchanged[0] / (held[-1] / held[0])), abs=1e-11)
    assert parts["lvr"] == pytest.approx(np.log(exchanged[-1] / exchanged[0] / (value[-1] / value[0])), abs=1e-11)
    assert parts["hodl"] + parts["weights"] - parts["lvr"] == pytest.approx(parts["total"], abs=1e-12)
    assert parts["fees"] == 0.0


def test_baselines_start_with_the_pools_money():
    prices = SLICED.prices[SLICED.start_row :]
    weights = PARAMS["initial_weights"]
    wanted = {
        "hodl": prices @ (weights * 1e6 / prices[0]),
        "uniform_hodl": 1e6 * (prices / prices[0]).mean(axis=1),
        "constant_weight": 1e6 * np.prod((prices / prices[0]) ** weights, axis=1),
        "rebalanced": rebalanced_value(prices),
    }
    assert tuple(sliced().baselines) == BASELINES == tuple(wanted)
    for name, curve in wanted.items():
        np.testing.assert_allclose(sliced().baselines[name], curve, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize(("period", "days"), [("validation", VALIDATION), ("test", TEST)])
def test_baselines_start_anew_with_their_period(period, days):
    rows = slice(days[0] * 1440, days[1] * 1440)
    prices = SLICED.prices[SLICED.start_row :][rows]
    reserves = sliced_reference().reserves[rows][0]
    hodl = prices @ reserves
    ratios = {
        "hodl": hodl[-1] / hodl[0],
        "uniform_hodl": (prices[-1] / prices[0]).mean(),
        "constant_weight": np.prod((prices[-1] / prices[0]) ** PARAMS["initial_weights"]),
    }
    found = sliced().baseline_metrics[period]
    for name, ratio in ratios.items():
        np.testing.assert_allclose(found[name]["returns"], ratio - 1.0, rtol=1e-9, err_msg=name)
    daily = np.diff(np.log(hodl[::1440] + 1e-12))
    sharpe = np.sqrt(365) * daily.mean() / (daily.std() + 1e-8)
    np.testing.assert_allclose(found["hodl"]["daily_log_sharpe"], sharpe, rtol=1e-9)
    fall = (hodl / np.maximum.accumulate(hodl) - 1.0).min()
    np.testing.assert_allclose(found["hodl"]["max_drawdown"], fall, rtol=1e-9)


@pytest.mark.parametrize("minute", [479, 480, 20_000, 50_400])
def test_no_weight_looks_ahead(minute):
    """Other prices after minute t: not one bit of a weight up to and including t changes."""
    later = SLICED.prices.copy()
    later[SLICED.start_row + minute + 1 :] *= [1.5, 0.6, 1.2]
    changed = replay(sliced_fingerprint(), SLICED.with_prices(later).market, PARAMS)
    np.testing.assert_array_equal(changed.weights[: minute + 1], sliced().weights[: minute + 1])
    np.testing.assert_allclose(changed.value[: minute + 1], sliced().value[: minute + 1], rtol=1e-12)
    assert (changed.weights[minute + 1 :] != sliced().weights[minute + 1 :]).any()


def test_prices_after_the_window_are_ignored():
    longer = SLICED.with_prices(np.vstack([SLICED.prices, SLICED.prices[-100:]]))
    found = replay(sliced_fingerprint(), longer.market, PARAMS)
    np.testing.assert_array_equal(found.value, sliced().value)


def test_parameters_that_cannot_run_are_refused():
    with pytest.raises(ParamsError, match=r"initial weight of B is 0\.005, below minimum_weight"):
        replay(sliced_fingerprint(), SLICED.market, PARAMS | {"initial_weights": np.array([0.99, 0.005, 0.005])})


def test_hourly_bars_are_replayed_like_the_oracle():
    """Metrics and days follow the bar: D = 24."""
    settings = Pool(chunk_period=240, max_memory_days=5.0, bar_minutes=60, arb_frequency=60)
    case = Case.random(settings, 3, 16, history=6)
    found = replay(case.fingerprint(), case.market, PARAMS)
    path = reference(case.prices, case.start_row, PARAMS, settings)
    np.testing.assert_allclose(found.value, path.value, rtol=1e-10)
    wanted = slice_metrics(case, path, (0, 16), constant_weight=constant_weight_path(case, PARAMS["initial_weights"]))
    for name in METRICS:
        if np.isfinite(wanted[name]):
            np.testing.assert_allclose(found.metrics["train"][name], wanted[name], rtol=1e-8, err_msg=name)
        else:
            assert not np.isfinite(found.metrics["train"][name]), name
