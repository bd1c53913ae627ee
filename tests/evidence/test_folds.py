"""Folds as dates, efficiency; what a fold is tuned on ends where its test begins."""

import math
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from momentum_opt.errors import ConfigError, StudyError
from momentum_opt.evidence.folds import check_blind, evaluation_fingerprint, folds_of, tuning_fingerprint
from momentum_opt.evidence.walk_forward import (
    CURVES,
    FoldDays,
    curve_findings,
    efficiency,
    fold_days,
    in_sample_error,
    joined,
)
from tests.sample_runs import smoke

WINDOW = ("window.start=2023-03-01", "window.end=2023-06-01", "window.test_end=2023-07-01")  # 122 days


def walking(*more: str):
    return smoke(*WINDOW, "walk_forward.train_days=40", "walk_forward.test_days=20", *more)


def test_rolling_folds():
    folds = folds_of(walking())
    assert [(fold.train_start, fold.test_start, fold.test_end) for fold in folds] == [
        (date(2023, 3, 1), date(2023, 4, 10), date(2023, 4, 30)),
        (date(2023, 3, 21), date(2023, 4, 30), date(2023, 5, 20)),
        (date(2023, 4, 10), date(2023, 5, 20), date(2023, 6, 9)),
        (date(2023, 4, 30), date(2023, 6, 9), date(2023, 6, 29)),
    ]
    assert [fold.counted_days for fold in folds] == [20, 20, 20, 20]
    assert [fold.name for fold in folds] == ["fold-01", "fold-02", "fold-03", "fold-04"]


def test_anchored_folds_keep_their_start():
    folds = folds_of(walking("walk_forward.anchored=true"))
    assert {fold.train_start for fold in folds} == {date(2023, 3, 1)}
    assert [fold.test_start for fold in folds] == [fold.test_start for fold in folds_of(walking())]


def test_overlapping_tests_count_each_day_once():
    folds = folds_of(walking("walk_forward.step_days=15"))
    assert [fold.counted_days for fold in folds] == [15, 15, 15, 15, 20]


@pytest.mark.parametrize("anchored", ["true", "false"])
def test_a_fold_is_tuned_on_its_train_days_alone(anchored: str):
    whole = walking(f"walk_forward.anchored={anchored}")
    for fold in folds_of(whole):
        plan = tuning_fingerprint(whole, fold, None)
        assert (plan.window.start, plan.last_day) == (fold.train_start, fold.test_start)
        assert plan.periods.test is None
        later = evaluation_fingerprint(whole, fold)
        assert (later.window.end, later.window.test_end) == (fold.test_start, fold.test_end)
        assert later.search == plan.search
        assert later.pool == plan.pool


def test_prices_that_reach_into_the_test_are_refused():
    fold = folds_of(walking())[0]
    check_blind(SimpleNamespace(end_ms=fold.test_start_ms), fold)
    with pytest.raises(StudyError, match="fold-01: its prices reach into its test"):
        check_blind(SimpleNamespace(end_ms=fold.test_start_ms + 60_000), fold)


def test_no_folds_named():
    with pytest.raises(ConfigError, match="walk_forward: missing; give walk_forward"):
        folds_of(smoke())


@pytest.mark.parametrize(
    ("inside", "outside", "error", "wanted"),
    [
        (2.0, 1.0, 1.9, 0.5), (2.0, -1.0, None, -0.5), (0.5, 0.25, 0.1, 0.5), (0.0, 1.0, 0.1, None),
        (-1.0, 1.0, 0.1, None), (0.01, 1.67, 1.0, None), (1.0, 1.0, 1.0, None), (math.nan, 1.0, 1.0, None),
    ],
)  # fmt: skip
def test_efficiency_of_a_fold(inside: float, outside: float, error: float | None, wanted: float | None):
    found = efficiency([inside], [outside], [error])
    assert (found.value, found.error) == (wanted, None)
    assert (found.reason is None) == (wanted is not None)


def test_efficiency_is_a_ratio_of_sums_with_its_standard_error():
    """Not the mean of ratios; its error is the spread of the ratio over many samples of folds."""
    found = efficiency([4.0, 1.0], [2.0, 2.0], [0.5, 0.5])
    assert found.value == pytest.approx(4.0 / 5.0, rel=1e-12)
    rng, n = np.random.default_rng(1), 40
    inside = rng.normal(5.0, 1.0, (4000, n))
    outside = 0.4 * inside + rng.normal(0.0, 1.5, (4000, n))
    ratios = outside.sum(axis=1) / inside.sum(axis=1)
    errors = [efficiency(one, other, [None] * n).error for one, other in zip(inside, outside, strict=True)]
    assert np.mean(errors) == pytest.approx(ratios.std(), rel=0.05)


