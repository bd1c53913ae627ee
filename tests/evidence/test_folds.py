"""Folds as dates; what a fold is tuned on ends where its test begins."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from momentum_opt.errors import ConfigError, StudyError
from momentum_opt.evidence.folds import check_blind, evaluation_fingerprint, folds_of, tuning_fingerprint
from momentum_opt.evidence.walk_forward import CURVES, FoldDays, curve_findings, efficiency, fold_days, joined
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
    ("inside", "outside", "wanted"),
    [(2.0, 1.0, 0.5), (2.0, -1.0, -0.5), (0.5, 0.25, 0.5), (0.0, 1.0, None), (-1.0, 1.0, None)],
)
def test_efficiency(inside: float, outside: float, wanted: float | None):
    assert efficiency(inside, outside) == wanted


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
