"""What a verdict could have found, beside what it found."""

import math

import pytest

from momentum_opt.evidence.detectable import detectable
from momentum_opt.evidence.sharpe import probabilistic_sharpe_ratio

YEAR = math.sqrt(365)


def test_both_numbers_are_solutions_of_the_first_rule():
    found = detectable(0.15, -0.3, 4.0, 305, 0.1, 0.95, "the 1.91 that the best of 292 candidates has without skill")
    assert found is not None
    assert found.required_annual_sharpe is not None
    assert found.required_observations is not None
    least = found.required_annual_sharpe / YEAR
    assert probabilistic_sharpe_ratio(least, -0.3, 4.0, 305, 0.1) == pytest.approx(0.95, rel=1e-9)
    days = found.required_observations
    assert probabilistic_sharpe_ratio(0.15, -0.3, 4.0, days, 0.1) == pytest.approx(0.95, rel=1e-9)
    assert found.words == (
        f"smallest annual excess Sharpe ratio that passes over these 305 days: {YEAR * least:.2f} (found: 2.87); "
        f"minimum track record length for 2.87: {math.ceil(days):,} days"
    )
    assert (found.annual_benchmark, found.annual_sharpe) == (pytest.approx(0.1 * YEAR), pytest.approx(0.15 * YEAR))


def test_a_ratio_below_the_benchmark_needs_no_days():
    found = detectable(0.05, 0.0, 3.0, 305, 0.1, 0.95, "the 1.91 that the best of 292 candidates has without skill")
    assert found is not None
    assert found.required_observations is None
    assert found.words.endswith(
        "; no track record is long enough for 0.96, which is not above the 1.91 that the best of 292 candidates has "
        "without skill"
    )


def test_nothing_passes_over_a_few_days():
    found = detectable(0.5, 0.0, 30.0, 3, 0.1, 0.999, "0")
    assert found is not None
    assert found.words.startswith("no annual excess Sharpe ratio passes over these 3 days; minimum track record")


def test_it_is_not_known_without_a_ratio_or_a_benchmark():
    assert detectable(None, None, None, 305, 0.1, 0.95, "0") is None
    assert detectable(0.1, 0.0, 3.0, 305, None, 0.95, "0") is None