def test_efficiency_names_the_folds_that_cannot_be_told_from_zero():
    found = efficiency([4.0, 0.3, -0.2, 5.0], [1.0, 1.0, 1.0, 1.0], [1.0, 0.4, 0.4, 1.0])
    assert found.reason == "in sample, folds 2, 3 cannot be told from zero (within one standard error)"
    assert efficiency([-4.0, 3.0], [1.0, 1.0], [1.0, 1.0]).reason == "the in-sample sum is not above zero"
    assert efficiency([4.0, -1.0], [1.0, 1.0], [0.5, 0.5]).value == pytest.approx(2.0 / 3.0)  # clearly below zero


@pytest.mark.parametrize("metric", ["daily_log_sharpe", "returns", "annualised_returns", "information_ratio"])
def test_the_standard_error_of_a_metric_is_its_spread_over_samples(metric: str):
    rng, days = np.random.default_rng(5), 200
    returns = rng.normal(0.001, 0.01, (4000, days))
    excess = rng.normal(0.002, 0.02, (4000, days))
    values = {
        "daily_log_sharpe": math.sqrt(365) * returns.mean(axis=1) / returns.std(axis=1),
        "information_ratio": math.sqrt(365) * excess.mean(axis=1) / excess.std(axis=1),
        "returns": np.exp(returns.sum(axis=1)) - 1,
        "annualised_returns": np.exp(returns.sum(axis=1) * 365 / days) - 1,
    }[metric]
    found = [in_sample_error(metric, one, other) for one, other in zip(returns, excess, strict=True)]
    assert np.mean(found) == pytest.approx(values.std(), rel=0.06)
    assert in_sample_error("max_drawdown", returns[0], excess[0]) is None
    assert in_sample_error("daily_log_sharpe", np.zeros(20), np.zeros(20)) is None


def test_the_days_of_a_fold_go_from_start_to_start_and_to_the_last_bar_of_its_test():
    """Four bars a day; days 2 to 4 are the test, and every baseline starts with it."""
    rng, start_row = np.random.default_rng(0), 8
    prices, times = rng.uniform(1.0, 2.0, (start_row + 20, 2)), 1_000 * np.arange(start_row + 20)
    value, constant = rng.uniform(1.0, 2.0, (2, 20))
    reserves = rng.uniform(1.0, 2.0, (20, 2))
    market = SimpleNamespace(bars_per_day=4, start_row=start_row, prices=prices, times_ms=times)
    replayed = SimpleNamespace(value=value, reserves=reserves, baselines={"constant_weight": constant})
    found = fold_days(replayed, market, (2, 5), 3)
    marks = np.array([8, 12, 16, 19])
    shown = prices[start_row + marks]
    wanted = {
        "pool": value[marks],
        "hodl": shown[:, 0] * reserves[8, 0] + shown[:, 1] * reserves[8, 1],
        "uniform_hodl": shown[:, 0] / shown[0, 0] + shown[:, 1] / shown[0, 1],
        "constant_weight": constant[marks],
    }
    assert found.returns.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found.returns[name], np.log(values[1:] / values[:-1]), rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(found.time_ms, times[start_row + marks[:3]])
    np.testing.assert_array_equal(found.fold, [3, 3, 3])


def days(count: int, fold: int, first: int) -> FoldDays:
    rng = np.random.default_rng(fold)
    times = (first + np.arange(count)) * 86_400_000
    return FoldDays(times, np.full(count, fold), {name: 0.01 * rng.standard_normal(count) for name in CURVES})


def test_the_joined_curve_is_the_product_of_the_days():
    one, other = days(20, 1, 0), days(20, 2, 15)
    whole = joined([(one, 15), (other, 20)])
    assert (np.diff(whole.time_ms) == 86_400_000).all()
    returns = np.concatenate([one.returns["pool"][:15], other.returns["pool"]])
    found = curve_findings(whole, "pool", draws=200, seed=0)
    value = np.cumprod(np.concatenate([[1.0], np.exp(returns)]))
    assert found.total_return == pytest.approx(value[-1] - 1, rel=1e-12)
    assert found.max_drawdown == pytest.approx(min(value / np.maximum.accumulate(value)) - 1, rel=1e-12)
    assert found.annual_sharpe == pytest.approx(np.sqrt(365) * returns.mean() / returns.std(), rel=1e-12)
    assert curve_findings(whole, "constant_weight", draws=10, seed=0).excess_probabilistic_sharpe is None
