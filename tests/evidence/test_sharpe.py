"""PSR, expected maximum and DSR: published examples, and what noise and skill come to."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from momentum_opt.evidence.moments import moments_of
from momentum_opt.evidence.sharpe import (
    deflated_sharpe_ratio,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe_ratio,
    required_sharpe,
    sharpe_error,
)
from tests.shared_data import golden, needs_shared

DAYS, STRATEGIES = 365, 150
PUBLISHED = golden("statistics.json") or {
    "expected_max_of_standard_normals": [],
    "probabilistic_sharpe_ratio": [],
    "deflated_sharpe_ratio": [],
}


@needs_shared
@pytest.mark.parametrize("case", PUBLISHED["expected_max_of_standard_normals"])
def test_published_expected_maximum(case):
    assert expected_maximum(case["n_trials"]) == pytest.approx(case["value"], rel=1e-9, abs=0)


@needs_shared
@pytest.mark.parametrize("case", PUBLISHED["probabilistic_sharpe_ratio"])
def test_published_probabilistic_sharpe_ratio(case):
    found = probabilistic_sharpe_ratio(
        case["sharpe"], case["skewness"], case["kurtosis"], case["n_observations"], case["benchmark_sharpe"]
    )
    assert found == pytest.approx(case["value"], rel=1e-9, abs=0)


@needs_shared
@pytest.mark.parametrize("case", PUBLISHED["deflated_sharpe_ratio"])
def test_published_deflated_sharpe_ratio(case):
    variance = case["variance_of_trial_sharpes"]
    assert expected_maximum(case["n_trials"], variance) == pytest.approx(case["expected_max_sharpe"], rel=1e-9, abs=0)
    found = deflated_sharpe_ratio(
        case["sharpe"], case["skewness"], case["kurtosis"], case["n_observations"], case["n_trials"], variance
    )
    assert found == pytest.approx(case["value"], rel=1e-9, abs=0)


@pytest.mark.parametrize("count", [10, 1_000, 100_000])
def test_the_expected_maximum_is_near_the_exact_one(count: int):
    """The mean of the largest of N normal draws by numerical integration; the formula is an asymptotic one."""
    exact, _ = integrate.quad(lambda x: x * count * stats.norm.pdf(x) * stats.norm.cdf(x) ** (count - 1), -10, 12)
    assert expected_maximum(count) == pytest.approx(exact, rel=0.03)


def test_one_candidate_needs_no_deflation():
    assert expected_maximum(1, 0.5) == 0.0
    assert deflated_sharpe_ratio(0.1, 0.0, 3.0, 400, 1, 0.01) == probabilistic_sharpe_ratio(0.1, 0.0, 3.0, 400)


@pytest.mark.parametrize(("count", "variance"), [(0, 1.0), (10, -1.0)])
def test_no_candidate_and_a_negative_variance_are_refused(count: int, variance: float):
    with pytest.raises(ValueError, match="must hold"):
        expected_maximum(count, variance)


def test_a_certain_return_is_certain():
    """Two observations of the largest possible skewness: the variance of the estimate reaches zero, not below."""
    assert probabilistic_sharpe_ratio(2.0, 1.0, 2.0, 10, 0.5) == 1.0
    assert math.isfinite(float(probabilistic_sharpe_ratio(2.0, 1.0, 2.0 - 1e-12, 10, 0.5)))


def deflated(returns: np.ndarray) -> float:
    """DSR of the best of many strategies, V from all of them: none was chosen by its result."""
    moments = moments_of(returns)
    best = int(moments.sharpe.argmax())
    own = (part[best] for part in (moments.sharpe, moments.skewness, moments.kurtosis))
    return float(deflated_sharpe_ratio(*own, len(returns), returns.shape[1], float(moments.sharpe.var())))


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((DAYS, STRATEGIES))


def test_pure_noise_is_called_skill_in_at_most_one_percent():
    rng = np.random.default_rng(5)
    share = np.mean([deflated(noise(rng)) >= 0.95 for _ in range(2_000)])
    assert share <= 0.01


def test_a_skilled_one_among_many_is_found():
    rng = np.random.default_rng(6)

    def with_skill() -> np.ndarray:
        returns = noise(rng)
        returns[:, 17] += 0.4
        return returns

    assert np.mean([deflated(with_skill()) >= 0.95 for _ in range(300)]) >= 0.95


@pytest.mark.slow
def test_a_rising_market_fools_absolute_returns_and_not_excess_ones():
    """Weights of a common factor with annual Sharpe 1.9, plus noise of their own; the baseline holds the factor."""
    rng = np.random.default_rng(7)
    absolute = excess = 0
    draws = 2_000
    for _ in range(draws):
        market = 1.9 / math.sqrt(365) + rng.standard_normal((DAYS, 1))
        returns = market + 0.5 * noise(rng)
        absolute += deflated(returns) >= 0.95
        excess += deflated(returns - market) >= 0.95
    assert excess / draws <= 0.01
    assert absolute / draws > 0.05  # what the verdict would come to without the baseline


@pytest.mark.parametrize(
    ("periods", "skewness", "kurtosis", "years"),
    [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_published_minimum_track_record(periods: int, skewness: float, kurtosis: float, years: float):
    """Bailey & López de Prado 2012: years until an annual Sharpe ratio of 2 is above 1 with 95 %."""
    found = minimum_track_record(2.0 / math.sqrt(periods), skewness, kurtosis, 1.0 / math.sqrt(periods), 0.95)
    assert found is not None
    assert round(found / periods, 2) == years


MOMENTS = [(0.0, 3.0), (-1.5, 9.0), (0.8, 4.2), (3.0, 30.0)]


@pytest.mark.parametrize(("skewness", "kurtosis"), MOMENTS)
@pytest.mark.parametrize("benchmark", [0.0, 0.12, -0.1])
@pytest.mark.parametrize("probability", [0.95, 0.5, 0.3, 0.999])
def test_the_required_sharpe_ratio_just_passes(skewness, kurtosis, benchmark, probability):
    """PSR, put back: at the required ratio it is what was required, and a larger ratio has a larger one."""
    least = required_sharpe(probability, skewness, kurtosis, 365, benchmark)
    assert least is not None
    assert probabilistic_sharpe_ratio(least, skewness, kurtosis, 365, benchmark) == pytest.approx(probability, rel=1e-9)
    assert probabilistic_sharpe_ratio(least + 0.01, skewness, kurtosis, 365, benchmark) > probability


def test_too_few_days_let_nothing_pass():
    """The standard error grows with the ratio: over three fat-tailed days PSR never comes near 0.999."""
    assert required_sharpe(0.999, 0.0, 30.0, 3) is None
    grid = np.linspace(0.0, 1e4, 100_001)
    assert probabilistic_sharpe_ratio(grid, 0.0, 30.0, 3).max() < 0.999


@pytest.mark.parametrize(("skewness", "kurtosis"), MOMENTS)
def test_the_track_record_just_suffices(skewness: float, kurtosis: float):
    days = minimum_track_record(0.2, skewness, kurtosis, 0.05, 0.95)
    assert days is not None
    assert probabilistic_sharpe_ratio(0.2, skewness, kurtosis, days, 0.05) == pytest.approx(0.95, rel=1e-9)
    assert minimum_track_record(0.05, skewness, kurtosis, 0.05, 0.95) is None


def test_the_standard_error_is_the_spread_of_the_ratio():
    rng = np.random.default_rng(2)
    returns = rng.standard_gamma(4.0, (20_000, 250)) - 3.0  # skewed, fat-tailed, S = 0.5
    spread = (returns.mean(axis=1) / returns.std(axis=1)).std()
    assert sharpe_error(0.5, 1.0, 4.5, 250) == pytest.approx(spread, rel=0.03)
