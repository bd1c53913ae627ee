"""What daily returns say about a winner, from block sums, against the same from the returns themselves (SPEC §13)."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from momentum_opt.evidence import statistics
from momentum_opt.evidence.overfitting import FEWEST_CANDIDATES, FEWEST_DAYS
from momentum_opt.evidence.sharpe import expected_maximum
from momentum_opt.evidence.statistics import LOGIT_BINS, histogram, sharpe_findings, sharpe_ratios
from momentum_opt.study.block_sums import Sums, block_sums, with_counts
from momentum_opt.vocabulary.limits import SMALLEST_STD

DAYS, BLOCKS = 10 * FEWEST_DAYS, 8
GENERATOR = np.random.default_rng(0)
BASELINE = 0.01 * GENERATOR.standard_normal(DAYS)
RETURNS = 0.001 + 0.02 * GENERATOR.standard_normal((DAYS, 2 * FEWEST_CANDIDATES))
RETURNS[:, 3] = 0.5 * SMALLEST_STD * (-1.0) ** np.arange(DAYS)  # varies by rounding alone
RETURNS[:, 4] = BASELINE


def sums_of(returns: np.ndarray) -> Sums:
    log_value = np.concatenate([np.zeros((1, returns.shape[1])), returns.cumsum(axis=0)])
    log_baseline = np.concatenate([[0.0], BASELINE.cumsum()])
    return with_counts(np.asarray(block_sums(jnp.asarray(log_value), jnp.asarray(log_baseline), BLOCKS)), len(returns))


def findings(returns: np.ndarray, competitors: np.ndarray = RETURNS, others: np.ndarray = RETURNS[:, 5:], **more):
    options = {"n_candidates": 50, "excess": False, "blocks": BLOCKS, "draws": 50, "seed": 0}
    return sharpe_findings(returns, sums_of(competitors), sums_of(others), **{**options, **more})


@pytest.mark.parametrize(("excess", "still"), [(False, 3), (True, 4)])
def test_ratios_are_of_all_days_without_those_that_do_not_vary(excess: bool, still: int):
    series = np.delete(RETURNS - excess * BASELINE[:, None], still, axis=1)
    found = sharpe_ratios(sums_of(RETURNS), excess=excess)
    np.testing.assert_allclose(found, series.mean(axis=0) / series.std(axis=0), rtol=1e-9)


def test_the_winner_is_measured_against_the_luck_of_all_candidates():
    winner, others = RETURNS[:, 0], RETURNS[:, 5:]
    found = findings(winner)
    ratio = winner.mean() / winner.std()
    variance = (others.mean(axis=0) / others.std(axis=0)).var()
    assert (found.n_observations, found.reasons) == (DAYS, {})
    assert found.sharpe == pytest.approx(ratio, rel=1e-12)
    assert found.annual_sharpe == pytest.approx(ratio * np.sqrt(365.0), rel=1e-12)
    assert found.variance == pytest.approx(variance, rel=1e-9)
    assert found.expected_maximum == pytest.approx(float(expected_maximum(50, variance)), rel=1e-9)
    skewness, kurtosis = stats.skew(winner), stats.kurtosis(winner, fisher=False)
    spread = np.sqrt((1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2) / (DAYS - 1))
    assert found.probabilistic_sharpe == pytest.approx(stats.norm.cdf(ratio / spread), rel=1e-9)
    assert found.deflated_sharpe == pytest.approx(stats.norm.cdf((ratio - found.expected_maximum) / spread), rel=1e-9)
    assert found.interval is not None
    assert found.overfitting is not None
    assert (found.overfitting.n_candidates, found.overfitting.n_halves) == (RETURNS.shape[1], 70)
    assert sum(found.overfitting.logits.counts) == 70
    assert len(found.overfitting.logits.counts) == LOGIT_BINS == 40


def test_of_many_candidates_some_evenly_spaced_compete(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statistics, "MOST_CANDIDATES", FEWEST_CANDIDATES)
    places = np.linspace(0, RETURNS.shape[1] - 1, FEWEST_CANDIDATES).round().astype(int)
    assert places[-1] == RETURNS.shape[1] - 1
    wanted = findings(RETURNS[:, 0], competitors=RETURNS[:, places]).overfitting
    assert findings(RETURNS[:, 0]).overfitting == wanted


def test_what_is_missing_is_named():
    still = findings(RETURNS[:, 3])
    assert (still.sharpe, still.annual_sharpe, still.probabilistic_sharpe, still.interval) == (None,) * 4
    assert still.reasons == {"sharpe": "the returns do not vary"}
    alone = findings(RETURNS[:, 0], others=RETURNS[:, 3:5])
    assert (alone.variance, alone.expected_maximum, alone.deflated_sharpe) == (None,) * 3
    assert list(alone.reasons) == ["deflated_sharpe"]
    few = findings(RETURNS[:, 0], competitors=RETURNS[:, : FEWEST_CANDIDATES - 1])
    assert few.overfitting is None
    assert list(few.reasons) == ["overfitting"]
    assert findings(RETURNS[:, 0], missing="gone").reasons == {"overfitting": "gone"}


def test_of_too_many_candidates_an_even_choice_is_taken(monkeypatch: pytest.MonkeyPatch):
    last, steps = RETURNS.shape[1] - 1, FEWEST_CANDIDATES - 1
    chosen = [round(last * step / steps) for step in range(steps + 1)]
    assert (chosen[0], chosen[-1]) == (0, last)
    wanted = findings(RETURNS[:, 0], competitors=RETURNS[:, chosen]).overfitting
    assert wanted != findings(RETURNS[:, 0]).overfitting
    monkeypatch.setattr("momentum_opt.evidence.statistics.MOST_CANDIDATES", FEWEST_CANDIDATES)
    assert findings(RETURNS[:, 0]).overfitting == wanted


def test_a_histogram_counts_in_equal_steps():
    found = histogram(np.array([0.0, 1.0, 1.5, 4.0]), 4)
    assert found.edges == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert found.counts == (1, 2, 0, 1)
