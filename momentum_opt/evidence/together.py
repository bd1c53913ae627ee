"""Count the candidates of other searches too (SPEC §13): findings of one search in, the same among all candidates out.

Whoever runs a search per combination of settings and keeps the best chooses among the candidates of all. N of the
deflated Sharpe ratio becomes their total. V stays that of the search's own non-adaptive candidates: for combinations
with ratios of different spread, the number that pass by luck is then the same as for one search of N candidates. PBO is
over the candidates of all where their blocks are of the same days.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from momentum_opt.evidence.assess import detectable_of
from momentum_opt.evidence.findings import Findings, OverfittingFindings, SharpeFindings
from momentum_opt.evidence.overfitting import why_not
from momentum_opt.evidence.sharpe import expected_maximum, probabilistic_sharpe_ratio
from momentum_opt.evidence.statistics import MOST_CANDIDATES, pooled_overfitting
from momentum_opt.evidence.verdict import verdict_among
from momentum_opt.fingerprint.sections import Evidence
from momentum_opt.study.block_sums import Sums

Overfittings = tuple[OverfittingFindings, OverfittingFindings]
"""Of returns in excess of the constant-weight pool, and of absolute ones."""


def share_of(sums: Sums, n_searches: int) -> Sums:
    """As many candidates of one search as PBO takes of it where so many searches are pooled, evenly chosen."""
    most = MOST_CANDIDATES // n_searches
    return sums if len(sums) <= most else sums[np.linspace(0, len(sums) - 1, most).round().astype(int)]


def pooled(sums: Sequence[Sums], n_days: int) -> Overfittings | None:
    """PBO over the candidates of several searches; None where there are too few days or candidates.

    Args:
        sums: of the candidates of each search, over the same blocks of the same days.
        n_days: daily returns of train.
    """
    every = np.concatenate(sums)
    if why_not(n_days, len(every)) is not None:
        return None
    blocks = every.shape[2] - 1  # beside them stands what the blocks leave over
    return pooled_overfitting(every, blocks, excess=True), pooled_overfitting(every, blocks, excess=False)


def among_all(findings: Findings, others: int, settings: Evidence, found: Overfittings | None = None) -> Findings:
    """The findings of a winner that was chosen among the candidates of other searches as well.

    Args:
        findings: of its search.
        others: N of the other searches together.
        settings: of the evidence.
        found: PBO over the candidates of all; None keeps that of the search alone.
    """
    n = findings.candidates.own + others
    excess = _deflated(findings.excess, n, None if found is None else found[0])
    absolute = _deflated(findings.absolute, n, None if found is None else found[1])
    return replace(
        findings,
        candidates=replace(findings.candidates, distinct=n, others=others),
        excess=excess,
        absolute=absolute,
        verdict=verdict_among(findings.verdict, excess, n, settings.verdict),
        detectable=detectable_of(excess, n, settings.verdict.min_deflated_sharpe),
    )


def _deflated(findings: SharpeFindings, n: int, found: OverfittingFindings | None) -> SharpeFindings:
    """The same ratio against the best of `n` candidates."""
    kept = findings if found is None else replace(findings, overfitting=found)
    numbers = (kept.sharpe, kept.skewness, kept.kurtosis)
    if kept.variance is None:
        return kept
    best = expected_maximum(n, kept.variance)
    if any(one is None for one in numbers):
        return replace(kept, expected_maximum=best)
    sharpe, skewness, kurtosis = (float(one) for one in numbers if one is not None)
    probability = float(probabilistic_sharpe_ratio(sharpe, skewness, kurtosis, kept.n_observations, best))
    return replace(kept, expected_maximum=best, deflated_sharpe=probability)
