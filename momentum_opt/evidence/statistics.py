"""Hold the Sharpe ratio of a winner against its competitors (SPEC §13)."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from momentum_opt.evidence.bootstrap import sharpe_interval
from momentum_opt.evidence.findings import Histogram, OverfittingFindings, SharpeFindings
from momentum_opt.evidence.moments import Moments, block_moments, combined, moments_of
from momentum_opt.evidence.overfitting import Overfitting, overfitting, why_not
from momentum_opt.evidence.sharpe import expected_maximum, probabilistic_sharpe_ratio
from momentum_opt.study.block_sums import Sums
from momentum_opt.units import DAYS_PER_YEAR

MOST_CANDIDATES: Final = 20_000
"""Candidates that PBO is computed over; of more, an evenly spaced subset is taken."""

LOGIT_BINS: Final = 40

CONFIDENCE: Final = 0.95
"""Of the interval of the candidates' variance."""

Values = NDArray[np.float64]


def sharpe_findings(
    returns: Values,
    competitors: Sums,
    non_adaptive: Sums,
    *,
    n_candidates: int,
    excess: bool,
    blocks: int,
    draws: int,
    seed: int,
    missing: str | None = None,
    cautious: bool = False,
) -> SharpeFindings:
    """Everything that daily returns of train say about the winner.

    Args:
        returns: (day,) of the winner, absolute or in excess, as `excess` says.
        competitors: sums of all distinct candidates, the winner included.
        non_adaptive: sums of the candidates that were not chosen by their results.
        n_candidates: N, distinct candidates scored.
        excess: which of the sums to read.
        blocks: S.
        draws: of the bootstrap.
        seed: of the bootstrap.
        missing: why `competitors` is not complete, or None.
        cautious: whether the variance of few `non_adaptive` counts with the upper end of its interval.
    """
    own = moments_of(returns)
    reasons: dict[str, str] = {}
    varies = len(returns) > 1 and not math.isnan(own.sharpe)
    if not varies:
        reasons["sharpe"] = "the returns do not vary"
    variance = _variance(non_adaptive, excess=excess, cautious=cautious)
    if variance is None:
        reasons["deflated_sharpe"] = "fewer than two candidates that were not chosen by their results have a ratio"
    found = None
    lacking = missing or why_not(len(returns), len(competitors))
    if lacking is None:
        found = pooled_overfitting(competitors, blocks, excess=excess)
    else:
        reasons["overfitting"] = lacking
    benchmark = None if variance is None else expected_maximum(n_candidates, variance)

    def probability(threshold: float | None) -> float | None:
        if threshold is None or not varies:
            return None
        return float(probabilistic_sharpe_ratio(own.sharpe, own.skewness, own.kurtosis, own.n, threshold))

    return SharpeFindings(
        n_observations=len(returns),
        sharpe=float(own.sharpe) if varies else None,
        annual_sharpe=float(own.sharpe) * math.sqrt(DAYS_PER_YEAR) if varies else None,
        skewness=float(own.skewness) if varies else None,
        kurtosis=float(own.kurtosis) if varies else None,
        probabilistic_sharpe=probability(0.0),
        variance=variance,
        expected_maximum=benchmark,
        deflated_sharpe=probability(benchmark),
        interval=sharpe_interval(returns, draws=draws, seed=seed) if varies else None,
        overfitting=found,
        reasons=reasons,
    )


def pooled_overfitting(sums: Sums, blocks: int, *, excess: bool) -> OverfittingFindings:
    """PBO over candidates, whichever search they are of.

    Args:
        sums: of all distinct candidates.
        blocks: S.
        excess: which of the sums to read.
    """
    found = overfitting(_equal_blocks(_evenly(sums), excess=excess))
    return _summary(found, min(len(sums), MOST_CANDIDATES), blocks)


def sharpe_ratios(sums: Sums, *, excess: bool) -> Values:
    """(candidate,) Sharpe ratios per day over all of train; those that do not vary are left out."""
    ratios = combined(block_moments(sums, excess=excess)).sharpe
    return ratios[~np.isnan(ratios)]


def histogram(values: Values, bins: int) -> Histogram:
    """Counts in `bins` equal steps from the smallest to the largest value."""
    counts, edges = np.histogram(values, bins)
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _variance(non_adaptive: Sums, *, excess: bool, cautious: bool) -> float | None:
    """V, the population variance of the Sharpe ratios of randomly drawn candidates; `cautious`: its upper limit."""
    ratios = sharpe_ratios(non_adaptive, excess=excess)
    if len(ratios) < 2:
        return None
    return float(ratios.var()) * (upper_limit(len(ratios)) if cautious else 1.0)


def upper_limit(count: int) -> float:
    """Upper end of the one-sided 95 % interval of a variance over the population variance of so many normal draws."""
    return count / float(chdtri(count - 1, CONFIDENCE))


def _equal_blocks(sums: Sums, *, excess: bool) -> Moments:
    return Moments(*(part[:-1] for part in block_moments(sums, excess=excess)))


def _evenly(sums: Sums) -> Sums:
    """At most `MOST_CANDIDATES` of them, evenly spaced."""
    if len(sums) <= MOST_CANDIDATES:
        return sums
    return sums[np.linspace(0, len(sums) - 1, MOST_CANDIDATES).round().astype(int)]


def _summary(found: Overfitting, n_candidates: int, blocks: int) -> OverfittingFindings:
    return OverfittingFindings(
        probability=found.probability,
        slope=found.slope,
        loss_probability=found.loss_probability,
        n_candidates=n_candidates,
        n_halves=math.comb(blocks, blocks // 2),
        logits=histogram(found.logits, LOGIT_BINS),
    )
