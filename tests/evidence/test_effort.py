"""How much evidence is gathered, and that fewer candidates never make a verdict laxer."""

import numpy as np
import pytest
from scipy.stats import chi2

from momentum_opt.evidence.effort import QUICK_RANDOM, quick_words, settings_for
from momentum_opt.evidence.statistics import upper_limit
from momentum_opt.study.trials import TrialRecord
from tests.sample_runs import smoke

COSTS = ("costs.fees=0.003", "evidence.random_baselines=1000")
PLENTY = ("evidence.plateau_draws=8", "evidence.heat_map=9")
FULL = 1000 + 3 * (2 + 4) * 8 + 9 * 9 * 3
"""Random candidates, clouds of two numbers and all at once in three radii, maps of three tokens."""


def records(count: int, points: int = 1) -> list[TrialRecord]:
    numbers = {"log_k": 1.0, "logit_lamb": 2.0}
    made = [TrialRecord(place, numbers, (1.0,), {}, {}, None, points=points) for place in range(count)]
    beside = TrialRecord(count, numbers, (1.0,), {}, {}, None, source="neighbourhood", points=10**6)
    return [*made, beside]


@pytest.mark.parametrize(("trials", "quick"), [(FULL - 1, True), (FULL, False)])
def test_quick_where_full_would_score_more_than_the_search(trials: int, quick: bool):
    fingerprint = smoke(*COSTS, *PLENTY)
    found = settings_for(fingerprint, records(trials))
    assert found.quick is quick
    assert (found.random_baselines, found.heat_map) == ((QUICK_RANDOM, 0) if quick else (1000, 9))
    assert found.plateau_draws == 8  # which the verdict reads
    assert found.verdict == fingerprint.evidence.verdict


def test_points_scored_without_costs_count_for_one():
    few, same = smoke(*COSTS, *PLENTY), smoke(*COSTS, *PLENTY, "search.proposals=same")
    assert few.proposes_without_costs
    assert settings_for(few, records(20, points=100)).quick
    assert not settings_for(same, records(20, points=100)).quick


def test_it_is_full_without_costs_and_what_is_asked_for_otherwise():
    assert settings_for(smoke(*PLENTY), records(1)).quick is False
    assert settings_for(smoke(*PLENTY, "evidence.quick=true"), records(10**4)).quick is True
    assert settings_for(smoke(*COSTS, "evidence.quick=false"), records(1)).quick is False
    assert settings_for(smoke("evidence.quick=true", "evidence.random_baselines=8"), records(1)).random_baselines == 8


def test_the_digest_does_not_depend_on_it():
    assert smoke("evidence.quick=true").digest == smoke().digest


def test_the_upper_limit_of_a_variance():
    """Above the true variance in 95 % of draws, by simulation; against scipy's own quantile."""
    count = QUICK_RANDOM
    assert upper_limit(count) == pytest.approx(count / chi2.ppf(0.05, count - 1), rel=1e-12)
    draws = np.random.default_rng(1).normal(0.0, 3.0, (20_000, count))
    covered = (draws.var(axis=1) * upper_limit(count) >= 9.0).mean()
    assert covered == pytest.approx(0.95, abs=0.006)
    assert 1.0 < upper_limit(1000) < upper_limit(250) < upper_limit(20)


def test_a_line_says_so():
    assert quick_words("random", 250) == (
        "quick evidence: 250 random candidates, no heat maps; the deflated Sharpe ratio counts their variance at its "
        "upper 95 % limit (--evidence full: more candidates)"
    )
