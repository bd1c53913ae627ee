"""How much a Sharpe ratio says (SPEC §13): moments and the number of candidates in, probabilities out.

D. H. Bailey and M. López de Prado, The Sharpe ratio efficient frontier, J. Risk 15(2), 2012 (PSR); The deflated
Sharpe ratio, J. Portfolio Management 40(5), 2014 (expected maximum, DSR). Everything is per observation: nothing is
annualised.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

EULER_GAMMA: Final = 0.57721566490153286

Values = NDArray[np.float64] | float


def probabilistic_sharpe_ratio(
    sharpe: Values, skewness: Values, kurtosis: Values, n_observations: Values, benchmark: Values = 0.0
) -> Values:
    """PSR(b) = Φ((S − b)√(T − 1) / √(1 − g3 S + (g4 − 1)/4 · S²)): the probability that the true ratio exceeds b.

    Args:
        sharpe: S, mean over population std.
        skewness: g3.
        kurtosis: g4, raw.
        n_observations: T.
        benchmark: b.
    """
    # Never negative: g4 ≥ g3² + 1, so it is at least (g3 S/2 − 1)².
    variance = np.maximum(1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * np.square(sharpe), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ndtr((sharpe - benchmark) * np.sqrt(np.maximum(n_observations - 1.0, 0.0)) / np.sqrt(variance))


def expected_maximum(n_candidates: int, variance: float = 1.0) -> float:
    """b0 = √V·((1 − γ)Φ⁻¹(1 − 1/N) + γΦ⁻¹(1 − 1/(N e))): the best Sharpe ratio that N candidates without skill reach.

    Args:
        n_candidates: N, distinct candidates; 0 is what one of them reaches.
        variance: V, population variance of the Sharpe ratios of candidates that were not chosen by their results.

    Raises:
        ValueError: N below 1, or a negative variance.
    """
    if n_candidates < 1 or variance < 0:
        raise ValueError(f"`n_candidates` >= 1 and `variance` >= 0 must hold, but got {n_candidates} and {variance}")
    if n_candidates == 1:
        return 0.0
    # Φ⁻¹(1 − q) = −Φ⁻¹(q), which keeps its digits for small q.
    upper = -(1.0 - EULER_GAMMA) * ndtri(1.0 / n_candidates) - EULER_GAMMA * ndtri(1.0 / (n_candidates * math.e))
    return math.sqrt(variance) * float(upper)


def deflated_sharpe_ratio(
    sharpe: Values,
    skewness: Values,
    kurtosis: Values,
    n_observations: Values,
    n_candidates: int,
    variance: float,
) -> Values:
    """DSR = PSR(b0): the probability that the true ratio exceeds what the best of N candidates has by luck."""
    benchmark = expected_maximum(n_candidates, variance)
    return probabilistic_sharpe_ratio(sharpe, skewness, kurtosis, n_observations, benchmark)
