"""A winner among the candidates of several searches, against the statistics of one search that scored them all."""

import numpy as np
import pytest

from momentum_opt.evidence.detectable import detectable
from momentum_opt.evidence.findings import CandidateCounts, Findings, NonAdaptiveFindings, SharpeFindings
from momentum_opt.evidence.statistics import MOST_CANDIDATES, pooled_overfitting, sharpe_findings
from momentum_opt.evidence.together import among_all, pooled, share_of
from momentum_opt.evidence.verdict import verdict
from tests.evidence.test_overfitting import plainly
from tests.evidence.test_statistics import BASELINE, BLOCKS, DAYS, sums_of
from tests.evidence.test_verdict import PLATEAU, VALIDATION
from tests.sample_runs import smoke

SETTINGS = smoke().evidence
ONE, OTHER = 0.0005 + 0.02 * np.random.default_rng(1).standard_normal((2, DAYS, 15))
WINNER = ONE[:, 0] + 0.002


def said(competitors: np.ndarray, n: int, *, excess: bool) -> SharpeFindings:
    returns = WINNER - BASELINE if excess else WINNER
    return sharpe_findings(
        returns,
        sums_of(competitors),
        sums_of(ONE[:, 5:]),
        n_candidates=n,
        excess=excess,
        blocks=BLOCKS,
        draws=20,
        seed=0,
    )


def found(competitors: np.ndarray, n: int) -> Findings:
    excess = said(competitors, n, excess=True)
    return Findings(
        trial=3,
        settings={},
        candidates=CandidateCounts(n, 0, 0, n),
        excess=excess,
        absolute=said(competitors, n, excess=False),
        non_adaptive=NonAdaptiveFindings("random", 0, 0, ()),
        plateau=PLATEAU,
        verdict=verdict(excess, PLATEAU, VALIDATION, n, SETTINGS.verdict),
        seconds=0.0,
    )


def test_it_is_what_one_search_of_all_candidates_says():
    everything = np.concatenate([ONE, OTHER], axis=1)
    overfittings = pooled([sums_of(ONE), sums_of(OTHER)], DAYS)
    assert overfittings is not None
    got, wanted = among_all(found(ONE, 15), 985, SETTINGS, overfittings), found(everything, 1000)
    assert (got.excess, got.absolute) == (wanted.excess, wanted.absolute)
    assert got.verdict == wanted.verdict
    assert "selection among 1,000 candidates" in got.verdict.words
    assert (got.candidates.distinct, got.candidates.own, got.candidates.others) == (1000, 15, 985)
    assert got.excess.deflated_sharpe is not None
    alone = found(ONE, 15).excess.deflated_sharpe
    assert alone is not None
    assert got.excess.deflated_sharpe < alone
    logits = plainly(everything - BASELINE[:, None], BLOCKS)["logit"]
    assert got.excess.overfitting is not None
    assert got.excess.overfitting.probability == (logits <= 0).mean()
    assert got.excess.overfitting.n_candidates == 30
    e = got.excess
    assert None not in (e.sharpe, e.skewness, e.kurtosis)
    needed = detectable(e.sharpe, e.skewness, e.kurtosis, DAYS, e.expected_maximum, 0.95, "")
    assert got.detectable is not None
    assert needed is not None
    assert got.detectable.required_annual_sharpe == needed.required_annual_sharpe


def test_counting_again_does_not_add_up():
    once = among_all(found(ONE, 15), 7, SETTINGS)
    assert among_all(among_all(found(ONE, 15), 100, SETTINGS), 7, SETTINGS) == once
    assert once.excess.overfitting == found(ONE, 15).excess.overfitting


def test_a_ratio_that_cannot_be_told_stays_so():
    still = found(ONE, 15)
    excess = SharpeFindings(DAYS, None, None, None, None, None, 0.01, 0.1, None, None, None, {"sharpe": "still"})
    unknown = SharpeFindings(DAYS, 0.1, 1.9, 0.0, 3.0, 0.9, None, None, None, None, None, {"deflated_sharpe": "few"})
    for one in (excess, unknown):
        got = among_all(Findings(**{**vars(still), "excess": one}), 10, SETTINGS)
        assert got.excess.deflated_sharpe is None
        assert got.verdict.rules[0].met is None


def test_too_few_days_or_candidates_are_not_pooled():
    assert pooled([sums_of(ONE[:, :4]), sums_of(OTHER[:, :5])], DAYS) is None
    assert pooled([sums_of(ONE), sums_of(OTHER)], 63) is None


@pytest.mark.parametrize("searches", [1, 3, 200])
def test_shares_of_all_searches_fit_together(searches: int):
    sums = np.arange(MOST_CANDIDATES + 5.0)[:, None, None] * np.ones((1, 9, BLOCKS + 1))
    part = share_of(sums, searches)
    assert len(part) == MOST_CANDIDATES // searches
    assert (part[0, 0, 0], part[-1, 0, 0]) == (0.0, MOST_CANDIDATES + 4.0)
    assert share_of(sums[:7], searches).shape == (7, 9, BLOCKS + 1)


def test_pooling_reads_one_search_as_itself():
    alone = pooled([sums_of(ONE)], DAYS)
    assert alone == tuple(pooled_overfitting(sums_of(ONE), BLOCKS, excess=excess) for excess in (True, False))
