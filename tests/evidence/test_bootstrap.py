"""The bootstrap interval: block lengths of another implementation, resampling against its definition, coverage."""

import numpy as np
import pytest

from momentum_opt.evidence.bootstrap import (
    _blocks,
    _cut_off,
    _influence,
    _long_run_variance,
    _studentised,
    block_length,
    sharpe_interval,
)


def autoregressive(phi: float, days: int, count: int, seed: int) -> np.ndarray:
    """(day, series) with unit variance and mean zero, settled before the first day."""
    shocks = np.random.default_rng(seed).standard_normal((days + 50, count))
    series = np.zeros_like(shocks)
    for day in range(1, len(shocks)):
        series[day] = phi * series[day - 1] + shocks[day]
    return series[50:] * np.sqrt(1.0 - phi**2)


@pytest.mark.parametrize(
    ("phi", "days", "seed", "length"),
    [
        (0.1, 730, 0, 2.6209526869362634),
        (0.6, 730, 1, 12.962371597363843),
        (-0.3, 400, 2, 6.819146244273072),
        (0.0, 365, 3, 1.3359808806673013),
        (0.9, 1500, 4, 40.19230464316329),
    ],
)
def test_block_lengths_are_those_of_the_package_arch(phi: float, days: int, seed: int, length: float):
    """`optimal_block_length(series)["stationary"]` of arch 8.0.0, on the same series."""
    shocks = np.random.default_rng(seed).standard_normal(days)
    series = np.zeros(days)
    for day in range(1, days):
        series[day] = phi * series[day - 1] + shocks[day]
    assert block_length(series) == pytest.approx(length, rel=1e-12)


def test_block_lengths_do_not_depend_on_the_unit():
    series = autoregressive(0.6, 730, 1, 1)[:, 0]
    assert block_length(0.01 * series) == pytest.approx(block_length(series), rel=1e-9)


@pytest.mark.parametrize(("days", "longest"), [(20, 7), (100, 30), (400, 60)])
def test_a_block_is_at_most_three_roots_of_the_days_and_a_third_of_them(days: int, longest: int):
    """⌈min(3√T, T/3)⌉, for a wave of eight days, whose autocovariances almost cancel: G²/D asks for longer ones."""
    assert block_length(np.cos(np.pi / 4.0 * np.arange(days))) == longest
    assert block_length(np.arange(7.0)) == 1.0


def test_the_long_run_variance_of_an_average_of_neighbours():
    """x_t + θ x_(t−1) has (1 + θ)²; at θ = −1 it has none, and a twentieth of R(0) is left."""
    shocks = np.random.default_rng(4).standard_normal(20_001)
    for theta in (0.5, 0.0, -0.5):
        assert _long_run_variance(shocks[1:] + theta * shocks[:-1]) == pytest.approx((1.0 + theta) ** 2, rel=0.06)
    apart = np.diff(shocks)
    assert _long_run_variance(apart) == pytest.approx(0.05 * apart.var(), rel=1e-12)


def test_the_cut_off_is_where_a_run_of_insignificant_lags_begins_or_the_last_significant_one():
    """Of 100 days an autocorrelation counts from 2·√(2/100) = 0.283 on."""
    quiet, loud = 0.28, -0.29
    assert _cut_off(np.array([1.0, loud, quiet, loud, *[quiet] * 5, loud]), 100, 5) == 4
    assert _cut_off(np.array([1.0, loud, quiet, quiet, loud, quiet, quiet]), 100, 5) == 4
    assert _cut_off(np.array([1.0, quiet, quiet, quiet]), 100, 5) == 3


def test_the_blocks_of_a_draw_cover_the_days_and_have_the_asked_mean_length():
    starts, lengths = _blocks(730, 6.0, 2_000, np.random.default_rng(0))
    assert (lengths.sum(axis=1) == 730).all()
    assert starts.min() == 0
    assert starts.max() == 729
    whole = [row[row > 0][:-1] for row in lengths]  # the last one is cut
    assert np.concatenate(whole).mean() == pytest.approx(6.0, rel=0.02)


def test_a_draw_is_the_series_that_its_blocks_spell_out():
    """t = (S* − S)/s* from running sums against the same blocks laid out day by day."""
    returns = 0.05 + autoregressive(0.2, 120, 1, 3)[:, 0]
    scaled, sharpe = (returns - returns.mean()) / returns.std(), float(returns.mean() / returns.std())
    found = _studentised(scaled, sharpe, 4.0, draws=50, rng=np.random.default_rng(9))
    starts, lengths = _blocks(120, 4.0, 50, np.random.default_rng(9))
    for draw in range(50):
        pieces = [
            returns[np.arange(first, first + days) % 120]
            for first, days in zip(starts[draw], lengths[draw], strict=True)
        ]
        series = np.concatenate(pieces)
        ratio = series.mean() / series.std()
        parts = [_influence((piece - series.mean()) / series.std(), ratio).sum() for piece in pieces]
        error = np.sqrt(np.square(parts).sum()) / 120
        assert found[draw] == pytest.approx((ratio - sharpe) / error, rel=1e-9)


def test_the_same_seed_gives_the_same_interval():
    returns = 0.02 * autoregressive(0.1, 300, 1, 1)[:, 0]
    one, other = (sharpe_interval(returns, draws=300, seed=5) for _ in range(2))
    assert one == other
    assert one is not None
    assert one.low < returns.mean() / returns.std() < one.high


def test_the_share_of_draws_that_are_not_positive():
    """Next to a normal distribution of the ratio with the error √((1 + S²/2)/T) of independent normal returns."""
    for ratio, wanted in ((1.0, 0.0), (0.0, 0.5), (-1.0, 1.0)):
        normal = np.random.default_rng(8).standard_normal(400)
        found = sharpe_interval((normal - normal.mean()) / normal.std() + ratio, draws=400, seed=5)
        assert found is not None
        assert found.not_positive == pytest.approx(wanted, abs=0.1)


def test_it_does_not_depend_on_the_unit():
    returns = autoregressive(0.1, 300, 1, 2)[:, 0]
    one, other = (sharpe_interval(scale * returns, draws=300, seed=5) for scale in (1.0, 1e-4))
    assert one is not None
    assert other is not None
    assert one.low == pytest.approx(other.low, rel=1e-9)
    assert one.block_length == pytest.approx(other.block_length, rel=1e-9)


def test_too_few_days_and_a_constant_have_none():
    assert sharpe_interval(np.random.default_rng(0).standard_normal(29), draws=10, seed=0) is None
    assert sharpe_interval(np.full(100, 0.001), draws=10, seed=0) is None


def test_blocks_of_series_that_give_no_length():
    assert block_length(np.arange(7.0)) == 1.0
    assert block_length(np.full(50, 0.25)) == 1.0


def covered(count: int, draws: int) -> float:
    """Share of AR(1) series, φ = 0.1, 730 days, whose interval holds the true ratio of 0.05 per day."""
    series = autoregressive(0.1, 730, count, 11) + 0.05
    found = [sharpe_interval(np.ascontiguousarray(one), draws=draws, seed=place) for place, one in enumerate(series.T)]
    return float(np.mean([one is not None and one.low <= 0.05 <= one.high for one in found]))


def test_the_interval_covers_the_true_ratio():
    assert 0.90 <= covered(200, 300) <= 0.99


@pytest.mark.slow
def test_the_interval_covers_the_true_ratio_of_2000_series():
    assert 0.92 <= covered(2_000, 400) <= 0.97
